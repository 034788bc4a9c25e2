"""Hashes that are the same in every process, and which ends may be folded together."""

from __future__ import annotations

from hashlib import blake2b
from ipaddress import ip_address
from typing import Any

import msgspec
import numpy as np

from flowdiag.model.event import Peer
from flowdiag.model.public import is_plainly_public
from flowdiag.tally.grouping import U64

__all__ = ["folded_peer", "mix", "mix_columns", "stable_hash"]

_encoder = msgspec.msgpack.Encoder(order="deterministic")
# The finalizer of SplitMix64 (Steele, Lea and Flood, 2014): every bit of what goes in moves half of those that come out.
_STEP, _FIRST, _SECOND = 0x9E37_79B9_7F4A_7C15, 0xBF58_476D_1CE4_E5B9, 0x94D0_49BB_1331_11EB
_MASK = (1 << 64) - 1
_WORLD = ("world", "world-ipv4", "world-ipv6")


def stable_hash(value: Any) -> int:
    """64 bits of any encodable value."""
    return int.from_bytes(blake2b(_encoder.encode(value), digest_size=8).digest(), "big")


def mix(*numbers: int, after: int = 0) -> int:
    """One 64-bit hash of several numbers below 2**64, order counting; `after` is that of those before them."""
    mixed = after
    for number in numbers:
        mixed = (mixed + number + _STEP) & _MASK
        mixed = (mixed ^ mixed >> 30) * _FIRST & _MASK
        mixed = (mixed ^ mixed >> 27) * _SECOND & _MASK
        mixed ^= mixed >> 31
    return mixed


def mix_columns(*columns: U64) -> U64:
    """`mix` of each row."""
    mixed = np.zeros(len(columns[0]), np.uint64)
    for column in columns:
        mixed = mixed + column + np.uint64(_STEP)
        mixed = (mixed ^ mixed >> np.uint64(30)) * np.uint64(_FIRST)
        mixed = (mixed ^ mixed >> np.uint64(27)) * np.uint64(_SECOND)
        mixed ^= mixed >> np.uint64(31)
    return mixed


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
    if is_plainly_public(ip):
        return True
    try:
        return ip_address(ip).is_global
    except ValueError:  # not an address: a name or an interface stays what it is
        return False
