"""The distinct flows of a table, made when somebody asks for them.

Most flows of a large input were allowed and have nothing to do with a refused one.  All that is asked of them is how
many records they have, which their lanes tell without an object per flow.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Sequence
from functools import cached_property
from itertools import compress, groupby
from operator import itemgetter

import numpy as np

from flowdiag.model.event import Peer, Verdict
from flowdiag.model.tally import Bucket, DistinctFlow
from flowdiag.model.time import NS
from flowdiag.tally.collecting import uncollected
from flowdiag.tally.columns import UNIT
from flowdiag.tally.distinct import buckets_of, make_flow
from flowdiag.tally.exact import Exact, LaneKey, exact
from flowdiag.tally.grouping import I64, Ints, Mask, alike, distinct, first_of_runs
from flowdiag.tally.groups import Groups
from flowdiag.tally.halves import Cells, Place, whole_cells
from flowdiag.tally.lane import FlowLane, smallest
from flowdiag.tally.notes import Note
from flowdiag.tally.pairs import paired
from flowdiag.tally.table import EXACT, LANE_CODES, REFUSED, Table

__all__ = ["FlowView", "Wanted", "once_a_pair"]

Wanted = Callable[[Ints, Ints, Ints], Mask]
"""Which of some flows are wanted, by the numbers of their sources and destinations in `FlowView.peers`, and by their
ports: -1 of those that have none or stand for several."""


def once_a_pair(wanted: Callable[[int, int], bool]) -> Wanted:
    """Make a `Wanted` that asks once for each pair of ends, since many pairs have many flows."""

    def are_wanted(srcs: Ints, dsts: Ints, _: Ints) -> Mask:
        first, pair = alike(dsts, srcs)
        pairs = zip(srcs[first].tolist(), dsts[first].tolist(), strict=True)
        answers = np.array([wanted(src, dst) for src, dst in pairs], bool)
        chosen: Mask = answers[pair]
        return chosen

    return are_wanted


class FlowView:
    """Reads a compacted table, which must not change meanwhile."""

    def __init__(self, table: Table) -> None:
        self._table = table
        self._groups = Groups(table)
        self._columns = table.columns.parts()

    @property
    def peers(self) -> Sequence[Peer]:
        """Ends by number, as the records name them."""
        return self._table.peers

    @cached_property
    def nodes(self) -> frozenset[str]:
        """Nodes whose records the flows are of."""
        shapes = {shape for _, _, _, _, shape, _ in self._table.lanes}
        shapes.update(np.flatnonzero(np.bincount(self._columns[3])).tolist())
        return frozenset(
            node for shape in shapes if (node := self._table.shapes[shape].shape.node) is not None
        )

    @cached_property
    def names_interfaces(self) -> bool:
        """Whether some record names the interface that its packet passed."""
        shapes = (whole.shape for whole in self._table.shapes)
        return any(shape.interface_in or shape.interface_out for shape in shapes)

    def names(self) -> dict[int, set[str]]:
        """Names that records give ends beside their addresses, by the end's number."""
        found: dict[int, set[str]] = defaultdict(set)
        for (_, src, dst, _, _, _), lane in self._table.lanes.items():
            if lane.src_names:
                found[src].update(lane.src_names)
            if lane.dst_names:
                found[dst].update(lane.dst_names)
        notes = self._table.columns.notes
        lanes, told = notes.named()
        begin = first_of_runs(lanes)
        sizes = np.diff(begin, append=len(lanes))
        # Many lanes share few notes, so each note is looked at once for each end.
        single = begin[sizes == 1]
        for ends, of_note in ((self._columns[0], _src_names), (self._columns[1], _dst_names)):
            pairs = distinct(ends[lanes[single]].astype(np.int64) << 32 | told[single])
            for end, note in zip((pairs >> 32).tolist(), (pairs & 0xFFFF_FFFF).tolist(), strict=True):
                self._note(found, end, of_note(notes.all[note]))
            for start, size in zip(begin[sizes > 1].tolist(), sizes[sizes > 1].tolist(), strict=True):
                several = (notes.all[note] for note in told[start : start + size].tolist())
                # As much as the lane's flow is going to have, wherever its lanes are.
                self._note(
                    found, int(ends[lanes[start]]), [name for note in several for name in of_note(note)]
                )
        return found

    def _note(self, found: dict[int, set[str]], end: int, names: Collection[str]) -> None:
        if names:
            found[end].update(smallest(set(names), self._table.limits.names))

    def flows(
        self,
        verdicts: Collection[Verdict] | None = None,
        wanted: Wanted | None = None,
        *,
        protocol: str | None = None,
        port: int | None = None,
    ) -> tuple[DistinctFlow, ...]:
        """Give the flows within the bounds, by first time, in an order that depends on their contents alone.

        Args:
            verdicts: only those with one of them; ``None`` for all.
            wanted: only those.
            protocol: only those of this protocol, in any spelling.
            port: only those to this port, and those that stand for several ports.
        """
        shapes = self._shapes(tuple(Verdict) if verdicts is None else verdicts, protocol)
        with uncollected():
            return self._flows(self._cells(shapes, wanted, port))

    def _flows(self, cells: Cells) -> tuple[DistinctFlow, ...]:
        found: list[tuple[tuple[int, str, int, str], Place, DistinctFlow]] = []
        for whole in whole_cells(self._table, self._groups, cells):
            level, _, _, _, shape = whole.place
            refused = self._table.shapes[shape].shape.verdict in REFUSED
            for part in paired(whole.lanes, refused=refused):
                flow = make_flow(self._table, whole, part)
                first = flow.first if flow.first is not None else -1
                found.append(((first, flow.verdict, level, flow.direction or ""), whole.place, flow))
        found.sort(key=itemgetter(0))
        flows: list[DistinctFlow] = []
        for _, same in groupby(found, key=itemgetter(0)):
            alike = list(same)
            if len(alike) == 1:
                flows.append(alike[0][2])
                continue
            # Hashing takes time, so only flows that begin at the same time are put in order by their hashes.
            alike.sort(key=lambda item: self._groups.cell_hash(item[1][1:]))
            flows.extend(flow for _, _, flow in alike)
        return tuple(flows)

    def has_more(self, verdicts: Collection[Verdict], most: int) -> bool:
        """Whether more than `most` flows have one of these verdicts; mostly told without counting them."""
        among = int(np.count_nonzero(np.array(self._shapes(verdicts), bool)[self._exact.shapes]))
        return among > most * LANE_CODES or self.count(verdicts) > most

    def count(self, verdicts: Collection[Verdict]) -> int:
        """How many flows have one of these verdicts, without making them; those past the bounds count too."""
        shapes = self._shapes(verdicts)
        keys = [key for key in self._table.lanes if shapes[key[4]]]
        past = {key[:5] for key in keys if key[0] != EXACT}
        among = self._exact.some(np.flatnonzero(np.array(shapes, bool)[self._exact.shapes]))
        first, _ = alike(among.shapes, among.ports, among.dsts, among.srcs)
        return len(past) + len(first)

    def buckets(self, verdicts: Collection[Verdict], *, protocol: str | None = None) -> list[Bucket]:
        """Counts in time of all flows with one of `verdicts` (and of a protocol) together.

        Of none that refuse, whose pairs count once.
        """
        shapes = self._shapes(verdicts, protocol)
        counts: dict[tuple[int | None, int], int] = defaultdict(int)
        wide = self._wide(shapes)
        for key, lane in self._table.lanes.items():
            if not shapes[key[4]] or key[:5] in wide:
                continue
            if lane.untimed:
                counts[None, 0] += lane.untimed
            for start, count in lane.buckets.items():
                counts[start * NS, lane.unit * NS] += count
        columns = self._table.columns
        apart = np.zeros(len(columns), bool)
        apart[[number for _, numbers in wide.values() for number in numbers]] = True
        minutes, sums = columns.rows.by_minute(np.array(shapes, bool)[self._columns[3]] & ~apart)
        for minute, count in zip(minutes.tolist(), sums.tolist(), strict=True):
            counts[minute * UNIT * NS, UNIT * NS] += count
        # The lanes of one flow are brought to one width, the widest of them.
        for lanes, _ in wide.values():
            for part in paired(lanes, refused=False):
                width = max(lane.width for lane in part.lanes)
                for bucket in buckets_of(part, width):
                    counts[bucket.start, bucket.width] += bucket.count
        in_order = sorted(counts.items(), key=lambda item: (item[0][0] or -1, item[0][1]))
        return [Bucket(start, width, count) for (start, width), count in in_order if count]

    @cached_property
    def _exact(self) -> Exact:
        """All flows within the bounds, as often as they have lanes."""
        return exact([key for key in self._table.lanes if key[0] == EXACT], self._columns)

    def _wide(self, shapes: list[bool]) -> dict[Place, tuple[dict[int, FlowLane], list[int]]]:
        """Flows with a lane that is wider than at first: their lanes, and which of the columns those are."""
        found: dict[Place, tuple[dict[int, FlowLane], list[int]]] = {}
        lanes = self._table.lanes
        of_columns = np.flatnonzero(
            np.array(shapes, bool)[self._columns[3]] & (self._table.columns.shifts > 0)
        )
        for key, lane in lanes.items():
            if shapes[key[4]] and lane.is_wide:
                found[key[:5]] = ({}, [])
        for place in self._places(of_columns):
            found[place] = ({}, [])
        if not found:
            return found
        for key, lane in lanes.items():
            if key[:5] in found:
                found[key[:5]][0][key[5]] = lane
        self._put_columns(found)
        return found

    def _put_columns(self, found: dict[Place, tuple[dict[int, FlowLane], list[int]]]) -> None:
        columns = self._table.columns
        codes = columns.codes()
        asked = [
            (src, dst, port, shape, code)
            for level, src, dst, port, shape in found
            if level == EXACT
            for code in codes.get(shape, ())
        ]
        numbers = columns.find(asked)
        there = np.flatnonzero(numbers >= 0)
        for at, number, lane in zip(
            there.tolist(), numbers[there].tolist(), columns.lanes(numbers[there]), strict=True
        ):
            src, dst, port, shape, code = asked[at]
            lanes, numbers_of = found[EXACT, src, dst, port, shape]
            lanes[code] = lane
            numbers_of.append(number)

    def _shapes(self, verdicts: Collection[Verdict], protocol: str | None = None) -> list[bool]:
        """Which shapes have one of these verdicts, and are of a protocol."""
        wanted = None if protocol is None else protocol.lower()
        return [
            whole.shape.verdict in verdicts
            and (wanted is None or (whole.shape.protocol or "").lower() == wanted)
            for whole in self._table.shapes
        ]

    def _places(self, numbers: I64) -> list[Place]:
        """Places of lanes of the columns."""
        srcs, dsts, ports, shapes, _ = (column[numbers].tolist() for column in self._columns)
        return [
            (EXACT, src, dst, port if port >= 0 else None, shape)
            for src, dst, port, shape in zip(srcs, dsts, ports, shapes, strict=True)
        ]

    def _cells(self, shapes: list[bool], wanted: Wanted | None, port: int | None) -> Cells:
        lanes = [
            (key, lane)
            for key, lane in self._table.lanes.items()
            if shapes[key[4]] and (port is None or key[3] == port or key[0] != EXACT)
        ]
        chosen = np.array(shapes, bool)[self._columns[3]]
        if port is not None:
            chosen &= self._columns[2] == port
        numbers = np.flatnonzero(chosen)
        if wanted is not None:
            numbers, lanes = self._wanted(numbers, lanes, wanted)
        cells: Cells = {}
        for key, lane in lanes:
            cells.setdefault(key[:5], {})[key[5]] = lane
        codes = self._columns[4][numbers].tolist()
        objects = self._table.columns.lanes(numbers)
        for place, code, lane in zip(self._places(numbers), codes, objects, strict=True):
            cells.setdefault(place, {})[code] = lane
        return cells

    def _wanted(
        self, numbers: I64, lanes: list[tuple[LaneKey, FlowLane]], wanted: Wanted
    ) -> tuple[I64, list[tuple[LaneKey, FlowLane]]]:
        """Those of wanted flows, of lanes in columns and of others."""
        ends = [(src, dst, -1 if port is None else port) for (_, src, dst, port, _, _), _ in lanes]
        more = np.array(ends, np.int32).reshape(-1, 3)
        answers = wanted(
            *(np.concatenate((self._columns[at][numbers], more[:, at])) for at in range(3)),
        )
        of_lanes = answers[len(numbers) :].tolist()
        return numbers[answers[: len(numbers)]], list(compress(lanes, of_lanes))


def _src_names(note: Note) -> Sequence[str]:
    return note.src_names


def _dst_names(note: Note) -> Sequence[str]:
    return note.dst_names
