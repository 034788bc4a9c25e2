"""The unit of work: one part read, parsed and folded into a tally, or given event by event."""

from __future__ import annotations

import gc
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Protocol

import msgspec

from flowdiag.ingest.ahead import Idle
from flowdiag.ingest.among import Owners
from flowdiag.ingest.blocks import blocks
from flowdiag.ingest.cut_objects import cut_objects
from flowdiag.ingest.parser_reading import parser_may_read
from flowdiag.ingest.parts import Part
from flowdiag.ingest.plugins import parser_named
from flowdiag.ingest.problems import InputProblem
from flowdiag.model.event import Event, TimeSource
from flowdiag.parserkit import Block, FlowSink, ParseContext
from flowdiag.parserkit.promises import BrokenPromiseError
from flowdiag.tally import Tally

__all__ = [
    "Pace",
    "dated",
    "events_of",
    "failed",
    "fold_all",
    "fold_into",
    "said",
    "take",
]

_AHEAD = 2
"""Blocks that a parser may have begun with beside the one it folds."""
_AHEAD_BYTES = 1 << 19
"""About the size of such a block: each costs some calls, and what is learnt of one serves the next but two."""


class Pace(Protocol):
    """Is told how far reading is."""

    def inside(self, part: Part) -> Callable[[int], None] | None:
        """What to call while `part` is being read, with the bytes of it that are done."""

    def done(self, part: Part) -> None:
        """Hear that `part` was read."""


def fold_into(
    tally: Tally, part: Part, problems: list[InputProblem], *, counted: Callable[[int], None] | None = None
) -> bool:
    """Add one part to `tally`; a parser that raises costs the rest of its part, and is named in `problems`.

    `counted` is as for `blocks`.

    Returns:
        Whether it was read to its end.

    Raises:
        PluginError: the part's parser does not load here.
    """
    reading = _Reading(part, problems, counted=counted)
    _fold(tally, ((reading, block) for block in reading.blocks()))
    return not reading.failed


def fold_all(
    tally: Tally,
    parts: Iterable[Part],
    problems: list[InputProblem],
    pace: Pace,
    *,
    idle: Idle | None,
) -> None:
    """As `fold_into`, of one part behind the other.

    Args:
        tally: grows.
        parts: in the order of their records.
        problems: grows by what is wrong.
        pace: is told.
        idle: as for `blocks`: parsers may use a second core, if they can.

    Raises:
        PluginError: a part's parser does not load here.
    """

    def found() -> Iterator[tuple[_Reading, Block | None]]:
        several: tuple[str, tuple[str, ...]] | None = None
        owners: Owners | None = None
        for part in parts:
            # The parts of an input that several read stand behind each other.
            if several != (part.source.path, part.among):
                several = part.source.path, part.among
                owners = Owners([parser_named(name) for name in part.among])
            reading = _Reading(part, problems, pace.inside(part), idle=idle, owners=owners)
            if idle is not None:
                reading.let_it_read(tally)
            if reading.sink is not None:
                # It looks at what is known, so what was begun is folded before.
                yield reading, None
            for block in reading.blocks():
                yield reading, block
            pace.done(part)

    _fold(tally, found())


class _Reading:
    """One part on its way into a tally."""

    def __init__(
        self,
        part: Part,
        problems: list[InputProblem],
        progress: Callable[[int], None] | None = None,
        *,
        counted: Callable[[int], None] | None = None,
        idle: Idle | None = None,
        owners: Owners | None = None,
    ) -> None:
        self._part = part
        self._problems = problems
        self._progress = progress
        self._counted = counted
        self._owners = owners
        self.parser = parser_named(part.parser)
        self._idle = idle
        self.able = idle is not None and hasattr(self.parser, "expect")
        """Whether its parser begins with a block while it folds another."""
        self.context = part.context()
        # Examples show records verbatim; what a parser's `fold` hands over event by event must carry them too.
        self.context.keep_raw = True
        self.failed = False
        """Whether the rest of it is given up."""
        self.sink: Callable[[], FlowSink] | None = None
        """For a parser that may read the part itself: then each block is folded before the next is asked for."""

    def let_it_read(self, tally: Tally) -> None:
        """Have the parser read the part itself if it can, for `tally`."""
        if parser_may_read(self._part, self.parser):
            self.sink = lambda: tally.sink(self.parser.name, self.context.input)

    def blocks(self) -> Iterator[Block]:
        """Its blocks in order, up to where it failed."""
        size = _AHEAD_BYTES if self.able else None
        try:
            for block in blocks(
                self._part,
                self.parser,
                self.context,
                self._problems,
                read_bytes=size,
                progress=self._progress,
                counted=self._counted,
                owners=self._owners,
                idle=self._idle,
                sink=self.sink,
            ):
                yield block
                if self.failed:
                    return
        except BrokenPromiseError as error:
            # Asked how to cut the part, or what of it to leave out.
            self.fail(self._part.first_line, error)

    def fail(self, line: int, error: Exception) -> None:
        """Give up the rest."""
        self._problems.append(failed(self._part, line, error))
        self.failed = True


def _fold(tally: Tally, found: Iterator[tuple[_Reading, Block | None]]) -> None:
    was_enabled = gc.isenabled()
    # Nothing folded is cyclic; looking for cycles among millions of live counters costs 3 to 8 %.
    gc.disable()
    try:
        for reading, block, error in _begun(found, tally):
            if reading.failed:
                continue
            raised = error or _raised_by(take, tally, reading.parser, block, reading.context)
            if raised is not None:
                reading.fail(block.of_line(0).line, raised)
    finally:
        if was_enabled:
            gc.enable()


def _begun(
    found: Iterator[tuple[_Reading, Block | None]], tally: Tally
) -> Iterator[tuple[_Reading, Block, Exception | None]]:
    """Blocks in order, of each of which its parser was told while it had others to do, and what it raised then.

    The next file is begun while the last blocks of one are folded: of small files each has one.  ``None`` has what was
    begun folded.
    """
    waiting: deque[tuple[_Reading, Block, Exception | None]] = deque()
    for reading, block in found:
        if block is None:
            yield from waiting
            waiting.clear()
            continue
        error = None
        able = reading.able and block.found is None
        if able and _is_folded(block, reading.parser):
            error = _raised_by(Tally.expect, tally, reading.parser, block, reading.context)
        waiting.append((reading, block, error))
        while len(waiting) > (_AHEAD if able else 0):
            yield waiting.popleft()
    yield from waiting


def _raised_by(act: Callable[..., None], *given: Any) -> Exception | None:
    try:
        act(*given)
    except Exception as error:  # noqa: BLE001 - a stranger's parser may raise anything; it costs its part.
        return error
    return None


def take(tally: Tally, parser: Any, block: Block, context: ParseContext) -> None:
    """Add what `parser` finds in one block."""
    if _is_folded(block, parser):
        tally.take(parser, block, context)
    else:
        for event in parser.parse(block, context):
            tally.add(dated(event, block), parser.name, context.input)
    for warning in cut_objects(parser, block, context):
        tally.add(warning, parser.name, context.input)


def _is_folded(block: Block, parser: Any) -> bool:
    """Whether the tally asks for all of a block at once, rather than for events to be dated."""
    return block.envelope is None or not block.envelope.year_inferred or _tells(parser)


def _tells(parser: Any) -> bool:
    return getattr(parser, "tells_inferred_years", False) is True


def events_of(part: Part, parser: Any, problems: list[InputProblem]) -> Iterator[Event]:
    """Parse a part, event by event, in order; a parser that raises ends its part with a problem.

    Args:
        part: what to read.
        parser: an instance.
        problems: grows by what is wrong.
    """
    context = part.context()
    tells = _tells(parser)
    for block in _cut(part, parser, context, problems):
        try:
            for event in parser.parse(block, context):
                yield event if tells else dated(event, block)
            yield from cut_objects(parser, block, context)
        except Exception as error:  # noqa: BLE001 - as in `fold_into`.
            problems.append(failed(part, block.of_line(0).line, error))
            return


def _cut(part: Part, parser: Any, context: ParseContext, problems: list[InputProblem]) -> Iterator[Block]:
    """The part's blocks, up to where a stranger's parser fails to say how to cut it."""
    try:
        yield from blocks(part, parser, context, problems)
    except BrokenPromiseError as error:
        problems.append(failed(part, part.first_line, error))


def dated(event: Event, block: Block) -> Event:
    """An event that took its time from a stamp without a year says so, whatever its parser knew of that."""
    envelope = block.envelope
    if envelope is None or not envelope.year_inferred or event.time_source is not TimeSource.ENVELOPE:
        return event
    return msgspec.structs.replace(event, time_source=TimeSource.INFERRED_YEAR)


def failed(part: Part, line: int, error: Exception) -> InputProblem:
    """What a parser that raised costs, and from which line on."""
    if isinstance(error, BrokenPromiseError) and error.line is not None and error.line >= line:
        line = error.line
    return InputProblem(
        part.source.name,
        "worker-failed",
        f"{said(part.parser, error)}; the rest of this part was not read",
        line,
    )


def said(parser: str, error: Exception) -> str:
    """What a parser raised, in a clause; a stranger's says it itself."""
    if isinstance(error, BrokenPromiseError):
        return str(error)
    return f"parser {parser} raised {type(error).__name__}: {error}"
