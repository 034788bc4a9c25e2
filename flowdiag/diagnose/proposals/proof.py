"""The proof of a proposal: evaluated again, nothing closed, and everything that it opens besides, listed.

Exact over the workloads of the snapshot and the outside ends seen in the flows, by the policy room's port
algebra; ends that no condition can tell apart are asked once.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from msgspec import Struct

from flowdiag.diagnose.case import Case
from flowdiag.diagnose.proposals.edit import AnyEdit, Edit, Labelling
from flowdiag.diagnose.wording import end_text
from flowdiag.model.endpoint import Endpoint, EndpointKind
from flowdiag.model.event import Direction
from flowdiag.model.objects import Snapshot
from flowdiag.model.report import BlastRadius
from flowdiag.policy import PolicySet, connections
from flowdiag.policy.index import Plan
from flowdiag.policy.model import Outcome
from flowdiag.policy.ports import NO_PORTS, PortSet

__all__ = ["Ends", "blast_radius"]

_MAX_PAIRS = 20_000
"""Distinct pairs asked per proposal; where there are more, there is no proof and so no proposal."""


class Ends(Struct, frozen=True):
    """What a blast radius ranges over: one endpoint per workload and label set, and outside addresses."""

    pods: tuple[Endpoint, ...]
    outside: tuple[Endpoint, ...]

    @classmethod
    def of(cls, snapshot: Snapshot, flows: Iterable[Endpoint]) -> Ends:
        """Collect the ends, sorted; of alike pods of one workload one stands for all."""
        pods: dict[tuple[object, ...], Endpoint] = {}
        for pod in sorted(snapshot.pods, key=lambda one: (one.namespace, one.name)):
            if not pod.live or pod.host_network:
                continue
            key = (pod.namespace, pod.workload, tuple(sorted(pod.labels.items())), pod.ports)
            pods.setdefault(
                key,
                Endpoint(
                    kind=EndpointKind.POD,
                    namespace=pod.namespace,
                    name=pod.name,
                    ip=pod.ips[0] if pod.ips else None,
                    pod=pod,
                    workload=pod.workload,
                ),
            )
        outside = {end.ip: end for end in flows if end.kind is EndpointKind.EXTERNAL and end.ip is not None}
        return cls(tuple(pods.values()), tuple(outside[ip] for ip in sorted(outside)))


def blast_radius(
    case: Case, old: PolicySet, new: PolicySet, edits: tuple[AnyEdit, ...], ends: Ends
) -> tuple[BlastRadius, ...] | None:
    """Say what opens besides the refused connection.

    Returns:
        Pairs and ports, sorted; ``None`` where something would close, or there is too much to ask.
    """
    opened: dict[tuple[str, str, str], PortSet] = {}
    asked = 0
    memory: dict[tuple[int, int, int, int], tuple[dict[str, PortSet], dict[str, PortSet]]] = {}
    for edit in edits:
        pairs = _pairs(old, new, edit, ends)
        if pairs is None:
            return None
        for src, dst in pairs:
            key = _classes(old, new, src, dst)
            if key not in memory:
                asked += 1
                if asked > _MAX_PAIRS:
                    return None
                memory[key] = (connections(old, src, dst), connections(new, src, dst))
            before, after = memory[key]
            for protocol in sorted({*before, *after}):
                was, now = before.get(protocol, NO_PORTS), after.get(protocol, NO_PORTS)
                if not was <= now:
                    return None
                more = now - was
                if more:
                    pair = (end_text(src), end_text(dst), protocol)
                    opened[pair] = opened.get(pair, NO_PORTS) | more
    asked_for = (end_text(case.flow.src), end_text(case.flow.dst), case.protocol or "")
    if asked_for in opened and case.port is not None:
        opened[asked_for] -= PortSet.of(case.port)
    return tuple(
        BlastRadius(src=src, dst=dst, protocol=protocol, ports=tuple(ports.texts()))
        for (src, dst, protocol), ports in sorted(opened.items())
        if ports
    )


def _pairs(
    old: PolicySet, new: PolicySet, edit: AnyEdit, ends: Ends
) -> Iterator[tuple[Endpoint, Endpoint]] | None:
    """Pairs that an edit can concern; ``None`` where a new policy would isolate what is open today."""
    everybody = (*ends.pods, *ends.outside)
    if isinstance(edit, Labelling):
        name = edit.namespace.name
        return (
            (src, dst)
            for src in everybody
            for dst in everybody
            if name in (src.namespace, dst.namespace) and end_text(src) != end_text(dst)
        )
    sets = [new] if edit.old is None else [old, new]
    subjects = [end for end in ends.pods if any(_selects(policies, edit, end) for policies in sets)]
    if edit.old is None and any(
        edit.new.ref in new.isolating(subject, edit.direction) and not old.isolating(subject, edit.direction)
        for subject in subjects
    ):
        return None
    outward = edit.direction is Direction.EGRESS
    return (
        (subject, peer) if outward else (peer, subject)
        for subject in subjects
        for peer in everybody
        if end_text(peer) != end_text(subject)
    )


def _selects(policies: PolicySet, edit: Edit, end: Endpoint) -> bool:
    """Whether the edited policy selects the end, perhaps or surely; the admin kinds isolate nobody."""
    policy = policies.policy(edit.new.ref)
    return (
        policy is not None and Plan.selects(policy, policies.facts(end, end)[0]).outcome is not Outcome.MISS
    )


def _classes(old: PolicySet, new: PolicySet, src: Endpoint, dst: Endpoint) -> tuple[int, int, int, int]:
    before, after = old.facts(src, dst), new.facts(src, dst)
    return (before[0].class_id, before[1].class_id, after[0].class_id, after[1].class_id)
