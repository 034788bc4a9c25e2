"""The line forms of Cilium's components: logrus logfmt, slog text, JSON, klog, Envoy, and what surrounds a crash."""

from __future__ import annotations

import re
from itertools import islice
from typing import Any

import msgspec
from msgspec import Struct

__all__ = ["Entry", "is_trace", "read_entry"]

_MAX_FIELDS = 60
_MAX_VALUE = 4000
_MAX_TEXT = 65_536

# level=warning msg="Failed to add PolicyMap key" endpointID=2913 subsys=endpoint                     logrus, to 1.17
# time="2024-12-09T22:11:47.598510226Z" level=warning msg="Endpoint missed a policy revision; ..." k=v  logrus with time
# time=2025-05-14T14:03:12Z level=info msg="Upserted policy to repository" module=agent.controlplane    slog, 1.18
# Level=info Message="New endpoint" Time=2024-12-28T09:15:16.527287568Z Subsystem=endpoint              renamed keys
_PAIR = re.compile(
    r'([A-Za-z_!][\w.!/@-]{0,99})=([^\s"\[]\S*|"[^"\\]*(?:\\.[^"\\]*)*"|\[[^\[\]"]{0,4000}\]|\[\S*|)'
)
# The most usual of these: what stands before the message is as Cilium's own handler writes it.
_USUAL = re.compile(
    r'time=("?)(\d[\dT:.-]{18,29}Z)\1 level=([a-z]{4,7}) (?:source=([^\s"\[]{1,300}) )?msg="([^"\\]{0,1000})"(.*)'
)
_START = re.compile(
    r"(?:\d{4}-\d\d-\d\d[T ][\d:.]{8,20}Z? )?(?:[Tt]ime=\"?\d|[Ll]evel=[A-Za-z]|ts=\d)", re.ASCII
)
# 2022-11-29T05:45:16.255657611Z level=debug msg="..."     kubectl logs --timestamps, sysdump
_STAMP = re.compile(r"(\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d)) ")
# WARN [2019-08-03T02:38:06.468844998Z] cilium.io/agent: "Regeneration of endpoint failed" k=v       a log shipper, 2019
_SHIPPED = re.compile(
    r"(?P<level>TRACE|DEBUG|INFO|WARN|WARNING|ERROR|FATAL) {1,2}\[(?P<time>[^\]\s]{10,40})\]"
    r" (?P<component>\S{1,100}): \"(?P<message>(?:[^\"\\]|\\.)*)\"(?P<rest>.*)"
)
# W0512 10:11:12.123456       1 reflector.go:561] pkg/k8s/client: failed to list *v1.Pod: ...        client-go
_KLOG = re.compile(
    r"(?P<level>[IWEF])(?P<month>\d\d)(?P<day>\d\d) (?P<h>\d\d):(?P<m>\d\d):(?P<s>\d\d)\.(?P<us>\d{6}) +\d{1,10}"
    r" (?P<file>[\w./-]{1,200}:\d{1,7})\] ?(?P<message>.*)"
)
# [2024-02-20 10:11:12.123][12][info][main] [external/envoy/source/server/server.cc:404] initializing   embedded Envoy
_ENVOY = re.compile(
    r"\[(?P<time>\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{1,9})\]\[\d{1,10}\]\[(?P<level>[a-z]{1,10})\](?:\[(?P<part>[\w-]{1,40})\])?"
    r" (?P<message>.*)"
)
_PANIC = re.compile(r"(?:panic: |fatal error: ).{1,4000}")
# e.g. "goroutine 1 [running]:"  "main.main()"  "	/go/src/github.com/cilium/cilium/main.go:12 +0x1d"  "created by ..."
_TRACE = re.compile(
    r"goroutine \d{1,10} \[[^\]]{1,100}\]:|\s{1,8}/?\S{1,300}\.(?:go|s):\d{1,7}(?: \+0x[0-9a-f]{1,16})?"
    r"|created by \S{1,300}.{0,60}|[\w./*()-]{3,300}\(.{0,500}\)|\[signal SIG.{1,200}\]|exit status \d{1,3}|\s*"
)
_LEVELS = {
    "warn": "warning",
    "err": "error",
    "i": "info",
    "w": "warning",
    "e": "error",
    "f": "fatal",
    "critical": "error",
}
_MESSAGE_KEYS = ("msg", "Message", "message")
_TIME_KEYS = ("time", "Time", "ts", "@timestamp")
_LEVEL_KEYS = ("level", "Level")
_SAID_BEFORE = frozenset({"time", "level", "source", "msg"})
"""Keys of which the first counts, in front of the rest."""
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", '"': '"', "\\": "\\"}
_ESCAPE = re.compile(r"\\(x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|.)", re.DOTALL)


class Entry(Struct, frozen=True):
    """One log entry.  `stamp` is its own time as text; `yearless` is (month, day, h, m, s, ns) of klog."""

    message: str
    level: str | None
    fields: dict[str, str]
    stamp: str | None = None
    yearless: tuple[int, int, int, int, int, int] | None = None
    component: str | None = None


def read_entry(text: str) -> Entry | None:
    """Read a line in any of the forms; ``None`` where it is in none."""
    text = text[:_MAX_TEXT]
    usual = _USUAL.fullmatch(text)
    if usual is not None:
        _, stamp, level, source, message, rest = usual.groups()
        fields = _pairs(rest)
        if fields.keys().isdisjoint(_SAID_BEFORE):
            if source is not None:
                fields = {"source": source, **fields}
            return Entry(message, _LEVELS.get(level, level), fields, stamp)
    stamped = _STAMP.match(text)
    stamp = stamped[1] if stamped else None
    body = text[stamped.end() :] if stamped else text
    head = body[:1]
    if head == "{":
        return _from_json(body, stamp)
    if _START.match(body):
        return _from_pairs(body, stamp)
    if head == "[":
        match = _ENVOY.fullmatch(body)
        if match is None:
            return None
        fields = {"part": match["part"]} if match["part"] else {}
        return Entry(match["message"], _level(match["level"]), fields, match["time"] + "Z", component="envoy")
    if match := _KLOG.fullmatch(body):
        number = (int(match[name]) for name in ("month", "day", "h", "m", "s"))
        month, day, hour, minute, second = number
        yearless = (month, day, hour, minute, second, int(match["us"]) * 1000)
        return Entry(
            match["message"], _level(match["level"]), {"caller": match["file"]}, stamp, yearless=yearless
        )
    if match := _SHIPPED.fullmatch(body):
        fields = _pairs(match["rest"])
        return Entry(
            _unquote(match["message"]),
            _level(match["level"]),
            fields,
            match["time"],
            component=match["component"].rpartition("/")[2],
        )
    if _PANIC.fullmatch(body):
        return Entry(body, "fatal", {}, stamp)
    return None


def is_trace(text: str) -> bool:
    """Whether this is a line of a Go stack trace."""
    return _TRACE.fullmatch(text) is not None


def _from_pairs(text: str, stamp: str | None) -> Entry | None:
    return _entry(_pairs(text), stamp)


def _entry(fields: dict[str, str], stamp: str | None) -> Entry | None:
    message = _take(fields, _MESSAGE_KEYS)
    level = _take(fields, _LEVEL_KEYS)
    own = _take(fields, _TIME_KEYS)
    if message is None or (level is None and own is None):
        return None
    return Entry(message, _level(level), fields, own or stamp)


def _take(fields: dict[str, str], keys: tuple[str, ...]) -> str | None:
    for key in keys:
        if key in fields:
            return fields.pop(key)
    return None


def _level(word: str | None) -> str | None:
    if not word:
        return None
    word = word.lower()[:20]
    return _LEVELS.get(word, word)


def _pairs(text: str) -> dict[str, str]:
    found = _PAIR.findall(text)
    fields: dict[str, str] = dict(found)
    if len(fields) < len(found):
        # Of a key that comes again the first counts.
        fields.update(reversed(found))
    if len(fields) > _MAX_FIELDS:
        fields = dict(islice(fields.items(), _MAX_FIELDS))
    if '"' in text or len(text) > _MAX_VALUE:
        for key, value in fields.items():
            fields[key] = (_unquote(value[1:-1]) if value[:1] == '"' else value)[:_MAX_VALUE]
    return fields


def _unquote(text: str) -> str:
    """Undo Go's quoting."""
    return _ESCAPE.sub(_unescape, text) if "\\" in text else text


def _unescape(match: re.Match[str]) -> str:
    code = match[1]
    if code[0] in "xuU" and len(code) > 1:
        number = int(code[1:], 16)
        return chr(number) if number < 0x110000 and not 0xD800 <= number < 0xE000 else "\ufffd"
    return _ESCAPES.get(code, code)


def _from_json(text: str, stamp: str | None) -> Entry | None:
    try:
        body: Any = msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError):
        return None
    if not isinstance(body, dict):
        return None
    fields = {
        str(key)[:100]: (value if isinstance(value, str) else msgspec.json.encode(value).decode())[
            :_MAX_VALUE
        ]
        for key, value in list(body.items())[:_MAX_FIELDS]
    }
    return _entry(fields, stamp)
