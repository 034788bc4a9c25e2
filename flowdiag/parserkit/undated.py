"""Records with stamps that leave out the year, where nothing tells it: they have no time, and are known all the same."""

from __future__ import annotations

import re

from flowdiag.parserkit.line_form import Record

__all__ = ["without_year", "without_yearless"]

# "Apr 21 09:10:05.123" of hubble observe (1.0 on) and "Apr 21 09:10:05" of ulogd; "I0421 09:10:05.123" of klog, each
# without its fraction
_YEARLESS = re.compile(
    rb"(?:(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) [ 0-3]\d|[IWEF][01]\d[0-3]\d) [0-2]\d:[0-5]\d:[0-5]\d"
)


def without_yearless(found: list[Record]) -> list[Record]:
    """Records of one form, without the stamps that leave out the year."""
    first = next((record[0] for record in found if record[0]), b"")
    # The stamps of a log are of one kind.
    return list(map(without_year, found)) if not first[:1].isdigit() else found


def without_year(record: Record) -> Record:
    """A record without its stamp where that leaves out the year; one that may be damaged stays, and has its record read."""
    return (b"", b"", *record[2:]) if _YEARLESS.fullmatch(record[0]) is not None else record
