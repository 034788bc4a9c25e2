"""klog's text header, which most of Kubernetes' own components and many CNIs write (k8s.io/klog, all versions)."""

from __future__ import annotations

import re

from msgspec import Struct

from flowdiag.model.event import TimeSource
from flowdiag.parserkit.block import ParseContext
from flowdiag.parserkit.yearless import yearless_instant

__all__ = ["KLOG_BYTES", "Klog", "read_klog"]

# "W0918 07:33:56.992682       1 client_config.go:549] text"   no year, no zone
_KLOG = re.compile(
    r"(?P<level>[IWEF])(?P<month>\d\d)(?P<day>\d\d) (?P<h>\d\d):(?P<m>\d\d):(?P<s>\d\d)\.(?P<micro>\d{6})"
    r" {1,8}(?P<pid>\d{1,10}) (?P<file>[\w.-]{1,80}):(?P<line>\d{1,7})\] ?"
)
KLOG_BYTES = re.compile(rb"^[IWEF]\d{4} \d\d:\d\d:\d\d\.\d{6} +\d+ [\w.-]+:\d+\] ", re.MULTILINE)
"""Finds a header at the start of a line; for `Parser.sniff`."""

_LEVELS = {"I": "info", "W": "warning", "E": "error", "F": "fatal"}


class Klog(Struct, frozen=True):
    """A header; `end` is where the message begins in the line."""

    level: str
    """``info``, ``warning``, ``error`` or ``fatal``."""
    at: int | None
    time_source: TimeSource
    pid: str
    file: str
    source_line: str
    end: int


def read_klog(text: str, context: ParseContext) -> Klog | None:
    """Read the header at the start of `text`, in the context's zone and year; ``None`` where there is none."""
    match = _KLOG.match(text)
    if match is None:
        return None
    at = yearless_instant(
        context,
        int(match["month"]),
        int(match["day"]),
        (int(match["h"]), int(match["m"]), int(match["s"])),
        int(match["micro"]) * 1000,
    )
    return Klog(
        level=_LEVELS[match["level"]],
        at=at,
        time_source=TimeSource.NONE if at is None else TimeSource.INFERRED_YEAR,
        pid=match["pid"],
        file=match["file"],
        source_line=match["line"],
        end=match.end(),
    )
