"""What a run knows as a whole, indexed once, so that a rule never walks over all flows."""

from __future__ import annotations

import copy
import math
from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import Any

from flowdiag.cluster.addresses import canonical_ip
from flowdiag.cluster.index import SnapshotIndex
from flowdiag.diagnose.before import OldPolicy
from flowdiag.diagnose.needs import Needs
from flowdiag.diagnose.seen import SeenChange, SeenGap, SeenSignal, same_node
from flowdiag.diagnose.signs import Sign
from flowdiag.model.endpoint import Endpoint, EndpointKind
from flowdiag.model.event import ObjectRef
from flowdiag.model.flow import Flow
from flowdiag.model.objects import Pod, PolicyObject, Service, Snapshot
from flowdiag.model.policy import CILIUM_DIALECTS, Dialect, PolicyRef
from flowdiag.model.tally import DnsAnswer
from flowdiag.model.time import NS
from flowdiag.policy.beyond import inhabited
from flowdiag.policy.compile.aws_strict import is_strict
from flowdiag.policy.names_controller import FQDN_POLICY

__all__ = [
    "PROXY_LABEL",
    "Context",
    "EndId",
    "workload_id",
]

# cilium_identity 8, "reserved:ingress" (pkg/identity/reserved.go, Cilium v1.13 to v1.20).
_PROXY = "ingress"
_PROXY_IDENTITY = 8
PROXY_LABEL = "reserved:ingress"

EndId = tuple[str, str, str]
"""(kind, namespace, name) of an end."""


def end_id(end: Endpoint) -> EndId:
    """The end itself: a pod by name, anything outside by address."""
    if end.kind is EndpointKind.POD:
        return ("pod", end.namespace or "", end.name or end.ip or "")
    if end.kind in (EndpointKind.NODE, EndpointKind.SERVICE):
        return (str(end.kind), end.namespace or "", end.name or end.ip or "")
    return ("ip", "", end.ip or end.cidr or end.entity or end.name or "")


def workload_id(end: Endpoint) -> EndId:
    """The end's workload where it has one, else the end itself."""
    workload = end.workload or (end.pod.workload if end.pod else None)
    if workload is not None and end.namespace and end.cluster is None:
        return (f"workload/{workload.kind or ''}", end.namespace, workload.name)
    return end_id(end)


class Context:
    """Run-wide indexes over the snapshot, the flows beside the refused ones, and the marks in time.

    Args:
        snapshot: the cluster objects; ``None`` where the run has none.
        dialect: who enforces; ``None`` if that is not known.
        allowed: allowed flows that share an end with a refused one.
        signals: messages of components.
        gaps: spans in which evidence is missing.
        changes: what changed in the cluster.
        answers: names that the evidence resolved.
        allowed_read: false where allowed traffic was left unread.
        before: policies as they were before a change, latest change first.
        nodes: nodes that have written any of the records, as these name them.
        index: tables over `snapshot`, where the caller has them.
        year_given: the reader said which year stamps without one are of.
    """

    def __init__(
        self,
        *,
        snapshot: Snapshot | None = None,
        dialect: Dialect | None = None,
        allowed: Iterable[Flow] = (),
        signals: Iterable[SeenSignal] = (),
        gaps: Iterable[SeenGap] = (),
        changes: Iterable[SeenChange] = (),
        answers: Iterable[DnsAnswer] = (),
        allowed_read: bool = True,
        before: Iterable[OldPolicy] = (),
        nodes: Iterable[str] = (),
        index: SnapshotIndex | None = None,
        year_given: bool = False,
    ) -> None:
        self.snapshot = snapshot if snapshot is not None else Snapshot()
        self.dialect = dialect
        self.allowed_read = allowed_read
        self.year_given = year_given
        self.before: tuple[OldPolicy, ...] = tuple(before)
        self.recording: frozenset[str] = frozenset(node.rpartition("/")[2] for node in nodes)
        self.index = index if index is not None else SnapshotIndex(self.snapshot)
        self.gaps: tuple[SeenGap, ...] = tuple(gaps)
        self.texts: dict[object, Any] = {}
        """What rules of policies read, by policy and path, once asked (`flowdiag.diagnose.spec`); and what else depends on objects alone and many refusals ask for, by whoever asks and the objects' identities."""
        self.failed: dict[str, tuple[str, int]] = {}
        """Failures of rules of other distributions, by the rule's name: the first one's message, and in how many
        cases it failed."""
        self.admitting: dict[tuple[str | None, object], bool] = {}
        """Whether a peer of a policy's rule admits any pod, by the policy's namespace and the peer, once asked."""
        self._allowed: dict[tuple[EndId, EndId], list[Flow]] = defaultdict(list)
        self._allowed_workloads: dict[tuple[EndId, EndId, str | None, int | None], list[Flow]] = defaultdict(
            list
        )
        for flow in allowed:
            source, destination = end_id(flow.src), end_id(flow.dst)
            self._allowed[(source, destination)].append(flow)
            key = (workload_id(flow.src), workload_id(flow.dst), flow.distinct.protocol, flow.distinct.port)
            self._allowed_workloads[key].append(flow)
        self._has_allowed = bool(self._allowed)
        self._signals: dict[str, list[SeenSignal]] = defaultdict(list)
        for signal in sorted(signals, key=lambda one: (one.at, one.signal, one.node or "", one.text)):
            self._signals[signal.signal].append(signal)
        self._changes: dict[ObjectRef, list[SeenChange]] = defaultdict(list)
        for change in sorted(changes, key=lambda one: (one.at, one.kind, repr(one.object))):
            self._changes[change.object].append(change)
        self._names: dict[str, list[DnsAnswer]] = defaultdict(list)
        for answer in sorted(answers, key=lambda one: (one.name, one.ip, one.first or 0)):
            self._names[answer.ip].append(answer)

    def fails(self, origin: str, why: str) -> None:
        """Note that a stranger's rule failed on a case."""
        first, times = self.failed.get(origin, (why, 0))
        self.failed[origin] = (first, times + 1)

    @cached_property
    def has(self) -> Needs:
        """What this run knows; an empty list that was read counts, a list that was never read does not."""
        seen = self.snapshot.kinds_seen
        known = Needs.NONE
        kinds = (
            (Needs.PODS, ("", "Pod"), bool(self.snapshot.pods)),
            (
                Needs.NAMESPACES,
                ("", "Namespace"),
                any(one.declared for one in self.snapshot.namespaces.values()),
            ),
            (Needs.SERVICES, ("", "Service"), bool(self.snapshot.services)),
            (Needs.NODES, ("", "Node"), bool(self.snapshot.nodes)),
        )
        for need, kind, some in kinds:
            if kind in seen or some:
                known |= need
        if self.snapshot.policies_read:
            known |= Needs.POLICIES
        if self._signals:
            known |= Needs.LOGS
        if self._has_allowed and self.allowed_read:
            known |= Needs.FLOWS
        if self._changes:
            known |= Needs.CHANGES
        if self._names:
            known |= Needs.NAMES
        return known

    @property
    def by_identity(self) -> bool:
        """Whether the enforcer goes by identities, so that address ranges match no pod as they stand."""
        return self.dialect in CILIUM_DIALECTS

    @cached_property
    def _policies(self) -> dict[PolicyRef, tuple[PolicyObject, ...]]:
        found: dict[PolicyRef, list[PolicyObject]] = defaultdict(list)
        for policy in self.snapshot.policies:
            found[policy.ref].append(policy)
        return {ref: tuple(versions) for ref, versions in found.items()}

    @cached_property
    def namespaces_read(self) -> frozenset[str]:
        """Namespaces of which the state holds any object."""
        named = {policy.ref.namespace for policy in self.snapshot.policies}
        return inhabited(self.snapshot) | {name for name in named if name is not None}

    @cached_property
    def text_since(self) -> dict[PolicyRef, float]:
        """From when on a text of each policy is known to have held, nanoseconds; infinite where nobody knows."""
        return {
            ref: min((one.valid_from for one in versions if one.valid_from is not None), default=math.inf)
            for ref, versions in self._policies.items()
        }

    @cached_property
    def newest_text(self) -> float:
        """From when on a text of every policy is known to have held."""
        return max(self.text_since.values(), default=-math.inf)

    @cached_property
    def signs(self) -> int:
        """What every case of the run looks like, as bits of `Sign`."""
        found = Sign.CILIUM if self.by_identity else 0
        if self.egress_by_name:
            found |= Sign.BY_NAME
        config = self.snapshot.config
        if config.get("cilium.enable-policy", "").lower() == "always" or is_strict(self.dialect, config):
            found |= Sign.ALWAYS
        return found

    @cached_property
    def egress_by_name(self) -> frozenset[PolicyRef]:
        """Policies some egress rule of which goes by DNS names, or sends lookups through the proxy."""
        return frozenset(policy.ref for policy in self.snapshot.policies if _by_name(policy))

    def edited(self, snapshot: Snapshot) -> Context:
        """Give the same run with other policies or labels of namespaces; pods and all that was seen stay."""
        found = copy.copy(self)
        found.snapshot = snapshot
        if snapshot.namespaces is not self.snapshot.namespaces:
            found.index = SnapshotIndex(snapshot)
        found.texts, found.admitting = {}, {}
        for name in (
            "_policies",
            "text_since",
            "newest_text",
            "signs",
            "egress_by_name",
            "namespaces_labelled",
        ):
            found.__dict__.pop(name, None)
        return found

    def policy(self, ref: PolicyRef) -> tuple[PolicyObject, ...]:
        """Every object (spec, or version in time) of a policy."""
        return self._policies.get(ref, ())

    @cached_property
    def _pods_by_ip(self) -> dict[str, list[Pod]]:
        found: dict[str, list[Pod]] = defaultdict(list)
        for pod in self.snapshot.pods:
            if pod.live and not pod.host_network and not pod.template:
                for ip in pod.ips:
                    found[ip].append(pod)
        return found

    def pods_at(self, ip: str | None) -> tuple[Pod, ...]:
        """Live pods with this address of their own (hostNetwork pods are left out)."""
        address = canonical_ip(ip)
        return () if address is None else tuple(self._pods_by_ip.get(address, ()))

    def is_proxy(self, end: Endpoint) -> bool:
        """Whether an end is Cilium's Ingress or Gateway proxy."""
        return (
            end.entity == _PROXY
            or end.identity == _PROXY_IDENTITY
            or any(key == PROXY_LABEL for key, _ in end.identity_labels or ())
        )

    @cached_property
    def pod_label_pairs(self) -> frozenset[tuple[str, str]]:
        """Every label that some live pod carries."""
        return frozenset(pair for pod in self.snapshot.pods if pod.live for pair in pod.labels.items())

    @cached_property
    def namespaces_labelled(self) -> dict[tuple[str, str], set[str]]:
        """Names of the namespaces that carry a label, by its key and value."""
        found: dict[tuple[str, str], set[str]] = defaultdict(set)
        for namespace in self.snapshot.namespaces.values():
            for pair in namespace.labels.items():
                found[pair].add(namespace.name)
        return found

    @cached_property
    def api_addresses(self) -> frozenset[str]:
        """Addresses of the API server, which the endpoints of Service default/kubernetes list."""
        return frozenset(
            address
            for piece in self.snapshot.endpoint_slices
            if (piece.namespace, piece.service) == ("default", "kubernetes")
            for address in piece.addresses
        )

    @cached_property
    def node_ips(self) -> dict[str, str]:
        """Node addresses, from Node objects and from what pods say of their hosts, to node names."""
        found: dict[str, str] = {}
        for pod in self.snapshot.pods:
            if pod.node is not None:
                found.update(dict.fromkeys(pod.host_ips, pod.node))
        for node in self.snapshot.nodes.values():
            found.update(dict.fromkeys(node.addresses, node.name))
        return found

    @cached_property
    def _host_pods(self) -> dict[str, list[Pod]]:
        found: dict[str, list[Pod]] = defaultdict(list)
        for pod in self.snapshot.pods:
            if pod.host_network and pod.live and not pod.template and pod.node is not None:
                found[pod.node].append(pod)
        return found

    def host_pods(self, node: str | None, ip: str | None) -> tuple[Pod, ...]:
        """Live hostNetwork pods on a node, by its name or one of its addresses."""
        name = node or self.node_ips.get(ip or "")
        return tuple(self._host_pods.get(name or "", ()))

    @cached_property
    def _services_of(self) -> dict[tuple[str, str], list[Service]]:
        found: dict[tuple[str, str], list[Service]] = defaultdict(list)
        for service in self.snapshot.services:
            for pod in self.index.service_pods(service):
                found[(pod.namespace, pod.name)].append(service)
        return found

    def services_of(self, pod: Pod) -> tuple[Service, ...]:
        """Services that have the pod behind them."""
        return tuple(self._services_of.get((pod.namespace, pod.name), ()))

    def allowed_between(self, src: Endpoint, dst: Endpoint) -> Sequence[Flow]:
        """Allowed flows from exactly `src` to exactly `dst`, any port."""
        return self._allowed.get((end_id(src), end_id(dst)), ())

    def allowed_alike(self, flow: Flow) -> Sequence[Flow]:
        """Allowed flows of the same workloads, protocol and port."""
        distinct = flow.distinct
        key = (workload_id(flow.src), workload_id(flow.dst), distinct.protocol, distinct.port)
        return self._allowed_workloads.get(key, ())

    def signals_near(
        self,
        signal: str,
        node: str | None,
        first: int | None,
        last: int | None,
        *,
        before_s: int,
        after_s: int,
    ) -> tuple[SeenSignal, ...]:
        """Signals of this code on this node (or of no known node) around a span, in time order."""
        if first is None or last is None:
            return ()
        found = self._signals.get(signal, [])
        times = [one.at for one in found]
        near = found[bisect_left(times, first - before_s * NS) : bisect_right(times, last + after_s * NS)]
        return tuple(one for one in near if node is None or one.node is None or same_node(one.node, node))

    def changes_of(self, ref: ObjectRef) -> Sequence[SeenChange]:
        """Changes of one object, in time order."""
        return self._changes.get(ref, ())

    def names_of(self, ip: str | None) -> tuple[DnsAnswer, ...]:
        """DNS answers that gave this address."""
        return tuple(self._names.get(ip or "", ()))


def _by_name(policy: PolicyObject) -> bool:
    of_gke = (policy.ref.group, policy.ref.kind) == FQDN_POLICY
    rules = policy.spec.get("egress")
    for rule in rules if isinstance(rules, list) else ():
        groups = rule.get("toPorts") if isinstance(rule, dict) else None
        if isinstance(rule, dict) and (rule.get("toFQDNs") or (of_gke and rule.get("matches"))):
            return True
        if any(
            isinstance(group, dict) and group.get("rules")
            for group in groups or ()
            if isinstance(groups, list)
        ):
            return True
    return False
