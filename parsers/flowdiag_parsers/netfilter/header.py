"""What stands before a packet line's own text: time, host, ``kernel:``, uptime.

Ingest peels the usual envelopes; this reads them where a line still carries one, because kernel lines
are pasted into tickets from everywhere.
"""

from __future__ import annotations

import re
from datetime import tzinfo

from msgspec import Struct

from flowdiag.parserkit import (
    MONTHS,
    NS,
    ParseContext,
    TimeSource,
    from_epoch,
    parse_rfc3339,
    yearless_instant,
)

__all__ = ["Header", "read_header"]


class Header(Struct, frozen=True):
    """Time and host of a line; `end` is where the line's own text begins."""

    at: int | None
    time_source: TimeSource
    host: str | None
    end: int


# "Dec  4 01:30:07 node3 kernel: [307753.360525] "       rsyslog, RFC 3164 (day padded with a blank)
# "Feb 26 12:03:37 worker-b kernel: [ 3161.662745] "      the same, uptime padded
# "Mar 05 19:36:57 minikube kernel: "                     journalctl -o short
# "<5>Dec  4 01:30:07 node3 kernel: "                     with the syslog priority left in
# "2024-11-19T12:15:03.023805-08:00 c1-control kernel: "  rsyslog's RFC 3339 file format
# "2024-11-19T12:15:03+0000 c1-control kernel: "          journalctl -o short-iso
# "2026-11-23T15:37:06,123456+00:00 "                     dmesg --time-format iso
# "[Mon Nov 23 15:37:06 2026] "                           dmesg -T
# "[307753.360525] ", "kern  :notice: [307753.360525] "   dmesg, dmesg -x; with -T "kern  :warn  : [Mon Nov 23 15:37:06 2026] "
# "[Nov23 15:37] ", "[  +0.000012] "                      dmesg -H: a minute, and how long after the line before
# "1732047303.023805 c1-control kernel: "                 journalctl -o short-unix
# "[ 1000.123456] c1-control kernel: "                    journalctl -o short-monotonic
# "[ 1000.123456 <    0.000012 >] c1-control kernel: "    journalctl -o short-delta (252 and later)
# "172.20.0.2: kern: warning: [2026-11-23T15:37:06.123456789Z]: "   talosctl dmesg, Talos 1.0 and later
# "[307753.360525][  T1234] ", "kernel: [    C0] "        a kernel that says who printed (CONFIG_PRINTK_CALLER), dmesg 2.40
# "node3 kern.log [307753.360525] "                       LogDNA; its export puts "Nov 20 10:59:44 " before it
_HEADER = re.compile(
    r"(?:<\d{1,3}>)?(?:kern {1,2}:[a-z]{1,8} {0,3}: )?"
    r"(?:"
    r"(?P<month>[A-Z][a-z]{2}) {1,2}(?P<day>\d{1,2}) (?P<hm>\d\d:\d\d):(?P<s>\d\d)(?:\.(?P<frac>\d{1,9}))?"
    r" (?:(?P<host>(?!kernel[:\[])\S{0,254}[^\s:]) {1,2})?"
    r"|(?P<iso>\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d{1,9})?(?:Z|[+-]\d\d:?\d\d)?)"
    r" (?:(?P<isohost>\S{1,255}) (?=kernel))?"
    r"|\[(?:[A-Z][a-z]{2}) (?P<tmonth>[A-Z][a-z]{2}) {1,2}(?P<tday>\d{1,2})"
    r" (?P<tclock>\d\d:\d\d:\d\d) (?P<tyear>\d{4})\] "
    r"|(?P<unix>\d{9,11})\.(?P<unixfrac>\d{6}) (?P<unixhost>\S{1,255}) "
    r"|\[[A-Z][a-z]{2} {0,2}\d{1,2} \d\d:\d\d\] |\[ {0,12}\+\d{1,12}\.\d{1,9}\] "
    r"|(?:(?P<taloshost>[A-Za-z0-9][A-Za-z0-9.:-]{0,252}): )?kern: {1,8}[a-z]{3,8}: \[(?P<talos>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?Z)\]: "
    r"|(?P<ldhost>\S{1,255}) kern\.log "
    r")?"
    r"(?:kernel(?:\[\d{1,10}\])?: ?|kern\.log )?"
    r"(?:\[ {0,12}\d{1,12}\.\d{1,9}(?: <[ 0-9.+]{1,24}>)?\] ?(?:(?P<monohost>[A-Za-z0-9][A-Za-z0-9_.-]{0,252}) kernel(?:\[\d{1,10}\])?: ?)?)?"
    r"(?:\[ {0,8}[TC]\d{1,10}\] ?)?"
)


def read_header(text: str, context: ParseContext) -> Header:
    """Read what precedes the prefix; always succeeds, perhaps with nothing found.

    Zoneless stamps are in ``context.zone``; those without a year get one as `yearless_instant` says.
    """
    match = _HEADER.match(text)
    if match is None:
        return Header(None, TimeSource.NONE, None, 0)
    end = match.end()
    if match["month"] is not None:
        month = MONTHS.get(match["month"])
        if month is None:
            return Header(None, TimeSource.NONE, match["host"], end)
        at = _minute(
            context.year, context.reference_time, context.zone, month, int(match["day"]), match["hm"]
        )
        if at is not None:
            at += int(match["s"]) * NS + int((match["frac"] or "0").ljust(9, "0"))
        source = TimeSource.NONE if at is None else TimeSource.INFERRED_YEAR
        return Header(at, source, match["host"], end)
    if match["iso"] is not None:
        return _dated(match["iso"], context, match["isohost"], end)
    if match["talos"] is not None:
        return _dated(match["talos"], context, match["taloshost"], end)
    if match["tmonth"] is not None:
        month = MONTHS.get(match["tmonth"], 0)
        stamp = f"{match['tyear']}-{month:02d}-{int(match['tday']):02d}T{match['tclock']}"
        return _dated(stamp, context, None, end)
    if match["unix"] is not None:
        at = from_epoch(int(match["unix"]), int(match["unixfrac"]) * 1000)
        return Header(at, TimeSource.NONE if at is None else TimeSource.RECORD, match["unixhost"], end)
    return Header(None, TimeSource.NONE, match["ldhost"] or match["monohost"], end)


_minutes: dict[tuple[int | None, int | None, str, int, int, str], int | None] = {}
_MINUTES_KEPT = 1024


def _minute(
    year: int | None, reference: int | None, zone: tzinfo, month: int, day: int, clock: str
) -> int | None:
    """Start of a minute without a year: thousands of lines share one."""
    # By the zone's name in words: dateutil's zones have no hash.
    key = (year, reference, repr(zone), month, day, clock)
    if key not in _minutes:
        if len(_minutes) >= _MINUTES_KEPT:
            _minutes.clear()
        context = ParseContext(input="", year=year, reference_time=reference, zone=zone)
        _minutes[key] = yearless_instant(context, month, day, (int(clock[:2]), int(clock[3:]), 0))
    return _minutes[key]


def _dated(stamp: str, context: ParseContext, host: str | None, end: int) -> Header:
    try:
        return Header(parse_rfc3339(stamp, context.zone), TimeSource.RECORD, host, end)
    except ValueError:  # not a day of the calendar
        return Header(None, TimeSource.NONE, host, end)
