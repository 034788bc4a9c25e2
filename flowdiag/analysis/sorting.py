"""Sorting distinct flows by what became of them, and resolving the ends of those that are needed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from itertools import chain

import numpy as np
from msgspec import Struct
from msgspec.structs import replace

from flowdiag.analysis.options import Selection
from flowdiag.analysis.related import RelatedFlows
from flowdiag.analysis.select import (
    may_be_selected,
    selected_buckets,
    selected_distinct,
    selected_flow,
    selected_verdict,
)
from flowdiag.analysis.told_by_events import counted_once
from flowdiag.cluster.resolve import Resolver
from flowdiag.model.endpoint import OUTSIDE_KINDS, Endpoint
from flowdiag.model.event import NOT_POLICY, PASSED, Verdict
from flowdiag.model.flow import Flow
from flowdiag.model.tally import Bucket, DistinctFlow
from flowdiag.tally import FlowView
from flowdiag.tally.grouping import Ints, Mask
from flowdiag.tally.view import Wanted, once_a_pair

__all__ = ["Sorted", "sort_flows"]

_REFUSED = (Verdict.DENIED, Verdict.AUDITED)
"""Kinds of ends that are known by DNS names; ends of other kinds have names of their own."""


class Sorted(Struct, kw_only=True):
    """The flows of a run by what became of them, ends resolved."""

    refused: list[Flow]
    not_policy: list[Flow]
    allowed: list[Flow]
    """Only those that can matter beside a refused one, or that were asked for."""
    calls: list[Flow]
    """Other allowed flows of clients whose DNS lookups were refused."""
    allowed_buckets: list[Bucket]
    """Counts of every allowed flow."""
    logged: list[Flow]
    """Flows that a rule only logged: `flowdiag.analysis.logged` says what became of them."""
    denied_read: int
    """Denied records of all that was read, selected or not."""
    undated: int = 0
    """Refused records without a time that a selection by time leaves out."""


def sort_flows(
    view: FlowView, resolver: Resolver, selection: Selection, *, all_allowed: bool = False
) -> Sorted:
    """Resolve and select.

    Allowed flows are made and resolved only where they matter beside a refused one, or all that are selected
    where the caller asks or has selected some by their ends or port.
    """
    refused: list[Flow] = []
    not_policy: list[Flow] = []
    logged: list[Flow] = []
    found = list(view.flows((*_REFUSED, Verdict.LOGGED)))
    denied_read = sum(whole.count for whole in found if whole.verdict is Verdict.DENIED)
    undated = _undated(found, selection)
    for distinct in _selected(found, selection):
        parts = [flow for flow in resolver.resolve(distinct) if selected_flow(flow, selection)]
        if distinct.verdict is Verdict.LOGGED:
            logged.extend(parts)
            continue
        # A refusal with a reason that no policy gives needs no diagnosis of policies; an audited flow always comes
        # from a policy.
        other = distinct.cause in NOT_POLICY and distinct.verdict is Verdict.DENIED
        (not_policy if other else refused).extend(parts)
    refused, not_policy, logged = map(counted_once, (refused, not_policy, logged))
    names = view.names()
    beside = RelatedFlows(
        chain(refused, logged), view.peers, names, resolver, interfaces=view.names_interfaces
    )
    allowed: list[Flow] = []
    calls: list[Flow] = []
    verdicts = [one for one in PASSED if selected_verdict(selection, one)]
    if all_allowed or _by_ends(selection) or selection.to_port is not None:
        peers = view.peers

        @once_a_pair
        def can_be(src: int, dst: int) -> bool:
            return may_be_selected(selection, peers[src], peers[dst])

        selected = view.flows(
            verdicts,
            can_be if _by_ends(selection) else None,
            protocol=selection.protocol,
            port=selection.to_port,
        )
        for distinct in _selected(selected, selection):
            allowed.extend(flow for flow in resolver.resolve(distinct) if selected_flow(flow, selection))
        buckets = _summed(chain.from_iterable(flow.buckets for flow in allowed))
    else:

        def near(wanted: Wanted) -> list[DistinctFlow]:
            return list(_selected(view.flows(verdicts, wanted, protocol=selection.protocol), selection))

        made, others = near(beside.is_asked_for), near(beside.is_other_call)
        if not made:
            # That such records exist is evidence, too.
            made, others = others[:1], others[1:]
        for among in (beside.is_near, beside.may_be_near):
            made = made or near(among if selection != Selection() else _first(among))[:1]
        allowed.extend(flow for distinct in made for flow in resolver.resolve(distinct))
        calls.extend(flow for distinct in others for flow in resolver.resolve(distinct))
        buckets = selected_buckets(view.buckets(verdicts, protocol=selection.protocol), selection)
    called: dict[str, set[str]] = defaultdict(set)
    for number, own in names.items():
        if (ip := view.peers[number].ip) is not None:
            called[ip].update(own)
    refused, not_policy, allowed, calls, logged = _with_names(
        called, refused, not_policy, allowed, calls, logged
    )
    return Sorted(
        refused=refused,
        not_policy=not_policy,
        allowed=allowed,
        calls=calls,
        allowed_buckets=buckets,
        logged=logged,
        denied_read=denied_read,
        undated=undated,
    )


def _undated(found: Iterable[DistinctFlow], selection: Selection) -> int:
    """Refused records of which nobody knows whether they lie in the span that was asked for."""
    if selection.since is None and selection.until is None:
        return 0
    whenever = replace(selection, since=None, until=None)
    return sum(
        bucket.count
        for whole in found
        if whole.verdict in _REFUSED and may_be_selected(selection, whole.src, whole.dst)
        for distinct in _selected([whole], whenever)
        for bucket in distinct.buckets
        if bucket.start is None
    )


def _by_ends(selection: Selection) -> bool:
    return bool(selection.namespaces or selection.from_pod or selection.to_pod)


def _selected(flows: Iterable[DistinctFlow], selection: Selection) -> Iterator[DistinctFlow]:
    for whole in flows:
        distinct = selected_distinct(whole, selection)
        if distinct is not None:
            yield distinct


def _first(among: Wanted) -> Wanted:
    """The flows of one pair of ends of those that `among` tells."""

    def are_they(srcs: Ints, dsts: Ints, ports: Ints) -> Mask:
        chosen = np.flatnonzero(among(srcs, dsts, ports))
        if not len(chosen):
            return np.zeros(len(srcs), bool)
        first = chosen[np.lexsort((dsts[chosen], srcs[chosen]))[0]]
        one_pair: Mask = (srcs == srcs[first]) & (dsts == dsts[first])
        return one_pair

    return are_they


def _summed(buckets: Iterable[Bucket]) -> list[Bucket]:
    counts: dict[tuple[int | None, int], int] = defaultdict(int)
    for bucket in buckets:
        counts[bucket.start, bucket.width] += bucket.count
    in_order = sorted(counts.items(), key=lambda item: (item[0][0] or -1, item[0][1]))
    return [Bucket(start, width, count) for (start, width), count in in_order]


def _with_names(names: dict[str, set[str]], *groups: list[Flow]) -> list[list[Flow]]:
    """Give an outside address the same names in all flows: not every record carries them.

    Args:
        names: by address, as records of any flow have them; those of `groups` are added.
        groups: flows.
    """
    # Flows share their ends, and must go on to do so, since others remember what they know of an end by its ``id()``.
    ends = {id(end): end for flow in chain(*groups) for end in (flow.src, flow.dst)}
    for end in ends.values():
        if end.ip is not None and end.dns_names:
            names[end.ip].update(end.dns_names)
    renamed: dict[int, Endpoint] = {}
    for number, end in ends.items():
        own = names.get(end.ip or "")
        if own and end.kind in OUTSIDE_KINDS and len(own) != len(end.dns_names):
            renamed[number] = replace(end, dns_names=tuple(sorted(own)))

    def with_names(flow: Flow) -> Flow:
        src, dst = renamed.get(id(flow.src), flow.src), renamed.get(id(flow.dst), flow.dst)
        return flow if src is flow.src and dst is flow.dst else replace(flow, src=src, dst=dst)

    if not renamed:
        return list(groups)
    return [[with_names(flow) for flow in group] for group in groups]
