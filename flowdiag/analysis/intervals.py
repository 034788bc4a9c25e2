"""How long the intervals are that records of aggregating sources stand for, as far as their times tell.

A flow log has the moment at which an interval began: what it counts was refused up to that much later, perhaps by a
policy that was made meanwhile.  Calico's Goldmane counts over 15 s, its enterprise logs over 300 s, VPC flow logs over
60 or 600 s.  Where records say both ends, that is it (`interval_of` of their parser); of others no two of one node
begin nearer to each other than that.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from itertools import pairwise

from flowdiag.diagnose.fd8_evidence.aggregated import AGGREGATED
from flowdiag.ingest.plugins import parser_named
from flowdiag.model.flow import Flow
from flowdiag.model.time import NS
from flowdiag.parserkit.promises import BrokenPromiseError

__all__ = ["interval_lengths"]

_LEAST = 15 * NS
"""Taken for a source whose records all begin at one moment: Goldmane's interval, the shortest of them."""
_MOST = 600 * NS
"""For a source that does not say it."""
_MOST_SAID = 3600 * NS
_ASKED = 64
"""Records of a source that are asked for their interval."""


def interval_lengths(flows: Iterable[Flow]) -> dict[str, int]:
    """Nanoseconds by parser, at most what the gaps between its records' moments allow; other parsers are left out."""
    starts: dict[str, dict[str | None, set[int]]] = defaultdict(lambda: defaultdict(set))
    said: dict[str, Counter[int]] = defaultdict(Counter)
    for flow in flows:
        parser = flow.distinct.parser
        if not parser.startswith(AGGREGATED):
            continue
        begun = (bucket.start for bucket in flow.buckets if bucket.start is not None)
        starts[parser][flow.distinct.node].update(begun)
        if said[parser].total() < _ASKED and flow.distinct.examples:
            own = _own_length(parser, flow.distinct.examples[0].raw)
            if own is not None:
                said[parser][min(own, _MOST_SAID)] += 1
    lengths = {}
    for parser, by_node in starts.items():
        if counts := said.get(parser):
            # The usual one: the first and the last of a run are shorter.
            lengths[parser] = max((times, length) for length, times in counts.items())[1]
            continue
        gaps = [
            later - earlier for moments in by_node.values() for earlier, later in pairwise(sorted(moments))
        ]
        lengths[parser] = min(*gaps, _MOST) if gaps else _LEAST
    return lengths


def _own_length(parser: str, record: str) -> int | None:
    ask = getattr(parser_named(parser), "interval_of", None)
    if ask is None:
        return None
    try:
        length = ask(record)
    except BrokenPromiseError:  # another distribution's parser; its records were read, and say no interval
        return None
    return length if isinstance(length, int) and length > 0 else None
