"""Nodes whose clocks disagree, from the two ends' records of one connection.

A packet leaves its source's node before it reaches its destination's.  Where the destination's record of
the same connections is the earlier one by more than a network's delay, or later by more than any, a clock is
wrong.  Records without addresses may be of anybody, and those of intervals have each node's own beginning.
Allowed flows are folded without their client ports, so both sides must have the same number of
records, the first of them as far apart as the last, and most flows of two nodes must agree.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from flowdiag.model.flow import Flow
from flowdiag.model.report import ClockSkew
from flowdiag.model.time import NS

__all__ = ["clock_skew"]

_MIN_SKEW_S = 0.5
"""Less than this is delay and batching."""
_MIN_CONNECTIONS = 3
_SPREAD_S = 0.25
"""So far offsets of one pair of clocks may differ, by delay and batching."""
_INTERVALS = ("calico-flowlog", "aws-vpc-flow")
"""Formats whose times are those of an interval."""
_AGREEING = 0.75
"""Share of the flows between two nodes that must tell the same offset."""


def clock_skew(flows: Iterable[Flow]) -> tuple[ClockSkew, ...]:
    """Offsets between pairs of nodes, largest first; only where at least three connections agree."""
    seen: dict[tuple[object, ...], Flow] = {}
    sides: dict[tuple[object, ...], dict[str, Flow]] = {}
    for flow in flows:
        distinct = flow.distinct
        if distinct.node is None or distinct.turned or distinct.first is None or distinct.last is None:
            continue
        if distinct.src.ip is None or distinct.dst.ip is None or distinct.parser.startswith(_INTERVALS):
            continue
        key = (distinct.src.ip, distinct.dst.ip, distinct.protocol, distinct.port, distinct.source_ports)
        # Most were seen on one node alone.
        known = seen.setdefault(key, flow)
        if key in sides:
            sides[key].setdefault(distinct.node, flow)
        elif known.distinct.node is not None and known.distinct.node != distinct.node:
            sides[key] = {known.distinct.node: known, distinct.node: flow}
    offsets: dict[tuple[str, str], list[float]] = defaultdict(list)
    connections: dict[tuple[str, str], int] = defaultdict(int)
    for by_node in sides.values():
        if len(by_node) != 2:
            continue
        (one, first), (two, second) = sorted(by_node.items())
        offset = _offset(first, second)
        if offset is not None:
            offsets[one, two].append(offset)
            connections[one, two] += first.distinct.count
    if not offsets:
        return ()
    # With it come fractions and decimals, which most runs do without.
    from statistics import median

    skews = []
    for (reference, node), values in offsets.items():
        middle = median(values)
        agreeing = sum(1 for value in values if abs(value - middle) <= _SPREAD_S)
        if (
            connections[reference, node] >= _MIN_CONNECTIONS
            and abs(middle) >= _MIN_SKEW_S
            and agreeing >= len(values) * _AGREEING
        ):
            skews.append(ClockSkew(node=node, reference=reference, offset_s=round(middle, 3)))
    return tuple(sorted(skews, key=lambda skew: (-abs(skew.offset_s), skew.node, skew.reference)))


def _offset(one: Flow, other: Flow) -> float | None:
    """How much later the other side has the same records, seconds; ``None`` where they may not be the same."""
    first, second = one.distinct, other.distinct
    if first.count != second.count or None in (first.first, second.first, first.last, second.last):
        return None
    begin = ((second.first or 0) - (first.first or 0)) / NS
    end = ((second.last or 0) - (first.last or 0)) / NS
    return begin if abs(begin - end) <= _SPREAD_S else None
