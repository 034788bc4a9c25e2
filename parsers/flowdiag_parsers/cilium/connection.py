"""The packet at the end of a ``cilium monitor`` line, and the identities before it.

Format: pkg/monitor/dissect.go and datapath_drop.go of Cilium 1.20; gopacket's names for ICMP.
"""

from __future__ import annotations

import re
from functools import lru_cache

from msgspec import Struct

from flowdiag.parserkit import (
    RESERVED_IDENTITIES,
    Icmp,
    ParseContext,
    Peer,
    icmp_from_name,
    is_mac,
    split_address,
)

__all__ = ["Packet", "identity_of", "local_pod", "peer_of", "read_packet"]

# "192.168.1.119:35122 -> 10.42.0.29:4240 tcp SYN"            all ages
# "[2001:db8::1]:36994 -> [2001:db8::1]:6443 tcp SYN, ACK"     1.7 and later
# e.g. "10.2.1.104:49296 -> 10.2.2.169:53 udp", "10.11.13.37 -> 10.11.101.61 EchoRequest"
# "fe80::12:54ff:fe0b:bfff -> ff02::16 143(0)"                 an ICMP type without a name
# "5c:aa:fd:a5:5c:05 -> 01:80:c2:00:00:00 LLC"                 no IP layer
# "10.0.0.1 -> 10.0.0.2", "[unknown]"                          ESP, GRE, fragments; nothing dissected
_PACKET = re.compile(r"(\S{1,300}) -> (\S{1,300})(?: (.{0,200}))?")
_WITH_PORTS = frozenset({"TCP", "UDP", "SCTP"})
_NAMED = _WITH_PORTS | {"ICMP", "ICMPv6"}
_FLAGS = frozenset({"SYN", "ACK", "RST", "FIN", "PSH", "URG", "ECE", "CWR", "NS"})

_RESERVED = {word: number for number, word in RESERVED_IDENTITIES.items()}
_ERRORS_FROM = 2**32 - 256
"""Identities from here on are negative error codes in disguise: 4294967162 is -134."""


class Packet(Struct, frozen=True):
    """Addresses and protocol of a dissected packet; all ``None`` where nothing was."""

    src: str | None = None
    src_port: int | None = None
    dst: str | None = None
    dst_port: int | None = None
    protocol: str | None = None
    tcp_flags: tuple[str, ...] | None = None
    icmp: Icmp | None = None


def read_packet(text: str, *, ends_alone: bool = False, cut: bool = False) -> Packet | None:
    """Read a connection summary; ``None`` where it is none.

    Args:
        text: the summary.
        ends_alone: it has no protocol, whatever the packet is.
        cut: its last word may be the beginning of one.
    """
    text = text.strip()
    if text == "[unknown]":
        return Packet()
    match = _PACKET.fullmatch(text)
    if match is None:
        return None
    (src, sport), (dst, dport) = split_address(match[1]), split_address(match[2])
    said = (match[3] or "").strip()
    if cut and not said and sport is None:
        # The destination's address, or that of a card, of which digits may be missing.
        return Packet(src)
    protocol, flags, icmp = _protocol(said, ":" in src)
    if cut:
        flags, icmp = None, None
        protocol = protocol if protocol in _NAMED else None
    if sport is not None and protocol not in _WITH_PORTS and not ends_alone:
        # Behind ports their protocol is always written: the line was cut off, perhaps within a number.
        return Packet(src, sport, dst if dport is not None else None, dport if said else None, None)
    return Packet(src, sport, dst, dport, protocol, flags, icmp)


@lru_cache(maxsize=2048)
def _protocol(text: str, v6: bool) -> tuple[str | None, tuple[str, ...] | None, Icmp | None]:
    word, _, rest = text.partition(" ")
    if word == "tcp":
        flags = tuple(flag for flag in rest.split(", ") if flag in _FLAGS)
        return "TCP", flags, None
    if word in {"udp", "sctp"}:
        return word.upper(), None, None
    icmp = icmp_from_name(text, v6) if text else None
    if icmp is not None:
        return "ICMPv6" if v6 else "ICMP", None, icmp
    return text or None, None, None


@lru_cache(maxsize=4096)
def identity_of(text: str | None) -> tuple[int | None, str | None]:
    """Number and reserved word of an identity as printed: a word, a number (``-n``), or an error code (no identity)."""
    if text is None:
        return None, None
    if text.isascii() and text.isdigit() and len(text) <= 10:
        number = int(text)
        if number == 0 or number >= _ERRORS_FROM:
            return None, None
        return number, RESERVED_IDENTITIES.get(number)
    return _RESERVED.get(text), text if text != "unknown" else None


def local_pod(endpoint: int | None, context: ParseContext) -> tuple[str | None, str | None]:
    """Namespace and name of a node-local endpoint, where the bundle has the list of endpoints."""
    known = context.endpoint_ids.get(endpoint) if endpoint else None
    if known is None:
        return None, None
    namespace, _, pod = known.partition("/")
    return namespace or None, pod or None


def peer_of(
    host: str | None, port: int | None, identity: str | None, endpoint: int | None, context: ParseContext
) -> Peer:
    """One end; `endpoint` is the id of the local endpoint where the line names it."""
    number, entity = identity_of(identity)
    namespace, pod = local_pod(endpoint, context)
    mac = host is not None and is_mac(host)
    return Peer(
        ip=None if mac else host,
        mac=host if mac else None,
        port=port,
        namespace=namespace,
        pod=pod,
        identity=number,
        entity=entity,
    )
