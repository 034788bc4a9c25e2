"""Every record of all inputs as one event, in their order."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, groupby, islice

from flowdiag.ingest.detection import Detection, InputKind
from flowdiag.ingest.fold import events_of
from flowdiag.ingest.identify import detect_all
from flowdiag.ingest.newest_first import falls
from flowdiag.ingest.options import ReadOptions
from flowdiag.ingest.parts import parts_of
from flowdiag.ingest.plugins import parser_named
from flowdiag.ingest.problems import InputProblem
from flowdiag.ingest.sources import Gathered
from flowdiag.ingest.unread import nothing_read, unread_lines
from flowdiag.model.event import Event

__all__ = ["iter_events"]

_ASKED = 256
"""Events by whose lines is told which way an input was read."""


def iter_events(
    gathered: Gathered,
    options: ReadOptions,
    problems: list[InputProblem] | None = None,
    *,
    detected: Sequence[Detection] | None = None,
) -> Iterator[tuple[str, str, Event]]:
    """Yield ``(input name, parser name, event)`` for every record, in input order.

    Args:
        gathered: the sources.
        options: how to read.
        problems: grows by what is wrong.
        detected: what `detect_all` said, if it was asked before; its problems are then the caller's.

    Raises:
        UsageError: the forced format is unknown.
        PluginError: it is broken.
    """
    found = problems if problems is not None else []
    if detected is None:
        detected, at_first = detect_all(gathered, options)
        found += at_first
    for one in detected:
        if one.kind is not InputKind.EVIDENCE or one.parser is None:
            continue
        parser = parser_named(one.parser)
        any_event = False
        # One part is the whole input: order matters here, not speed.
        for part in parts_of(one, options, part_bytes=max(one.source.size, 1)):
            events: Iterable[Event] = events_of(part, parser, found)
            if part.stack and getattr(parser, "follows_time", False):
                events = _in_input_order(events)
            for event in events:
                any_event = True
                yield one.source.name, one.parser, event
        if any_event:
            continue
        if options.format is None:
            problem = nothing_read(one, parser)
            found += [] if problem is None else [problem]
        else:
            for warning in unread_lines(one.source, one.parser):
                yield one.source.name, one.parser, warning


def _in_input_order(events: Iterable[Event]) -> Iterator[Event]:
    """Events of an input that was read from its last line on, as its lines stand; all are held then."""
    found = iter(events)
    first = list(islice(found, _ASKED))
    lines = [event.line for event in first]
    # A parser tells some events late, of lines before the last one's.
    if not falls([line for line, _ in groupby(lines)]):
        yield from chain(first, found)
        return
    by_line = [list(same) for _, same in groupby(chain(first, found), lambda event: event.line)]
    for same in reversed(by_line):
        yield from same
