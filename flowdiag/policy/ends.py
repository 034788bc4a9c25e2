"""From a resolved `Endpoint` to the `Facts` that conditions ask, with labels as they were at a time."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Mapping

from flowdiag.model.endpoint import Endpoint, EndpointKind
from flowdiag.model.objects import LabelChange, Namespace, Pod, Snapshot
from flowdiag.policy.addresses import Hits, RangeTable, parse_network
from flowdiag.policy.facts import Facts, class_key, values_of

__all__ = ["EndsBook", "labels_at", "pod_endpoint"]

_SAME = 1 << 17
_INDIVIDUAL = frozenset({"name", "on-node"})
"""Keys that tell pods apart which are alike otherwise."""
_NODE_ENTITIES = frozenset({"host", "remote-node", "kube-apiserver"})
_OUTSIDE_ENTITIES = frozenset({"world", "world-ipv4", "world-ipv6"})
_IDENTITY_PREFIX = "k8s:"
# Labels that Cilium adds to an identity beside the pod's own ("k8s:io.kubernetes.pod.namespace=shop").
_IDENTITY_OWN = ("io.kubernetes.pod.", "io.cilium.")


def labels_at(
    labels: Mapping[str, str], before: tuple[LabelChange, ...], at: int | None
) -> Mapping[str, str]:
    """Pick the labels that held at `at`; without a time, the latest."""
    if at is None or not before:
        return labels
    later = [change for change in before if change.until > at]
    return min(later, key=lambda change: change.until).labels if later else labels


def pod_endpoint(pod: Pod) -> Endpoint:
    """Build the endpoint of a pod of the snapshot."""
    return Endpoint(
        kind=EndpointKind.POD, namespace=pod.namespace, name=pod.name, pod=pod, workload=pod.workload
    )


class EndsBook:
    """Facts of every end that was asked about, and the class each belongs to.

    Args:
        snapshot: where namespaces, nodes and pods by workload are looked up.
        table: the policy set's address ranges; complete before the first end is asked for.
        keys: what the set's conditions depend on (`Matcher.keys`).
        extra: builds the labels that a dialect adds to a pod, from its facts; or ``None``.
        relational: whether conditions tell the policed end's own node from others.
        base: a book over the same state whose table this one's was copied from.
    """

    def __init__(
        self,
        snapshot: Snapshot,
        table: RangeTable,
        keys: frozenset[str],
        *,
        extra: Callable[[Facts], Mapping[str, str]] | None = None,
        relational: bool = False,
        base: EndsBook | None = None,
    ) -> None:
        self._snapshot = snapshot
        self.table = table
        self.keys = keys
        self.base = base
        self._more = tuple(sorted(keys - base.keys)) if base is not None else ()
        self._more_ranges = table.beyond(base.table) if base is not None else RangeTable()
        self._keys = tuple(sorted(keys))
        self._extra = extra
        self._relational = relational
        self._classes: dict[tuple[object, ...], int] = {}
        self._twins: dict[tuple[object, ...], Facts] | None = {} if keys.isdisjoint(_INDIVIDUAL) else None
        """One of the pods of which what a dialect adds and the class are the same."""
        self.members: list[Facts] = []
        """One member of each class."""
        self._known: dict[object, tuple[Endpoint, Facts]] = {}
        self._same: dict[int, tuple[Endpoint, Facts, bool]] = {}
        """By identity, and whether the end is of a node; the endpoint is kept so that its id stays its own."""
        self._label_times = sorted(
            {
                change.until
                for changes in (
                    *(pod.labels_before for pod in snapshot.pods),
                    *(namespace.labels_before for namespace in snapshot.namespaces.values()),
                )
                for change in changes
            }
        )
        self._spaces: dict[tuple[str, int | None], Mapping[str, str]] = {}
        """Labels of namespaces, by name and span between changes of labels."""
        self._inside: dict[tuple[str, ...], Hits] = {}
        """Of pods' addresses."""
        self._by_workload: dict[tuple[str, str | None, str], list[Pod]] | None = None
        self._by_name: dict[tuple[str, str], Pod] | None = None

    def of(self, endpoint: Endpoint, at: int | None, other: Endpoint | None = None) -> Facts:
        """Give the facts of an end.

        Args:
            endpoint: the end.
            at: when, in nanoseconds; ``None`` is now.
            other: the other end, where conditions tell its node from others.
        """
        if at is not None and self._label_times:
            return self._keyed(endpoint, at, _policed_on(other))
        # Callers ask with the same endpoint values again and again, and few of them are of a node.
        same = self._same.get(id(endpoint))
        if same is not None and (other is None or not same[2]):
            return same[1]
        of_node = self._relational and _node_of(endpoint) is not None
        near = _policed_on(other) if of_node else None
        facts = self._keyed(endpoint, at, near)
        if near is None:
            if len(self._same) >= _SAME:
                self._same.clear()
            self._same[id(endpoint)] = (endpoint, facts, of_node)
        return facts

    def apart(self, facts: Facts) -> tuple[object, ...]:
        """What tells ends apart here that `base` takes for alike.

        Args:
            facts: what `base` knows of an end.
        """
        values = tuple(values_of(facts, self._more))
        if not self._more_ranges:
            return values
        hits = [self._more_ranges.of_address(address) for address in facts.addresses]
        # What is no single address lies in ranges in ways of its own.
        return (*values, *hits, *(facts.addresses if None in hits else ()))

    def _keyed(self, endpoint: Endpoint, at: int | None, near: str | None) -> Facts:
        epoch = self._label_epoch(at)
        local: bool | None = None
        if self._relational and near is not None:
            node = _node_of(endpoint)
            local = None if node is None else node == near
        pod = endpoint.pod
        # A pod by its only address is the pod.
        alone = (
            endpoint.kind is EndpointKind.POD
            and pod is not None
            and not pod.host_network
            and pod.ips == (endpoint.ip,)
        )
        key: object = (
            id(pod) if pod is not None else None,
            endpoint.kind,
            endpoint.namespace,
            endpoint.name,
            None if alone else endpoint.ip,
            endpoint.cidr,
            endpoint.entity,
            endpoint.identity,
            endpoint.identity_labels,
            endpoint.dns_names,
            endpoint.workload,
            epoch,
            local,
        )
        known = self._known.get(key)
        if known is not None:
            return known[1]
        facts = self._facts(endpoint, at)
        if endpoint.kind is EndpointKind.NODE and endpoint.entity in _NODE_ENTITIES:
            facts.entity = endpoint.entity
        facts.local = local
        facts.identity = endpoint.identity
        facts.identity_labels = endpoint.identity_labels
        facts.dns_names = endpoint.dns_names
        twin = self._twin(facts) if facts.kind == "pod" else None
        if twin is not None:
            facts.extra, facts.class_id = twin.extra, twin.class_id
        else:
            self._classify(facts)
        # The endpoint is kept so that the pod's id stays its own.
        self._known[key] = (endpoint, facts)
        return facts

    def _classify(self, facts: Facts) -> None:
        if self._extra is not None:
            facts.extra = self._extra(facts)
        marks = class_key(facts, self._keys)
        class_id = self._classes.get(marks)
        if class_id is None:
            class_id = self._classes[marks] = len(self.members)
            self.members.append(facts)
        facts.class_id = class_id

    def _twin(self, facts: Facts) -> Facts | None:
        """A pod that is this one but for its name, its node and where in the same ranges its addresses lie.

        The replicas of a workload are: to add a dialect's labels and look through them takes as long as all the rest.
        """
        if self._twins is None:
            return None
        marks = (
            facts.namespace,
            tuple(facts.labels.items()) if facts.labels is not None else None,
            facts.labels_complete,
            # One value for a namespace and a span between changes of labels.
            id(facts.namespace_labels),
            facts.ports,
            facts.service_account,
            facts.profiles,
            facts.hits,
            tuple([":" in address for address in facts.addresses]),
            facts.identity,
            facts.identity_labels,
            facts.dns_names,
            facts.local,
        )
        twin = self._twins.setdefault(marks, facts)
        return None if twin is facts else twin

    def _label_epoch(self, at: int | None) -> int | None:
        """Number the span of a moment between two changes of any label."""
        return bisect_right(self._label_times, at) if at is not None and self._label_times else None

    def _facts(self, endpoint: Endpoint, at: int | None) -> Facts:
        kind = endpoint.kind
        if kind is EndpointKind.POD:
            pod = endpoint.pod or self._named(endpoint.namespace, endpoint.name)
            if pod is not None:
                return self._pod(pod, endpoint.ip, at)
            return self._unseen_pod(endpoint, at)
        if kind is EndpointKind.WORKLOAD:
            pods = self._pods_of(endpoint)
            return self._some_pod(pods, endpoint.ip, at) if pods else self._unseen_pod(endpoint, at)
        if kind is EndpointKind.NODE:
            return self._node(endpoint)
        if kind is EndpointKind.UNKNOWN and endpoint.namespace is not None and endpoint.identity_labels:
            # Nobody knows which pod it is, but an identity of Cilium's says all that policies ask.
            return self._unseen_pod(endpoint, at)
        if kind is EndpointKind.EXTERNAL or endpoint.entity in _OUTSIDE_ENTITIES:
            return Facts(
                kind="outside",
                entity=endpoint.entity,
                addresses=_texts(endpoint.ip or endpoint.cidr),
                hits=self._hits(endpoint.ip, endpoint.cidr),
            )
        if kind is EndpointKind.ENTITY and endpoint.entity in _NODE_ENTITIES:
            facts = self._node(endpoint)
            facts.entity = endpoint.entity
            return facts
        why = {
            EndpointKind.SERVICE: "which pod stands behind the Service is not known",
            EndpointKind.ENTITY: f"what the entity {endpoint.entity} is to this policy is not known",
        }.get(kind, "who the end is, is not known")
        return Facts(
            kind="entity" if kind is EndpointKind.ENTITY else "unknown",
            namespace=endpoint.namespace,
            name=endpoint.name,
            namespace_labels=self._namespace_labels(endpoint.namespace, at),
            entity=endpoint.entity,
            addresses=_texts(endpoint.ip),
            hits=self._hits(endpoint.ip, None),
            why_unknown=why,
        )

    def _pod(self, pod: Pod, ip: str | None, at: int | None, *, any_address: bool = False) -> Facts:
        if pod.host_network:
            node = self._snapshot.nodes.get(pod.node or "")
            addresses = _texts(ip) or pod.host_ips or pod.ips or (node.addresses if node else ())
            return Facts(
                kind="node",
                name=pod.node,
                node=pod.node,
                node_labels=node.labels if node is not None else None,
                addresses=addresses,
                hits=self._hits_of_several(addresses),
            )
        addresses = () if any_address else (_texts(ip) or pod.ips)
        return Facts(
            kind="pod",
            namespace=pod.namespace,
            name=pod.name,
            labels=labels_at(pod.labels, pod.labels_before, at),
            namespace_labels=self._namespace_labels(pod.namespace, at),
            ports=pod.ports,
            addresses=addresses,
            hits=self._hits_of_either_family(addresses),
            node=pod.node,
            service_account=pod.service_account,
            profiles=pod.profiles,
        )

    def _unseen_pod(self, endpoint: Endpoint, at: int | None) -> Facts:
        """A pod that the state does not hold: the record's own identity labels are what is known of it."""
        labels: dict[str, str] | None = None
        if endpoint.identity_labels is not None:
            own = (
                (key.removeprefix(_IDENTITY_PREFIX), value)
                for key, value in endpoint.identity_labels
                if key.startswith(_IDENTITY_PREFIX)
            )
            labels = {key: value for key, value in own if not key.startswith(_IDENTITY_OWN)}
        return Facts(
            kind="pod",
            namespace=endpoint.namespace,
            name=endpoint.name,
            labels=labels,
            labels_complete=False,
            namespace_labels=self._namespace_labels(endpoint.namespace, at),
            ports=None,
            addresses=_texts(endpoint.ip),
            hits=self._hits(endpoint.ip, None),
        )

    def _node(self, endpoint: Endpoint) -> Facts:
        node = endpoint.node or self._snapshot.nodes.get(endpoint.name or "")
        addresses = _texts(endpoint.ip) or (node.addresses if node is not None else ())
        return Facts(
            kind="node",
            name=node.name if node is not None else endpoint.name,
            node=node.name if node is not None else endpoint.name,
            node_labels=node.labels if node is not None else None,
            addresses=addresses,
            hits=self._hits_of_several(addresses),
        )

    def _namespace_labels(self, name: str | None, at: int | None) -> Mapping[str, str] | None:
        if name is None:
            return None
        key = (name, self._label_epoch(at))
        known = self._spaces.get(key)
        if known is None:
            namespace: Namespace | None = self._snapshot.namespaces.get(name)
            own = {"kubernetes.io/metadata.name": name}
            if namespace is not None:
                own |= dict(labels_at(namespace.labels, namespace.labels_before, at))
            known = self._spaces[key] = own
        return known

    def _hits(self, ip: str | None, cidr: str | None) -> Hits:
        if cidr is not None and ip is None:
            try:
                return self.table.of_range(parse_network(cidr))
            except ValueError:
                return self._anywhere()
        bits = self.table.of_address(ip) if ip is not None else None
        return self._anywhere() if bits is None else Hits(bits, bits)

    def _anywhere(self) -> Hits:
        return Hits(0, self.table.everything())

    def _hits_of_either_family(self, addresses: tuple[str, ...]) -> Hits:
        """A dual-stack pod is inside a range as soon as its address of that family is."""
        if not addresses:
            return self._anywhere()
        known = self._inside.get(addresses)
        if known is None:
            bits = 0
            for address in addresses:
                bits |= self.table.of_address(address) or 0
            known = self._inside[addresses] = Hits(bits, bits)
        return known

    def _hits_of_several(self, addresses: tuple[str, ...]) -> Hits:
        """A node may send from any of its addresses: inside for sure only if all of a family are."""
        found = [self.table.of_address(address) for address in addresses]
        if not found or None in found:
            return self._anywhere()
        sure = maybe = 0
        for family in (True, False):
            own = [
                bits or 0
                for address, bits in zip(addresses, found, strict=True)
                if (":" in address) is family
            ]
            if own:
                common = own[0]
                for bits in own:
                    common &= bits
                    maybe |= bits
                sure |= common
        return Hits(sure, maybe)

    def _named(self, namespace: str | None, name: str | None) -> Pod | None:
        if self._by_name is None:
            self._by_name = {(pod.namespace, pod.name): pod for pod in self._snapshot.pods if pod.live}
        return self._by_name.get((namespace or "", name or ""))

    def _pods_of(self, endpoint: Endpoint) -> list[Pod]:
        """Live pods of the workload, as far as the state has them."""
        if self._by_workload is None:
            self._by_workload = {}
            for pod in self._snapshot.pods:
                if pod.workload is not None and pod.live:
                    for kind in (pod.workload.kind, None):
                        key = (pod.namespace, kind, pod.workload.name)
                        self._by_workload.setdefault(key, []).append(pod)
        workload = endpoint.workload
        if workload is None or endpoint.namespace is None:
            return []
        return self._by_workload.get((endpoint.namespace, workload.kind, workload.name), [])

    def _some_pod(self, pods: list[Pod], ip: str | None, at: int | None) -> Facts:
        """One of a workload's pods, nobody knows which: what all of them share is known of it."""
        first = self._pod(pods[0], ip, at, any_address=ip is None)
        if pods[0].host_network:
            return first
        every = [labels_at(pod.labels, pod.labels_before, at) for pod in pods]
        common = {
            key: value for key, value in every[0].items() if all(labels.get(key) == value for labels in every)
        }
        first.labels_complete = all(labels == every[0] for labels in every)
        first.labels = common
        if any(pod.ports != pods[0].ports for pod in pods):
            first.ports = None
        return first


def _texts(text: str | None) -> tuple[str, ...]:
    return () if text is None else (text,)


def _policed_on(endpoint: Endpoint | None) -> str | None:
    """The node on which an end is policed; ``None`` where it is not known, or there is none."""
    if endpoint is None:
        return None
    if endpoint.pod is not None:
        return endpoint.pod.node
    if endpoint.kind is EndpointKind.NODE:
        return endpoint.node.name if endpoint.node is not None else endpoint.name
    return None


def _node_of(endpoint: Endpoint) -> str | None:
    """The node an end is, or whose network it uses; ``None`` for pods with a network of their own."""
    if endpoint.kind is EndpointKind.NODE:
        return endpoint.node.name if endpoint.node is not None else endpoint.name
    if endpoint.pod is not None and endpoint.pod.host_network:
        return endpoint.pod.node
    return None
