"""Nodes whose clocks disagree, from the two ends' records of one connection.

A packet leaves its source's node before it reaches its destination's.  Where the destination's record of
the same connection, by its source port, is the earlier one by more than a network's delay, or later by more
than any, a clock is wrong.  Only connections with a single client port and a single record on each side
count, so that two calls are never compared.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from statistics import median

from flowdiag.model.flow import Flow
from flowdiag.model.report import ClockSkew
from flowdiag.model.time import NS

__all__ = ["clock_skew"]

_MIN_SKEW_S = 0.5
"""Less than this is delay and batching."""
_MIN_PAIRS = 3


def clock_skew(flows: Iterable[Flow]) -> tuple[ClockSkew, ...]:
    """Offsets between pairs of nodes, largest first; only where at least three connections agree."""
    sides: dict[tuple[object, ...], dict[str, Flow]] = defaultdict(dict)
    for flow in flows:
        distinct = flow.distinct
        if distinct.node is None or flow.count != 1 or len(distinct.source_ports) != 1:
            continue
        if distinct.first is None or distinct.turned:
            continue
        key = (distinct.src.ip, distinct.dst.ip, distinct.protocol, distinct.port, distinct.source_ports[0])
        sides[key].setdefault(distinct.node, flow)
    offsets: dict[tuple[str, str], list[float]] = defaultdict(list)
    for by_node in sides.values():
        if len(by_node) != 2:
            continue
        (one, first), (two, second) = sorted(by_node.items())
        if first.distinct.first is not None and second.distinct.first is not None:
            offsets[(one, two)].append((second.distinct.first - first.distinct.first) / NS)
    skews = []
    for (reference, node), values in offsets.items():
        if len(values) >= _MIN_PAIRS and abs(median(values)) >= _MIN_SKEW_S:
            skews.append(ClockSkew(node=node, reference=reference, offset_s=round(median(values), 3)))
    return tuple(sorted(skews, key=lambda skew: (-abs(skew.offset_s), skew.node, skew.reference)))
