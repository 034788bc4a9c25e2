"""The ends that a policy set was asked about: what is known of each, and which of them no condition tells apart."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from flowdiag.model.endpoint import Endpoint, EndpointKind
from flowdiag.model.objects import Pod, Snapshot
from flowdiag.policy.addresses import Network, RangeTable
from flowdiag.policy.conditions import Conditions
from flowdiag.policy.end_facts import EndFacts
from flowdiag.policy.facts import Facts, class_key
from flowdiag.policy.label_times import LabelTimes

__all__ = ["EndsBook", "pod_endpoint"]

_SAME = 1 << 17
_INDIVIDUAL = frozenset({"name", "on-node"})
"""Keys that differ between pods of the same workload."""


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
        sees_services: whether a pod that is called by a Service's address is told from itself.
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
        sees_services: bool = False,
        base: EndsBook | None = None,
    ) -> None:
        self.table = table
        self.keys = keys
        self.root: EndsBook = base.root if base is not None else self
        """The book that this one was made from, at first."""
        self.conditions = Conditions()
        """The conditions' remembered answers for the classes of this book."""
        self._wider: dict[tuple[frozenset[str], tuple[Network, ...]], EndsBook] = {}
        self._keys = tuple(sorted(keys))
        self._snapshot = snapshot
        self._extra = extra
        self._relational = relational
        self._sees_services = sees_services
        self._classes: dict[tuple[object, ...], int] = {}
        self._twins: dict[tuple[object, ...], Facts] | None = {} if keys.isdisjoint(_INDIVIDUAL) else None
        """One pod for each group whose dialect labels and class are the same; ``None`` where conditions tell each pod apart."""
        self.members: list[Facts] = []
        """One member of each class."""
        self._known: dict[object, tuple[Endpoint, Facts]] = {}
        self._same: dict[int, tuple[Endpoint, Facts, bool]] = {}
        """By ``id()`` of an endpoint: the endpoint, kept so that its ``id()`` is not given to another; its facts;
        whether it is of a node."""
        self._times = LabelTimes(snapshot)
        self._facts = EndFacts(snapshot, table, self._times)

    def wider(self, table: RangeTable, keys: frozenset[str]) -> EndsBook:
        """Give the book for another set of policies over the same state; sets that ask for the same share one.

        Most proposed edits ask for the same few additional things, and each is proved for every workload.

        Args:
            table: a copy of this book's, with what that set's policies added.
            keys: what they depend on.
        """
        more = table.networks(len(self.table))
        # This book's classes may be finer than these policies need, but it knows every end already, which is worth
        # more.
        if keys <= self.keys and not more:
            return self
        known = self._wider.get((keys, more))
        if known is None:
            known = self._wider[keys, more] = EndsBook(
                self._snapshot,
                table,
                keys,
                extra=self._extra,
                relational=self._relational,
                sees_services=self._sees_services,
                base=self,
            )
        return known

    def of(self, endpoint: Endpoint, at: int | None, other: Endpoint | None = None) -> Facts:
        """Give the facts of an end.

        Args:
            endpoint: the end.
            at: when, in nanoseconds; ``None`` is now.
            other: the other end, where conditions tell its node from others.
        """
        if at is not None and self._times:
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

    def _keyed(self, endpoint: Endpoint, at: int | None, near: str | None) -> Facts:
        epoch = self._times.span(at)
        local: bool | None = None
        if self._relational and near is not None:
            node = _node_of(endpoint)
            local = None if node is None else node == near
        service = endpoint.service if self._sees_services else None
        pod = endpoint.pod
        # A pod that is asked for by its only address is the same end as the pod.
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
            endpoint.cluster,
            endpoint.identity,
            endpoint.identity_labels,
            endpoint.dns_names,
            endpoint.workload,
            epoch,
            local,
            None if service is None else id(service),
        )
        known = self._known.get(key)
        if known is not None:
            return known[1]
        facts = self._facts.of(endpoint, at)
        facts.local = local
        facts.identity = endpoint.identity
        facts.identity_labels = endpoint.identity_labels
        facts.dns_names = endpoint.dns_names
        if service is not None and facts.kind == "pod":
            self._facts.called_by(facts, service)
        twin = self._twin(facts) if facts.kind == "pod" and facts.service is None else None
        if twin is not None:
            facts.extra, facts.class_id = twin.extra, twin.class_id
        else:
            self._classify(facts)
        # The endpoint is kept so that the ids of its pod and Service stay their own.
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
        """Find a pod that differs from this one in name, node and address alone, with addresses in the same ranges.

        Replicas of a workload do.  To work out a dialect's labels takes as long as everything else, and is spared so.
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
            facts.network,
        )
        twin = self._twins.setdefault(marks, facts)
        return None if twin is facts else twin


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
