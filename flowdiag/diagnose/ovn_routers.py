"""Addresses by which OVN-Kubernetes joins its routers: a packet from one of them came through a node.

Source: ovn-kubernetes ``go-controller/pkg/config/config.go`` and OpenShift's "CIDR range definitions" (4.14 to 4.20): no other
network may have these ranges.  Kube-OVN's subnet ``join`` has the first of them.  A Node's annotations tell which address is
whose (`flowdiag.cluster.addresses`); without these it is known that it is a node's, and not which.
"""

from __future__ import annotations

from flowdiag.diagnose.context import Context
from flowdiag.model.endpoint import Endpoint, EndpointKind
from flowdiag.model.policy import Dialect
from flowdiag.policy.addresses import parse_address, parse_network

__all__ = ["of_a_router"]

_RANGES = tuple(
    parse_network(text)
    for text in (
        *("100.64.0.0/16", "fd98::/64"),  # join
        *("100.65.0.0/16", "fd99::/64"),  # join of a primary network that users define
        *("100.88.0.0/16", "fd97::/64"),  # transit between nodes
        *("169.254.0.0/17", "fd69::/112"),  # what a node translates its own traffic to
    )
)


def of_a_router(context: Context, end: Endpoint) -> bool:
    """Whether an end that nobody is known to be is one of OVN's routers, and so somebody behind a node."""
    if context.dialect is not Dialect.OVN or end.kind is not EndpointKind.EXTERNAL or end.ip is None:
        return False
    address = parse_address(end.ip)
    return address is not None and any(address.version == one.version and address in one for one in _RANGES)
