"""Addresses that belong to the cluster although a record calls them outside: of a Service, a gone pod, a second network."""

from __future__ import annotations

from bisect import bisect_right

from flowdiag.cluster.addresses import parse_network
from flowdiag.cluster.second_networks import other_addresses
from flowdiag.diagnose.caching import cached_per_run
from flowdiag.diagnose.context import Context
from flowdiag.model.endpoint import Endpoint, EndpointKind
from flowdiag.model.objects import Node, Service
from flowdiag.policy.addresses import parse_address

__all__ = ["own_service", "range_owner", "second_network", "service_outside"]

_API_SERVER = ("default", "kubernetes")
"""The API server's Service: no pods are behind it, and other diagnoses are about it."""


_Range = tuple[int, int, int, str]
"""(version, first address, last address, node's name)."""
# Keys of `Context.texts` under which stands what depends on the cluster's objects alone.
_KEY, _SERVICES, _RANGES = "second networks", "services by address", "nodes by pod range"
_BALANCED = "services by address outside"


@cached_per_run
def second_network(context: Context, end: Endpoint) -> str | None:
    """Say whose address on a network beside the pods' own an outside end has; ``None`` where it is nobody's known."""
    if end.kind is not EndpointKind.EXTERNAL or end.ip is None:
        return None
    known: dict[str, str] | None = context.texts.get(_KEY)
    if known is None:
        known = context.texts[_KEY] = {
            ip: f"pod {pod.namespace}/{pod.name}'s on a second network"
            for pod in context.snapshot.pods
            if pod.live
            for ip in other_addresses(pod)
        }
    return known.get(end.ip)


@cached_per_run
def own_service(context: Context, end: Endpoint) -> Service | None:
    """The Service whose cluster address an outside end has."""
    if end.kind is not EndpointKind.EXTERNAL or end.ip is None:
        return None
    known: dict[str, Service] | None = context.texts.get(_SERVICES)
    if known is None:
        known = context.texts[_SERVICES] = {
            ip: service for service in reversed(context.snapshot.services) for ip in service.cluster_ips
        }
    found = known.get(end.ip)
    return None if found is None or (found.namespace, found.name) == _API_SERVER else found


@cached_per_run
def service_outside(context: Context, end: Endpoint) -> Service | None:
    """The Service that has an outside end's address for callers outside the cluster (a load balancer's, `externalIPs`)."""
    if end.kind not in (EndpointKind.EXTERNAL, EndpointKind.ENTITY) or end.ip is None:
        return None
    known: dict[str, Service] | None = context.texts.get(_BALANCED)
    if known is None:
        known = context.texts[_BALANCED] = {
            ip: service for service in reversed(context.snapshot.services) for ip in service.external_ips
        }
    return known.get(end.ip)


@cached_per_run
def range_owner(context: Context, end: Endpoint) -> Node | None:
    """The node that would give an outside end's address to a pod, where the state has no pod with it."""
    if end.kind is not EndpointKind.EXTERNAL or end.ip is None or context.pods_at(end.ip):
        return None
    if end.ip in context.node_ips or not context.snapshot.pods:
        return None
    known: list[_Range] | None = context.texts.get(_RANGES)
    if known is None:
        known = context.texts[_RANGES] = sorted(
            (network.version, int(network.network_address), int(network.broadcast_address), node.name)
            for node in context.snapshot.nodes.values()
            for text in node.pod_cidrs
            if (network := parse_network(text)) is not None
        )
    address = parse_address(end.ip)
    if address is None:
        # Redacted, or a name: it stands in the record as it was written.
        return None
    number = int(address)
    # Ranges of nodes do not overlap: the last that begins at or before the address holds it, or none does.
    place = bisect_right(known, (address.version, number, 1 << 128, "")) - 1
    version, first, last, name = known[place] if place >= 0 else (0, 0, 0, "")
    # The bridge or router has the first address; Weave's has the network address itself.
    if version != address.version or not first + 1 < number <= last:
        return None
    return context.snapshot.nodes[name]
