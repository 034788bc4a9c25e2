"""Rotated files in the order of their records.

These habits are known: lumberjack puts a stamp into the name and keeps the live file's name
(``events-2024-05-01T10-11-12.000.log``), logrotate and kubelet count upwards from the newest
(``acl-audit-log.log.1``, ``.2.gz``; kubelet ``0.log.20240501-101112``) or
writes the day (``messages-20260101``).  The live file comes last.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime

from flowdiag.model.time import from_datetime

__all__ = ["name_time", "order_key"]

# "events-2024-05-01T10-11-12.000.log", "np-2024-05-01T10-11-12.000.log.gz"  lumberjack v2
_LUMBERJACK = re.compile(r"^(.{1,200}?)-(\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d(?:\.\d{1,9})?)(\.[^/]{0,40})?$")
# "0.log.20240501-101112", "0.log.20240501-101112.gz"  kubelet container log rotation
_KUBELET = re.compile(r"^(.{1,200}?)\.(\d{8}-\d{6})$")
# "messages-20260101", "syslog-20260101.gz"  logrotate with dateext, as Red Hat's and SUSE's systems have it
_DATED = re.compile(r"^(.{1,200}?)-(20\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01]))(\.[^/]{0,40})?$")
# "acl-audit-log.log.1", "syslog.2.gz"  logrotate
_NUMBERED = re.compile(r"^(.{1,200}?)\.(\d{1,4})$")
# "current.log" beside "previous.log" (must-gather), "web.log" beside "web-previous.log" (troubleshoot),
# "x.log" beside "x-prev.log" (cilium sysdump)
_PREVIOUS = re.compile(r"^(.{0,200}?)(?:-previous|-prev|previous\.insecure|previous|current)(\.log)$")
_SUFFIXES = (".gz", ".zst", ".bz2", ".xz")


def order_key(name: str) -> tuple[str, int, int, str, str]:
    """Sort key of a display name: files of one rotation stand together, oldest first.

    Returns:
        The folder and the name without its rotation, then what orders inside the rotation.
    """
    folder, slash, base = name.rpartition("/")
    packed = base
    for suffix in _SUFFIXES:
        packed = packed.removesuffix(suffix)
    stem, age, number, stamp = _split(packed)
    return folder + slash + stem, age, number, stamp, name


def name_time(name: str) -> int | None:
    """When a rotated file was closed, by the stamp in its name: near its records, good enough for a year.

    Returns:
        Nanoseconds; the stamp is read as UTC.
    """
    base = name.rpartition("/")[2]
    for suffix in _SUFFIXES:
        base = base.removesuffix(suffix)
    for pattern, group, form in (
        (_LUMBERJACK, 2, "%Y-%m-%dT%H-%M-%S"),
        (_KUBELET, 2, "%Y%m%d-%H%M%S"),
        (_DATED, 2, "%Y%m%d"),
    ):
        if match := pattern.match(base):
            try:
                moment = datetime.strptime(match[group].partition(".")[0], form).replace(tzinfo=UTC)
            except ValueError:
                continue
            return from_datetime(moment)
    return None


def _split(base: str) -> tuple[str, int, int, str]:
    """Stem; 0 for stamped, 1 for numbered, 2 for previous, 3 for live; the number negated; the stamp."""
    if match := _LUMBERJACK.match(base):
        return match[1] + (match[3] or ""), 0, 0, match[2]
    if match := _KUBELET.match(base):
        return match[1], 0, 0, match[2]
    if match := _DATED.match(base):
        return match[1] + (match[3] or ""), 0, 0, match[2]
    if match := _NUMBERED.match(base):
        return match[1], 1, -int(match[2]), ""
    if match := _PREVIOUS.match(base):
        return match[1] + match[2], 2 + ("current" in base), 0, ""
    return base, 3, 0, ""
