"""The counts of one distinct flow, by direction, with each pair of drop and verdict counted once.

A refused packet can leave two records on its node, a policy verdict and a drop, and the drop may lack the direction that
the verdict has.  In each bucket the larger number of the two counts.  Drops without a direction are first matched with
verdicts that have one, and those left over count as a part of their own.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

from msgspec import Struct

from flowdiag.model.event import Direction, Witness
from flowdiag.tally.lane import FlowLane
from flowdiag.tally.table import lane_direction, lane_witness

__all__ = ["Paired", "paired"]

_WAYS = (Direction.INGRESS, Direction.EGRESS)


class Paired(Struct, frozen=True):
    """One direction's part of a distinct flow."""

    direction: Direction | None
    buckets: dict[int, int]
    """Start in seconds -> count; only counts above zero."""
    untimed: int
    lanes: tuple[FlowLane, ...]
    """The lanes whose examples, flags, ports and times belong to it; each lane belongs to one part only."""


def paired(lanes: Mapping[int, FlowLane], *, refused: bool) -> list[Paired]:
    """Give the parts of a flow that have counts, the one without direction first; all lanes get the same bucket width."""
    if len(lanes) == 1:
        ((code, only),) = lanes.items()
        only.widen_to(0)
        if not only.buckets and not only.untimed:
            return []
        return [Paired(lane_direction(code), only.buckets, only.untimed, (only,))]
    if any(lane.is_wide for lane in lanes.values()):
        shift = 0
        for lane in lanes.values():
            lane.widen_to(0)
            shift = max(shift, lane.shift)
        for lane in lanes.values():
            lane.widen_to(shift)
    if not refused:
        apart = {lane_direction(code): lane for code, lane in lanes.items()}
        if len(apart) == len(lanes) and all(lane.buckets or lane.untimed for lane in apart.values()):
            return [
                Paired(way, known.buckets, known.untimed, (known,))
                for way in (None, *_WAYS)
                if (known := apart.get(way)) is not None
            ]
    elif len({lane_direction(code) for code in lanes}) == 1:
        return _of_one_way(lanes)
    by_way: dict[Direction | None, list[FlowLane]] = defaultdict(list)
    for code in sorted(lanes):
        by_way[lane_direction(code)].append(lanes[code])
    starts: set[int | None] = {start for lane in lanes.values() for start in lane.buckets}
    if any(lane.untimed for lane in lanes.values()):
        starts.add(None)
    counts: dict[Direction | None, dict[int | None, int]] = defaultdict(dict)
    for start in starts:
        for way, count in (_counts if refused else _sums)(lanes, start).items():
            if count:
                counts[way][start] = count
    ways = [way for way in (None, *_WAYS) if counts.get(way)]
    if None not in ways and None in by_way and ways:
        # All of them were matched with records that have a direction.
        most = max(ways, key=lambda way: (sum(counts[way].values()), way == Direction.EGRESS))
        by_way[most].extend(by_way.pop(None))
    return [
        Paired(
            way,
            {start: count for start, count in counts[way].items() if start is not None},
            counts[way].get(None, 0),
            tuple(by_way[way]),
        )
        for way in ways
    ]


def _of_one_way(lanes: Mapping[int, FlowLane]) -> list[Paired]:
    """Count refused records that have one direction only, as most flows do: the simple case of `_counts`."""
    buckets: dict[int, int] = {}
    untimed, beside = 0, 0
    codes = sorted(lanes)
    for code in codes:
        lane = lanes[code]
        if lane_witness(code) is None:
            beside = lane.untimed
            continue
        untimed = max(untimed, lane.untimed)
        if not buckets:
            buckets = {start: count for start, count in lane.buckets.items() if count}
        elif lane.buckets != buckets:
            for start, count in lane.buckets.items():
                if count > buckets.get(start, 0):
                    buckets[start] = count
    for code in codes:
        if lane_witness(code) is None:
            for start, count in lanes[code].buckets.items():
                if count:
                    buckets[start] = buckets.get(start, 0) + count
    untimed += beside
    if not buckets and not untimed:
        return []
    return [Paired(lane_direction(codes[0]), buckets, untimed, tuple(lanes[code] for code in codes))]


def _of(lane: FlowLane, start: int | None) -> int:
    return lane.untimed if start is None else lane.buckets.get(start, 0)


def _sums(lanes: Mapping[int, FlowLane], start: int | None) -> dict[Direction | None, int]:
    found: dict[Direction | None, int] = defaultdict(int)
    for code, lane in lanes.items():
        found[lane_direction(code)] += _of(lane, start)
    return found


def _counts(lanes: Mapping[int, FlowLane], start: int | None) -> dict[Direction | None, int]:
    said: dict[tuple[Direction | None, Witness | None], int] = defaultdict(int)
    for code, lane in lanes.items():
        said[lane_direction(code), lane_witness(code)] += _of(lane, start)
    found: dict[Direction | None, int] = {}
    drops, verdicts = said[None, Witness.DROP], said[None, Witness.VERDICT]
    for way in _WAYS:
        dropped, judged = said[way, Witness.DROP], said[way, Witness.VERDICT]
        found[way] = max(dropped, judged) + said[way, None]
        drops -= max(0, judged - dropped)
        verdicts -= max(0, dropped - judged)
    found[None] = max(drops, verdicts, 0) + said[None, None]
    return found
