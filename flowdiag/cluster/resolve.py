"""Distinct flows to flows: both ends named, as far as the record and the state at that time can name them.

What the record itself says comes first (the CNI saw the packet); an address is looked up only where it
says nothing, and then at the time of the records, so that one distinct flow may become several.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence

from msgspec import structs

from flowdiag.cluster.cut_names import CutNames
from flowdiag.cluster.identities import RESERVED, Identities
from flowdiag.cluster.index import SnapshotIndex
from flowdiag.cluster.interfaces import InterfaceIndex
from flowdiag.cluster.leases import Leases, Span
from flowdiag.cluster.workloads import name_owner
from flowdiag.model.endpoint import Endpoint, EndpointKind, KnownBy
from flowdiag.model.event import Direction, Peer, WorkloadRef
from flowdiag.model.flow import Flow
from flowdiag.model.objects import Snapshot
from flowdiag.model.tally import Bucket, DistinctFlow, DnsAnswer

__all__ = ["Resolver"]

_MAX_NAMES = 8
_WORLD = frozenset({"world", "world-ipv4", "world-ipv6"})
_NODES = frozenset({"host", "remote-node", "kube-apiserver"})
_OPEN = frozenset({"unknown", "unmanaged", "init"})
"""Reserved identities that say the agent did not know: the address may still tell."""


class Resolver:
    """Resolves distinct flows against one snapshot; remembers ends, so that each is worked out once.

    Args:
        snapshot: the cluster's objects.
        answers: names that the evidence resolved to addresses.
        index: tables over `snapshot`, where the caller has them.
        leases: owners of its addresses, likewise.
        pod_names: (namespace, pod) that component logs name: pods that are gone lend their names to
            the interfaces they had.
    """

    def __init__(
        self,
        snapshot: Snapshot,
        answers: Iterable[DnsAnswer] = (),
        *,
        index: SnapshotIndex | None = None,
        leases: Leases | None = None,
        pod_names: Iterable[tuple[str, str]] = (),
    ) -> None:
        self.index = index or SnapshotIndex(snapshot)
        self.leases = leases or Leases(snapshot)
        self._identities = Identities(snapshot)
        self._nodes = snapshot.nodes
        self._cut_names = CutNames(snapshot)
        self._interfaces = InterfaceIndex(snapshot, pod_names)
        self._recorded: dict[tuple[Peer, str | None], Span | None] = {}
        """Ends as records name them, with what else is known of them at any time."""
        self._owners: dict[tuple[int, Peer], tuple[Endpoint, Endpoint]] = {}
        """The same of owners of addresses, by the identity of these, which are kept so that it stays theirs."""
        self._names: dict[str, set[str]] = defaultdict(set)
        for answer in answers:
            self._names[answer.ip].add(answer.name.rstrip("."))

    def resolve(self, distinct: DistinctFlow) -> tuple[Flow, ...]:
        """`distinct` as one flow, or as one for each span in which neither end changed its owner.

        A bucket that straddles a change stands in a flow of its own with `Flow.ambiguous`, named after
        the owners at its start.  The counts of the parts add up to the count of `distinct`.
        """
        distinct = self._cut_names.completed(distinct)
        src_spans = self._spans(distinct.src, distinct, destination=False)
        dst_spans = self._spans(distinct.dst, distinct, destination=True)
        cuts = sorted({span.start for span in (*src_spans[1:], *dst_spans[1:]) if span.start is not None})
        if not cuts:
            return (self._flow(distinct, src_spans[0].owner, dst_spans[0].owner, None),)
        flows = []
        for at, buckets, ambiguous in _parts(distinct, cuts):
            src = self._owner(src_spans, distinct.src, at, distinct, destination=False)
            dst = self._owner(dst_spans, distinct.dst, at, distinct, destination=True)
            flows.append(self._flow(distinct, src, dst, buckets, ambiguous=ambiguous))
        return tuple(flows)

    @staticmethod
    def is_outside(peer: Peer) -> bool:
        """Whether this end is an outside address in every record, whatever else is known."""
        named = peer.pod is not None and peer.namespace is not None
        return peer.entity in _WORLD and peer.ip is not None and not named

    def names(self, ip: str | None) -> Collection[str]:
        """Names that the evidence resolved to an address."""
        return self._names.get(ip or "", ())

    # --- one end ----------------------------------------------------------------------------------

    def _spans(self, peer: Peer, distinct: DistinctFlow, *, destination: bool) -> tuple[Span, ...]:
        names = distinct.dns_names if destination else ()
        key = (peer, distinct.node)
        if key not in self._recorded:
            found = self._from_record(peer, distinct.node)
            self._recorded[key] = (
                Span(None, None, self._completed(found, peer)) if found is not None else None
            )
        recorded = self._recorded[key]
        if recorded is not None:
            owner = self._named(recorded.owner, peer, distinct, names)
            return (recorded if owner is recorded.owner else Span(None, None, owner),)
        if peer.ip is None:
            return (Span(None, None, self._without_address(peer)),)
        behind = self._interfaces.pod(distinct.interface_out if destination else distinct.interface_in)
        if behind is not None:
            owner = self._behind_interface(behind, peer, distinct.first)
            return (Span(None, None, self._completed(owner, peer, names)),)
        return tuple(
            Span(span.start, span.end, self._known_owner(span.owner, peer, names))
            for span in self.leases.spans(
                peer.ip,
                distinct.first,
                distinct.last,
                port=_service_port(distinct) if destination else None,
                protocol=distinct.protocol,
            )
        )

    def _behind_interface(self, name: tuple[str, str], peer: Peer, at: int | None) -> Endpoint:
        """The pod whose interface the packet passed; its address is a witness beside, and may be another's."""
        owner = self.leases.owner(peer.ip, at)
        if owner.kind is EndpointKind.POD and (owner.namespace, owner.name) == name:
            return owner
        namespace, pod_name = name
        pod = self.index.pod(namespace, pod_name)
        workload, inferred = (pod.workload, pod.workload_inferred) if pod is not None else (None, False)
        if pod is None:
            workload = name_owner(namespace, pod_name, self.index.workloads, self.index.owners)
            inferred = workload is not None
        return Endpoint(
            kind=EndpointKind.POD,
            namespace=namespace,
            name=pod_name,
            ip=peer.ip,
            pod=pod,
            workload=workload,
            workload_inferred=inferred,
            known_by=KnownBy.INTERFACE,
            note=None if pod is not None else "not in the state",
        )

    def _owner(
        self, spans: Sequence[Span], peer: Peer, at: int | None, distinct: DistinctFlow, *, destination: bool
    ) -> Endpoint:
        if len(spans) == 1:
            return spans[0].owner
        if at is None:
            port = _service_port(distinct) if destination else None
            owner = self.leases.owner(peer.ip, None, port=port, protocol=distinct.protocol)
            return self._known_owner(owner, peer, distinct.dns_names if destination else ())
        return next(
            (span.owner for span in reversed(spans) if span.start is None or span.start <= at), spans[0].owner
        )

    def _from_record(self, peer: Peer, node: str | None) -> Endpoint | None:
        """The end as the record names it; None where only its address can tell."""
        if peer.pod is not None and peer.namespace is not None:
            return self._recorded_pod(peer, peer.namespace, peer.pod)
        entity = peer.entity or (RESERVED.get(peer.identity) if peer.identity is not None else None)
        if entity is not None and entity not in _OPEN:
            return self._entity(peer, entity, node)
        if peer.workload is not None and peer.namespace is not None:
            return Endpoint(
                kind=EndpointKind.WORKLOAD,
                namespace=peer.namespace,
                ip=peer.ip,
                workload=peer.workload,
                known_by=KnownBy.RECORD,
            )
        if peer.service is not None:
            namespace, _, name = peer.service.partition("/")
            return Endpoint(
                kind=EndpointKind.SERVICE,
                namespace=namespace or None,
                name=name or None,
                ip=peer.ip,
                service=self.index.services.get((namespace, name)),
                known_by=KnownBy.RECORD,
            )
        if peer.ip is None and peer.node is not None:
            return Endpoint(
                kind=EndpointKind.NODE,
                name=peer.node,
                node=self._nodes.get(_bare(peer.node)),
                known_by=KnownBy.RECORD,
            )
        return None

    def _recorded_pod(self, peer: Peer, namespace: str, name: str) -> Endpoint:
        pod = self.index.pod(namespace, name)
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
        workload, inferred = peer.workload, False
        if workload is None or workload.kind is None:
            by_name = name_owner(namespace, name, self.index.workloads, self.index.owners)
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

    def _generated(self, namespace: str, stem: str) -> WorkloadRef | None:
        """The one workload of the state whose pods' names are this stem and a suffix; ``None`` for none or several."""
        owners = {
            pod.workload
            for pod in self.index.by_namespace.get(namespace, ())
            if not pod.template
            and pod.name.startswith(stem)
            and "-" not in pod.name[len(stem) :]
            and pod.workload is not None
        }
        return owners.pop() if len(owners) == 1 else None

    def _entity(self, peer: Peer, entity: str, node: str | None) -> Endpoint:
        if entity in _WORLD:
            return Endpoint(kind=EndpointKind.EXTERNAL, ip=peer.ip, entity=entity, known_by=KnownBy.RECORD)
        if entity in _NODES:
            owner = self.leases.owner(peer.ip, None)
            name = owner.name if owner.kind is EndpointKind.NODE else None
            if name is None and entity == "host":
                name = peer.node or node
            if name is not None:
                return Endpoint(
                    kind=EndpointKind.NODE,
                    name=_bare(name),
                    ip=peer.ip,
                    node=self._nodes.get(_bare(name)),
                    entity=entity,
                    known_by=KnownBy.RECORD,
                    candidates=owner.candidates if owner.kind is EndpointKind.NODE else (),
                )
        return Endpoint(kind=EndpointKind.ENTITY, ip=peer.ip, entity=entity, known_by=KnownBy.RECORD)

    def _named(
        self, recorded: Endpoint, peer: Peer, distinct: DistinctFlow, names: tuple[str, ...]
    ) -> Endpoint:
        """A recorded end with the flow's own names of it, and where the state contradicts it."""
        found = self._completed(recorded, peer, names) if names else recorded
        pod = recorded.pod
        if (
            pod is not None
            and distinct.last is not None
            and pod.created is not None
            and pod.created > distinct.last
        ):
            return structs.replace(found, note="a pod of this name was created after the records")
        if recorded.entity in _WORLD and peer.ip is not None:
            owner = self.leases.owner(peer.ip, distinct.first)
            if owner.kind is EndpointKind.POD:
                name = f"{owner.namespace}/{owner.name}"
                return structs.replace(
                    found,
                    candidates=(name,),
                    note=f"recorded as {recorded.entity}, but the address is {name}'s at that time",
                )
        return found

    def _without_address(self, peer: Peer) -> Endpoint:
        """No address and no name: perhaps a numeric identity or labels."""
        labels = peer.labels or self._identities.labels(peer.identity)
        found = self._by_identity(peer, labels) if labels is not None else None
        return found or Endpoint(
            kind=EndpointKind.UNKNOWN,
            namespace=peer.namespace,
            name=peer.pod,
            entity=peer.entity,
            identity=peer.identity,
            identity_labels=labels,
        )

    def _by_identity(self, peer: Peer, labels: tuple[tuple[str, str], ...]) -> Endpoint | None:
        place = self._identities.place(labels)
        if place is None:
            return None
        namespace, pod_labels = place
        pods = self.index.selected(namespace, pod_labels)
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

    def _known_owner(self, owner: Endpoint, peer: Peer, names: tuple[str, ...]) -> Endpoint:
        """As `_completed`; the same value for the same owner and peer, as long as the flow adds no names."""
        if names:
            return self._completed(owner, peer, names)
        key = (id(owner), peer)
        known = self._owners.get(key)
        if known is None:
            known = self._owners[key] = (owner, self._completed(owner, peer))
        return known[1]

    def _completed(self, owner: Endpoint, peer: Peer, own_names: tuple[str, ...] = ()) -> Endpoint:
        """`owner` with identity, labels and names from the record; `own_names`: those of one flow."""
        labels = peer.labels or self._identities.labels(peer.identity)
        if owner.kind is EndpointKind.UNKNOWN and not owner.candidates and labels is not None:
            owner = self._by_identity(peer, labels) or owner
        names: tuple[str, ...] = ()
        if owner.kind in (EndpointKind.EXTERNAL, EndpointKind.ENTITY, EndpointKind.UNKNOWN):
            known = {*(peer.dns_names or ()), *self._names.get(peer.ip or "", ()), *own_names}
            names = tuple(sorted(known)[:_MAX_NAMES])
        if peer.identity is None and labels is None and not names and peer.entity is None:
            return owner
        return structs.replace(
            owner,
            identity=peer.identity,
            identity_labels=labels,
            dns_names=names,
            entity=owner.entity or peer.entity,
        )

    # --- one flow ---------------------------------------------------------------------------------

    def _flow(
        self,
        distinct: DistinctFlow,
        src: Endpoint,
        dst: Endpoint,
        buckets: tuple[Bucket, ...] | None,
        *,
        ambiguous: bool = False,
    ) -> Flow:
        dst, via = self._behind(dst, distinct)
        count, first, last = distinct.count, distinct.first, distinct.last
        if buckets is None:
            buckets = distinct.buckets
        else:
            count = sum(bucket.count for bucket in buckets)
            timed = [bucket for bucket in buckets if bucket.start is not None]
            starts = [bucket.start for bucket in timed if bucket.start is not None]
            ends = [bucket.start + bucket.width - 1 for bucket in timed if bucket.start is not None]
            # A bucket knows its records' times only to its width; the flow's own ends are exact.
            first = max(min(starts), distinct.first or min(starts)) if starts else None
            last = min(max(ends), distinct.last or max(ends)) if ends else None
        return Flow(
            distinct=distinct,
            src=src,
            dst=dst,
            via=via,
            direction=distinct.direction or _direction(src, dst, distinct.node),
            count=count,
            buckets=buckets,
            first=first,
            last=last,
            ambiguous=ambiguous,
        )

    def _behind(self, dst: Endpoint, distinct: DistinctFlow) -> tuple[Endpoint, Endpoint | None]:
        """The one pod behind a Service's address, and the Service; a Service with several stays itself."""
        peer = distinct.dst
        if dst.kind is not EndpointKind.SERVICE:
            if peer.service is not None and dst.kind in (EndpointKind.POD, EndpointKind.WORKLOAD):
                namespace, _, name = peer.service.partition("/")
                service = self.index.services.get((namespace, name))
                # The record gives the Service by name beside the translated pod: the port is the pod's.
                return dst, Endpoint(
                    kind=EndpointKind.SERVICE,
                    namespace=namespace,
                    name=name,
                    service=service,
                    known_by=KnownBy.RECORD,
                )
            return dst, None
        if dst.service is None or distinct.port is None:
            return dst, None
        backends = self.index.backends(dst.service, distinct.port, distinct.protocol)
        if len(backends) != 1 or backends[0].port is None:
            return dst, None
        pod = backends[0].pod
        return Endpoint(
            kind=EndpointKind.POD,
            namespace=pod.namespace,
            name=pod.name,
            ip=pod.ips[0] if pod.ips else None,
            pod=pod,
            workload=pod.workload,
            workload_inferred=pod.workload_inferred,
            known_by=dst.known_by,
            note=f"behind Service {dst.namespace}/{dst.name}",
        ), dst


def _service_port(distinct: DistinctFlow) -> int | None:
    """The port where it may be a Service's node port.

    A packet line of a host's own interface that leaves by none was seen at the host: its policy is the
    host endpoint's, whatever stands behind the port.
    """
    if distinct.interface_in is not None and distinct.interface_out is None:
        return None
    return distinct.port


def _bare(node: str) -> str:
    """A node's name without Hubble's ``cluster/`` before it."""
    return node.rpartition("/")[2]


def _direction(src: Endpoint, dst: Endpoint, node: str | None) -> Direction | None:
    """The side that enforced, where only one end is a pod of the recording node."""
    if node is None:
        return None
    here = _bare(node)
    local = [
        end.pod is not None and end.pod.node is not None and _bare(end.pod.node) == here for end in (src, dst)
    ]
    if local == [True, False]:
        return Direction.EGRESS
    if local == [False, True]:
        return Direction.INGRESS
    return None


def _parts(distinct: DistinctFlow, cuts: list[int]) -> list[tuple[int | None, tuple[Bucket, ...], bool]]:
    """Buckets by span: (an instant inside, its buckets, whether they straddle a change)."""
    parts: dict[tuple[int, bool], list[Bucket]] = defaultdict(list)
    instants: dict[tuple[int, bool], int | None] = {}
    for bucket in distinct.buckets:
        if bucket.start is None:
            key, at = (-1, True), None
        else:
            start = bucket.start if distinct.first is None else max(bucket.start, distinct.first)
            end = bucket.start + bucket.width
            if distinct.last is not None:
                end = min(end, distinct.last + 1)
            span = sum(cut <= start for cut in cuts)
            straddles = any(start < cut < end for cut in cuts)
            key, at = (span, straddles), start
        parts[key].append(bucket)
        instants.setdefault(key, at)
    return [(instants[key], tuple(parts[key]), key[1]) for key in sorted(parts)]
