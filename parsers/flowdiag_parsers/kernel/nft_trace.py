"""Parser of ``nft monitor trace`` and ``xtables-monitor --trace``: the rules of nftables that a traced packet met, the last of which may drop it.

Format: nftables ``src/netlink.c`` (``trace_print_*``), 0.6 to 1.1, as people set it on with ``meta nftrace set 1``; iptables-nft's
rules are told in it as well, and by iptables' own ``xtables-monitor`` (iptables ``iptables/xtables-monitor.c``, 1.8.0 to 1.8.11;
xtables-monitor(8)) of packets that ``-j TRACE`` marks.  A packet's line has the addresses, the lines behind it have verdicts; they are joined by the
trace's id.  That one chain accepts says nothing of the others, so only drops are taken.  There is no time.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import ClassVar

from flowdiag.parserkit import (
    Block,
    Event,
    Icmp,
    ParseContext,
    Peer,
    canonical_ip,
    decode,
    frame,
    is_ip,
    iter_lines,
    port_number,
    protocol_name,
    seek,
    unfinished_line,
)
from flowdiag_parsers.kernel.traced import Packet, dropped, remember, without_packet
from flowdiag_parsers.kernel.xtables_trace import Waiting, is_xtables_trace, of_xtables, still_waiting

__all__ = ["NftTrace"]

# trace id 9c07fc2b inet fw4 forward packet: iif "lan" oif "lan" ether saddr ... ip saddr 192.0.2.84 ip daddr 192.0.2.222 ip dscp cs0
#  ip ttl 254 ip id 6687 ip protocol tcp ip length 40 tcp sport 62702 tcp dport 443 tcp flags == ack tcp window 4380      1.0, one line
# trace id 9c07fc2b inet fw4 forward rule ct state invalid counter packets 9 bytes 500 drop (verdict drop)
# trace id 9c07fc2b inet fw4 forward policy drop
# trace id 9c07fc2b inet fw4 forward unknown rule handle 41 (verdict drop)      a rule that was written since the monitor began
_LINE = re.compile(
    r"trace id (?P<id>[0-9a-f]{1,8}) (?P<family>ip6?|inet|bridge|netdev|arp) (?P<table>\S{1,128}) (?P<chain>\S{1,128}) "
    r"(?:packet: (?P<packet>.{1,2000})|(?:rule .{0,2000}|unknown rule handle \d{1,20}) \(verdict (?P<verdict>[a-z]{3,10})\b"
    r"|policy (?P<policy>[a-z]{3,10}))"
)
_SNIFF = re.compile(
    rb"^\s{0,8}trace id [0-9a-f]{1,8} (?:ip6?|inet|bridge|netdev|arp) \S{1,128} \S{1,128} (?:packet:|rule |policy |verdict |unknown )",
    re.MULTILINE,
)
_WORDS = re.compile(
    r"\b(?P<what>ip6? saddr|ip6? daddr|ip protocol|ip6 nexthdr|(?:tcp|udp|sctp) (?:sport|dport)|icmp(?:v6)? (?:type|code)|tcp flags(?: ==)?) (?P<value>\S{1,80})"
)
_IP = re.compile(r"\bip6? saddr\b")
_ICMP = {"echo-request": (8, 128), "echo-reply": (0, 129), "destination-unreachable": (3, 1)}


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
        found = seek(_SNIFF, head, b"trace id ") is not None or is_xtables_trace(head)
        return 0.95 if found else 0.0

    def parse(self, block: Block, context: ParseContext) -> Iterator[Event]:
        """Yield a flow per packet that was dropped."""
        packets: dict[str, Packet | None] = context.memory.setdefault("nft-trace", {})
        waiting: Waiting = context.memory.setdefault("xtables-monitor", {})
        cut = unfinished_line(block)
        for index, line in iter_lines(block):
            if b"trace id " not in line:
                if b"TRACE: " in line or b"PACKET: " in line:
                    text = decode(line)
                    around = frame(block.of_line(index), context, text)
                    # The last word of what was cut may be the beginning of one.
                    yield from of_xtables(
                        text[: text.rfind(" ") + 1] if index == cut else text, around, waiting
                    )
                continue
            text = decode(line)
            found = _LINE.search(text, 0, 4000)
            if found is None:
                continue
            if found["packet"] is not None:
                packet = _packet(found["packet"])
                # One of ARP has no addresses of IP; one of IP without them was cut.
                if packet is not None or _IP.search(found["packet"]) is None:
                    remember(packets, found["id"], packet)
                continue
            if "drop" not in (found["verdict"], found["policy"]):
                continue
            around = frame(block.of_line(index), context, text)
            if found["id"] not in packets:
                yield without_packet(around)
                continue
            known = packets.pop(found["id"])
            if known is None:
                continue
            where = f"{found['family']} {found['table']} {found['chain']}"
            yield dropped(around, known, "policy drop" if found["policy"] else "verdict drop", where)
        if block.last:
            yield from still_waiting(waiting)


def _packet(text: str) -> Packet | None:
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
    return Packet(
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
