"""Records of other hands between Calico's own: BIRD, klog, probes, collectors, and what precedes them."""

from __future__ import annotations

import re

from msgspec import Struct

from flowdiag.parserkit import MONTHS, ParseContext, TimeSource, parse_rfc3339, yearless_instant
from flowdiag_parsers.calico.record import unquote

__all__ = ["CHATTER", "Foreign", "Outer", "peel", "read_foreign"]


class Outer(Struct, frozen=True):
    """What stands before a line's own text."""

    at: int | None
    time_source: TimeSource
    host: str | None
    end: int
    stamped: bool = False
    """It holds a stamp, readable or not: then no other line's time is lent to it."""


class Foreign(Struct, frozen=True, kw_only=True):
    """A line that is a record of its own, though not in the form of `record.HEADER`."""

    kind: str
    """``bird``, ``klog``, ``logrus``, ``syslog``, ``python``, ``probe``, ``cni``, ``panic``, ``operator`` or ``wrapped``."""
    text: str
    at: int | None = None
    time_source: TimeSource = TimeSource.NONE
    level: str | None = None
    component: str | None = None
    fields: dict[str, str] = {}


# "[pod/calico-node-abcde/calico-node] "   kubectl logs --prefix
# "2024-05-10T21:47:38.54123 "             svlogd -ttt in calico-node (UTC); "_" for "T" in older images (-tt)
# "2024-06-01T04:39:44.041234567Z "        kubectl logs --timestamps
# "2024-06-01T04:39:44.041234567Z stderr F "  CRI file
# "May 03 11:43:21 node-1 kubelet[4713]: " journald and syslog
_OUTER = re.compile(
    r"(?:\[pod/[^\]\s]{1,300}\] )?"
    r"(?:(?P<day>\d{4}-\d\d-\d\d)[T_](?P<clock>\d\d:\d\d:\d\d(?:\.\d{1,9})?)(?P<zone>Z|[+-]\d\d:\d\d)? )?"
    r"(?:std(?:out|err) [FP] )?"
    r"(?:(?P<month>[A-Z][a-z]{2}) {1,2}(?P<mday>\d{1,2}) (?P<h>\d\d):(?P<m>\d\d):(?P<s>\d\d)"
    r" (?P<host>\S{1,255}) [\w./-]{1,64}(?:\[\d{1,10}\])?: )?"
)

# What stands between the logs of a dump, beside what `said_around` knows: no record of anybody.
CHATTER = re.compile(
    r"==== (?:START|END) logs |(?:e|E)rror (?:from server|: )|unable to retrieve container logs "
)

# "bird: Mesh_10_0_1_1: State changed to start"          BIRD in calico-node, no header
_BIRD = re.compile(r"(?P<which>bird6?): ")
# "W0918 07:33:56.992682       1 client_config.go:549] text"   klog: no year, no zone
_KLOG = re.compile(
    r"(?P<level>[IWEF])(?P<month>\d\d)(?P<day>\d\d) (?P<h>\d\d):(?P<m>\d\d):(?P<s>\d\d)\.(?P<micro>\d{6})"
    r" {1,8}(?P<pid>\d{1,10}) (?P<file>[\w.-]{1,80}):(?P<line>\d{1,7})\] "
)
# 'time="2017-11-21T15:44:46Z" level=info msg="..."'     logrus' own form: old CNI, collectors of tests
_LOGRUS = re.compile(
    r'time="(?P<at>[^"]{10,40})" level=(?P<level>[a-z]{4,7}) msg="(?P<msg>(?:[^"\\]|\\.)*+)"', re.DOTALL
)
# "WARNING table.go 978: Failed to execute ..."          FELIX_LOGSEVERITYSYS: the syslog header has the time
_SYSLOG = re.compile(
    r"(?P<level>PANIC|FATAL|ERROR|WARNING|INFO|DEBUG|TRACE) (?P<file>[\w.-]{1,80}\.go) (?P<line>-?\d{1,7}): "
)
# "2016-01-05 14:18:57,077 13648 [98b3e165] ERROR text"  Felix and CNI in Python, 2015-2016
_PYTHON = re.compile(
    r"(?P<at>\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3}) (?:\[?(?P<pid>\d{1,10})\]? )?(?:\[\w{1,40}\] )?"
    r"\[?(?P<level>DEBUG|INFO|WARNING|ERROR|CRITICAL)\]? "
)
# "calico/node is not ready: felix is not ready: readiness probe reporting 503"    readiness probe, v3.0 and later
_PROBE = re.compile(r"(?P<lead>.{0,200}?)(?P<text>calico/[a-z-]{1,20} is not ready: .{0,2000})")
# "Calico CNI IPAM request count IPv4=1 IPv6=0"          CNI plugin on the kubelet's stderr
_CNI = re.compile(r"Calico CNI ")
# "panic: (*logrus.Entry) 0x400035db90"                  Go runtime
_PANIC = re.compile(r"(?:panic|fatal error): ")


def peel(text: str, context: ParseContext) -> Outer:
    """Read what a collector wrote before a line; what is not there is ``None``."""
    match = _OUTER.match(text)
    if match is None:
        return Outer(None, TimeSource.NONE, None, 0)
    at, source = None, TimeSource.NONE
    if match["day"] is not None:
        try:
            at = parse_rfc3339(f"{match['day']}T{match['clock']}{match['zone'] or 'Z'}")
            source = TimeSource.RECORD
        except ValueError:
            at = None
    elif match["month"] is not None:
        month = MONTHS.get(match["month"])
        if month is not None:
            clock = (int(match["h"]), int(match["m"]), int(match["s"]))
            at = yearless_instant(context, month, int(match["mday"]), clock)
            source = TimeSource.NONE if at is None else TimeSource.INFERRED_YEAR
    stamped = match["day"] is not None or match["month"] is not None
    return Outer(at, source, match["host"], match.end(), stamped)


def read_foreign(text: str, context: ParseContext) -> Foreign | None:
    """Recognise a record that has not Calico's header; `text` has lost what `peel` takes off."""
    match = _BIRD.match(text)
    if match is not None:
        return Foreign(kind="bird", text=text[match.end() :], component=match["which"])
    match = _KLOG.match(text)
    if match is not None:
        at = yearless_instant(
            context,
            int(match["month"]),
            int(match["day"]),
            (int(match["h"]), int(match["m"]), int(match["s"])),
            int(match["micro"]) * 1000,
        )
        return Foreign(
            kind="klog",
            text=text[match.end() :],
            at=at,
            time_source=TimeSource.NONE if at is None else TimeSource.INFERRED_YEAR,
            level=match["level"],
            fields={"pid": match["pid"], "file": match["file"], "line": match["line"]},
        )
    match = _LOGRUS.match(text)
    if match is not None:
        return _dated("logrus", unquote(f'"{match["msg"]}"'), match["at"], match["level"], context)
    match = _SYSLOG.match(text)
    if match is not None:
        return Foreign(
            kind="syslog",
            text=text[match.end() :],
            level=match["level"],
            fields={"file": match["file"], "line": match["line"]},
        )
    match = _PYTHON.match(text)
    if match is not None:
        return _dated("python", text[match.end() :], match["at"], match["level"], context)
    match = _PROBE.match(text)
    if match is not None:
        return Foreign(kind="probe", text=match["text"])
    if _CNI.match(text) is not None:
        return Foreign(kind="cni", text=text)
    if _PANIC.match(text) is not None:
        return Foreign(kind="panic", text=text, level="PANIC")
    return None


def _dated(kind: str, text: str, stamp: str, level: str, context: ParseContext) -> Foreign:
    try:
        return Foreign(
            kind=kind,
            text=text,
            at=parse_rfc3339(stamp, context.zone),
            time_source=TimeSource.RECORD,
            level=level,
        )
    except ValueError:
        return Foreign(kind=kind, text=text, level=level)
