"""Lines of ``xtables-monitor --trace``: a packet's, and those of the rules of iptables-nft that it met.

Format: iptables ``iptables/xtables-monitor.c``, 1.8.0 to 1.8.11.  A packet's line has the addresses; until 1.8.7 it comes behind
the first rule that the packet met, which may be the one that dropped it, so that a drop may wait for its packet.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from flowdiag.parserkit import (
    FlowEvent,
    Frame,
    ParseWarning,
    Peer,
    canonical_ip,
    is_ip,
    port_number,
    protocol_name,
    seek,
)
from flowdiag_parsers.kernel.traced import Packet, dropped, remember, without_packet

__all__ = ["Waiting", "is_xtables_trace", "of_xtables", "still_waiting"]

# PACKET: 2 1266087f IN=eth0 MACSRC=2:42:ac:16:0:2 MACDST=... SRC=192.0.2.2 DST=192.0.2.3 LEN=60 TOS=0x0 TTL=64 ID=4835DF SPORT=57798 DPORT=8080 SYN
#  TRACE: 2 1266087f filter:FORWARD:rule:0x2:DROP  -4 -t filter -A FORWARD -p tcp -j DROP
#  TRACE: 2 fc475095 filter:INPUT:policy:DROP
#  TRACE: 2 fc475095 filter:FORWARD:rule:0x9:DROP PACKET: 0 fc475095 IN=eth0 ...      until 1.8.7, of a rule that could not be printed
_PACKET = re.compile(r"(?:^|\s)PACKET: \d{1,2} (?P<id>[0-9a-f]{8}) (?P<what>.{1,2000})")
_TRACE = re.compile(
    r"(?:^|\s)TRACE: (?P<family>\d{1,2}) (?P<id>[0-9a-f]{8}) (?P<table>[^\s:]{1,64}):(?P<chain>[^\s:]{1,64}):"
    r"(?:rule:0x[0-9a-f]{1,16}|(?P<policy>policy)):(?P<verdict>[A-Z]{1,10})\b(?P<rule>.{0,2000})"
)
_SNIFF = re.compile(
    rb"^\s{0,8}(?:PACKET: \d{1,2} [0-9a-f]{8} |TRACE: \d{1,2} [0-9a-f]{8} [^\s:]{1,64}:[^\s:]{1,64}:(?:rule:0x|policy:|return:))",
    re.MULTILINE,
)
_PAIR = re.compile(r"\b(SRC|DST|SPORT|DPORT)=(\S{1,45})")
_FLAG = re.compile(r" (SYN|ACK|FIN|RST|PSH|URG)(?=\s|$)")
_PROTOCOL = re.compile(r"(?<!! )-p ([a-z0-9-]{1,16})(?= |$)")
_FAMILIES = {"2": "ip", "10": "ip6"}


class _Traced(NamedTuple):
    packet: str | None = None
    protocol: str | None = None
    verdict: str | None = None
    chain: str = ""
    where: Frame | None = None
    """The line of the drop."""


Waiting = dict[str, _Traced]
"""What is known of packets of which the line or the drop is still to come."""


def is_xtables_trace(head: bytes) -> bool:
    """Whether a line begins as the tool's do."""
    return any(seek(_SNIFF, head, word) is not None for word in (b"PACKET: ", b"TRACE: "))


def of_xtables(text: str, where: Frame, waiting: Waiting) -> Iterator[FlowEvent | ParseWarning]:
    """Yield a packet, once its addresses and that it was dropped are both known.

    Of too many packets the oldest is forgotten; a drop that still waited is said to have none.
    """
    packet = _PACKET.search(text, 0, 4000)
    trace = _TRACE.search(text, 0, packet.start() if packet is not None else 4000)
    if packet is None and trace is None:
        return
    key = packet["id"] if packet is not None else trace["id"] if trace is not None else ""
    known = waiting.get(key, _Traced())
    if packet is not None:
        known = known._replace(packet=packet["what"])
    if trace is not None and trace["id"] == key:
        # The packet matched the rule, and so is of the protocol that it asks for, before any match's words (a comment's).
        said = _PROTOCOL.search(trace["rule"].partition(" -m ")[0])
        known = known._replace(
            protocol=(protocol_name(said[1]) if said is not None else None) or known.protocol
        )
        if trace["verdict"] == "DROP":
            chain = f"{_FAMILIES.get(trace['family'], trace['family'])} {trace['table']} {trace['chain']}"
            verdict = "policy DROP" if trace["policy"] else "rule DROP"
            known = known._replace(verdict=verdict, chain=chain, where=where)
    forgotten = remember(waiting, key, known)
    if forgotten is not None and forgotten.where is not None:
        yield without_packet(forgotten.where)
    if known.packet is None or known.verdict is None or known.where is None:
        return
    del waiting[key]
    told = _packet(known.packet, known.protocol)
    if told is not None:
        yield dropped(where, told, known.verdict, known.chain)
    elif "NH=" not in known.packet:
        # What is not of IP has its header in hex.
        yield without_packet(known.where)


def still_waiting(waiting: Waiting) -> Iterator[ParseWarning]:
    """Yield the drops whose packets never came, once the input is over."""
    for known in waiting.values():
        if known.where is not None:
            yield without_packet(known.where)
    waiting.clear()


def _packet(text: str, protocol: str | None) -> Packet | None:
    said: dict[str, str] = {}
    for word, value in _PAIR.findall(text):
        said.setdefault(word, value)
    src, dst = said.get("SRC", ""), said.get("DST", "")
    if not (is_ip(src) and is_ip(dst)):
        return None
    flags = tuple(_FLAG.findall(text)) or None
    return Packet(
        src=Peer(ip=canonical_ip(src), port=port_number(said.get("SPORT", ""))),
        dst=Peer(ip=canonical_ip(dst), port=port_number(said.get("DPORT", ""))),
        # The tool does not print it; flags it prints of TCP alone.
        protocol="TCP" if flags is not None else protocol,
        icmp=None,
        flags=flags,
    )
