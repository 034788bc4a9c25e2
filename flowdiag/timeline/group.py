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

from msgspec import Struct

from flowdiag.model.endpoint import Endpoint, EndpointKind
from flowdiag.model.event import Cause, Icmp
from flowdiag.model.finding import Finding
from flowdiag.model.flow import Flow
from flowdiag.model.report import Confidence
from flowdiag.timeline.ends import EndKey, end_key, fold_addresses
from flowdiag.timeline.ports import ONE_PORT, PortCount, count_ports

__all__ = ["ConnectionDraft", "ProblemDraft", "Refusal", "group"]

_FOLD_PORTS_FROM = 9
"""So many refused ports between two ends are a scan: one connection without a port."""

_LEAD_SHARE = 0.05
"""A later finding speaks for a connection once it has this share of its records."""


class Refusal(Struct, frozen=True):
    """One refused flow, or its part in one policy epoch, with what diagnosis says of it."""

    flow: Flow
    finding: Finding


class ConnectionDraft(Struct):
    """One refused connection with all refusals folded into it."""

    source: EndKey
    destination: EndKey
    protocol: str | None
    port: int | None
    icmp: str | None
    refusals: list[Refusal]
    finding: Finding
    """The finding that speaks for the connection: the latest one of weight, as that is what is wrong now."""
    ports: PortCount = ONE_PORT
    """How many ports it stands for, where it has none."""
    count: int = 0
    """Refused records; this and the times are of `refusals`, which nobody changes any more."""
    first: int | None = None
    """First record with a time."""
    last: int | None = None
    """Last record with a time."""

    @property
    def said_otherwise(self) -> dict[tuple[object, ...], list[Refusal]]:
        """Refusals of which something else than `finding` is said, by what is said."""
        spoken, found = _key(self.finding), defaultdict(list)
        for refusal in self.refusals:
            if (key := _key(refusal.finding)) != spoken:
                found[key].append(refusal)
        return found

    @property
    def limits(self) -> list[str]:
        """What keeps a part of weight of its refusals from being surer."""
        counts = Counter[str]()
        for refusal in self.refusals:
            for limit in refusal.finding.limits:
                counts[limit] += refusal.flow.count
        return [limit for limit, count in counts.items() if count >= self.count * _LEAD_SHARE]

    def __post_init__(self) -> None:
        """Sum up the refusals."""
        flows = [refusal.flow for refusal in self.refusals]
        self.count = sum(flow.count for flow in flows)
        self.first = min((flow.first for flow in flows if flow.first is not None), default=None)
        self.last = max((flow.last for flow in flows if flow.last is not None), default=None)

    @property
    def folded(self) -> bool:
        """Whether it stands for many ports or addresses, so that no one of them speaks for all."""
        ends = (self.source, self.destination)
        return self.ports.most > 1 or any(end[0] == "external" and "/" in end[3] for end in ends)

    @property
    def order(self) -> tuple[int, EndKey, EndKey, str, int, str]:
        """Largest first, then by what it is."""
        return (
            -self.count,
            self.source,
            self.destination,
            self.protocol or "",
            -1 if self.port is None else self.port,
            self.icmp or "",
        )


class ProblemDraft(Struct):
    """Connections with one cause, largest first."""

    connections: list[ConnectionDraft]

    @property
    def count(self) -> int:
        """Refused records."""
        return sum(connection.count for connection in self.connections)

    @property
    def span(self) -> tuple[int | None, int | None]:
        """First and last refused record, nanoseconds."""
        firsts = [c.first for c in self.connections if c.first is not None]
        lasts = [c.last for c in self.connections if c.last is not None]
        return (min(firsts, default=None), max(lasts, default=None))

    @property
    def flows(self) -> list[Flow]:
        """Every refused flow."""
        return [refusal.flow for connection in self.connections for refusal in connection.refusals]

    @property
    def recording(self) -> set[str]:
        """Nodes that recorded the refusals, as far as the records name them."""
        return {flow.distinct.node for flow in self.flows if flow.distinct.node is not None}

    @property
    def finding(self) -> Finding:
        """What speaks for the problem: its largest connection's finding."""
        return self.connections[0].finding

    @property
    def lead(self) -> Refusal:
        """The refusal that shows what is wrong now: the last of those that say what the problem says."""
        key = _key(self.finding)
        alike = [refusal for refusal in self.connections[0].refusals if _key(refusal.finding) == key]
        return _latest(alike)

    @property
    def others(self) -> list[Refusal]:
        """The last refusal of each connection but the first; all of one that stands for many ports or addresses."""
        return [
            refusal
            for one in self.connections[1:]
            for refusal in (one.refusals if one.folded else [_latest(one.refusals)])
        ]


def _latest(refusals: Iterable[Refusal]) -> Refusal:
    several = list(refusals)
    last = max(refusal.flow.last or -1 for refusal in several)
    return max((each for each in several if (each.flow.last or -1) == last), key=_refusal_order)


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
        members.sort(key=_refusal_order)
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
    """What the totals count apart, and what is no policy's: never one connection with what a policy refused."""
    distinct = refusal.flow.distinct
    return str(distinct.verdict), None if distinct.cause is Cause.POLICY else distinct.cause


def _refusal_order(refusal: Refusal) -> tuple[int, int, str, str]:
    flow = refusal.flow
    return (
        flow.first or -1,
        -flow.count,
        flow.src.name or flow.src.ip or "",
        flow.dst.name or flow.dst.ip or "",
    )


def _lead(members: Sequence[Refusal]) -> Finding:
    spoken = _key(members[0].finding)
    if all(_key(refusal.finding) == spoken for refusal in members):
        # As with most: to compare costs less than to look up.
        return _least_sure(members)
    total = sum(refusal.flow.count for refusal in members)
    weights: dict[tuple[object, ...], tuple[int, int, list[Refusal]]] = {}
    for refusal in members:
        key = _key(refusal.finding)
        count, last, alike = weights.get(key, (0, -1, []))
        alike.append(refusal)
        weights[key] = (count + refusal.flow.count, max(last, refusal.flow.last or -1), alike)
    heavy = [weight for weight in weights.values() if weight[0] >= total * _LEAD_SHARE]
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
    weakest = max((one for one in counts if counts[one] >= total * _LEAD_SHARE), key=list(Confidence).index)
    return next(one.finding for one in reversed(alike) if one.finding.confidence is weakest)


def _key(finding: Finding) -> tuple[object, ...]:
    return (finding.code, finding.direction, finding.isolating, finding.cause_key)


class _Keys:
    """Keys of ends, which flows share: each is made once."""

    def __init__(self) -> None:
        self._known: dict[int, tuple[Endpoint, EndKey]] = {}
        """By the end's identity; the end is kept so that it stays its own."""

    def of(self, end: Endpoint) -> EndKey:
        """`end_key` without ranges."""
        known = self._known.get(id(end))
        if known is None:
            known = self._known[id(end)] = (end, end_key(end))
        return known[1]


def _ranges(refusals: Sequence[Refusal], keys: _Keys) -> dict[tuple[str, EndKey], dict[str, str]]:
    """Ranges of outside addresses, apart for each end that they talk with."""
    outside: dict[tuple[str, EndKey], set[str]] = defaultdict(set)
    for refusal in refusals:
        flow = refusal.flow
        if (address := _outside_address(flow.src)) is not None:
            outside["from", keys.of(flow.dst)].add(address)
        if (address := _outside_address(flow.dst)) is not None:
            outside["to", keys.of(flow.src)].add(address)
    return {beside: fold_addresses(addresses) for beside, addresses in outside.items()}


def _outside_address(end: Endpoint) -> str | None:
    world = end.kind is EndpointKind.ENTITY and (end.entity or "").startswith("world")
    if end.kind is EndpointKind.EXTERNAL or world:
        return end.ip
    return None


def _fold_ports(drafts: list[ConnectionDraft]) -> list[ConnectionDraft]:
    """Many ports of one cause become none; what else has none between the same ends is the same connection then."""
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
            spans[(between, _key(draft.finding))].append(draft)
    for (ends, key), members in spans.items():
        rest = [draft for draft in scans.get(ends, ()) if _key(draft.finding) == key]
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
        refusals = sorted((r for member in members for r in member.refusals), key=_refusal_order)
        first, lead = members[0], _lead(refusals)
        kept.append(
            ConnectionDraft(
                source=first.source,
                destination=first.destination,
                protocol=first.protocol,
                port=None,
                icmp=None,
                refusals=refusals,
                finding=next((m.finding for m in members if _key(m.finding) == _key(lead)), lead),
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
