"""The line form of Calico's components (lib/logrusr/formatter.go; unchanged since 2017).

``TIMESTAMP [LEVEL][PID] [COMPONENT/]FILE LINE: MESSAGE KEY=VALUE...``: no zone, the fields sorted by
key, and values that are quoted only if they are Go strings.  Where the message ends and the fields
begin is ambiguous by design, so brackets, quotes and the sorting are used, and nothing is thrown away.
"""

from __future__ import annotations

import re
from functools import lru_cache

from msgspec import Struct

from flowdiag.parserkit import ParseContext, parse_rfc3339

__all__ = [
    "HEADER",
    "HEADER_BYTES",
    "LEVELS",
    "Header",
    "begins_operator",
    "duration_ms",
    "read_header",
    "split_fields",
    "unquote",
]

MAX_VALUE = 4000
"""Characters kept of a field's value: Felix writes whole iptables dumps into one."""

LEVELS = "PANIC|FATAL|ERROR|WARNING|INFO|DEBUG|TRACE"
"""What a header says of its record, as a part of a regular expression."""

# "2024-11-01 13:31:32.770 [INFO][80] felix/summary.go 100: Summarising 11 dataplane ..."   v3.14 and later
# "2022-06-03 00:57:27.114 [INFO][10100] k8s.go 582: Teardown processing complete. ..."     CNI up to v3.28
# "2017-03-15 11:22:33.123 [PANIC][4242] <nil> <nil>: "                                     v3.29 and later
# "2021-05-04 01:02:03.456 [INFO][7] felix/filename-lookup-failed -1: ..."                  up to v3.28
HEADER = re.compile(
    r"(?P<day>\d{4}-\d\d-\d\d) (?P<clock>\d\d:\d\d:\d\d\.\d{3}) \[(?P<level>" + LEVELS + r")\]"
    r"\[(?P<pid>\d{1,10})\] (?:(?P<component>[a-z][a-z0-9-]{0,40})/)?(?P<file>\S{1,80}) (?P<line>-?\d{1,7}|<nil>):(?: |$)"
)
HEADER_BYTES = re.compile(
    rb"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} \[(?:" + LEVELS.encode() + rb")\]\[\d{1,10}\] \S"
)


def begins_operator(line: bytes) -> bool:
    """Whether a line looks like a record of the operator: blocks may be cut before it, also where it is damaged."""
    return line.startswith(b'{"level":"') and b'"msg":' in line and b'"logger":' in line


class Header(Struct, frozen=True):
    """What stands before the message; `end` is where the message begins in the line."""

    at: int | None
    level: str
    pid: str
    component: str | None
    file: str | None
    source_line: str | None
    end: int


def read_header(text: str, context: ParseContext) -> Header | None:
    """Find a record's header in the first 600 characters: collectors and ``kubectl describe`` write before it."""
    match = HEADER.match(text) or HEADER.search(text, 0, 600)
    if match is None:
        return None
    file, line = match["file"], match["line"]
    return Header(
        at=_instant(match["day"], match["clock"], context),
        level=match["level"],
        pid=match["pid"],
        component=match["component"],
        file=None if file == "<nil>" else file,
        source_line=None if line == "<nil>" else line,
        end=match.end(),
    )


def _instant(day: str, clock: str, context: ParseContext) -> int | None:
    if day == "0001-01-01":  # Go's zero time: nobody set it
        return None
    try:
        return parse_rfc3339(f"{day}T{clock}", context.zone)
    except ValueError:
        return None


# A quoted string, a bracket, or a possible key.
_TOKEN = re.compile(
    r'"[^"\\]*+(?:\\.[^"\\]*+)*+"|[{}()\[\]]|(?<![^\s])(?P<key>[A-Za-z_][A-Za-z0-9_.-]{0,80})=', re.DOTALL
)
_QUOTED = re.compile(r'\*?"[^"\\]*+(?:\\.[^"\\]*+)*+"', re.DOTALL)
_KEY_ONLY = re.compile(
    r'"[^"\\]*+(?:\\.[^"\\]*+)*+"|(?<![^\s])(?P<key>[A-Za-z_][A-Za-z0-9_.-]{0,80})=', re.DOTALL
)


def split_fields(text: str) -> tuple[str, dict[str, str]]:
    """Cut a record's text into its message and its fields.

    An unquoted value runs to the next key that sorts after its own, outside quotes and brackets:
    ``error=exec: "x": a=b ipVersion=0x4`` is cut at ``ipVersion``.

    Returns:
        The message without trailing blanks, and the values: unquoted, cut at `MAX_VALUE` characters.
    """
    if "=" not in text:
        return text.rstrip(), {}
    starts, depth = _key_places(text, _TOKEN)
    if depth:  # brackets that do not close say nothing about nesting
        starts, _ = _key_places(text, _KEY_ONLY)
    if not starts:
        return text.rstrip(), {}
    fields: dict[str, str] = {}
    message = text[: starts[0][1]].rstrip()
    for number, (key, _, value_start) in enumerate(starts):
        end = starts[number + 1][1] if number + 1 < len(starts) else len(text)
        value = text[value_start:end].strip()
        quoted = _QUOTED.match(value)
        if quoted is not None and quoted.end() < len(value):
            # A quoted value is over at its quote: lines that follow are somebody's standard error.
            message = f"{message}\n{value[quoted.end() :].strip()}"
            value = quoted[0]
        fields[key] = unquote(value)
    return message, fields


def _key_places(text: str, token: re.Pattern[str]) -> tuple[list[tuple[str, int, int]], int]:
    """``(key, where it begins, where its value begins)`` of each field, and the depth left open."""
    places: list[tuple[str, int, int]] = []
    depth = 0
    last = ""
    for match in token.finditer(text):
        key = match["key"]
        if key is not None:
            if depth == 0 and key > last:
                places.append((key, match.start(), match.end()))
                last = key
            continue
        first = match[0][0]
        if first in "{([":
            depth += 1
        elif first in "})]":
            depth = max(0, depth - 1)
    return places, depth


_ESCAPE = re.compile(r'\\(?:x([0-9a-f]{2})|u([0-9a-f]{4})|(["\\ntr]))')
_SIMPLE = {"n": "\n", "t": "\t", "r": "\r", '"': '"', "\\": "\\"}


def unquote(value: str) -> str:
    r"""A Go-quoted string (``"a\n"``, ``*"a"``) as text, anything else as it is; both bounded."""
    body = value.removeprefix("*")
    if len(body) >= 2 and body[0] == '"' == body[-1]:
        cut = len(body) > MAX_VALUE
        text = _ESCAPE.sub(_unescape, body[1 : MAX_VALUE if cut else -1])
        return text + "…" if cut else text
    return value[:MAX_VALUE] + "…" if len(value) > MAX_VALUE else value


def _unescape(match: re.Match[str]) -> str:
    code = match[1] or match[2]
    return chr(int(code, 16)) if code else _SIMPLE[match[3]]


# "1m4.5s", "11ms", "1h2m3.5s", "250µs"   Go's time.Duration
_DURATION = re.compile(r"(\d{1,9}(?:\.\d{1,9})?)(h|ms|m|s|us|µs|ns)")
_UNIT_MS = {
    "h": 3_600_000.0,
    "m": 60_000.0,
    "s": 1000.0,
    "ms": 1.0,
    "us": 0.001,
    "µs": 0.001,
    "ns": 0.000_001,
}


@lru_cache(maxsize=4096)
def duration_ms(text: str) -> float | None:
    """Milliseconds of a Go duration, or ``None`` where it is not one."""
    total, end = 0.0, 0
    for match in _DURATION.finditer(text):
        if match.start() != end:
            return None
        total += float(match[1]) * _UNIT_MS[match[2]]
        end = match.end()
    return total if end == len(text) and end else None
