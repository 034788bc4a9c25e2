"""Hashes that are the same in every process, and which ends may be folded together."""

from __future__ import annotations

from hashlib import blake2b
from ipaddress import ip_address
from typing import Any

import msgspec

from flowdiag.model.event import Peer

__all__ = ["folded_peer", "mix", "stable_hash"]

_encoder = msgspec.msgpack.Encoder(order="deterministic")
_WORLD = ("world", "world-ipv4", "world-ipv6")


def stable_hash(value: Any) -> int:
    """64 bits of any encodable value."""
    return int.from_bytes(blake2b(_encoder.encode(value), digest_size=8).digest(), "big")


def mix(*numbers: int) -> int:
    """One 64-bit hash of several numbers below 2**64, order counting."""
    packed = b"".join(number.to_bytes(8, "big") for number in numbers)
    return int.from_bytes(blake2b(packed, digest_size=8).digest(), "big")


def folded_peer(peer: Peer) -> Peer:
    """`peer` without its address where it is outside the cluster, else `peer` itself.

    Outside is what the record calls world, what carries a CIDR's or DNS name's label, and an address
    that is routed globally and has no other name.
    """
    if peer.pod is not None or peer.namespace is not None or peer.workload is not None:
        return peer
    if peer.entity is None and peer.service is None and peer.labels is None:
        return Peer(entity=None, identity=None) if _is_global(peer.ip) and peer.node is None else peer
    if peer.entity in _WORLD:
        return Peer(entity=peer.entity)
    keys = [key for key, _ in peer.labels or ()]
    if any(key.startswith(("cidr:", "fqdn:", "cidrgroup:")) for key in keys):
        return Peer(entity=peer.entity)
    return peer


def _is_global(ip: str | None) -> bool:
    if ip is None:
        return False
    try:
        return ip_address(ip).is_global
    except ValueError:  # not an address: a name or an interface stays what it is
        return False
