"""The ``KEY=VALUE`` text that the kernel writes for one logged packet (nf_log_syslog, since 2.6).

Keys repeat (LEN for UDP, ID for ICMP) and an ICMP error quotes a second packet in brackets, so the
text is read left to right, each key where it belongs, and never into a dictionary.
"""

from __future__ import annotations

import re
from functools import lru_cache
from ipaddress import IPv6Address, ip_address

from msgspec import Struct

from flowdiag.parserkit import (
    Icmp,
    port_number,
)

__all__ = ["Packet", "read_packet"]


class Packet(Struct, frozen=True, kw_only=True):
    """One logged packet; what the line does not have is ``None``."""

    start: int
    """Where ``IN=`` stands in the line: the rule's prefix ends there."""
    interface_in: str | None
    interface_out: str | None
    src: str
    dst: str
    src_mac: str | None
    dst_mac: str | None
    protocol: str | None
    sport: int | None
    dport: int | None
    icmp: Icmp | None
    tcp_flags: tuple[str, ...] | None


# IPv4 "IN=cali527b0801ecb OUT=eth0 MAC=ee:...:08:00 SRC=10.0.0.1 DST=192.0.2.5 LEN=60 TOS=0x00 PREC=0x00
#       TTL=63 ID=58406 DF PROTO=TCP SPT=45588 DPT=80 WINDOW=64860 RES=0x00 SYN URGP=0 "
# IPv6 "... SRC=2001:0db8:... DST=... LEN=80 TC=0 HOPLIMIT=63 FLOWLBL=12345 PROTO=UDP SPT=.. DPT=.. LEN=40"
# Every unbounded-looking part is bounded: header options are at most 40 bytes, printed as hex.
_PACKET = re.compile(
    r"IN=(?P<in>\S{0,64}) OUT=(?P<out>\S{0,64})(?P<link>(?: (?!SRC=)[A-Z]{1,12}=\S{0,80}){0,8})"
    r" SRC=(?P<src>\S{1,64}) DST=(?P<dst>\S{1,64}) LEN=\d{1,6}(?= |$)"
    r"(?:(?P<ip>[^\[\]\n]{0,240}?) PROTO=(?P<proto>[A-Za-z0-9]{1,16})(?=[ \[]|$)"
    r"(?: SPT=(?P<spt>\d{1,5}) DPT=(?P<dpt>\d{1,5})(?= ))?)?"
)
# ICMP and its errors: "TYPE=8 CODE=0 ID=1 SEQ=1", "TYPE=3 CODE=1 [SRC=10.0.0.9 DST=... PROTO=UDP SPT=53 ...]"
_ICMP = re.compile(r" TYPE=(\d{1,3}) CODE=(\d{1,3})(?=[ \[]|$)")
# A TCP line ends "... WINDOW=64240 RES=0x00 ACK PSH FIN URGP=0": flags are bare words
_FLAGS = re.compile(
    r" WINDOW=\d{1,5}(?: RES=0x[0-9a-f]{1,2})?((?: (?:CWR|ECE|URG|ACK|PSH|RST|SYN|FIN)\b){1,8})"
)
# The link part of Ethernet holds destination, source and type: "MAC=ee:ee:ee:ee:ee:ee:1e:0a:36:33:f5:09:08:00"
_MAC = re.compile(
    r" MAC=((?:[0-9a-f]{2}:){5}[0-9a-f]{2}):((?:[0-9a-f]{2}:){5}[0-9a-f]{2}):[0-9a-f]{2}:[0-9a-f]{2}"
)

_PROTOCOLS = {"132": "SCTP", "6": "TCP", "17": "UDP", "1": "ICMP", "58": "ICMPv6"}
"""Numbers that the kernel's log code has no name for (it has no SCTP case), and the common ones."""


_NAMES = frozenset({"TCP", "UDP", "ICMP", "ICMPv6", "UDPLITE", "AH", "ESP"})
"""All that the kernel calls by a name: another word at a line's end is half of one."""
_UNLIKE = frozenset({"TCP", "ICMPv6", "UDPLITE", "AH", "ESP"})
"""Those with which no other name begins."""


def read_packet(text: str, *, cut: bool = False) -> Packet | None:
    """Read the packet of a line; ``None`` where its addresses are missing or cut off.

    Args:
        text: the line.
        cut: its last word may be the beginning of one.
    """
    match = _PACKET.search(text)
    if match is None:
        return None
    proto = match["proto"]
    if (
        proto
        and match.end("proto") == len(text)
        and (proto not in _UNLIKE if cut else not proto.isdigit() and proto not in _NAMES)
    ):
        proto = None
    tail = match.end()
    icmp = tcp_flags = None
    if proto in ("ICMP", "ICMPv6"):
        found = _ICMP.match(text, tail)
        icmp = Icmp(int(found[1]), int(found[2])) if found else None
    elif proto == "TCP":
        # SEQ and ACK numbers, where a rule asks for them, stand before WINDOW: at most 40 characters.
        flags = _FLAGS.search(text, tail, tail + 160)
        # At a cut line's end a flag may be missing, and URG be the beginning of URGP.
        tcp_flags = (
            tuple(flags[1].split())
            if flags and not (cut and not text.startswith(" URGP=", flags.end()))
            else None
        )
    dst_mac, src_mac = _macs(match["link"])
    sport, dport = match["spt"], match["dpt"]
    return Packet(
        start=match.start(),
        interface_in=match["in"] or None,
        interface_out=match["out"] or None,
        src=_canonical(match["src"]),
        dst=_canonical(match["dst"]),
        src_mac=src_mac,
        dst_mac=dst_mac,
        protocol=_PROTOCOLS.get(proto, proto) if proto else None,
        sport=port_number(sport),
        dport=port_number(dport),
        icmp=icmp,
        tcp_flags=tcp_flags,
    )


@lru_cache(maxsize=8192)
def _macs(link: str) -> tuple[str | None, str | None]:
    """Destination and source of the link part; ``None`` where it has none or says less."""
    match = _MAC.search(link)
    return (match[1], match[2]) if match else (None, None)


@lru_cache(maxsize=65536)
def _canonical(text: str) -> str:
    """Short form of an address (the kernel writes all eight groups); verbatim if it is none."""
    if ":" not in text:
        return text
    try:
        address = ip_address(text)
    except ValueError:
        return text
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(address)
