"""Which of several pods with one address a flow means: networks that users define may have the same ranges.

Source: ovn-org/ovn-kubernetes ``docs/features/user-defined-networks``: a namespace is in one primary network, several may share one
(ClusterUserDefinedNetwork).
"""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Struct

from flowdiag.cluster.claims import pod_end
from flowdiag.cluster.index import SnapshotIndex
from flowdiag.cluster.second_networks import primary_networks
from flowdiag.model.endpoint import Endpoint, EndpointKind, KnownBy
from flowdiag.model.event import Direction
from flowdiag.model.objects import Pod
from flowdiag.model.tally import DistinctFlow

__all__ = ["OwnNetwork", "OwnNetworks", "own_network"]

# k8s.ovn.org/open-default-ports: '- protocol: tcp\n  port: 80\n'        OVN-Kubernetes 1.0 and later
_OPENED = "k8s.ovn.org/open-default-ports"


class OwnNetworks:
    """Tells pods with one address apart by what a record says of their namespaces, and by their networks.

    Args:
        index: of the pods.
    """

    def __init__(self, index: SnapshotIndex) -> None:
        self._index = index
        self._ends: dict[tuple[str, str, str], Endpoint] = {}

    def told_apart(self, src: Endpoint, dst: Endpoint, distinct: DistinctFlow) -> tuple[Endpoint, Endpoint]:
        """Both ends, each that several pods claim as the one of them that it can be, where that is one.

        The pod that was policed is of the namespace of the policies that the record names, and the other of its network.
        """
        if not (_of_several(src) or _of_several(dst)):
            return src, dst
        spaces = {hit.namespace for hit in distinct.policies if hit.namespace is not None}
        if len(spaces) == 1 and distinct.direction is Direction.EGRESS:
            src = self._the_one(src, lambda pod: pod.namespace in spaces)
        elif len(spaces) == 1 and distinct.direction is Direction.INGRESS:
            dst = self._the_one(dst, lambda pod: pod.namespace in spaces)
        return self._near(src, dst), self._near(dst, src)

    def _near(self, end: Endpoint, other: Endpoint) -> Endpoint:
        """An end as seen from the network that the other's pod is in."""
        pod = other.pod
        if pod is None or not _of_several(end):
            return end
        network = _network(pod, other.ip)
        if network is not None:
            same = self._the_one(
                end, lambda one: one.namespace == pod.namespace and _network(one, end.ip) is not None
            )
            if same is not end:
                return same
        return self._the_one(end, lambda one: _may_be(_network(one, end.ip), network))

    def _the_one(self, end: Endpoint, fits: Callable[[Pod], bool]) -> Endpoint:
        """The one of an end's pods of which this holds; the end itself where that is none or several."""
        if end.ip is None or not _of_several(end):
            return end
        pods = [self._index.pod(*name.split("/", 1)) for name in end.candidates]
        fitting = [pod for pod in pods if pod is None or fits(pod)]
        pod = fitting[0] if len(fitting) == 1 else None
        if pod is None:
            return end
        key = (pod.namespace, pod.name, end.ip)
        if key not in self._ends:
            self._ends[key] = pod_end(pod, end.ip, KnownBy.ADDRESS)
        return self._ends[key]


class OwnNetwork(Struct, frozen=True):
    """A network that stands in place of the cluster's own for a pod."""

    name: str
    """As the object that made it is called; empty where that is not known."""
    opened: bool = False
    """The pod opens some of its ports in the cluster's network."""


def own_network(pod: Pod) -> OwnNetwork | None:
    """Which network a pod talks in; ``None`` for the cluster's."""
    if pod.template or not pod.ips:
        # Only a pod that was given addresses says which network they are of.
        return _UNTOLD
    if not pod.own_ips:
        return None
    return OwnNetwork(_network(pod, pod.own_ips[0]) or "", _OPENED in pod.annotations)


_UNTOLD = OwnNetwork("")


def _of_several(end: Endpoint) -> bool:
    return end.kind is EndpointKind.UNKNOWN and len(end.candidates) > 1


def _may_be(network: str | None, other: str | None) -> bool:
    """Whether two are one network, as far as their names are known."""
    if network is None or other is None:
        return network is other
    return network == other or not (network and other)


def _network(pod: Pod, ip: str | None) -> str | None:
    """The name of the network that a pod has an address in; empty where it is not known, ``None`` for the cluster's."""
    if ip not in pod.own_ips:
        return None
    return next((key.rpartition("/")[2] for key in primary_networks(pod.annotations)), "")
