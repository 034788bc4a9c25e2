"""An end as its record names it: a pod, a workload, a Service, a reserved word, an identity, a node.

What the CNI wrote down comes before any address; the state only adds what the record leaves out.
"""

from __future__ import annotations

from flowdiag.cluster.identities import RESERVED, Identities
from flowdiag.cluster.index import SnapshotIndex
from flowdiag.cluster.leases import Leases
from flowdiag.cluster.workloads import name_owner, topmost_owner
from flowdiag.model.cilium import CLUSTER_LABEL, NODE_ENTITIES, WORLD_ENTITIES
from flowdiag.model.endpoint import Endpoint, EndpointKind, KnownBy
from flowdiag.model.event import Peer, WorkloadRef
from flowdiag.model.objects import Snapshot

__all__ = ["RecordedEnds", "bare_name"]

_HOST = "host"
"""The recording node itself, where nothing names another."""
_OPEN = frozenset({"unknown", "unmanaged", "init"})
"""Reserved identities that say the agent did not know: the address may still tell."""
_WORDS = frozenset(RESERVED.values()) | {"public-network", "private-network"}
_NETWORKS = frozenset({"public-network", "private-network"})
"""Calico's words for an address that is no endpoint's: an address that stands beside them says more."""


class RecordedEnds:
    """Reads ends out of records, against one snapshot.

    Args:
        snapshot: the cluster's objects.
        index: tables over it.
        leases: owners of its addresses.
    """

    def __init__(self, snapshot: Snapshot, index: SnapshotIndex, leases: Leases) -> None:
        self._index = index
        self._leases = leases
        self._nodes = snapshot.nodes
        self._identities = Identities(snapshot)
        self._sets = {one.name for one in snapshot.others if one.kind == "GlobalNetworkSet"}
        self._cluster = snapshot.config.get("cilium.cluster-name")

    def labels(self, peer: Peer) -> tuple[tuple[str, str], ...] | None:
        """The labels that the record has of an end, or that the state has of its identity."""
        return peer.labels or self._identities.labels(peer.identity)

    def named(self, peer: Peer, node: str | None) -> Endpoint | None:
        """The end as the record names it; None where only its address can tell."""
        if peer.pod is not None and peer.namespace is not None:
            other = self._other_cluster(peer)
            if other is not None:
                return self._pod_elsewhere(peer, peer.namespace, peer.pod, other)
            return self._recorded_pod(peer, peer.namespace, peer.pod)
        entity = peer.entity or (RESERVED.get(peer.identity) if peer.identity is not None else None)
        told = entity in _NETWORKS and peer.ip is not None
        if entity is not None and entity not in _OPEN and not told:
            return self._entity(peer, entity, node)
        if peer.workload is not None and peer.namespace is not None:
            return Endpoint(
                kind=EndpointKind.WORKLOAD,
                namespace=peer.namespace,
                ip=peer.ip,
                workload=self._topmost(peer.namespace, peer.workload),
                known_by=KnownBy.RECORD,
            )
        if peer.service is not None:
            namespace, _, name = peer.service.partition("/")
            return Endpoint(
                kind=EndpointKind.SERVICE,
                namespace=namespace or None,
                name=name or None,
                ip=peer.ip,
                service=self._index.services.get((namespace, name)),
                known_by=KnownBy.RECORD,
            )
        if peer.ip is None and peer.node is not None:
            return Endpoint(
                kind=EndpointKind.NODE,
                name=peer.node,
                node=self._nodes.get(bare_name(peer.node)),
                known_by=KnownBy.RECORD,
            )
        return None

    def _other_cluster(self, peer: Peer) -> str | None:
        """The cluster of a mesh that a pod's identity names, where that is another than the snapshot's."""
        if self._cluster is None:
            return None
        named = (
            value
            for key, value in self.labels(peer) or ()
            if key.removeprefix("k8s:") == CLUSTER_LABEL and value != self._cluster
        )
        return next(named, None)

    @staticmethod
    def _pod_elsewhere(peer: Peer, namespace: str, name: str, cluster: str) -> Endpoint:
        """A pod of another cluster, whatever pod of ours is called the same."""
        workload = peer.workload
        if workload is None or workload.kind is None:
            by_name = name_owner(namespace, name, {}, {})
            if by_name is not None and (workload is None or by_name.name == workload.name):
                workload = by_name
        return Endpoint(
            kind=EndpointKind.POD,
            namespace=namespace,
            name=name,
            ip=peer.ip,
            cluster=cluster,
            workload=workload,
            workload_inferred=workload is not peer.workload,
            known_by=KnownBy.RECORD,
            note=f"a pod of cluster {cluster}",
        )

    @staticmethod
    def hangs_on_node(peer: Peer) -> bool:
        """Whether `named` may give another end where another node recorded it."""
        if peer.pod is not None and peer.namespace is not None:
            return False
        return (peer.entity or RESERVED.get(peer.identity or 0)) == _HOST

    def _recorded_pod(self, peer: Peer, namespace: str, name: str) -> Endpoint:
        pod = self._index.pod(namespace, name)
        if pod is not None:
            return Endpoint(
                kind=EndpointKind.POD,
                namespace=namespace,
                name=name,
                ip=peer.ip,
                pod=pod,
                workload=pod.workload,
                workload_inferred=pod.workload_inferred,
                known_by=KnownBy.RECORD,
            )
        workload, inferred = self._topmost(namespace, peer.workload), False
        if workload is None or workload.kind is None:
            by_name = name_owner(namespace, name, self._index.workloads, self._index.owners)
            if by_name is not None and (workload is None or by_name.name == workload.name):
                workload, inferred = by_name, True
        if name.endswith("-*"):
            workload = self._generated(namespace, name[:-1]) or workload
            return Endpoint(
                kind=EndpointKind.WORKLOAD,
                namespace=namespace,
                name=name,
                ip=peer.ip,
                workload=workload or WorkloadRef(None, name[:-2]),
                workload_inferred=True,
                known_by=KnownBy.NAME,
                note="the record shortens the pod's name",
            )
        if workload is None:
            return Endpoint(
                kind=EndpointKind.POD,
                namespace=namespace,
                name=name,
                ip=peer.ip,
                known_by=KnownBy.RECORD,
                note="not in the state",
            )
        return Endpoint(
            kind=EndpointKind.WORKLOAD if inferred else EndpointKind.POD,
            namespace=namespace,
            name=name,
            ip=peer.ip,
            workload=workload,
            workload_inferred=inferred,
            known_by=KnownBy.NAME if inferred else KnownBy.RECORD,
            note="the pod is not in the state",
        )

    def _topmost(self, namespace: str, owner: WorkloadRef | None) -> WorkloadRef | None:
        """What a record calls the owner (GKE: the ReplicaSet or Job of a pod) as pods of the state name theirs."""
        return owner and topmost_owner(namespace, owner, self._index.workloads, None)[0]

    def _generated(self, namespace: str, stem: str) -> WorkloadRef | None:
        """The one workload of the state whose pods' names are this stem and a suffix; ``None`` for none or several."""
        owners = {
            pod.workload
            for pod in self._index.by_namespace.get(namespace, ())
            if not pod.template
            and pod.name.startswith(stem)
            and "-" not in pod.name[len(stem) :]
            and pod.workload is not None
        }
        return owners.pop() if len(owners) == 1 else None

    def _entity(self, peer: Peer, entity: str, node: str | None) -> Endpoint:
        host = self._nodes.get(entity)
        if host is not None and entity not in self._sets and entity not in _WORDS:
            # Goldmane and Whisker call a host endpoint as its node, and do not say what it is.
            return Endpoint(
                kind=EndpointKind.NODE, name=entity, ip=peer.ip, node=host, known_by=KnownBy.RECORD
            )
        if entity in WORLD_ENTITIES:
            return Endpoint(kind=EndpointKind.EXTERNAL, ip=peer.ip, entity=entity, known_by=KnownBy.RECORD)
        if entity in NODE_ENTITIES:
            owner = self._leases.owner(peer.ip, None)
            name = owner.name if owner.kind is EndpointKind.NODE else None
            if name is None and entity == _HOST:
                name = peer.node or node
            if name is not None:
                return Endpoint(
                    kind=EndpointKind.NODE,
                    name=bare_name(name),
                    ip=peer.ip,
                    node=self._nodes.get(bare_name(name)),
                    entity=entity,
                    known_by=KnownBy.RECORD,
                    candidates=owner.candidates if owner.kind is EndpointKind.NODE else (),
                )
        return Endpoint(kind=EndpointKind.ENTITY, ip=peer.ip, entity=entity, known_by=KnownBy.RECORD)

    def without_address(self, peer: Peer) -> Endpoint:
        """No address and no name: perhaps a numeric identity or labels."""
        labels = self.labels(peer)
        found = self.by_identity(peer, labels) if labels is not None else None
        return found or Endpoint(
            kind=EndpointKind.UNKNOWN,
            namespace=peer.namespace,
            name=peer.pod,
            entity=peer.entity,
            identity=peer.identity,
            identity_labels=labels,
        )

    def by_identity(self, peer: Peer, labels: tuple[tuple[str, str], ...]) -> Endpoint | None:
        """The workload whose pods carry an identity's labels; with its candidates where several do, None for none."""
        place = self._identities.place(labels)
        if place is None:
            return None
        namespace, pod_labels = place
        pods = self._index.selected(namespace, pod_labels)
        owners = {pod.workload for pod in pods}
        return Endpoint(
            kind=EndpointKind.WORKLOAD if len(owners) == 1 else EndpointKind.UNKNOWN,
            namespace=namespace,
            ip=peer.ip,
            workload=next(iter(owners)) if len(owners) == 1 else None,
            identity=peer.identity,
            identity_labels=labels,
            known_by=KnownBy.IDENTITY,
            candidates=tuple(sorted(f"{pod.namespace}/{pod.name}" for pod in pods))
            if len(owners) > 1
            else (),
        )


def bare_name(node: str) -> str:
    """A node's name without Hubble's ``cluster/`` before it."""
    return node.rpartition("/")[2]
