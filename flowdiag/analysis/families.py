"""Questions about pods with addresses of both families, whose answers may differ between the families.

A range of IPv4 says nothing of IPv6, so that a connection may be let through by one address and refused by the other.
"""

from __future__ import annotations

from collections.abc import Iterable

from msgspec.structs import replace

from flowdiag.model.endpoint import Endpoint, EndpointKind, KnownBy
from flowdiag.policy.addresses import families, parse_address, parse_network

__all__ = ["called_in", "ways"]

_ANY = 0
"""Stands for an end whose family makes no difference, or is not known."""


def ways(source: Endpoint, target: Endpoint) -> list[tuple[Endpoint, Endpoint]]:
    """Give the two ends by each family that both have, the source's own first one first; as they are, if there is none."""
    own, other = _by_family(source), _by_family(target)
    if _ANY in own and _ANY in other:
        return [(source, target)]
    if _ANY in own:
        return [(source, each) for each in other.values()]
    if _ANY in other:
        return [(each, target) for each in own.values()]
    return [(own[family], other[family]) for family in own if family in other] or [(source, target)]


def called_in(addresses: Iterable[str], end: Endpoint) -> Endpoint | None:
    """Give an end behind a Service as callers of these addresses reach it; ``None`` where it has none of their families.

    Args:
        addresses: the Service's own, or the one that is called; without any (headless) callers have the ends' own.
        end: a pod, or whoever has an address of the Service's endpoints.
    """
    wanted = families(addresses).keys()
    own = families(end.pod.ips if end.pod is not None and end.kind is EndpointKind.POD else (end.ip or "",))
    if not wanted or not own or own.keys() <= wanted:
        return end
    reached = [ip for family, ip in own.items() if family in wanted]
    return replace(end, ip=reached[0], known_by=KnownBy.ADDRESS) if reached else None


def _by_family(end: Endpoint) -> dict[int, Endpoint]:
    """An end by each family that it has, ``4`` and ``6``."""
    pod = end.pod
    if end.kind is EndpointKind.POD and pod is not None:
        both = families(pod.ips)
        if len(both) > 1 and end.known_by is KnownBy.QUERY:
            return {family: replace(end, ip=ip) for family, ip in both.items()}
    if end.kind not in (EndpointKind.POD, EndpointKind.EXTERNAL):
        return {_ANY: end}
    address = parse_address(end.ip) if end.ip is not None else None
    if address is not None:
        return {address.version: end}
    return {_ANY: end} if end.cidr is None else {parse_network(end.cidr).version: end}
