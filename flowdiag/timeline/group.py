"""Refused flows become connections, and connections with one cause become one problem.

The rules stand in the contract: same code, direction, isolating set and missed condition, and the
source workload or the destination in common; every connection stands in exactly one problem.

A connection is two ends, a protocol and a port: whoever refuses it, on whichever side and in whatever words, refuses
that one connection, and what is wrong with it now speaks for it.  Apart stand what was only audited or logged, which
the totals count apart, and what a fault or a configuration dropped, which no policy mends.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

from flowdiag.model.endpoint import Endpoint, EndpointKind
from flowdiag.model.event import Cause, Icmp
from flowdiag.model.finding import Finding
from flowdiag.model.report import Confidence
from flowdiag.timeline.drafts import (
    LEAD_SHARE,
    ConnectionDraft,
    ProblemDraft,
    Refusal,
    finding_key,
    refusal_order,
)
from flowdiag.timeline.ends import EndKey, end_key, fold_outside
from flowdiag.timeline.ports import ONE_PORT, count_ports

__all__ = ["group"]

_FOLD_PORTS_FROM = 9
"""So many refused ports between two ends are a scan: one connection without a port."""

_Cause = tuple[str, str, tuple[object, ...], str, str]


def group(refusals: Iterable[Refusal]) -> list[ProblemDraft]:
    """Fold refusals into problems; the answer does not depend on their order."""
    problems: list[ProblemDraft] = []
    by_cause: dict[_Cause, list[ConnectionDraft]] = defaultdict(list)
    for draft in _connections(list(refusals)):
        by_cause[_cause(draft.finding, draft)].append(draft)
    for _, drafts in sorted(by_cause.items(), key=lambda item: repr(item[0])):
        problems.extend(ProblemDraft(connections=part) for part in _linked(drafts))
    return problems


def _cause(finding: Finding, draft: ConnectionDraft) -> _Cause:
    verdict = str(draft.refusals[0].flow.distinct.verdict)
    return (finding.code, finding.direction or "", finding.isolating, finding.cause_key, verdict)


def _connections(refusals: Sequence[Refusal]) -> list[ConnectionDraft]:
    keys = _Keys()
    ranges = _ranges(refusals, keys)
    grouped: dict[tuple[EndKey, EndKey, object], list[Refusal]] = defaultdict(list)
    for refusal in refusals:
        flow = refusal.flow
        distinct = flow.distinct
        src, dst = keys.of(flow.src), keys.of(flow.dst)
        near_src, near_dst = ranges.get(("from", dst)), ranges.get(("to", src))
        if near_src is not None:
            src = end_key(flow.src, near_src)
        if near_dst is not None:
            dst = end_key(flow.dst, near_dst)
        rest = (distinct.protocol, distinct.port, _icmp_text(distinct.icmp), _counted(refusal))
        grouped[(src, dst, rest)].append(refusal)
    drafts = []
    for (src, dst, _), members in grouped.items():
        members.sort(key=refusal_order)
        shape = members[0].flow.distinct
        drafts.append(
            ConnectionDraft(
                source=src,
                destination=dst,
                protocol=shape.protocol,
                port=shape.port,
                icmp=_icmp_text(shape.icmp),
                refusals=members,
                finding=_lead(members),
                ports=count_ports(one.flow.distinct for one in members)
                if any(one.flow.distinct.folded_ports for one in members)
                else ONE_PORT,
            )
        )
    return _fold_ports(drafts)


def _counted(refusal: Refusal) -> tuple[str, Cause | None]:
    """Tell apart what must not be one connection with refusals by policy: what the totals count apart, and other causes."""
    distinct = refusal.flow.distinct
    return str(distinct.verdict), None if distinct.cause is Cause.POLICY else distinct.cause


def _lead(members: Sequence[Refusal]) -> Finding:
    spoken = finding_key(members[0].finding)
    if all(finding_key(refusal.finding) == spoken for refusal in members):
        # Most flows have the same as the one before, and to compare costs less than to look up.
        return _least_sure(members)
    total = sum(refusal.flow.count for refusal in members)
    weights: dict[tuple[object, ...], tuple[int, int, list[Refusal]]] = {}
    for refusal in members:
        key = finding_key(refusal.finding)
        count, last, alike = weights.get(key, (0, -1, []))
        alike.append(refusal)
        weights[key] = (count + refusal.flow.count, max(last, refusal.flow.last or -1), alike)
    heavy = [weight for weight in weights.values() if weight[0] >= total * LEAD_SHARE]
    _, _, alike = max(
        heavy, key=lambda one: (one[1], one[0], one[2][0].finding.code, one[2][0].finding.cause_key)
    )
    return _least_sure(alike)


def _least_sure(alike: Sequence[Refusal]) -> Finding:
    """Of findings that say the same, the one that may speak for all: the least sure of weight, the latest such."""
    sure = alike[0].finding.confidence
    if all(refusal.finding.confidence is sure for refusal in alike):
        return alike[-1].finding
    total = sum(refusal.flow.count for refusal in alike)
    counts = Counter[Confidence]()
    for refusal in alike:
        counts[refusal.finding.confidence] += refusal.flow.count
    weakest = max((one for one in counts if counts[one] >= total * LEAD_SHARE), key=list(Confidence).index)
    return next(one.finding for one in reversed(alike) if one.finding.confidence is weakest)


class _Keys:
    """Keys of ends, which flows share: each is made once."""

    def __init__(self) -> None:
        self._known: dict[int, tuple[Endpoint, EndKey]] = {}
        """By ``id()`` of an end, which is kept so that its ``id()`` is not given to another."""

    def of(self, end: Endpoint) -> EndKey:
        """`end_key` without ranges."""
        known = self._known.get(id(end))
        if known is None:
            known = self._known[id(end)] = (end, end_key(end))
        return known[1]


def _ranges(refusals: Sequence[Refusal], keys: _Keys) -> dict[tuple[str, EndKey], dict[str, str]]:
    """Ranges of outside addresses, apart for each end that they talk with."""
    outside: dict[tuple[str, EndKey], dict[int, Endpoint]] = defaultdict(dict)
    for refusal in refusals:
        flow = refusal.flow
        # Flows share their ends.
        if _is_outside(flow.src):
            outside["from", keys.of(flow.dst)][id(flow.src)] = flow.src
        if _is_outside(flow.dst):
            outside["to", keys.of(flow.src)][id(flow.dst)] = flow.dst
    return {beside: fold_outside(ends.values()) for beside, ends in outside.items()}


def _is_outside(end: Endpoint) -> bool:
    world = end.kind is EndpointKind.ENTITY and (end.entity or "").startswith("world")
    return end.kind is EndpointKind.EXTERNAL or world


def _fold_ports(drafts: list[ConnectionDraft]) -> list[ConnectionDraft]:
    """Fold many ports with one cause into one connection without a port, together with others of these ends without one."""
    spans: dict[tuple[tuple[object, ...], tuple[object, ...]], list[ConnectionDraft]] = defaultdict(list)
    scans: dict[tuple[object, ...], list[ConnectionDraft]] = defaultdict(list)
    kept: list[ConnectionDraft] = []
    for draft in drafts:
        between = (draft.source, draft.destination, draft.protocol, _counted(draft.refusals[0]))
        if draft.icmp is not None:
            kept.append(draft)
        elif draft.port is None:
            scans[between].append(draft)
        else:
            spans[(between, finding_key(draft.finding))].append(draft)
    for (ends, key), members in spans.items():
        rest = [draft for draft in scans.get(ends, ()) if finding_key(draft.finding) == key]
        ports = sum(draft.ports.least for draft in members) + sum(
            draft.ports.least for draft in rest if draft.ports != ONE_PORT
        )
        if ports < _FOLD_PORTS_FROM:
            kept.extend(members)
        else:
            scans[ends].extend(members)
    for members in scans.values():
        if len(members) == 1:
            kept.extend(members)
            continue
        members.sort(key=lambda member: member.order)
        refusals = sorted((r for member in members for r in member.refusals), key=refusal_order)
        first, lead = members[0], _lead(refusals)
        kept.append(
            ConnectionDraft(
                source=first.source,
                destination=first.destination,
                protocol=first.protocol,
                port=None,
                icmp=None,
                refusals=refusals,
                finding=next(
                    (m.finding for m in members if finding_key(m.finding) == finding_key(lead)), lead
                ),
                ports=count_ports(refusal.flow.distinct for refusal in refusals),
            )
        )
    return kept


def _linked(drafts: list[ConnectionDraft]) -> list[list[ConnectionDraft]]:
    """Parts of one cause that share a source workload or a destination, directly or through others."""
    drafts = sorted(drafts, key=lambda draft: draft.order)
    parent = list(range(len(drafts)))

    def root(index: int) -> int:
        while parent[index] != index:
            parent[index] = parent[parent[index]]
            index = parent[index]
        return index

    seen: dict[tuple[str, EndKey], int] = {}
    for index, draft in enumerate(drafts):
        for mark in (("from", draft.source), ("to", draft.destination)):
            other = seen.setdefault(mark, index)
            parent[root(index)] = root(other)
    parts: dict[int, list[ConnectionDraft]] = defaultdict(list)
    for index, draft in enumerate(drafts):
        parts[root(index)].append(draft)
    return list(parts.values())


def _icmp_text(icmp: Icmp | None) -> str | None:
    """``8/0``; ``8`` where the record knows no code, as in the lines of Calico's eBPF programs."""
    if icmp is None or icmp.type is None:
        return None
    return str(icmp.type) if icmp.code is None else f"{icmp.type}/{icmp.code}"
