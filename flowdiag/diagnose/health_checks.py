"""Addresses from which clouds ask whether a backend is well."""

from __future__ import annotations

from ipaddress import ip_address, ip_network

__all__ = ["health_check"]

_GOOGLE = ("Google Cloud's load balancers and health checks", ("130.211.0.0/22", "35.191.0.0/16"))
# cloud.google.com/load-balancing/docs/health-check-concepts#ip-ranges
_AZURE = ("the health probes of Azure's load balancers", ("168.63.129.16/32",))
# learn.microsoft.com/azure/virtual-network/what-is-ip-address-168-63-129-16
_NETWORKS = tuple((ip_network(each), whose) for whose in (_GOOGLE, _AZURE) for each in whose[1])


def health_check(ip: str | None) -> tuple[str, tuple[str, ...]] | None:
    """Whose health checks come from an address, and all ranges that they come from; ``None`` for any other."""
    if ip is None:
        return None
    try:
        address = ip_address(ip)
    except ValueError:
        return None
    return next((whose for network, whose in _NETWORKS if address in network), None)
