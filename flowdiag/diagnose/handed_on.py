"""Services whose clients arrive with another address than their own: a node's, or the load balancer's."""

from __future__ import annotations

from collections.abc import Iterator

from flowdiag.cluster.index import target_port
from flowdiag.diagnose.case import Case
from flowdiag.diagnose.some_pod import some_pod
from flowdiag.model.objects import Service

__all__ = ["handing_on", "in_front", "proxy_header"]

# Keys as clouds' controllers know them, each with its "proxy-protocol" or "proxyprotocol" (AWS, DigitalOcean, Hetzner,
# OpenStack, OVH, Scaleway, Linode, Oracle): "service.beta.kubernetes.io/aws-load-balancer-proxy-protocol: '*'".
_HEADER = "proxyprotocol"
_OFF = frozenset({"", "0", "false", "none", "off", "disabled"})
_ATTRIBUTES = "service.beta.kubernetes.io/aws-load-balancer-target-group-attributes"
_ATTRIBUTE = "proxy_protocol_v2.enabled=true"


def in_front(case: Case) -> Iterator[Service]:
    """The NodePort and LoadBalancer Services in front of the called port."""
    pod = some_pod(case.context, case.flow.dst)
    if pod is None:
        return
    for service in case.context.services_of(pod):
        if service.type in ("NodePort", "LoadBalancer") and any(
            target_port(pod, port) == case.port for port in service.ports
        ):
            yield service


def handing_on(case: Case) -> Service | None:
    """The first of them that lets any node hand clients on."""
    return next((one for one in in_front(case) if one.external_traffic_policy != "Local"), None)


def proxy_header(service: Service) -> str | None:
    """The annotation by which a Service's load balancer tells clients' addresses inside the connection (PROXY protocol)."""
    for key, value in sorted(service.annotations.items()):
        if _HEADER in key.lower().replace("-", "") and value.strip().lower() not in _OFF:
            return key
        if key == _ATTRIBUTES and _ATTRIBUTE in value.replace(" ", "").lower():
            return key
    return None
