"""Addresses that pods get on their way out of the cluster, and with which they come back in as somebody outside.

Sources: Cilium v1.19 ``CiliumEgressGatewayPolicy`` (``spec.egressGateway.egressIP``, ``spec.egressGateways``), OVN-Kubernetes
``EgressIP`` (``spec.egressIPs``), Antrea v2.2 ``Egress`` (``spec.egressIP``, ``spec.egressIPs``).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from flowdiag.cluster.addresses import canonical_ip
from flowdiag.diagnose.caching import cached_per_run
from flowdiag.diagnose.context import Context
from flowdiag.diagnose.spec import objects, strings
from flowdiag.model.endpoint import Endpoint, EndpointKind
from flowdiag.model.objects import RawObject

__all__ = ["egress_address"]

_KINDS = frozenset(
    {("cilium.io", "CiliumEgressGatewayPolicy"), ("k8s.ovn.org", "EgressIP"), ("crd.antrea.io", "Egress")}
)
_KEY = "egress addresses"


@cached_per_run
def egress_address(context: Context, end: Endpoint) -> str | None:
    """Name the object that gives pods an outside end's address on their way out; ``None`` where none of the state does."""
    if end.kind not in (EndpointKind.EXTERNAL, EndpointKind.ENTITY, EndpointKind.NODE) or end.ip is None:
        return None
    known: dict[str, str] | None = context.texts.get(_KEY)
    if known is None:
        known = context.texts[_KEY] = {
            ip: f"{one.kind} {one.name}"
            for one in reversed(context.snapshot.others)
            if (one.group, one.kind) in _KINDS
            for text in _written(one)
            if (ip := canonical_ip(text)) is not None
        }
    return known.get(end.ip)


def _written(one: RawObject) -> Iterator[str]:
    spec: Any = one.body.get("spec")
    if not isinstance(spec, dict):
        return
    gateway = spec.get("egressGateway")
    for holder in (spec, gateway, *objects(spec.get("egressGateways"))):
        if isinstance(holder, dict):
            yield from strings([holder.get("egressIP")])
            yield from strings(holder.get("egressIPs"))
