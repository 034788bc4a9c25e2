"""What is known of an end for conditions to ask: its labels, addresses, node and ports, as they were at a time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cached_property

from flowdiag.cluster.addresses import INSIDE
from flowdiag.cluster.own_networks import OwnNetwork, own_network
from flowdiag.model.cilium import NODE_ENTITIES, WORLD_ENTITIES
from flowdiag.model.endpoint import Endpoint, EndpointKind
from flowdiag.model.objects import NAME_LABEL, Namespace, Pod, Service, Snapshot
from flowdiag.policy.addresses import (
    Address,
    Hits,
    Network,
    RangeTable,
    families,
    parse_address,
    parse_network,
)
from flowdiag.policy.facts import Facts
from flowdiag.policy.label_times import LabelTimes, labels_at

__all__ = ["EndFacts", "recorded_labels"]

_EVERYWHERE = (parse_network("0.0.0.0/0"), parse_network("::/0"))
_IDENTITY_PREFIX = "k8s:"
# Labels that Cilium adds to an identity beside the pod's own ("k8s:io.kubernetes.pod.namespace=shop").
_IDENTITY_OWN = ("io.kubernetes.pod.", "io.cilium.")
_NO_ENDPOINT = frozenset({"public-network", "private-network"})
"""Calico's words for an address that is no endpoint's and in no network set (``pub``, ``pvt``), so that no selector means it."""
# Labels that Calico adds to a workload's endpoint ("projectcalico.org/namespace=shop").
_ENDPOINT_OWN = ("projectcalico.org/",)


def recorded_labels(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """A pod's own labels among those of a record; Cilium puts ``k8s:`` before them, nobody else puts anything."""
    plain = (
        (key.removeprefix(_IDENTITY_PREFIX), value)
        for key, value in pairs
        if key.startswith(_IDENTITY_PREFIX) or ":" not in key
    )
    return {key: value for key, value in plain if not key.startswith((*_IDENTITY_OWN, *_ENDPOINT_OWN))}


class EndFacts:
    """Makes `Facts` of ends, anew for each that is asked for.

    Args:
        snapshot: where namespaces, nodes and pods by workload are looked up.
        table: address ranges that ends lie in or not; complete before the first end is asked for.
        times: when labels of the snapshot changed.
    """

    def __init__(self, snapshot: Snapshot, table: RangeTable, times: LabelTimes) -> None:
        self._snapshot = snapshot
        self._table = table
        self._times = times
        self._spaces: dict[tuple[str, int | None], Mapping[str, str]] = {}
        """Labels of namespaces, by name and span between changes of labels."""
        self._networked = any(pod.own_ips for pod in snapshot.pods)
        """Whether there are networks in place of the cluster's own."""
        self._inside: dict[tuple[str, ...], Hits] = {}
        """Of pods' addresses."""
        self._by_workload: dict[tuple[str, str | None, str], list[Pod]] | None = None
        self._by_name: dict[tuple[str, str], Pod] | None = None

    def of(self, endpoint: Endpoint, at: int | None) -> Facts:
        """Say what is known of an end at a time in nanoseconds; ``None`` is now."""
        kind = endpoint.kind
        if endpoint.cluster is not None:
            return self._unseen_pod(endpoint, at)
        if kind is EndpointKind.POD:
            pod = endpoint.pod or self._named(endpoint.namespace, endpoint.name)
            if pod is not None:
                return self._pod(pod, endpoint.ip, at)
            return self._unseen_pod(endpoint, at)
        if kind is EndpointKind.WORKLOAD:
            pods = self._pods_of(endpoint)
            return self._some_pod(pods, endpoint.ip, at) if pods else self._unseen_pod(endpoint, at)
        if kind is EndpointKind.NODE or (kind is EndpointKind.ENTITY and endpoint.entity in NODE_ENTITIES):
            return self._node(endpoint)
        if kind is EndpointKind.UNKNOWN and endpoint.namespace is not None and endpoint.identity_labels:
            # It is not known which pod it is, but Cilium's identity of it has all that its policies ask for.
            return self._unseen_pod(endpoint, at)
        if (
            kind is EndpointKind.EXTERNAL
            or endpoint.entity in WORLD_ENTITIES
            or endpoint.entity in _NO_ENDPOINT
        ):
            return Facts(
                kind="outside",
                entity=endpoint.entity,
                addresses=_texts(endpoint.ip or endpoint.cidr),
                hits=self._hits(endpoint.ip, endpoint.cidr),
            )
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

    def called_by(self, facts: Facts, service: Service) -> None:
        """Note that a pod is called by a Service's address, which is all that ranges see of it then."""
        facts.service = service
        facts.addresses = service.cluster_ips
        facts.hits = self._hits_of_either_family(service.cluster_ips)
        facts.before = Facts(
            kind="pod",
            namespace=service.namespace,
            name=service.name,
            labels=service.selector or {},
            namespace_labels=facts.namespace_labels,
            namespace_complete=facts.namespace_complete,
            ports=facts.ports,
            addresses=facts.addresses,
            hits=facts.hits,
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
        addresses = (
            ()
            if any_address
            else (_texts(ip) or (tuple(families(pod.ips).values()) if pod.own_ips else pod.ips))
        )
        return Facts(
            kind="pod",
            namespace=pod.namespace,
            name=pod.name,
            labels=labels_at(pod.labels, pod.labels_before, at),
            namespace_labels=self._namespace_labels(pod.namespace, at),
            ports=pod.ports,
            addresses=addresses,
            hits=self._somewhere if any_address else self._hits_of_either_family(addresses),
            node=pod.node,
            service_account=pod.service_account,
            profiles=pod.profiles,
            network=own_network(pod) if self._networked else None,
        )

    def _unseen_pod(self, endpoint: Endpoint, at: int | None) -> Facts:
        """Facts of a pod that the state does not hold: all that is known of it are the identity labels in the record."""
        pairs = endpoint.identity_labels
        labels = recorded_labels(pairs) if pairs is not None else None
        elsewhere = endpoint.cluster is not None
        # What is called the same here may be labelled otherwise there.
        spaces = (
            {NAME_LABEL: endpoint.namespace or ""}
            if elsewhere
            else self._namespace_labels(endpoint.namespace, at)
        )
        return Facts(
            kind="pod",
            namespace=endpoint.namespace,
            name=endpoint.name,
            labels=labels,
            labels_complete=False,
            namespace_labels=spaces,
            namespace_complete=not elsewhere and endpoint.namespace in self._snapshot.namespaces,
            elsewhere=elsewhere,
            ports=None,
            addresses=_texts(endpoint.ip),
            hits=self._hits(endpoint.ip, None),
            network=OwnNetwork("") if self._networked else None,
        )

    def _node(self, endpoint: Endpoint) -> Facts:
        node = endpoint.node or self._snapshot.nodes.get(endpoint.name or "")
        addresses = _texts(endpoint.ip) or (node.addresses if node is not None else ())
        return Facts(
            kind="node",
            name=node.name if node is not None else endpoint.name,
            node=node.name if node is not None else endpoint.name,
            node_labels=node.labels if node is not None else None,
            entity=endpoint.entity if endpoint.entity in NODE_ENTITIES else None,
            addresses=addresses,
            hits=self._hits_of_several(addresses),
        )

    def _namespace_labels(self, name: str | None, at: int | None) -> Mapping[str, str] | None:
        if name is None:
            return None
        key = (name, self._times.span(at))
        known = self._spaces.get(key)
        if known is None:
            namespace: Namespace | None = self._snapshot.namespaces.get(name)
            own = {NAME_LABEL: name}
            if namespace is not None:
                own |= dict(labels_at(namespace.labels, namespace.labels_before, at))
            known = self._spaces[key] = own
        return known

    def _hits(self, ip: str | None, cidr: str | None) -> Hits:
        if cidr is not None and ip is None:
            try:
                return self._table.of_range(parse_network(cidr))
            except ValueError:
                return self._anywhere()
        bits = self._table.of_address(ip) if ip is not None else None
        return self._anywhere() if bits is None else Hits(bits, bits)

    def _anywhere(self) -> Hits:
        return Hits(0, self._table.everything())

    @cached_property
    def _somewhere(self) -> Hits:
        """Ranges in which a pod of the cluster may be whose address is not known.

        Where all known pods have private addresses of a family, so will the next one: only private ranges count then.
        """
        pods = [pod for pod in self._snapshot.pods if not pod.host_network]
        held = [parse_address(ip) for pod in pods for ip in pod.ips]
        given = [parse_network(text) for node in self._snapshot.nodes.values() for text in node.pod_cidrs]
        maybe = 0
        for everywhere in _EVERYWHERE:
            version = everywhere.version
            own = {_whole(address) for address in held if address is not None and address.version == version}
            known = bool(own) and all(
                map(_private, (*own, *(each for each in given if each.version == version)))
            )
            inside = [each for each in INSIDE if each.version == version] if known else [everywhere]
            for network in inside:
                maybe |= self._table.of_range(network).maybe
        return Hits(0, maybe)

    def _hits_of_either_family(self, addresses: tuple[str, ...]) -> Hits:
        """A dual-stack pod is inside a range as soon as its address of that family is."""
        if not addresses:
            return self._anywhere()
        known = self._inside.get(addresses)
        if known is None:
            bits = 0
            for address in addresses:
                bits |= self._table.of_address(address) or 0
            known = self._inside[addresses] = Hits(bits, bits)
        return known

    def _hits_of_several(self, addresses: tuple[str, ...]) -> Hits:
        """A node may send from any of its addresses: inside for sure only if all of a family are."""
        found = [self._table.of_address(address) for address in addresses]
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
        """Facts of some pod of a workload, it is not known which: only what all of its pods share is known."""
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
        if any(pod.node != pods[0].node for pod in pods):
            first.node = None
        if self._networked and any(own_network(pod) != first.network for pod in pods):
            first.network = OwnNetwork("")
        if len({pod.service_account or "default" for pod in pods}) > 1:
            # Dialects make a label of a pod's service account.
            first.service_account, first.labels_complete = None, False
        return first


def _whole(address: Address) -> Network:
    return parse_network(str(address))


def _private(network: Network) -> bool:
    return any(
        each.version == network.version and network.subnet_of(each)  # type: ignore[arg-type]
        for each in INSIDE
    )


def _texts(text: str | None) -> tuple[str, ...]:
    return () if text is None else (text,)
