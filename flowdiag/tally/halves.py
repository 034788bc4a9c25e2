"""Bringing the drop and the policy verdict of one packet together where they do not say the same of its ends.

``cilium monitor`` names both identities on a drop and only the remote one on a policy verdict, so that the
two records of a packet differ in an end that one of them knows better.  Where an exporter's field mask leaves the
reason out, a Hubble drop still has it in its type, and the verdict beside it has none.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping

from msgspec import Struct
from msgspec.structs import replace

from flowdiag.model.event import Cause, Peer, Verdict, Witness
from flowdiag.tally.groups import Groups
from flowdiag.tally.lane import FlowLane
from flowdiag.tally.table import EXACT, REFUSED, ParserShape, Table, lane_witness

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
    """Give some distinct flows of a table, each once: halves of a pair are one flow if they do not contradict each other."""
    found: list[Whole] = []
    near: dict[tuple[str | int, str | int, int | None, object], list[Whole]] = defaultdict(list)
    alike = _Alike(table)
    for place, lanes in cells.items():
        level, src, dst, port, shape = place
        whole = Whole(place, table.peers[src], table.peers[dst], lanes)
        if level == EXACT and table.shapes[shape].shape.verdict in REFUSED and _half(lanes):
            near[whole.src.ip or src, whole.dst.ip or dst, port, alike.of(shape, lanes)].append(whole)
        else:
            found.append(whole)
    for group in near.values():
        for halves in _of_one_reason(table, group):
            if len(halves) == 1:
                found += halves
                continue
            halves.sort(
                key=lambda one: (
                    _is_silent(table, one),
                    -_depth(one.src) - _depth(one.dst),
                    groups.cell_hash(one.place[1:]),
                )
            )
            found += _joined(halves)
    return found


class _Alike:
    """Numbers for the shapes of a policy's refusals that are equal but for their reason."""

    def __init__(self, table: Table) -> None:
        self._table = table
        self._known: dict[int, ParserShape] = {}

    def of(self, number: int, lanes: Mapping[int, FlowLane]) -> object:
        """Give the same number for a refusal with a reason and one whose reason was left out; else the shape's own."""
        whole = self._table.shapes[number]
        shape = whole.shape
        if shape.verdict is not Verdict.DENIED or shape.cause is not Cause.POLICY:
            return number
        if shape.reason is None and lane_witness(next(iter(lanes))) is not Witness.VERDICT:
            return number
        known = self._known.get(number)
        if known is None:
            bare = replace(shape, verdict_raw=None, reason=None, reason_code=None, reason_raw=None)
            known = self._known[number] = ParserShape(whole.parser, bare)
        return known


def _is_silent(table: Table, whole: Whole) -> bool:
    return table.shapes[whole.place[4]].shape.reason is None


def _of_one_reason(table: Table, group: list[Whole]) -> list[list[Whole]]:
    """Part a group into those that may join: a half without a reason joins others only if all of these give the same one."""
    by_shape: dict[int, list[Whole]] = defaultdict(list)
    for whole in group:
        by_shape[whole.place[4]].append(whole)
    told = sum(not _is_silent(table, of_one[0]) for of_one in by_shape.values())
    return [group] if told <= 1 and len(by_shape) <= 2 else list(by_shape.values())


def _half(lanes: Mapping[int, FlowLane]) -> bool:
    return len({lane_witness(code) for code in lanes}) == 1 and lane_witness(next(iter(lanes))) is not None


def _joined(group: Iterable[Whole]) -> list[Whole]:
    """Join each half with the first that it completes; halves that know most of their ends come first."""
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


# Fields that a record gives together: an identity and its reserved word, a pod and its namespace.
_PARTS = (("identity", "entity"), ("namespace", "pod"), ("labels",), ("node",), ("service",), ("workload",))


def _depth(peer: Peer) -> int:
    return sum(any(getattr(peer, name) is not None for name in part) for part in _PARTS)


def _both(one: Peer, other: Peer) -> Peer | None:
    """Join what both say of an end; ``None`` where they contradict each other, or nothing shows that they mean the same end."""
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
