"""Drops and verdicts of one packet whose ends are known to different depth, brought together.

``cilium monitor`` names both identities on a drop and only the remote one on a policy verdict, so that the
two records of a packet differ in an end that one of them knows better.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping

from msgspec import Struct
from msgspec.structs import replace

from flowdiag.model.event import Peer
from flowdiag.tally.groups import Groups
from flowdiag.tally.lane import FlowLane
from flowdiag.tally.table import EXACT, REFUSED, Table, lane_witness

__all__ = ["Cells", "Place", "Whole", "whole_cells"]

Place = tuple[int, int, int, int | None, int]
"""(level, source, destination, port, shape)."""


Cells = dict[Place, dict[int, FlowLane]]
"""Distinct flows: their lanes by code."""


class Whole(Struct):
    """A distinct flow's lanes, and its ends as far as any of its records knows them."""

    place: Place
    src: Peer
    dst: Peer
    lanes: dict[int, FlowLane]


def whole_cells(table: Table, groups: Groups, cells: Cells) -> list[Whole]:
    """Some distinct flows of a table; halves of pairs that do not contradict each other are one."""
    found: list[Whole] = []
    near: dict[tuple[str | int, str | int, int | None, int], list[Whole]] = defaultdict(list)
    for place, lanes in cells.items():
        level, src, dst, port, shape = place
        whole = Whole(place, table.peers[src], table.peers[dst], lanes)
        if level == EXACT and table.shapes[shape].shape.verdict in REFUSED and _half(lanes):
            near[whole.src.ip or src, whole.dst.ip or dst, port, shape].append(whole)
        else:
            found.append(whole)
    for group in near.values():
        if len(group) == 1:
            found += group
            continue
        group.sort(key=lambda one: (-_depth(one.src) - _depth(one.dst), groups.cell_hash(one.place[1:])))
        found += _joined(group)
    return found


def _half(lanes: Mapping[int, FlowLane]) -> bool:
    return len({lane_witness(code) for code in lanes}) == 1 and lane_witness(next(iter(lanes))) is not None


def _joined(group: Iterable[Whole]) -> list[Whole]:
    """Each half joins the first that it completes, those that know most first."""
    kept: list[Whole] = []
    for half in group:
        for whole in kept:
            if _witnesses(whole) != _witnesses(half) and not whole.lanes.keys() & half.lanes.keys():
                src, dst = _both(whole.src, half.src), _both(whole.dst, half.dst)
                if src is not None and dst is not None:
                    whole.src, whole.dst = src, dst
                    whole.lanes = {**whole.lanes, **half.lanes}
                    break
        else:
            kept.append(half)
    return kept


def _witnesses(whole: Whole) -> set[object]:
    return {lane_witness(code) for code in whole.lanes}


# What is said together: an identity and its reserved word, a pod and its namespace.
_PARTS = (("identity", "entity"), ("namespace", "pod"), ("labels",), ("node",), ("service",), ("workload",))


def _depth(peer: Peer) -> int:
    return sum(any(getattr(peer, name) is not None for name in part) for part in _PARTS)


def _both(one: Peer, other: Peer) -> Peer | None:
    """What both say of an end; ``None`` where they contradict, or nothing shows that they mean the same."""
    if one == other:
        return one
    if one.ip is None or one.ip != other.ip:
        return None
    known: dict[str, object] = {}
    for part in _PARTS:
        mine, yours = ([getattr(peer, name) for name in part] for peer in (one, other))
        if mine == yours or not any(value is not None for value in yours):
            continue
        if any(value is not None for value in mine):
            return None
        known.update(zip(part, yours, strict=True))
    return replace(one, **known)
