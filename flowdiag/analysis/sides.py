"""One of two states that are compared, and what it says of an observed flow."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from msgspec import structs

from flowdiag.cluster.index import SnapshotIndex
from flowdiag.model.endpoint import Endpoint, EndpointKind
from flowdiag.model.flow import Flow
from flowdiag.model.objects import Pod, Snapshot
from flowdiag.model.policy import ConnectionDecision, PolicyRef
from flowdiag.model.words import object_text
from flowdiag.policy import PolicySet
from flowdiag.policy.ends import pod_endpoint

__all__ = ["Side", "changed_policies", "untouched"]


class Side:
    """One of the two states: its objects by name and its policies, compiled."""

    def __init__(self, snapshot: Snapshot, policies: PolicySet) -> None:
        self.snapshot = snapshot
        self.policies = policies
        self.index = SnapshotIndex(snapshot)

    def decide(self, flow: Flow) -> ConnectionDecision | None:
        """The policies' answer; ``None`` where an end is not in the state or its pods differ."""
        shape = flow.distinct
        src = self.end(flow.src)
        targets = self.targets(flow)
        if src is None or not targets:
            return None
        decisions: list[ConnectionDecision] = []
        for dst, port in targets:
            try:
                decisions.append(
                    self.policies.evaluate(src, dst, shape.protocol, port, icmp=shape.icmp, nearest=False)
                )
            except ValueError:
                # Both ends are outside the cluster: no policy of it is asked.
                return ConnectionDecision(allowed=True, egress=None, ingress=None)
        first = decisions[0]
        if any(each.allowed is not first.allowed for each in decisions):
            return None
        return first

    def targets(self, flow: Flow) -> Sequence[tuple[Endpoint, int | None]]:
        """The destination, or every pod behind a Service whose address the record has."""
        end, port = flow.dst, flow.distinct.port
        if end.kind is EndpointKind.SERVICE and end.service is not None and port is not None:
            service = self.index.services.get((end.service.namespace, end.service.name))
            backends = (
                self.index.backends(service, port, flow.distinct.protocol) if service is not None else ()
            )
            if backends and all(each.port is not None for each in backends):
                return [(pod_endpoint(each.pod), each.port) for each in backends]
        found = self.end(end)
        return [] if found is None else [(found, port)]

    def end(self, end: Endpoint) -> Endpoint | None:
        """An end as this side's state has it; ``None`` where it has gone from it.

        What the record says of a known pod's identity is left out: it is what the labels were then.
        """
        if end.kind is EndpointKind.NODE:
            return structs.replace(end, node=self.snapshot.nodes.get(end.name or "", end.node))
        pod = end.pod
        if pod is None:
            if end.workload is not None and (end.namespace or "", end.workload) in self.index.by_workload:
                return structs.replace(end, identity=None, identity_labels=None)
            return end
        here = self._same(pod)
        if here is not None:
            return structs.replace(end, pod=here, identity=None, identity_labels=None)
        if pod.workload is None or (pod.namespace, pod.workload) not in self.index.by_workload:
            return None
        return Endpoint(
            kind=EndpointKind.WORKLOAD,
            namespace=pod.namespace,
            workload=pod.workload,
            service=end.service,
            known_by=end.known_by,
        )

    def _same(self, pod: Pod) -> Pod | None:
        named = self.index.by_name.get((pod.namespace, pod.name), ())
        alike = [one for one in named if one.template == pod.template and one.kind == pod.kind]
        return next((one for one in alike if one.uid == pod.uid), alike[0] if alike else None)


def changed_policies(old: Snapshot, new: Snapshot) -> frozenset[PolicyRef]:
    """Policies that are not the same on both sides."""
    specs: list[dict[PolicyRef, list[object]]] = []
    for snapshot in (old, new):
        own: dict[PolicyRef, list[object]] = defaultdict(list)
        for policy in snapshot.policies:
            own[policy.ref].append((policy.spec_index, policy.spec, policy.annotations, policy.deleted))
        specs.append(own)
    before, after = specs
    return frozenset(ref for ref in {*before, *after} if before.get(ref) != after.get(ref))


def untouched(
    flow: Flow, decision: ConnectionDecision, old: Side, new: Side, changed: frozenset[PolicyRef]
) -> bool:
    """Whether the change has nothing to do with what is unknown about a flow.

    That is so if both ends are known and look the same on both sides, and no policy that selects them, or is the reason
    of the doubt, was changed.
    """
    known = (EndpointKind.POD, EndpointKind.WORKLOAD, EndpointKind.NODE, EndpointKind.EXTERNAL)
    if any(end.kind not in known or _labels(end, old) != _labels(end, new) for end in (flow.src, flow.dst)):
        return False
    for end in (decision.egress, decision.ingress):
        if end is None:
            continue
        if changed & {*end.isolated_by, *([end.decided_by.policy] if end.decided_by else [])}:
            return False
        if any(object_text(ref) in word for ref in changed for word in end.unknown):
            return False
    return True


def _labels(end: Endpoint, side: Side) -> object:
    """All of an end that a change of objects could make look different."""
    here = side.end(end)
    if here is None:
        return None
    pod = here.pod
    name = end.namespace or (pod.namespace if pod is not None else "")
    namespace = side.snapshot.namespaces.get(name)
    return (
        None if pod is None else (pod.labels, pod.ports, pod.service_account, pod.host_network),
        None if namespace is None else namespace.labels,
        None if here.node is None else here.node.labels,
    )
