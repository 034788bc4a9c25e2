"""What is behind the address or the name of a Service, and the end that an enforcer of policies met there.

kube-proxy and its likes translate a Service's address into a pod's before most enforcers compare a packet with
their policies, so the end of such a flow is the pod, on the pod's port.  Not all see it so: AWS's agent compares
before, and an address that a Service has outside the cluster may be met as nobody's here.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import structs

from flowdiag.cluster.claims import pod_end
from flowdiag.cluster.index import Backend, SnapshotIndex
from flowdiag.cluster.leases import Leases
from flowdiag.model.endpoint import Endpoint, EndpointKind, KnownBy
from flowdiag.model.event import Direction
from flowdiag.model.objects import Service
from flowdiag.model.tally import DistinctFlow

__all__ = ["BehindServices", "leaves_for"]

_Backend = tuple[Endpoint, int]
"""A pod, or the workload of several, and its port."""

_Met = tuple[Endpoint, Endpoint | None, int | None]
"""The end that policies are asked about, the Service before it, and the port there."""

_BEFORE_TRANSLATION = frozenset({"aws-network-policy-agent"})
"""Parsers of enforcers that compare the Service's own address and port with policies, before they are translated."""


class BehindServices:
    """Finds the ends behind Services of one snapshot; remembers them, so that equal ends are one object.

    Ends are known by their ``id()`` here; each is kept beside what was found, so that no other object gets it.
    """

    def __init__(self, index: SnapshotIndex, leases: Leases) -> None:
        self._index = index
        self._leases = leases
        self._backends: dict[tuple[int, int, str | None], tuple[Endpoint, _Backend | None]] = {}
        """What is behind a Service's end, by that end, port and protocol."""
        self._called: dict[tuple[int, int], tuple[Endpoint, Service, Endpoint]] = {}
        """Ends behind Services whose own address is held against policies, by end and Service."""
        self._outside: dict[int, tuple[Endpoint, Endpoint]] = {}
        """What was met at a Service's address outside the cluster, by the Service's end."""

    def met(self, dst: Endpoint, distinct: DistinctFlow) -> _Met:
        """What is behind a Service's address, the Service, and the port there.

        That is its one pod, or the workload of all its pods; a Service of several workloads stays itself.
        """
        if dst.kind is EndpointKind.SERVICE:
            end, via, port = self._translated(dst, distinct)
        elif distinct.dst.service is not None and dst.kind in (EndpointKind.POD, EndpointKind.WORKLOAD):
            # The record gives the Service by name beside the translated pod: the port is the pod's.
            end, via, port = dst, self._by_name(distinct.dst.service), distinct.port
        else:
            return dst, None, distinct.port
        if via is not None and distinct.parser in _BEFORE_TRANSLATION:
            return self._called_by(end, via.service, distinct.dst.ip), via, distinct.port
        return end, via, port

    def outside(self, dst: Endpoint, at: int | None) -> Endpoint:
        """A Service's address outside the cluster as the enforcer of a pod's egress met it: a node's, or nobody's here.

        Args:
            dst: the Service's end.
            at: the time of the records, in nanoseconds.
        """
        known = self._outside.get(id(dst))
        if known is None:
            owner = self._leases.owner(dst.ip, at)
            if owner.kind is EndpointKind.SERVICE:
                note = f"address of Service {dst.namespace}/{dst.name}"
                owner = Endpoint(kind=EndpointKind.EXTERNAL, ip=dst.ip, known_by=KnownBy.ADDRESS, note=note)
            known = self._outside[id(dst)] = (dst, owner)
        return known[1]

    def _translated(self, dst: Endpoint, distinct: DistinctFlow) -> _Met:
        """Where a Service's address leads on the port of a flow; the Service itself where that is not known."""
        if dst.service is None or distinct.port is None:
            return dst, None, distinct.port
        key = (id(dst), distinct.port, distinct.protocol)
        known = self._backends.get(key)
        if known is None:
            found = self._backend(dst, dst.service, distinct.port, distinct.protocol)
            known = self._backends[key] = (dst, found)
        found = known[1]
        return (dst, None, distinct.port) if found is None else (found[0], dst, found[1])

    def _by_name(self, called: str) -> Endpoint:
        """A Service that a record names, as ``namespace/name``."""
        namespace, _, name = called.partition("/")
        return Endpoint(
            kind=EndpointKind.SERVICE,
            namespace=namespace,
            name=name,
            service=self._index.services.get((namespace, name)),
            known_by=KnownBy.RECORD,
        )

    def _called_by(self, dst: Endpoint, service: Service | None, ip: str | None) -> Endpoint:
        """An end with the Service by whose address it was called; the same value for the same end and Service."""
        if service is None or ip not in service.cluster_ips:
            return dst
        key = (id(dst), id(service))
        known = self._called.get(key)
        if known is None:
            known = self._called[key] = (dst, service, structs.replace(dst, service=service))
        return known[2]

    def _backend(self, dst: Endpoint, service: Service, port: int, protocol: str | None) -> _Backend | None:
        backends = _of_family(dst.ip, self._index.backends(service, port, protocol))
        if len(backends) > 1:
            return _alike(dst, backends)
        if not backends or backends[0].port is None:
            return None
        pod = backends[0].pod
        note = f"behind Service {dst.namespace}/{dst.name}"
        alike = [ip for ip in pod.ips if _same_family(ip, dst.ip)]
        end = pod_end(pod, next(iter((*alike, *pod.ips)), None), dst.known_by, note)
        return end, backends[0].port


def leaves_for(dst: Endpoint, distinct: DistinctFlow) -> bool:
    """Whether a record of a pod's egress has an address that a Service has outside the cluster, or a node's port.

    Inside, kube-proxy and its likes translate these before policies are asked, except before AWS's agent: what an
    enforcer of egress still saw was held against the rules as that address.
    """
    service = dst.service
    return (
        dst.kind is EndpointKind.SERVICE
        and dst.known_by is KnownBy.ADDRESS
        and distinct.direction is Direction.EGRESS
        and service is not None
        and dst.ip not in service.cluster_ips
    )


def _of_family(ip: str | None, backends: Sequence[Backend]) -> Sequence[Backend]:
    """Those that have an address of the family of the one that is called; all of them where none has."""
    found = [one for one in backends if any(_same_family(each, ip) for each in one.pod.ips)]
    return found or backends


def _same_family(ip: str, other: str | None) -> bool:
    return other is not None and (":" in ip) == (":" in other)


def _alike(dst: Endpoint, backends: Sequence[Backend]) -> _Backend | None:
    """The workload of all pods behind a Service; which pod it was is not known, nor its address."""
    pod, port = backends[0].pod, backends[0].port
    if pod.workload is None or port is None:
        return None
    owner = (pod.namespace, pod.workload)
    for one in backends:
        if one.port != port or one.pod.host_network or (one.pod.namespace, one.pod.workload) != owner:
            return None
    end = Endpoint(
        kind=EndpointKind.WORKLOAD,
        namespace=pod.namespace,
        workload=pod.workload,
        workload_inferred=pod.workload_inferred,
        known_by=dst.known_by,
        note=f"behind Service {dst.namespace}/{dst.name}",
    )
    return end, port
