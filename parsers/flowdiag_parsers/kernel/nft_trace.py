"""Parser of ``nft monitor trace`` and ``xtables-monitor --trace``: the rules of nftables that a traced packet met, the last of which may drop it.

Format: nftables ``src/netlink.c`` (``trace_print_*``), 0.6 to 1.1, as people set it on with ``meta nftrace set 1``; iptables-nft's
rules are told in it as well, and by iptables' own ``xtables-monitor`` (iptables ``iptables/xtables-monitor.c``, 1.8.0 to 1.8.11;
xtables-monitor(8)) of packets that ``-j TRACE`` marks.  A packet's line has the addresses, the lines behind it have verdicts; they are joined by the
trace's id.  That one chain accepts says nothing of the others, so only drops are taken.  There is no time.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import ClassVar, NamedTuple, TypeVar

from flowdiag.parserkit import (
    Block,
    Event,
    FlowEvent,
    Frame,
    Icmp,
    LineEnvelope,
    ParseContext,
    ParseWarning,
    Peer,
    Verdict,
    canonical_ip,
    decode,
    frame,
    is_ip,
    iter_lines,
    port_number,
    protocol_name,
    seek,
)

__all__ = ["NftTrace"]

# trace id 9c07fc2b inet fw4 forward packet: iif "lan" oif "lan" ether saddr ... ip saddr 192.0.2.84 ip daddr 192.0.2.222 ip dscp cs0
#  ip ttl 254 ip id 6687 ip protocol tcp ip length 40 tcp sport 62702 tcp dport 443 tcp flags == ack tcp window 4380      1.0, one line
# trace id 9c07fc2b inet fw4 forward rule ct state invalid counter packets 9 bytes 500 drop (verdict drop)
# trace id 9c07fc2b inet fw4 forward policy drop
_LINE = re.compile(
    r"trace id (?P<id>[0-9a-f]{1,8}) (?P<family>ip6?|inet|bridge|netdev|arp) (?P<table>\S{1,128}) (?P<chain>\S{1,128}) "
    r"(?:packet: (?P<packet>.{1,2000})|rule (?P<rule>.{0,2000}) \(verdict (?P<verdict>[a-z]{3,10})\b|policy (?P<policy>[a-z]{3,10}))"
)
_SNIFF = re.compile(
    rb"^\s{0,8}trace id [0-9a-f]{1,8} (?:ip6?|inet|bridge|netdev|arp) \S{1,128} \S{1,128} (?:packet:|rule |policy |verdict |unknown )",
    re.MULTILINE,
)
# PACKET: 2 1266087f IN=eth0 MACSRC=2:42:ac:16:0:2 MACDST=... SRC=192.0.2.2 DST=192.0.2.3 LEN=60 TOS=0x0 TTL=64 ID=4835DF SPORT=57798 DPORT=8080 SYN
#  TRACE: 2 1266087f filter:FORWARD:rule:0x2:DROP  -4 -t filter -A FORWARD -p tcp -j DROP
#  TRACE: 2 fc475095 filter:INPUT:policy:DROP
# Until 1.8.7 the packet is told behind the first rule that it met, which may be the one that dropped it.
_XTABLES = re.compile(
    r"(?:^|\s)(?:PACKET: \d{1,2} (?P<packet>[0-9a-f]{8}) (?P<what>.{1,2000})"
    r"|TRACE: (?P<family>\d{1,2}) (?P<id>[0-9a-f]{8}) (?P<table>[^\s:]{1,64}):(?P<chain>[^\s:]{1,64}):"
    r"(?:rule:0x[0-9a-f]{1,16}|(?P<policy>policy)):(?P<verdict>[A-Z]{1,10})\b(?P<rule>.{0,2000}))"
)
_XTABLES_SNIFF = re.compile(
    rb"^\s{0,8}(?:PACKET: \d{1,2} [0-9a-f]{8} |TRACE: \d{1,2} [0-9a-f]{8} [^\s:]{1,64}:[^\s:]{1,64}:(?:rule:0x|policy:|return:))",
    re.MULTILINE,
)
_PAIR = re.compile(r"\b(SRC|DST|SPORT|DPORT)=(\S{1,45})")
_FLAG = re.compile(r" (SYN|ACK|FIN|RST|PSH|URG)(?=\s|$)")
_PROTOCOL = re.compile(r"(?<!! )-p ([a-z0-9-]{1,16})\b")
_FAMILIES = {"2": "ip", "10": "ip6"}
_WORDS = re.compile(
    r"\b(?P<what>ip6? saddr|ip6? daddr|ip protocol|ip6 nexthdr|(?:tcp|udp|sctp) (?:sport|dport)|icmp(?:v6)? (?:type|code)|tcp flags(?: ==)?) (?P<value>\S{1,80})"
)
_IP = re.compile(r"\bip6? saddr\b")
_MOST = 4096
"""Packets that are remembered at one time."""
_ICMP = {"echo-request": (8, 128), "echo-reply": (0, 129), "destination-unreachable": (3, 1)}


T = TypeVar("T")


class _Packet(NamedTuple):
    src: Peer
    dst: Peer
    protocol: str | None
    icmp: Icmp | None
    flags: tuple[str, ...] | None


class _Traced(NamedTuple):
    packet: str | None = None
    protocol: str | None = None
    verdict: str | None = None
    chain: str = ""


class NftTrace:
    """Packets that a rule or a chain's policy of nftables dropped."""

    name: ClassVar[str] = "nft-trace"
    summary: ClassVar[str] = (
        "nft monitor trace, xtables-monitor: packets that a rule of nftables dropped, and which"
    )
    cni: ClassVar[str | None] = None
    # A verdict's line has no addresses: they are in the packet's line before it.
    sequential: ClassVar[bool] = True
    document: ClassVar[bool] = False
    passes_over: ClassVar[bool] = True

    def sniff(self, head: bytes) -> float:
        """The words of a trace."""
        if seek(_SNIFF, head, b"trace id ") is not None:
            return 0.95
        return (
            0.95
            if any(seek(_XTABLES_SNIFF, head, word) is not None for word in (b"PACKET: ", b"TRACE: "))
            else 0.0
        )

    def parse(self, block: Block, context: ParseContext) -> Iterator[Event]:
        """Yield a flow per packet that was dropped."""
        packets: dict[str, _Packet | None] = context.memory.setdefault("nft-trace", {})
        for index, line in iter_lines(block):
            if b"trace id " not in line:
                if b"TRACE: " in line or b"PACKET: " in line:
                    yield from _xtables(decode(line), block.of_line(index), context)
                continue
            text = decode(line)
            found = _LINE.search(text, 0, 4000)
            if found is None:
                continue
            if found["packet"] is not None:
                packet = _packet(found["packet"])
                # One of ARP has no addresses of IP; one of IP without them was cut.
                if packet is not None or _IP.search(found["packet"]) is None:
                    _remember(packets, found["id"], packet)
                continue
            if "drop" not in (found["verdict"], found["policy"]):
                continue
            if found["id"] not in packets:
                yield ParseWarning(
                    **frame(block.of_line(index), context, text),
                    code="no-ends",
                    message="a drop without its packet, whose line comes before it and was not read",
                )
                continue
            known = packets.pop(found["id"])
            if known is None:
                continue
            where = f"{found['family']} {found['table']} {found['chain']}"
            yield _dropped(
                frame(block.of_line(index), context, text),
                known,
                "policy drop" if found["policy"] else "verdict drop",
                where,
            )


def _remember(packets: dict[str, T], key: str, what: T) -> None:
    """Keep what is known of a packet; of too many the one that was met first is forgotten."""
    if key not in packets and len(packets) >= _MOST:
        del packets[next(iter(packets))]
    packets[key] = what


def _dropped(where: Frame, packet: _Packet, verdict: str, chain: str) -> FlowEvent:
    return FlowEvent(
        **where,
        src=packet.src,
        dst=packet.dst,
        protocol=packet.protocol,
        verdict=Verdict.DENIED,
        verdict_raw=verdict,
        # Whose rule it is, the table does not say: a policy's, a firewall's.
        reason="netfilter-drop",
        reason_raw=chain[:200],
        tcp_flags=packet.flags,
        icmp=packet.icmp,
    )


def _xtables(text: str, around: LineEnvelope, context: ParseContext) -> Iterator[FlowEvent]:
    """What ``xtables-monitor`` says of a packet, once its addresses and that it was dropped are both known."""
    packets: dict[str, _Traced] = context.memory.setdefault("xtables-monitor", {})
    found = _XTABLES.search(text, 0, 4000)
    if found is None:
        return
    key = found["packet"] or found["id"]
    known = packets.get(key, _Traced())
    if found["packet"]:
        known = known._replace(packet=found["what"])
    else:
        # The packet matched the rule, and so is of the protocol that it asks for, before any match's words (a comment's).
        said = _PROTOCOL.search(found["rule"].partition(" -m ")[0])
        known = known._replace(
            protocol=(protocol_name(said[1]) if said is not None else None) or known.protocol
        )
        if found["verdict"] == "DROP":
            where = f"{_FAMILIES.get(found['family'], found['family'])} {found['table']} {found['chain']}"
            known = known._replace(verdict="policy DROP" if found["policy"] else "rule DROP", chain=where)
    _remember(packets, key, known)
    if known.packet is None or known.verdict is None:
        return
    del packets[key]
    packet = _traced_packet(known.packet, known.protocol)
    if packet is not None:
        yield _dropped(frame(around, context, text), packet, known.verdict, known.chain)


def _traced_packet(text: str, protocol: str | None) -> _Packet | None:
    said: dict[str, str] = {}
    for word, value in _PAIR.findall(text):
        said.setdefault(word, value)
    src, dst = said.get("SRC", ""), said.get("DST", "")
    if not (is_ip(src) and is_ip(dst)):
        return None
    flags = tuple(_FLAG.findall(text)) or None
    return _Packet(
        src=Peer(ip=canonical_ip(src), port=port_number(said.get("SPORT", ""))),
        dst=Peer(ip=canonical_ip(dst), port=port_number(said.get("DPORT", ""))),
        # The tool does not print it; flags it prints of TCP alone.
        protocol="TCP" if flags is not None else protocol,
        icmp=None,
        flags=flags,
    )


def _packet(text: str) -> _Packet | None:
    said: dict[str, str] = {}
    for found in _WORDS.finditer(text):
        said.setdefault(found["what"], found["value"])
    src, dst = said.get("ip saddr") or said.get("ip6 saddr"), said.get("ip daddr") or said.get("ip6 daddr")
    if src is None or dst is None or not (is_ip(src) and is_ip(dst)):
        return None
    word = next((what.split(" ")[0] for what in said if what.endswith((" sport", " dport", " type"))), None)
    word = word or said.get("ip protocol") or said.get("ip6 nexthdr")
    protocol = protocol_name(word) if word is not None else None
    flags = next((value for what, value in said.items() if what.startswith("tcp flags")), None)
    return _Packet(
        src=Peer(ip=canonical_ip(src), port=port_number(said.get(f"{word} sport", ""))),
        dst=Peer(ip=canonical_ip(dst), port=port_number(said.get(f"{word} dport", ""))),
        protocol=protocol,
        icmp=_icmp(said, protocol),
        flags=tuple(flag.upper() for flag in re.split(r"[|,]", flags) if flag.isalpha()) or None
        if flags is not None
        else None,
    )


def _icmp(said: dict[str, str], protocol: str | None) -> Icmp | None:
    word = said.get("icmp type") or said.get("icmpv6 type")
    if word is None or protocol not in ("ICMP", "ICMPv6"):
        return None
    known = _ICMP.get(word)
    if known is not None:
        return Icmp(known[protocol == "ICMPv6"], None)
    return Icmp(int(word), None) if word.isascii() and word.isdigit() and len(word) < 4 else None
