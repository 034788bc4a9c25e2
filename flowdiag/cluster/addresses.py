"""Addresses as values: one spelling for each, ranges, and what a node's annotations say."""

from __future__ import annotations

import ipaddress
import json
import re
from collections.abc import Iterable
from functools import lru_cache
from socket import AF_INET6, inet_aton, inet_ntop, inet_pton

__all__ = [
    "INSIDE",
    "Network",
    "canonical_ip",
    "canonical_ips",
    "in_any",
    "node_addresses",
    "node_pod_cidrs",
    "packed_ip",
    "parse_network",
]

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

INSIDE: tuple[Network, ...] = tuple(
    ipaddress.ip_network(text)
    for text in (
        *("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "169.254.0.0/16"),
        *("fc00::/7", "fe80::/10"),
    )
)
"""Ranges that clusters take addresses of pods and nodes from (RFC 1918, 3927, 4193, 4291, 6598)."""


@lru_cache(maxsize=65536)
def canonical_ip(text: str | None) -> str | None:
    """The address in its one spelling (IPv4-mapped IPv6 as IPv4); None if it is not an address."""
    if not text:
        return None
    if _PLAIN_4(text):
        return text
    packed = _packed_6(text)
    if packed is not None:
        spelled = inet_ntop(AF_INET6, packed)
        # What holds an IPv4 address is spelled in its ways.
        if "." not in spelled:
            return spelled
    try:
        address = ipaddress.ip_address(text.strip().partition("%")[0])
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(address)


def packed_ip(text: str) -> bytes | None:
    """An address as its 4 or 16 bytes, IPv4-mapped IPv6 as IPv4; None if it is none."""
    if _PLAIN_4(text):
        return inet_aton(text)
    packed = _packed_6(text)
    if packed is None:
        try:
            packed = ipaddress.ip_address(text).packed
        except ValueError:
            return None
    return packed.removeprefix(_MAPPED)


# "10.43.7.80": the only spelling of an IPv4 address, which is its own.  The standard library's objects take ten times
# as long to tell that, and an export of a large cluster holds tens of thousands of addresses.
_PLAIN_4 = re.compile(r"(?:(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])(?:\.(?=[0-9])|\Z)){4}").fullmatch
# "2001:db8:1b::725", without a zone or an IPv4 address at its end
_PLAIN_6 = re.compile(r"[0-9a-fA-F:]{2,39}").fullmatch
_MAPPED = bytes(10) + b"\xff\xff"


def _packed_6(text: str) -> bytes | None:
    """The bytes of an IPv6 address that is written in the usual way; None for anything else."""
    if not _PLAIN_6(text):
        return None
    try:
        return inet_pton(AF_INET6, text)
    except OSError:
        return None


def canonical_ips(texts: Iterable[object]) -> tuple[str, ...]:
    """The addresses among `texts` (``a.b.c.d/32`` too), each once, in order; the rest is left out."""
    found: dict[str, None] = {}
    for text in texts:
        if isinstance(text, str):
            ip = canonical_ip(text.partition("/")[0])
            if ip is not None:
                found[ip] = None
    return tuple(found)


@lru_cache(maxsize=4096)
def parse_network(text: str) -> Network | None:
    """A CIDR with its host bits masked; None if it is none."""
    try:
        return ipaddress.ip_network(text.strip(), strict=False)
    except ValueError:
        return None


def in_any(ip: str, networks: Iterable[Network]) -> Network | None:
    """The first of `networks` that holds the canonical address `ip`."""
    address = ipaddress.ip_address(ip)
    return next((net for net in networks if net.version == address.version and address in net), None)


# Node annotations that hold one of the node's own addresses, plain or as CIDR.
# Calico v3.29, flannel v0.26, Cilium v1.15 to v1.19, Weave has none.
_ADDRESS_NOTES = (
    "projectcalico.org/IPv4Address",
    "projectcalico.org/IPv6Address",
    "projectcalico.org/IPv4IPIPTunnelAddr",
    "projectcalico.org/IPv4VXLANTunnelAddr",
    "projectcalico.org/IPv6VXLANTunnelAddr",
    "projectcalico.org/IPv4WireguardInterfaceAddr",
    "projectcalico.org/IPv6WireguardInterfaceAddr",
    "flannel.alpha.coreos.com/public-ip",
    "flannel.alpha.coreos.com/public-ipv6",
    "network.cilium.io/ipv4-cilium-host",
    "network.cilium.io/ipv6-cilium-host",
    "network.cilium.io/ipv4-health-ip",
    "network.cilium.io/ipv6-health-ip",
    "io.cilium.network.ipv4-cilium-host",
    "io.cilium.network.ipv6-cilium-host",
    "alpha.kubernetes.io/provided-node-ip",
)
# OVN-Kubernetes: JSON, by family and in newer versions by network.  With the second and third a node's own traffic and
# what it translated (NodePorts, a router in the node's network) comes to pods.
# {"ipv4":"192.0.2.10/24"}  {"default":{"ipv4":"100.64.0.2/16"}}  {"default":"100.64.0.3/16"}
_OVN_ADDRESS_NOTES = (
    "k8s.ovn.org/node-primary-ifaddr",
    "k8s.ovn.org/node-gateway-router-lrp-ifaddr",
    "k8s.ovn.org/node-gateway-router-lrp-ifaddrs",
    "k8s.ovn.org/node-transit-switch-port-ifaddr",
)
_RANGE_NOTES = (
    "network.cilium.io/ipv4-pod-cidr",
    "network.cilium.io/ipv6-pod-cidr",
    "io.cilium.network.ipv4-pod-cidr",
)


def node_addresses(status: Iterable[object], annotations: dict[str, str]) -> tuple[str, ...]:
    """Every address of a node: its status, then what its CNI wrote into annotations."""
    notes: list[object] = [annotations.get(key) for key in _ADDRESS_NOTES]
    for key in _OVN_ADDRESS_NOTES:
        notes.extend(_strings(annotations.get(key)))
    # The second address of what a node gives to its pods is its management port's (ovn-k8s-mp0).
    for text in _strings(annotations.get("k8s.ovn.org/node-subnets")):
        network = parse_network(text) if isinstance(text, str) else None
        if network is not None and network.num_addresses > 3:
            notes.append(str(network.network_address + 2))
    return canonical_ips([*status, *notes])


def node_pod_cidrs(spec: Iterable[object], annotations: dict[str, str]) -> tuple[str, ...]:
    """The ranges that a node gives to its pods."""
    notes: list[object] = [annotations.get(key) for key in _RANGE_NOTES]
    # k8s.ovn.org/node-subnets: {"default":["10.244.0.0/24"]}, older {"default":"10.244.0.0/24"}
    notes.extend(_strings(annotations.get("k8s.ovn.org/node-subnets")))
    found = (parse_network(text) for text in (*spec, *notes) if isinstance(text, str) and text)
    return tuple(dict.fromkeys(str(net) for net in found if net is not None))


def _strings(text: str | None) -> list[object]:
    """Every string among the values of a small JSON object, and of the objects and lists in it."""
    if not text:
        return []
    try:
        value = json.loads(text)
    except ValueError:
        return []
    found: list[object] = []
    for part in value.values() if isinstance(value, dict) else ():
        parts = part.values() if isinstance(part, dict) else part if isinstance(part, list) else [part]
        found.extend(parts)
    return found
