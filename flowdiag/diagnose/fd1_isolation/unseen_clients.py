"""Callers outside the cluster that are not the clients they look like: a load balancer, or a control plane's API server.

For FD101's advice (`flowdiag.diagnose.fd1_isolation.default_deny_advice`).
"""

from __future__ import annotations

from flowdiag.cluster.addresses import INSIDE
from flowdiag.diagnose.case import Case
from flowdiag.diagnose.handed_on import in_front, proxy_header
from flowdiag.diagnose.webhooks import perhaps_called
from flowdiag.diagnose.wording import a_list, end_text, port_text
from flowdiag.model.endpoint import EndpointKind
from flowdiag.model.event import Direction
from flowdiag.policy.addresses import parse_address

__all__ = ["of_a_control_plane", "of_a_proxy"]


def of_a_proxy(case: Case) -> str | None:
    """A load balancer that tells whom it calls for inside the connection (cilium#21438)."""
    if not _from_a_private_network(case):
        return None
    for service in in_front(case):
        header = proxy_header(service)
        if header is not None:
            who = end_text(case.enforcer)
            return (
                f"The load balancer of Service {service.namespace}/{service.name} speaks the PROXY protocol ({header}): "
                f"policies see its own address, which {case.peer.ip} may be, and never the clients', which stand inside the "
                f"connection. Allow the load balancer's addresses, and filter clients by loadBalancerSourceRanges or in {who}."
            )
    return None


def of_a_control_plane(case: Case) -> str | None:
    """Whoever calls a webhook's port from outside, where it was not read which addresses the API server has."""
    if case.context.api_addresses or not _from_a_private_network(case):
        return None
    found = sorted({one.name for one in perhaps_called(case)})
    if not found:
        return None
    verb = "calls" if len(found) == 1 else "call"
    return (
        f"{a_list(found)} {verb} this port, and {case.peer.ip} may be the API server of a control plane outside the cluster: "
        "kubectl get endpointslices -n default tells its addresses, which were not read. If it is, allow an ipBlock of all of "
        f"them on {port_text(case)}."
    )


def _from_a_private_network(case: Case) -> bool:
    if case.direction is not Direction.INGRESS or case.peer.ip is None:
        return False
    if case.peer.kind not in (EndpointKind.EXTERNAL, EndpointKind.ENTITY):
        return False
    if case.peer.kind is EndpointKind.ENTITY and not (case.peer.entity or "").startswith("world"):
        return False
    address = parse_address(case.peer.ip)
    # A cloud's load balancers and its control plane have addresses of its networks, none of a single link.
    return address is not None and not address.is_link_local and any(address in one for one in INSIDE)
