"""The tally: add events, merge, ask for distinct flows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from io import BytesIO
from typing import IO, Any

from msgspec import structs

from flowdiag.model.event import (
    ChangeEvent,
    Event,
    GapEvent,
    LogEvent,
    ParseWarning,
)
from flowdiag.model.tally import DistinctFlow, DnsAnswer
from flowdiag.parserkit.block import Block, ParseContext
from flowdiag.tally.bounds import compacted
from flowdiag.tally.collecting import uncollected
from flowdiag.tally.columns import PENDING
from flowdiag.tally.counting import Counting
from flowdiag.tally.forgetting import recent
from flowdiag.tally.inputs import InputCounts
from flowdiag.tally.kept import Sighting
from flowdiag.tally.limits import Limits
from flowdiag.tally.overflow import Overflow
from flowdiag.tally.room import Room
from flowdiag.tally.sink import BoundSink
from flowdiag.tally.view import FlowView
from flowdiag.tally.wire import TallyState, absorb_lanes, read_state, table_state, write_tally

__all__ = ["Tally"]

_MANY_ENDS = 1 << 19


class Tally(Counting):
    """Distinct flows, what else matters, and counters per input.

    Whatever order events are added and tallies merged in, the results are the same.

    Args:
        limits: bounds; the same for all tallies that merge.
    """

    def __init__(self, limits: Limits | None = None) -> None:
        super().__init__(limits or Limits())
        self.pending = PENDING
        """Records that may wait before they are sorted in; it changes time and memory, and no result."""
        self._memos: dict[str, dict[str, dict[Any, Any]]] = {}
        self._room = Room()

    # -- adding ------------------------------------------------------------------------------------

    def take(self, parser: Any, block: Block, context: ParseContext) -> None:
        """Add all that `parser` (an instance, see `flowdiag.parserkit.Parser`) finds in `block`.

        Its own `fold` is used where it has one; both ways give the same.
        """
        fold = getattr(parser, "fold", None)
        if fold is not None:
            fold(block, context, self.sink(parser.name, context.input))
        else:
            # Examples need the record's text.  The copy of the context shares `memory`, which sequential parsers
            # depend on.
            for event in parser.parse(block, structs.replace(context, keep_raw=True)):
                self.count(event, parser.name, context.input)
        self._bound()

    def expect(self, parser: Any, block: Block, context: ParseContext) -> None:
        """Announce a block to `parser` that `take` gets later, after others of the same input."""
        parser.expect(block, self.sink(parser.name, context.input))

    def add(self, event: Event, parser: str, input: str) -> None:  # noqa: A002 - the contract's word
        """Add one event that `parser` found in `input`; its `raw`, if any, is what examples show."""
        self.count(event, parser, input)
        self._bound()

    def sink(self, parser: str, input: str) -> BoundSink:  # noqa: A002 - the contract's word
        """What a parser's `fold` gets; good for one block."""
        return BoundSink(self, parser, input, self._memos.setdefault(parser, {}))

    # -- bounds ------------------------------------------------------------------------------------

    def _bound(self) -> None:
        self.table.sort_in(self.pending)
        if self._room.is_used(self.table) or self._texts.are_many():
            self.compact()

    def compact(self) -> None:
        """Apply the limits now.  Everything that gives results does so first."""
        with uncollected():
            self.table.join()
            smaller = compacted(self.table)
        if smaller is not None:
            # The numbers that parsers remember belong to the old table.
            self.table = smaller
            self._overflow = Overflow(smaller)
            self._memos.clear()
        self._room.looked(self.table)
        self._texts.restock(self.table.lanes.values())

    def rest(self) -> None:
        """Free what parsers remember and what waits with its texts, since nothing more will be added."""
        self.table.batches.let_go()
        self._memos.clear()

    def forget(self, before: int) -> None:
        """Drop what is older than `before`, nanoseconds; the counters of inputs stay as they are."""
        with uncollected():
            self.table = recent(self.table, before)
            self._overflow = None
        self._memos.clear()
        self._room.emptied(self.table)
        self.answers.forget(before)
        self._sightings.forget(before)

    def shift_lines(self, by: int) -> None:
        """Add `by` to every line number; for a tally of one part of one input, whose lines were counted from its start."""
        self.move_lines(lambda line: line + by)

    def move_lines(self, placed: Callable[[int], int]) -> None:
        """Replace every line number by what `placed` gives for it; the order of lines must stay the same."""
        self.table.batches.forget_bounds()
        for lane in self.table.lanes.values():
            if lane.examples:
                lane.examples = [structs.replace(one, line=placed(one.line)) for one in lane.examples]
        self._sightings.move_lines(placed)

    def merge(self, other: Tally) -> None:
        """Add all that `other` holds; `other` is not to be used any more."""
        self._make_room()
        other._make_room()
        with uncollected():
            self.table.absorb(other.table)
        self.answers.absorb(other.answers.sorted())
        self._inputs.absorb(other._inputs.sorted())
        self._sightings.absorb(other._sightings.state())
        self._texts.absorbed(other._texts.fresh)
        self._bound()

    def write(self, out: IO[bytes]) -> None:
        """All of it, for `merge_from`."""
        self.compact()
        state = TallyState(
            self.limits,
            table_state(self.table),
            self._inputs.sorted(),
            self._sightings.state(),
            self.answers.sorted(),
        )
        write_tally(state, self.table, out)

    def to_bytes(self) -> bytes:
        """What `write` writes."""
        out = BytesIO()
        self.write(out)
        return out.getvalue()

    @classmethod
    def from_bytes(cls, data: bytes) -> Tally:
        """The tally that `to_bytes` gave.

        Raises:
            msgspec.DecodeError: other bytes.
        """
        stream = BytesIO(data)
        state = read_state(stream)
        tally = cls(state.limits)
        tally._absorb(state, stream)
        return tally

    def merge_from(self, stream: IO[bytes]) -> None:
        """Add all of the tally that `write` wrote.

        Raises:
            msgspec.DecodeError: other bytes.
        """
        self._absorb(read_state(stream), stream)
        self._bound()

    def _make_room(self) -> None:
        """Drop ends that no lane uses any more before others are added, since numbers of ends are bounded."""
        if len(self.table.peers) > _MANY_ENDS:
            self.compact()

    def _absorb(self, state: TallyState, stream: IO[bytes]) -> None:
        self._make_room()
        self._texts.absorbed(absorb_lanes(self.table, state.table, stream))
        self.answers.absorb(state.answers)
        self._inputs.absorb(state.inputs)
        self._sightings.absorb(state.sightings)

    # -- results -----------------------------------------------------------------------------------

    def view(self) -> FlowView:
        """The distinct flows within the bounds, made as they are asked for; good until something is added."""
        self.compact()
        return FlowView(self.table)

    def flows(self) -> tuple[DistinctFlow, ...]:
        """The distinct flows within the bounds, by first time."""
        return self.view().flows()

    @property
    def logs(self) -> tuple[Sighting[LogEvent], ...]:
        """Log messages with a signal, by time; the first of each signal past the bound."""
        return self._sightings.logs.sorted()

    @property
    def log_counts(self) -> Mapping[str, int]:
        """Exact number of messages by signal."""
        return self._sightings.logs.counts

    @property
    def changes(self) -> tuple[Sighting[ChangeEvent], ...]:
        """Changes, by time, bounded."""
        return self._sightings.changes.sorted()

    @property
    def change_count(self) -> int:
        """How many changes there were."""
        return self._sightings.changes.counts.total()

    @property
    def gaps(self) -> tuple[Sighting[GapEvent], ...]:
        """Missing evidence, by time, bounded per kind."""
        return self._sightings.gaps.sorted()

    @property
    def gap_counts(self) -> Mapping[str, int]:
        """Exact number of gap records by kind."""
        return self._sightings.gaps.counts

    @property
    def warnings(self) -> tuple[Sighting[ParseWarning], ...]:
        """What could not be read: a bounded number per parser and code."""
        return self._sightings.warnings.sorted()

    @property
    def warning_counts(self) -> dict[tuple[str, str, str], int]:
        """Exact number of warnings by (input, parser, code)."""
        found = {}
        for key, count in sorted(self._sightings.warnings.counts.items()):
            name, parser, code = key.split("\0")
            found[name, parser, code] = count
        return found

    @property
    def dns(self) -> tuple[DnsAnswer, ...]:
        """Names and their addresses from DNS answers, bounded."""
        return self.answers.sorted()

    @property
    def inputs(self) -> dict[str, InputCounts]:
        """Counters by input, sorted by name."""
        return self._inputs.sorted()

    @property
    def records(self) -> int:
        """Events of all inputs but for warnings."""
        return sum(counts.records for counts in self.inputs.values())

    @property
    def flow_records(self) -> int:
        """Flow records of all inputs."""
        return sum(counts.flows for counts in self.inputs.values())
