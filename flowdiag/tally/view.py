"""The distinct flows of a table, made when somebody asks for them.

Most flows of a large input were allowed and stand beside no refused one: all that is asked of them is how
many records they are, which their lanes tell without an object per flow.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Sequence
from itertools import groupby
from operator import itemgetter

from flowdiag.model.event import Peer, Verdict
from flowdiag.model.tally import Bucket, DistinctFlow
from flowdiag.model.time import NS
from flowdiag.tally.bounds import Bounds
from flowdiag.tally.collecting import uncollected
from flowdiag.tally.distinct import buckets_of, make_flow
from flowdiag.tally.halves import Cells, Place, whole_cells
from flowdiag.tally.lane import FlowLane
from flowdiag.tally.pairs import paired
from flowdiag.tally.table import EXACT, REFUSED, Table

__all__ = ["FlowView", "Wanted"]

LaneKey = tuple[int, int, int, int | None, int, int]
"""As the keys of `Table.lanes`."""

Wanted = Callable[[int, int, bool], bool]
"""Whether a flow is wanted, by the numbers of its ends in `FlowView.peers` and whether it has names of them."""


class FlowView:
    """Reads a compacted table that nobody changes meanwhile."""

    def __init__(self, table: Table) -> None:
        self._table = table
        self._bounds = Bounds(table)

    @property
    def peers(self) -> Sequence[Peer]:
        """Ends by number, as the records name them."""
        return self._table.peers

    def nodes(self) -> set[str]:
        """Nodes whose records the flows are of."""
        shapes = {shape for _, _, _, _, shape, _ in self._table.lanes}
        return {node for shape in shapes if (node := self._table.shapes[shape].shape.node) is not None}

    def flows(
        self, verdicts: Collection[Verdict] | None = None, wanted: Wanted | None = None
    ) -> tuple[DistinctFlow, ...]:
        """Flows within the bounds, by first time, in an order that hangs on their contents alone.

        Args:
            verdicts: only those with one of them; ``None`` for all.
            wanted: only those.
        """
        with uncollected():
            return self._flows(self._cells(verdicts, wanted))

    def _flows(self, cells: Cells) -> tuple[DistinctFlow, ...]:
        seen = _OtherWays(self._table, cells)
        found: list[tuple[tuple[int, str, int, str], Place, DistinctFlow]] = []
        for whole in whole_cells(self._table, self._bounds, cells):
            level, _, _, _, shape = whole.place
            refused = self._table.shapes[shape].shape.verdict in REFUSED
            for part in paired(whole.lanes, refused=refused):
                flow = make_flow(self._table, whole, part, reply_seen=seen.is_seen(whole.place))
                first = flow.first if flow.first is not None else -1
                found.append(((first, flow.verdict, level, flow.direction or ""), whole.place, flow))
        found.sort(key=itemgetter(0))
        flows: list[DistinctFlow] = []
        for _, same in groupby(found, key=itemgetter(0)):
            alike = list(same)
            if len(alike) > 1:
                # Hashing costs: only what begins together is put in order by it.
                alike.sort(key=lambda item: self._bounds.cell_hash(item[1][1:]))
            flows.extend(flow for _, _, flow in alike)
        return tuple(flows)

    def count(self, verdicts: Collection[Verdict]) -> int:
        """How many flows have one of these verdicts, without making them; those past the bounds count too."""
        shapes = self._shapes(verdicts)
        return len({key[:5] for key in self._table.lanes if shapes[key[4]]})

    def buckets(self, verdicts: Collection[Verdict]) -> list[Bucket]:
        """Counts in time of all flows with one of `verdicts` together; of none that refuse, whose pairs count once."""
        shapes = self._shapes(verdicts)
        narrow: dict[int, dict[int, int]] = defaultdict(dict)
        counts: dict[tuple[int | None, int], int] = defaultdict(int)
        places = {key[:5] for key, lane in self._table.lanes.items() if shapes[key[4]] and lane.is_wide}
        wide: dict[Place, dict[int, FlowLane]] = defaultdict(dict)
        for key, lane in self._table.lanes.items():
            if not shapes[key[4]]:
                continue
            if places and key[:5] in places:
                wide[key[:5]][key[5]] = lane
                continue
            if lane.untimed:
                counts[None, 0] += lane.untimed
            sums = narrow[lane.unit]
            for start, count in lane.buckets.items():
                sums[start] = sums.get(start, 0) + count
        for unit, sums in narrow.items():
            for start, count in sums.items():
                counts[start * NS, unit * NS] += count
        # The lanes of one flow are brought to one width, the widest of them.
        for lanes in wide.values():
            for part in paired(lanes, refused=False):
                width = max(lane.width for lane in part.lanes)
                for bucket in buckets_of(part, width):
                    counts[bucket.start, bucket.width] += bucket.count
        in_order = sorted(counts.items(), key=lambda item: (item[0][0] or -1, item[0][1]))
        return [Bucket(start, width, count) for (start, width), count in in_order if count]

    def _shapes(self, verdicts: Collection[Verdict]) -> list[bool]:
        return [whole.shape.verdict in verdicts for whole in self._table.shapes]

    def _cells(self, verdicts: Collection[Verdict] | None, wanted: Wanted | None) -> Cells:
        shapes = self._shapes(tuple(Verdict) if verdicts is None else verdicts)
        lanes = [(key, lane) for key, lane in self._table.lanes.items() if shapes[key[4]]]
        if wanted is not None:
            lanes = _wanted(lanes, wanted)
        cells: Cells = {}
        for key, lane in lanes:
            place = key[:5]
            known = cells.get(place)
            if known is None:
                known = cells[place] = {}
            known[key[5]] = lane
        return cells


def _wanted(lanes: list[tuple[LaneKey, FlowLane]], wanted: Wanted) -> list[tuple[LaneKey, FlowLane]]:
    """Those of wanted flows, of which each pair of ends has many; names of one lane are its flow's."""
    named = {key[:5] for key, lane in lanes if lane.has_names}
    answers: dict[tuple[int, int, bool], bool] = {}
    found = []
    for item in lanes:
        key = item[0]
        asked = key[1], key[2], key[:5] in named if named else False
        answer = answers.get(asked)
        if answer is None:
            answer = answers[asked] = wanted(*asked)
        if answer:
            found.append(item)
    return found


class _OtherWays:
    """Whether the other way of a connection was seen, by ends without what the record says beside."""

    def __init__(self, table: Table, cells: Cells) -> None:
        self._table = table
        numbers: dict[tuple[str | None, ...], int] = {}
        self._ends = [numbers.setdefault(_end(peer), len(numbers)) for peer in table.peers]
        self._protocols = [whole.shape.protocol for whole in table.shapes]
        self._turned = [whole.shape.turned for whole in table.shapes]
        asked = {self._key(place, turned=not self._turned[place[4]]) for place in cells if place[0] == EXACT}
        self._seen = (
            {
                found
                for key in table.lanes
                if key[0] == EXACT and (found := self._key(key[:5], turned=self._turned[key[4]])) in asked
            }
            if asked
            else set()
        )

    def _key(self, place: tuple[int, int, int, int | None, int], *, turned: bool) -> tuple[object, ...]:
        return self._ends[place[1]], self._ends[place[2]], place[3], self._protocols[place[4]], turned

    def is_seen(self, place: Place) -> bool:
        """Whether records of the other way of this connection are there."""
        return place[0] == EXACT and self._key(place, turned=not self._turned[place[4]]) in self._seen


def _end(peer: Peer) -> tuple[str | None, ...]:
    if peer.pod is not None:
        return (peer.namespace, peer.pod)
    if peer.ip is not None:
        return (peer.ip,)
    return (peer.namespace, peer.service, peer.node, peer.entity, peer.mac, "")
