"""The proof of a proposal: evaluated again, nothing closed, and everything that it opens besides, listed.

Exact over the workloads of the snapshot, its nodes, the outside ends seen in the flows and all other outside addresses (by range
where policies tell them apart), by the policy room's port algebra; which pairs an edit can concern at all is said by
`flowdiag.diagnose.proposals.concerned`.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet

from msgspec import Struct

from flowdiag.diagnose.case import Case
from flowdiag.diagnose.proposals.concerned import Pair, concerned, selected_by
from flowdiag.diagnose.proposals.cuts import Cut, Group
from flowdiag.diagnose.proposals.edit import AnyEdit, Edit
from flowdiag.diagnose.proposals.groups import Groups
from flowdiag.diagnose.proposals.node_ends import NodeEnds
from flowdiag.diagnose.proposals.ranges import Outside, Ranges
from flowdiag.diagnose.wording import end_text
from flowdiag.model.cilium import WORLD_ENTITIES
from flowdiag.model.endpoint import Endpoint, EndpointKind
from flowdiag.model.event import Direction
from flowdiag.model.objects import Snapshot
from flowdiag.model.report import BlastRadius
from flowdiag.policy import PolicySet
from flowdiag.policy.addresses import families
from flowdiag.policy.openness import Openness
from flowdiag.policy.ports import NO_PORTS, PortSet
from flowdiag.policy.reach import end_openness, openness

__all__ = [
    "Elsewhere",
    "Ends",
    "Opened",
    "Radius",
    "Steps",
    "blast_radius",
    "lets_pass",
    "listed",
    "opens_to_anybody",
    "passes_by",
    "without",
]

Opened = dict[tuple[str, str, str], PortSet]
"""Ports that open, by source, destination and protocol."""


class Radius(Struct, frozen=True):
    """What a change does besides."""

    opened: Opened
    doubtful: Opened
    """Ports that are closed for sure as it is, and of which it is not known whether the change opens them.

    Not those of addresses that nobody has seen: which of them a name or an entity of a rule stands for nobody knows, and
    that is what the rule is for.
    """


_MAX_PAIRS = 20_000
"""Distinct pairs asked per proposal; where there are more, there is no proof and so no proposal."""


_ANYBODY = Endpoint(kind=EndpointKind.EXTERNAL, name="any address outside")
"""Whoever is outside and in no record: open to it is what is open whatever the address."""
_ANY_OF = {
    version: Endpoint(kind=EndpointKind.EXTERNAL, cidr=whole)
    for version, whole in ((4, "0.0.0.0/0"), (6, "::/0"))
}
"""The same by families, where the cluster has IPv6: a rule for every address of one says nothing of the other."""
_EVERYBODY = (_ANYBODY, *_ANY_OF.values())


class Ends(Struct, frozen=True):
    """What a blast radius ranges over: the pods of every workload, and outside addresses, seen and any.

    A pod is an end once for each family of addresses that it has.
    """

    pods: tuple[Endpoint, ...]
    outside: tuple[Endpoint, ...]
    groups: Groups
    others: Outside
    """Which addresses may be outside beside those that were seen."""
    nodes: NodeEnds

    @classmethod
    def of(cls, snapshot: Snapshot, flows: Iterable[Endpoint]) -> Ends:
        """Collect the ends, sorted."""
        pods = tuple(
            Endpoint(
                kind=EndpointKind.POD,
                namespace=pod.namespace,
                name=pod.name,
                ip=ip,
                pod=pod,
                workload=pod.workload,
            )
            for pod in sorted(snapshot.pods, key=lambda one: (one.namespace, one.name))
            if pod.live and not pod.host_network
            for ip in families(pod.ips).values() or (None,)
        )
        seen = {end.ip: end for end in flows if end.kind is EndpointKind.EXTERNAL and end.ip is not None}
        held = [ip for pod in snapshot.pods for ip in pod.ips]
        shown = families([*held, *(ip for node in snapshot.nodes.values() for ip in node.addresses), *seen])
        anybody = [_ANY_OF[version] for version in sorted(shown)] if 6 in shown else [_ANYBODY]
        outside = (*(seen[ip] for ip in sorted(seen)), *anybody)
        others = Outside(snapshot, [end.ip for end in outside])
        return cls(pods, outside, Groups((*pods, *outside)), others, NodeEnds(snapshot))


class Elsewhere(Struct, frozen=True):
    """What decides where the policies at hand are those of some namespaces alone."""

    policies: PolicySet
    """All of them, which decide at ends of other namespaces."""
    but: frozenset[str]
    """The namespaces whose policies are at hand."""


class Steps(Struct, frozen=True):
    """The policies as they are, and with the edits of a proposal one after the other."""

    sets: tuple[PolicySet, ...]
    """As they are, then with the first edit, with the first two, and so on to all."""
    spaces: frozenset[str] | None
    """Namespaces of which the edited sets hold the policies, beside those of no namespace; ``None`` is all of them.

    A policy of a namespace selects ends of that one alone, so an edit there changes what no other end meets.
    """
    elsewhere: Elsewhere | None = None
    """What decides where the first of the sets does not; ``None`` where it holds all policies."""

    @property
    def deciding(self) -> tuple[PolicySet, ...]:
        """All sets that decide anywhere."""
        return self.sets if self.elsewhere is None else (self.elsewhere.policies, *self.sets)

    def at(self, policies: PolicySet, end: Endpoint) -> PolicySet:
        """Which policies decide at an end, for one of the sets."""
        if self.spaces is None or end.namespace in self.spaces:
            return policies
        if self.elsewhere is None or end.namespace in self.elsewhere.but:
            return self.sets[0]
        return self.elsewhere.policies

    def change(self, src: Endpoint, dst: Endpoint) -> tuple[Openness, Openness]:
        """Ports between two ends as they are, and with all the edits."""
        before, after = (
            openness(self.at(policies, src), src, dst, ingress=self.at(policies, dst))
            for policies in (self.sets[0], self.sets[-1])
        )
        return before, after

    def opens(
        self, src: Endpoint, dst: Endpoint, at: AbstractSet[Direction]
    ) -> tuple[Openness, Openness] | None:
        """As `change`, where the edits concern these ends alone; ``None`` where one would refuse what it lets pass now.

        Also what the other end refuses today: it may be what the fix for that end counts on.
        """
        ends: list[tuple[Openness, Openness]] = []
        for direction, end in ((Direction.EGRESS, src), (Direction.INGRESS, dst)):
            if end.kind is EndpointKind.EXTERNAL:
                continue
            old, new = (self.at(policies, end) for policies in (self.sets[0], self.sets[-1]))
            before = end_openness(old, direction, src, dst)
            after = before
            if direction in at and old is not new:
                after = end_openness(new, direction, src, dst)
                if before.closes(after):
                    return None
            ends.append((before, after))
        if len(ends) == 1:
            return ends[0]
        (out_before, out_after), (in_before, in_after) = ends
        before = out_before.met(in_before)
        same = out_after is out_before and in_after is in_before
        return before, before if same else out_after.met(in_after)

    def passes(self, case: Case) -> bool:
        """Whether a connection is certainly let through at both ends with all the edits."""
        if case.port is None or case.protocol is None or passes_by(case):
            return False
        src, dst = case.flow.src, case.flow.dst
        egress, ingress = (
            self.at(self.sets[-1], end).evaluate(src, dst, case.protocol, case.port, nearest=False)
            for end in (src, dst)
        )
        ends = (egress.egress, ingress.ingress)
        return all(end is None or end.allowed is True for end in ends)


def passes_by(case: Case) -> bool:
    """Whether both ends are outside: a node sees what it hands on between such, too, and no policy is asked about it."""
    ends = (case.flow.src, case.flow.dst)
    return all(end.kind is EndpointKind.EXTERNAL or end.entity in WORLD_ENTITIES for end in ends)


def blast_radius(steps: Steps, edits: Sequence[AnyEdit], ends: Ends) -> Radius | None:
    """Say all that opens.

    Args:
        steps: the policies without and with the edits.
        edits: the edits, one for each step.
        ends: what the answer ranges over.

    Returns:
        Ports by pair and protocol, opened and perhaps opened; ``None`` where something would close, or there is too
        much to ask.
    """
    old, new = steps.sets[0], steps.sets[-1]
    cut = ends.groups.of(steps.deciding)
    if any(_isolates(old, new, edit, cut) for edit in edits):
        return None
    # What all edits do together differs from what is only where one of them changes something.
    pairs: dict[Pair, set[Direction]] = {}
    for (one, other), edit in zip(itertools.pairwise(steps.sets), edits, strict=True):
        for ends_of, direction in concerned(one, other, edit, cut):
            pairs.setdefault(ends_of, set()).add(direction)
    if len(pairs) > _MAX_PAIRS:
        return None
    opened: Opened = {}
    doubtful: Opened = {}
    ranges = Ranges(steps.deciding, ends.others)
    for (src, dst), at in pairs.items():
        if _bare_pod(src) and src.names == dst.names:
            continue
        change = steps.opens(src.end, dst.end, at)
        if change is None:
            return None
        before, after = change
        client = dst.end in _EVERYBODY
        if (before.unknown or after.unknown) and (client or src.end in _EVERYBODY):
            inside, outside = (src, dst) if client else (dst, src)
            if not ranges.hold(inside, outside, (before, after), steps.change, client=client):
                return None
        elif after.unknown:
            for protocol, ports in after.beyond(before).items():
                _note(doubtful, _pairs(src, dst), protocol, ports)
        for protocol in sorted({*before.open, *after.open}):
            was, now = before.open.get(protocol, NO_PORTS), after.open.get(protocol, NO_PORTS)
            if was == now:
                continue
            _note(opened, _pairs(src, dst), protocol, now - was)
    for (client_name, server_name, protocol), ports in ranges.rows():
        _note(opened, [(client_name, server_name)], protocol, ports)
    if not _note_nodes(opened, steps, edits, ends.nodes, cut):
        return None
    surely = _of_either_family(opened)
    # Of a workload's pods one may be open for sure where another is not known.
    left = {pair: ports - surely.get(pair, NO_PORTS) for pair, ports in _of_either_family(doubtful).items()}
    return Radius(surely, {pair: ports for pair, ports in left.items() if ports})


def _note_nodes(opened: Opened, steps: Steps, edits: Sequence[AnyEdit], nodes: NodeEnds, cut: Cut) -> bool:
    """Note what surely opens to and from nodes; ``False`` where something would close, or there is too much to ask.

    Which nodes an entity stands for is not always known, and that is what the rule is for.
    """
    pairs = nodes.pairs(steps.sets, edits, cut)
    if pairs is None:
        return False
    for group, node, name in pairs:
        for outward in (True, False):
            change = steps.opens(*((group.end, node) if outward else (node, group.end)), set(Direction))
            if change is None:
                return False
            before, after = change
            names = [(own, name) if outward else (name, own) for own in group.names]
            for protocol, ports in after.open.items():
                _note(opened, names, protocol, ports - before.open.get(protocol, NO_PORTS))
    return True


def lets_pass(policies: PolicySet, case: Case) -> bool:
    """Whether the policies surely allow the connection that was refused."""
    found = policies.evaluate(case.flow.src, case.flow.dst, case.protocol, case.port, nearest=False)
    return found.allowed is True


def _pairs(src: Group, dst: Group) -> list[tuple[str, str]]:
    return [(one, other) for one in src.names for other in dst.names if one != other]


def _note(found: Opened, names: Iterable[tuple[str, str]], protocol: str, ports: PortSet) -> None:
    for name in names:
        pair = (*name, protocol)
        found[pair] = found.get(pair, NO_PORTS) | ports


def _of_either_family(opened: Opened) -> Opened:
    """The same, with what opens to every address of both families as open to any."""
    found = dict(opened)
    v4, v6 = (end_text(_ANY_OF[version]) for version in (4, 6))
    for (src, dst, protocol), ports in opened.items():
        if v4 not in (src, dst):
            continue
        other = (v6, dst, protocol) if src == v4 else (src, v6, protocol)
        both = ports & opened.get(other, NO_PORTS)
        if both:
            found[src, dst, protocol] -= both
            found[other] -= both
            name = end_text(_ANYBODY)
            anybody = (name, dst, protocol) if src == v4 else (src, name, protocol)
            found[anybody] = found.get(anybody, NO_PORTS) | both
    return found


def _bare_pod(group: Group) -> bool:
    """One pod that nobody makes more of, and which policy leaves to itself; a workload's pods may call each other."""
    workload = group.end.workload
    return len(group.names) == 1 and (workload is None or workload.kind == "Pod")


def opens_to_anybody(opened: Opened) -> bool:
    """Whether a change opens a port from or to every address outside."""
    names = {end_text(end) for end in _EVERYBODY}
    return any(ports and not names.isdisjoint((src, dst)) for (src, dst, _), ports in opened.items())


def without(opened: Opened, cases: Iterable[Case]) -> Opened:
    """What opens besides the connections of `cases`."""
    left = dict(opened)
    for case in cases:
        asked_for = (end_text(case.flow.src), end_text(case.flow.dst), case.protocol or "")
        if asked_for in left and case.port_behind is not None:
            left[asked_for] -= PortSet.of(case.port_behind)
    return left


def listed(opened: Opened) -> tuple[BlastRadius, ...]:
    """As a report has it, sorted."""
    return tuple(
        BlastRadius(src=src, dst=dst, protocol=protocol, ports=tuple(ports.texts()))
        for (src, dst, protocol), ports in sorted(opened.items())
        if ports
    )


def _isolates(old: PolicySet, new: PolicySet, edit: AnyEdit, cut: Cut) -> bool:
    """Whether a policy that is added would isolate what is open today.

    What a baseline decides about is not open; whether anything that it lets pass would close is seen pair by pair.
    """
    if not isinstance(edit, Edit) or edit.old is not None or edit.before_baseline:
        return False
    return any(
        edit.new.ref in new.isolating(group.end, direction) and not old.isolating(group.end, direction)
        for group in selected_by(new, edit.new.ref, cut)
        for direction in Direction
    )
