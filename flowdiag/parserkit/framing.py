"""What every event of a line has in common, worked out once: where it stands, when, on which node."""

from __future__ import annotations

from typing import TypedDict

from flowdiag.model.event import ParseWarning, TimeSource
from flowdiag.parserkit.block import LineEnvelope, ParseContext

__all__ = ["Frame", "frame", "line_warning"]


class Frame(TypedDict):
    """Keyword arguments that all events take: ``FlowEvent(**frame(...), src=..., ...)``."""

    line: int
    at: int | None
    time_source: TimeSource
    node: str | None
    raw: str | None


def frame(
    around: LineEnvelope,
    context: ParseContext,
    text: str | None,
    at: int | None = None,
    *,
    source: TimeSource = TimeSource.RECORD,
    node: str | None = None,
) -> Frame:
    """Fill a `Frame`.

    Args:
        around: the line's place and wrapper.
        context: of the input.
        text: the record as it stands; kept only where `ParseContext.keep_raw` asks for it.
        at: the record's own time; without one the wrapper's is taken, and said to be.
        source: where `at` comes from.
        node: as the record says; else the wrapper's, else the input's.
    """
    return {
        "line": around.line,
        "at": at if at is not None else around.at,
        "time_source": source if at is not None else around.time_source,
        "node": node or around.node or context.node,
        "raw": text if context.keep_raw else None,
    }


def line_warning(
    code: str, message: str, around: LineEnvelope, context: ParseContext, text: str | None
) -> ParseWarning:
    """What of a line could not be read, at its wrapper's time; `text` as for `frame`."""
    return ParseWarning(**frame(around, context, text), code=code, message=message)
