"""What OVN-Kubernetes and AWS make of the host network's traffic in a policy's peers; to others no selector means it.

Sources: ovn-org/ovn-kubernetes ``go-controller/pkg/ovn/base_network_controller_policy.go`` (``useNamespaceAddrSet``) and
``base_network_controller_namespace.go`` (``getHostNamespaceAddressesForNode``), 2023 to 2026.  A peer with a podSelector means
host network pods too, by their nodes' addresses.  One with a namespaceSelector alone does not; but nodes call pods from
addresses of their own (management port, gateway router), which count as of one namespace: OpenShift's
``openshift-host-network``, any that is configured elsewhere.  AWS's controller (aws/amazon-network-policy-controller-k8s
``pkg/resolvers/endpoints.go``, 2025) lists the addresses of all pods that a peer's selectors mean, those of host network
pods among them; it leaves these out of the pods that a policy selects alone.
"""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from flowdiag.model.event import Direction
from flowdiag.model.objects import NAME_LABEL, Snapshot
from flowdiag.model.policy import Condition
from flowdiag.policy.compile.context import CompileContext
from flowdiag.policy.demands import Demand, demands_of
from flowdiag.policy.facts import Facts
from flowdiag.policy.matchers import NamespaceNamed, NamespaceSelected, PodSelected
from flowdiag.policy.model import MATCH, Check, Matcher, Outcome, all_of, unknown
from flowdiag.policy.selectors import LabelSelector

__all__ = ["nodes_unknown", "of_namespaces", "of_pods"]

_HOSTS = "openshift-host-network"
_GROUP = "k8s.ovn.org"


class OfNamespacesOrHosts(Struct, frozen=True):
    """The pod is in a namespace with these labels, or a node calls, whose traffic is of such a one."""

    pods: NamespaceSelected
    hosts: tuple[tuple[str, str], ...]
    """Labels of the namespace that nodes' calls count as of."""
    nodes: frozenset[str]
    """Addresses of nodes in their own network, from which they do not call pods."""
    called: bool
    """The peer is called, and does not call: which of a node's addresses is meant decides."""

    @property
    def keys(self) -> frozenset[str]:
        """See `Matcher.keys`."""
        return self.pods.keys | {"node-addresses"}

    def demands(self, kind: str, /) -> tuple[Demand, ...]:
        """See `Demanding.demands`."""
        return () if kind == "node" else self.pods.demands(kind)

    def check(self, facts: Facts, /) -> Check:
        """See `Matcher.check`."""
        if facts.kind != "node":
            return self.pods.check(facts)
        answer = self.pods.selector.check(dict(self.hosts), Condition.NAMESPACE)
        if answer.outcome is Outcome.MATCH and (self.called or self.nodes.issuperset(facts.addresses)):
            return unknown(f"whether this address of the node counts as of {_HOSTS} is not known")
        return answer


class OfPodsOrHosts(Struct, frozen=True):
    """The pod is one of those, or the address is a node's on which such a pod uses the host's network."""

    pods: tuple[Matcher, ...]
    addresses: frozenset[str]
    """Of the host network pods that are meant."""
    sure: bool
    """It is no other network over OVN."""

    @property
    def keys(self) -> frozenset[str]:
        """See `Matcher.keys`."""
        return frozenset({"node-addresses"}).union(*(each.keys for each in self.pods))

    def demands(self, kind: str, /) -> tuple[Demand, ...]:
        """See `Demanding.demands`."""
        return () if kind == "node" else tuple(one for each in self.pods for one in demands_of(each, kind))

    def check(self, facts: Facts, /) -> Check:
        """See `Matcher.check`."""
        if facts.kind == "node" and not self.addresses.isdisjoint(facts.addresses):
            if self.sure and self.addresses.issuperset(facts.addresses):
                return MATCH
            return unknown("whether the pods in the host's network at this address are meant is not known")
        return all_of([each.check(facts) for each in self.pods])


def of_namespaces(selector: LabelSelector, direction: Direction, context: CompileContext) -> Matcher:
    """Build what a namespaceSelector alone asks of a peer."""
    if context.traits.host_pods:
        return of_pods((NamespaceSelected(selector),), context)[0]
    hosts = context.snapshot.namespaces.get(_HOSTS)
    if not context.traits.nodes_in_namespace or hosts is None or not hosts.declared or hosts.labels_before:
        return NamespaceSelected(selector, context.traits.nodes_in_namespace)
    nodes = {
        ip for pod in context.snapshot.pods for ip in (*pod.host_ips, *(pod.ips if pod.host_network else ()))
    }
    return OfNamespacesOrHosts(
        NamespaceSelected(selector),
        tuple(sorted(hosts.labels.items())),
        frozenset(nodes),
        direction is Direction.EGRESS,
    )


def of_pods(matchers: tuple[Matcher, ...], context: CompileContext) -> tuple[Matcher, ...]:
    """Let a peer with selectors mean host network pods, too, where the enforcer does and there are any."""
    if not (context.traits.nodes_in_namespace or context.traits.host_pods):
        return matchers
    addresses = frozenset(
        ip
        for pod in context.snapshot.pods
        if pod.host_network and pod.live and _meant(matchers, pod.namespace, pod.labels, context.snapshot)
        for ip in pod.ips
    )
    if not addresses:
        return matchers
    return (OfPodsOrHosts(matchers, addresses, not nodes_unknown(context)),)


def _meant(
    matchers: tuple[Matcher, ...], namespace: str, labels: Mapping[str, str], snapshot: Snapshot
) -> bool:
    """Whether a pod would meet these conditions if it had a network of its own."""
    space = snapshot.namespaces.get(namespace)
    facts = Facts(
        kind="pod",
        namespace=namespace,
        labels=labels,
        namespace_labels={NAME_LABEL: namespace, **(space.labels if space is not None else {})},
    )
    return all(
        each.check(facts).outcome is Outcome.MATCH
        for each in matchers
        if isinstance(each, NamespaceNamed | NamespaceSelected | PodSelected)
    )


def nodes_unknown(context: CompileContext) -> bool:
    """Whether it is not known if nodes count as of a namespace for a peer with a podSelector: over OVN, but not by OVN-Kubernetes."""
    snapshot = context.snapshot
    known = _HOSTS in snapshot.namespaces or any(group == _GROUP for group, _ in snapshot.kinds_seen)
    return context.traits.nodes_in_namespace and not known
