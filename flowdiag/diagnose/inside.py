"""Addresses of the cluster's own that a record takes for ones outside: a Service's, or a pod's that is gone."""

from __future__ import annotations

import ipaddress

from flowdiag.cluster.addresses import in_any, parse_network
from flowdiag.diagnose.context import Context
from flowdiag.diagnose.once import once
from flowdiag.model.endpoint import Endpoint, EndpointKind
from flowdiag.model.objects import Node, Service

__all__ = ["own_service", "range_owner"]

_API_SERVER = ("default", "kubernetes")
"""Behind it no pods stand, and rules for the API server are of their own."""


@once
def own_service(context: Context, end: Endpoint) -> Service | None:
    """The Service whose cluster address an outside end has."""
    if end.kind is not EndpointKind.EXTERNAL or end.ip is None:
        return None
    services = context.snapshot.services
    found = next((service for service in services if end.ip in service.cluster_ips), None)
    return None if found is None or (found.namespace, found.name) == _API_SERVER else found


@once
def range_owner(context: Context, end: Endpoint) -> Node | None:
    """The node that would give an outside end's address to a pod, where the state has no pod with it."""
    if end.kind is not EndpointKind.EXTERNAL or end.ip is None or context.pods_at(end.ip):
        return None
    if end.ip in context.node_ips or not context.snapshot.pods:
        return None
    for node in context.snapshot.nodes.values():
        networks = [network for text in node.pod_cidrs if (network := parse_network(text)) is not None]
        network = in_any(end.ip, networks)
        if network is None:
            continue
        place = int(ipaddress.ip_address(end.ip)) - int(network.network_address)
        # The bridge or router has the first address; Weave's has the network address itself.
        return node if place > 1 else None
    return None
