"""The address ranges of a rule as its policy writes them, in NetworkPolicy, Cilium and Calico wording."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any

from msgspec import Struct

from flowdiag.diagnose.case import Case
from flowdiag.diagnose.spec import objects, once, peer_entries, rule_at, strings
from flowdiag.model.cilium import NODE_ENTITIES
from flowdiag.model.endpoint import EndpointKind
from flowdiag.model.policy import Condition, NearestRule

__all__ = ["IpBlock", "ip_blocks", "range_of_node"]

Network = IPv4Network | IPv6Network


class IpBlock(Struct, frozen=True):
    """One range with its exceptions, as written."""

    cidr: str
    exceptions: tuple[str, ...] = ()

    def holds(self, ip: str | None) -> bool:
        """Whether the address is in the range, exceptions aside."""
        return _within(ip, self.cidr)

    def admits(self, ip: str | None) -> bool:
        """Whether the address is in the range, and in none of its exceptions."""
        return self.holds(ip) and self.excepting(ip) is None

    def excepting(self, ip: str | None) -> str | None:
        """Give the exception that covers the address."""
        return next((each for each in self.exceptions if _within(ip, each)), None)


def _within(ip: str | None, cidr: str) -> bool:
    network, address = _network(cidr), _address(ip or "")
    if network is None or address is None:
        return False
    return address.version == network.version and address in network


@lru_cache(maxsize=4096)
def _network(text: str) -> Network | None:
    try:
        return ip_network(text, strict=False)
    except ValueError:
        return None


@lru_cache(maxsize=65536)
def _address(text: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(text)
    except ValueError:
        return None


@once
def ip_blocks(case: Case, rule: NearestRule) -> tuple[IpBlock, ...]:
    """Read the address ranges of the rule's peers, in NetworkPolicy, Cilium and Calico wording."""
    found: list[IpBlock] = []
    for _, peer in peer_entries(case, rule):
        block = peer.get("ipBlock")
        if isinstance(block, dict) and isinstance(block.get("cidr"), str):
            found.append(IpBlock(block["cidr"], strings(block.get("except"))))
    raw = rule_at(case, rule) or {}
    for word in ("fromCIDR", "toCIDR"):
        found.extend(IpBlock(cidr) for cidr in strings(raw.get(word)))
    for word in ("fromCIDRSet", "toCIDRSet"):
        for entry in objects(raw.get(word)):
            named = (entry["cidr"],) if isinstance(entry.get("cidr"), str) else _of_group(case, entry)
            found.extend(IpBlock(cidr, strings(entry.get("except"))) for cidr in named)
    for word in ("source", "destination"):
        side = raw.get(word)
        if isinstance(side, dict):
            exceptions = strings(side.get("notNets"))
            found.extend(IpBlock(cidr, exceptions) for cidr in strings(side.get("nets")))
    return tuple(found)


def range_of_node(case: Case) -> tuple[NearestRule, IpBlock] | None:
    """Find a rule that misses on the address alone, with its range that holds the peer's: a node's, under Cilium."""
    peer = case.peer
    if not case.context.by_identity or (
        peer.kind is not EndpointKind.NODE and peer.entity not in NODE_ENTITIES
    ):
        return None
    for rule in case.missing_one(Condition.IP):
        block = next((one for one in ip_blocks(case, rule) if one.holds(peer.ip)), None)
        if block is not None and block.excepting(peer.ip) is None:
            return rule, block
    return None


def _of_group(case: Case, entry: dict[str, Any]) -> Iterator[str]:
    """The ranges of the CiliumCIDRGroup that an entry names (``cidrGroupRef``)."""
    for one in case.context.snapshot.others:
        if one.kind == "CiliumCIDRGroup" and one.name == entry.get("cidrGroupRef"):
            spec = one.body.get("spec")
            yield from strings(spec.get("externalCIDRs") if isinstance(spec, dict) else None)
