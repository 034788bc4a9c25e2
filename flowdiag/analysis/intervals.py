"""How long the intervals are that records of aggregating sources stand for, as far as their times tell.

A flow log has the moment at which an interval began: what it counts was refused up to that much later, perhaps by a
policy that was made meanwhile.  Calico's Goldmane counts over 15 s, its enterprise logs over 300 s, VPC flow logs over
60 or 600 s; records do not say it in one way, but no two of one source begin nearer to each other than that.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from itertools import pairwise

from flowdiag.diagnose.fd8_evidence.aggregated import AGGREGATED
from flowdiag.model.flow import Flow
from flowdiag.model.time import NS

__all__ = ["interval_lengths"]

_LEAST = 15 * NS
"""Taken for a source whose records all begin at one moment: Goldmane's interval, the shortest of them."""
_MOST = 600 * NS


def interval_lengths(flows: Iterable[Flow]) -> dict[str, int]:
    """Nanoseconds by parser, at most what the gaps between its records' moments allow; other parsers are left out."""
    starts: dict[str, set[int]] = defaultdict(set)
    for flow in flows:
        parser = flow.distinct.parser
        if parser.startswith(AGGREGATED):
            starts[parser].update(bucket.start for bucket in flow.buckets if bucket.start is not None)
    lengths = {}
    for parser, moments in starts.items():
        gaps = [later - earlier for earlier, later in pairwise(sorted(moments))]
        lengths[parser] = min(*gaps, _MOST) if gaps else _LEAST
    return lengths
