"""Signs of an end: of what it is, and of what a record tells of it."""

from __future__ import annotations

from flowdiag.diagnose.caching import cached_per_run
from flowdiag.diagnose.context import Context
from flowdiag.diagnose.first_sight import METADATA, PROBES_OF_AMBIENT, api_client, is_scraper
from flowdiag.diagnose.signs import Sign
from flowdiag.model.endpoint import OUTSIDE_KINDS, Endpoint, EndpointKind
from flowdiag.model.event import Peer

__all__ = [
    "OF_DESTINATION",
    "OF_ENFORCER",
    "OF_PEER",
    "OF_SOURCE",
    "PODS",
    "UNMANAGED_IDENTITY",
    "recorded_signs",
    "signs_of",
]

UNMANAGED_IDENTITY = 3
"""Cilium's reserved identity of what ran before it."""
PODS = (EndpointKind.POD, EndpointKind.WORKLOAD)
_ON_HOST = (EndpointKind.NODE, EndpointKind.POD)

# Which signs of an end are those of a case, by the end's part in it.
OF_SOURCE = Sign.IDENTITY | Sign.PROXY | Sign.FROM_HOST | Sign.SCRAPER | Sign.API_CLIENT
OF_DESTINATION = Sign.IDENTITY | Sign.PROXY | Sign.OUTWARD | Sign.METADATA
OF_ENFORCER = Sign.BY_HOST
OF_PEER = Sign.POD_PEER | Sign.HOST_PEER | Sign.OWN_POD | Sign.NODE_PEER


@cached_per_run
def signs_of(context: Context, end: Endpoint) -> int:
    """Signs of an end, whichever part it has; flows share their ends."""
    found = Sign.PROXY if context.is_proxy(end) else 0
    if end.identity_labels:
        found |= Sign.IDENTITY
    if end.kind in PODS:
        found |= Sign.POD_PEER
    if _of_host(end):
        found |= Sign.FROM_HOST | Sign.BY_HOST | Sign.NODE_PEER
    if end.kind in OUTSIDE_KINDS:
        found |= Sign.OUTWARD
    if end.pod is not None and not end.pod.host_network:
        found |= Sign.OWN_POD
    elif end.kind in _ON_HOST:
        found |= Sign.HOST_PEER
    if is_scraper(end):
        found |= Sign.SCRAPER
    if end.ip in PROBES_OF_AMBIENT:
        found |= Sign.FROM_HOST
    if end.ip in METADATA:
        found |= Sign.METADATA
    if api_client(context, end) is not None:
        found |= Sign.API_CLIENT
    return found


@cached_per_run
def recorded_signs(context: Context, peer: Peer) -> int:
    """Signs of an end as the record has it."""
    del context
    identified = peer.labels or peer.entity is not None or peer.identity is not None
    found = Sign.IDENTITY if identified else 0
    if peer.entity == "unmanaged" or peer.identity == UNMANAGED_IDENTITY:
        found |= Sign.UNMANAGED
    return found


def _of_host(end: Endpoint) -> bool:
    return end.kind is EndpointKind.NODE or end.entity is not None
