"""Services whose clients arrive with a node's address instead of their own."""

from __future__ import annotations

from flowdiag.cluster.index import target_port
from flowdiag.diagnose.case import Case
from flowdiag.diagnose.some_pod import some_pod
from flowdiag.model.objects import Service

__all__ = ["handing_on"]


def handing_on(case: Case) -> Service | None:
    """The NodePort or LoadBalancer Service in front of the called port that lets any node hand clients on."""
    pod = some_pod(case.context, case.flow.dst)
    if pod is None:
        return None
    for service in case.context.services_of(pod):
        if service.type not in ("NodePort", "LoadBalancer") or service.external_traffic_policy == "Local":
            continue
        if any(target_port(pod, port) == case.port for port in service.ports):
            return service
    return None
