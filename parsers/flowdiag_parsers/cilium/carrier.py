"""What stands around a record: its line, and whatever time and node are known from outside it."""

from __future__ import annotations

from contextlib import suppress

from msgspec import Struct

from flowdiag.parserkit import LineEnvelope, ParseContext, TimeSource, parse_rfc3339

__all__ = ["Carrier", "carrier"]


class Carrier(Struct, frozen=True):
    """The parts that every event of a line shares."""

    line: int
    at: int | None
    time_source: TimeSource
    node: str | None
    raw: str | None
    context: ParseContext
    cut: bool = False
    """The line's last word may be the beginning of one."""


def carrier(
    around: LineEnvelope, context: ParseContext, raw: str, stamp: str | None = None, *, cut: bool = False
) -> Carrier:
    """Take time and node from the envelope, or the time from a collector's `stamp` in front of the line."""
    at, source = around.at, around.time_source
    if stamp is not None:
        with suppress(ValueError):  # not a day of the calendar
            at, source = parse_rfc3339(stamp, context.zone), TimeSource.ENVELOPE
    return Carrier(
        around.line,
        at,
        source,
        around.node or context.node,
        raw if context.keep_raw else None,
        context,
        cut,
    )
