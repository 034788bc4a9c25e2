"""Events of a line or an object of a Hubble export, read in full; all faster ways must give the same."""

from __future__ import annotations

from collections.abc import Iterator

from flowdiag.parserkit import Event, LineEnvelope, ParseContext, decode, line_warning, said_around
from flowdiag_parsers.hubble.json_lines import Piece, pieces_of_line
from flowdiag_parsers.hubble.json_record import read_record

__all__ = ["line_events", "piece_events"]


def line_events(line: bytes, around: LineEnvelope, context: ParseContext, *, last: bool) -> Iterator[Event]:
    """Events of one line; `last` says that the input ends in it, without its newline."""
    for piece in pieces_of_line(line):
        yield from piece_events(piece, around, context, last=last)


def piece_events(
    piece: Piece, around: LineEnvelope, context: ParseContext, *, last: bool = False
) -> Iterator[Event]:
    """Events of one object of an input, or the warning that it is none; `last` as for `line_events`."""
    raw = decode(piece.raw) if context.keep_raw else None
    if piece.problem is not None:
        if piece.value is None and said_around(decode(piece.raw)):
            return
        code, message = piece.problem, piece.message or "not JSON"
        if last and piece.value is None:
            code, message = "truncated", "the last line was cut off"
        yield line_warning(code, message, around, context, raw)
        if piece.value is None:
            return
    yield from read_record(piece.value, around, context, raw)
