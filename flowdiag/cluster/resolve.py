"""Distinct flows to flows: both ends named, as far as the record and the state at that time can name them.

What the record itself says comes first (the CNI saw the packet); an address is looked up only where it
says nothing, and then at the time of the records, so that one distinct flow may become several.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence

from msgspec import structs

from flowdiag.cluster.behind_services import BehindServices, leaves_for
from flowdiag.cluster.cut_names import CutNames
from flowdiag.cluster.flow_parts import flow_of, parts_between
from flowdiag.cluster.index import SnapshotIndex
from flowdiag.cluster.interfaces import InterfaceIndex
from flowdiag.cluster.leases import Leases, Span
from flowdiag.cluster.own_networks import OwnNetworks
from flowdiag.cluster.recorded_ends import RecordedEnds
from flowdiag.cluster.workloads import name_owner
from flowdiag.model.cilium import WORLD_ENTITIES
from flowdiag.model.endpoint import OUTSIDE_KINDS, Endpoint, EndpointKind, KnownBy
from flowdiag.model.event import Peer
from flowdiag.model.flow import Flow
from flowdiag.model.objects import Snapshot
from flowdiag.model.tally import Bucket, DistinctFlow, DnsAnswer

__all__ = ["Resolver"]

_MAX_NAMES = 8

_AT_AN_ADDRESS = (EndpointKind.POD, EndpointKind.WORKLOAD, EndpointKind.EXTERNAL, EndpointKind.UNKNOWN)


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
        self._recorded_ends = RecordedEnds(snapshot, self.index, self.leases)
        self._cut_names = CutNames(snapshot)
        self._interfaces = InterfaceIndex(snapshot, pod_names)
        self._own_networks = OwnNetworks(self.index)
        self._services = BehindServices(self.index, self.leases)
        self._recorded: dict[tuple[Peer, str | None], Span | None] = {}
        """Ends as records name them, with what else is known of them at any time."""
        self._same: dict[int, tuple[Peer, Span | None]] = {}
        """The same by ``id()`` of the peer, for those that every node names alike; flows share peers, and hashing takes time."""
        self._owners: dict[tuple[int, Peer, tuple[str, ...]], tuple[Endpoint, Endpoint]] = {}
        """Owners with a flow's own names of them, by ``id()`` of both; these are kept, so that no other object gets
        their ``id()``."""
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
        if len(src_spans) == len(dst_spans) == 1:
            return (self._flow(distinct, src_spans[0].owner, dst_spans[0].owner, None),)
        cuts = sorted({span.start for span in (*src_spans[1:], *dst_spans[1:]) if span.start is not None})
        if not cuts:
            return (self._flow(distinct, src_spans[0].owner, dst_spans[0].owner, None),)
        flows = []
        for at, buckets, ambiguous in parts_between(distinct, cuts):
            src = self._owner(src_spans, distinct.src, at, distinct, destination=False)
            dst = self._owner(dst_spans, distinct.dst, at, distinct, destination=True)
            flows.append(self._flow(distinct, src, dst, buckets, ambiguous=ambiguous))
        return tuple(flows)

    @staticmethod
    def is_outside(peer: Peer) -> bool:
        """Whether this end is an outside address in every record, whatever else is known."""
        named = peer.pod is not None and peer.namespace is not None
        return peer.entity in WORLD_ENTITIES and peer.ip is not None and not named

    def settled(self, peer: Peer, *, interfaces: bool) -> Endpoint | None:
        """The end that this one is in every record; ``None`` where that hangs on the record's node, port, interface or time.

        Args:
            peer: an end as records name it.
            interfaces: whether some record names the interface that a packet passed.
        """
        if self._recorded_ends.hangs_on_node(peer):
            return None
        recorded = self._as_recorded(peer, None)
        if recorded is not None:
            return recorded.owner
        if peer.ip is None or interfaces or self.leases.boundaries(peer.ip):
            return None
        owner = self.leases.owner(peer.ip, None)
        # A node's port and a Service's lead elsewhere.
        return self._completed(owner, peer) if owner.kind in _AT_AN_ADDRESS else None

    def names(self, ip: str | None) -> Collection[str]:
        """Names that the evidence resolved to an address."""
        return self._names.get(ip or "", ())

    # --- one end ----------------------------------------------------------------------------------

    def _spans(self, peer: Peer, distinct: DistinctFlow, *, destination: bool) -> tuple[Span, ...]:
        names = distinct.dns_names if destination else ()
        recorded = self._as_recorded(peer, distinct.node)
        if recorded is not None:
            owner = self._named(recorded.owner, peer, distinct, names)
            return (recorded if owner is recorded.owner else Span(None, None, owner),)
        if peer.ip is None:
            return (Span(None, None, self._recorded_ends.without_address(peer)),)
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

    def _as_recorded(self, peer: Peer, node: str | None) -> Span | None:
        """An end as records name it; None where only its address can tell."""
        same = self._same.get(id(peer))
        if same is not None:
            return same[1]
        hangs_on_node = self._recorded_ends.hangs_on_node(peer)
        key = (peer, node if hangs_on_node else None)
        if key not in self._recorded:
            found = self._recorded_ends.named(peer, node)
            self._recorded[key] = (
                Span(None, None, self._completed(found, peer)) if found is not None else None
            )
        recorded = self._recorded[key]
        if not hangs_on_node:
            self._same[id(peer)] = (peer, recorded)
        return recorded

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

    def _named(
        self, recorded: Endpoint, peer: Peer, distinct: DistinctFlow, names: tuple[str, ...]
    ) -> Endpoint:
        """A recorded end with the flow's own names of it, and where the state contradicts it."""
        found = self._known_owner(recorded, peer, names) if names else recorded
        pod = recorded.pod
        if (
            pod is not None
            and distinct.last is not None
            and pod.created is not None
            and pod.created > distinct.last
        ):
            return structs.replace(found, note="a pod of this name was created after the records")
        if recorded.entity in WORLD_ENTITIES and peer.ip is not None:
            owner = self.leases.owner(peer.ip, distinct.first)
            if owner.kind is EndpointKind.POD:
                name = f"{owner.namespace}/{owner.name}"
                return structs.replace(
                    found,
                    candidates=(name,),
                    note=f"recorded as {recorded.entity}, but the address is {name}'s at that time",
                )
        return found

    def _known_owner(self, owner: Endpoint, peer: Peer, names: tuple[str, ...]) -> Endpoint:
        """As `_completed`; the same value for the same owner, peer and names."""
        key = (id(owner), peer, names)
        known = self._owners.get(key)
        if known is None:
            known = self._owners[key] = (owner, self._completed(owner, peer, names))
        return known[1]

    def _completed(self, owner: Endpoint, peer: Peer, own_names: tuple[str, ...] = ()) -> Endpoint:
        """`owner` with identity, labels and names from the record; `own_names`: those of one flow."""
        labels = self._recorded_ends.labels(peer)
        if owner.kind is EndpointKind.UNKNOWN and not owner.candidates and labels is not None:
            owner = self._recorded_ends.by_identity(peer, labels) or owner
        names: tuple[str, ...] = ()
        if owner.kind in OUTSIDE_KINDS:
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
        src, dst = self._own_networks.told_apart(src, dst, distinct)
        if leaves_for(dst, distinct):
            outside = self._services.outside(dst, distinct.first)
            dst = self._known_owner(outside, distinct.dst, distinct.dns_names)
            return flow_of(distinct, src, dst, None, buckets, ambiguous=ambiguous)
        dst, via, port = self._services.met(dst, distinct)
        if port != distinct.port:
            distinct = structs.replace(distinct, port=port)
        return flow_of(distinct, src, dst, via, buckets, ambiguous=ambiguous)


def _service_port(distinct: DistinctFlow) -> int | None:
    """The port where it may be a Service's node port.

    A packet line of a host's own interface that leaves by none was seen at the host: its policy is the
    host endpoint's, whatever stands behind the port.
    """
    if distinct.interface_in is not None and distinct.interface_out is None:
        return None
    return distinct.port
