"""What stands around a record: its line, and whatever time and node are known from outside it."""

from __future__ import annotations

from msgspec import Struct

from flowdiag.parserkit import Block, LineEnvelope, ParseContext, ParseWarning, TimeSource, parse_rfc3339

__all__ = ["Carrier", "carrier", "warning"]


class Carrier(Struct, frozen=True):
    """The parts that every event of a line shares."""

    line: int
    at: int | None
    time_source: TimeSource
    node: str | None
    raw: str | None
    context: ParseContext


def carrier(around: LineEnvelope, context: ParseContext, raw: str, stamp: str | None = None) -> Carrier:
    """Take time and node from the envelope, or the time from a collector's `stamp` in front of the line."""
    at = around.at
    if stamp is not None:
        try:
            at = parse_rfc3339(stamp, context.zone)
        except ValueError:  # not a day of the calendar
            at = around.at
    return Carrier(
        around.line,
        at,
        TimeSource.NONE if at is None else TimeSource.ENVELOPE,
        around.node or context.node,
        raw if context.keep_raw else None,
        context,
    )


def warning(
    code: str, message: str, block: Block, index: int, context: ParseContext, raw: str
) -> ParseWarning:
    """What could not be read."""
    around = block.of_line(index)
    return ParseWarning(
        line=around.line,
        code=code,
        message=message,
        at=around.at,
        time_source=TimeSource.NONE if around.at is None else TimeSource.ENVELOPE,
        node=around.node or context.node,
        raw=raw if context.keep_raw else None,
    )
