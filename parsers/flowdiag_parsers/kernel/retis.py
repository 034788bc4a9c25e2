"""Parser of Retis' events as text: what a packet met in the kernel, of which some is its end.

Format: retis-org/retis ``docs/index.md`` and its events' text, v1.0 to v1.6, as ``retis collect``, ``print`` and ``sort`` write
it.  An event begins with a line that has the probe and, for a drop, the reason; the packet's addresses are on the lines below
it.  Stamps count from the node's start, which is no time.  Only drops are taken.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import ClassVar

from flowdiag.parserkit import (
    KERNEL_DROP,
    Block,
    Event,
    FlowEvent,
    Icmp,
    LineEnvelope,
    ParseContext,
    ParseWarning,
    Peer,
    Verdict,
    canonical_ip,
    decode,
    flags_of_letters,
    frame,
    is_ip,
    iter_lines,
    kernel_drop,
    port_number,
    protocol_name,
    seek,
)

__all__ = ["Retis"]

# "  ↳ 136852333279 (3) [swapper/3] 0 [tp] skb:kfree_skb #1fdd03636dffff889641716940 (skb ffff889642506300) n 2 drop (reason NETFILTER_DROP)"  v1.5
# "  + 3316376224687 [swapper/2] 0 [tp] skb:kfree_skb #304276b119fffff9847c36ba800 (skb 18446630032886128640) n 2 drop (NETFILTER_DROP)"   v1.0
_HEAD = re.compile(
    r"\s{0,40}(?:[↳+] )?\d{6,20} (?:\(\d{1,4}\) )?\[.{1,64}?\] \d{1,10} \[(?:k|kr|tp|u)\] \S{1,128}"
)
_HEAD_BYTES = re.compile(
    rb"\s{0,40}(?:\xe2\x86\xb3 |\+ )?\d{6,20} (?:\(\d{1,4}\) )?\[[^\n]{1,64}?\] \d{1,10} \[(?:k|kr|tp|u)\] \S"
)
_SNIFF = re.compile(rb"^" + _HEAD_BYTES.pattern, re.MULTILINE)
# "drop (reason openvswitch/OVS_DROP_LAST_ACTION)" of another part of the kernel; "drop (reason 196609)" where its types do not name it
_DROP = re.compile(
    r"\bdrop \((?:reason )?(?:[a-z0-9_]{2,20}/)?(?P<reason>[A-Z][A-Z0-9_]{2,60}|(?P<number>\d{1,10}))\)"
)
# "      172.16.42.1.39677 > 172.16.42.2.8080 tos 0x0 ttl 64 id 17803 off 0 [DF] len 31 proto UDP (17) len 3"            v1.5
# "    if 2 (eth0) rxif 2 172.16.42.1.40532 > 172.16.42.2.8080 ttl 64 tos 0x0 id 14042 off 0 [DF] len 32 proto UDP (17) len 4"   v1.0
_PACKET = re.compile(
    r"(?:^|\s)(?P<src>[0-9A-Fa-f.:]{3,52}) > (?P<dst>[0-9A-Fa-f.:]{3,52}) .{0,200}?\bproto (?P<protocol>[A-Za-z0-9-]{2,16}) \(\d{1,3}\)"
    r"(?: flags \[(?P<flags>[A-Z.]{1,9})\])?(?: type (?P<type>\d{1,3}) code (?P<code>\d{1,3}))?"
)
_BELOW = 8
"""Lines of an event in which its packet is looked for."""


class Retis:
    """Packets that the kernel dropped while Retis followed them."""

    name: ClassVar[str] = "retis"
    summary: ClassVar[str] = "Retis' events as text: packets that a node's kernel dropped, and why"
    cni: ClassVar[str | None] = None
    sequential: ClassVar[bool] = False
    document: ClassVar[bool] = False
    passes_over: ClassVar[bool] = True

    def sniff(self, head: bytes) -> float:
        """The first line of an event."""
        found = seek(_SNIFF, head, b"] 0 [", b" [tp] ", b" [k] ", b" [kr] ")
        return 0.95 if found is not None else 0.0

    def record_start(self, line: bytes) -> bool:
        """An event's first line; what is below it is its own."""
        return _HEAD_BYTES.match(line) is not None

    def parse(self, block: Block, context: ParseContext) -> Iterator[Event]:
        """Yield a flow per drop, at its event's first line."""
        open_drop: tuple[LineEnvelope, str, str] | None = None
        below = 0
        for index, line in iter_lines(block):
            if self.record_start(line):
                if open_drop is not None:
                    yield _without_ends(open_drop, context)
                text = decode(line)
                found = _DROP.search(text, 0, 1000)
                why = found["reason"] if found is not None and found["number"] is None else None
                if found is not None and found["number"] is not None:
                    yield _without_reason(block.of_line(index), context, text)
                open_drop = (
                    (block.of_line(index), text, why) if why and kernel_drop(why) is not None else None
                )
                below = 0
                continue
            if open_drop is None:
                continue
            below += 1
            packet = _PACKET.search(decode(line), 0, 1000)
            flow = _flow(open_drop, packet, context) if packet is not None else None
            if flow is not None:
                yield flow
                open_drop = None
            elif below >= _BELOW:
                yield _without_ends(open_drop, context)
                open_drop = None
        if open_drop is not None:
            yield _without_ends(open_drop, context)


def _without_reason(around: LineEnvelope, context: ParseContext, text: str) -> ParseWarning:
    return ParseWarning(
        **frame(around, context, text),
        code="no-reason",
        message="a drop whose reason is a number: the kernel's types do not name it",
    )


def _without_ends(drop: tuple[LineEnvelope, str, str], context: ParseContext) -> ParseWarning:
    around, text, _ = drop
    return ParseWarning(
        **frame(around, context, text),
        code="no-ends",
        message="a drop without addresses: Retis writes them with its collector skb",
    )


def _flow(
    drop: tuple[LineEnvelope, str, str], packet: re.Match[str], context: ParseContext
) -> FlowEvent | None:
    around, text, word = drop
    why = kernel_drop(word)
    protocol = protocol_name(packet["protocol"])
    ports = protocol in ("TCP", "UDP", "SCTP")
    src, sport = _end(packet["src"], ports=ports)
    dst, dport = _end(packet["dst"], ports=ports)
    if why is None or not (is_ip(src) and is_ip(dst)):
        return None
    kind = packet["type"]
    return FlowEvent(
        **frame(around, context, f"{text}\n{packet[0].strip()}"),
        src=Peer(ip=canonical_ip(src), port=port_number(sport)),
        dst=Peer(ip=canonical_ip(dst), port=port_number(dport)),
        protocol=protocol,
        verdict=Verdict.DENIED,
        verdict_raw="dropped",
        cause=why[0],
        reason=why[1],
        reason_raw=word.removeprefix(KERNEL_DROP),
        tcp_flags=flags_of_letters(packet["flags"] or ""),
        icmp=Icmp(int(kind), int(packet["code"]))
        if kind is not None and protocol in ("ICMP", "ICMPv6")
        else None,
    )


def _end(text: str, *, ports: bool) -> tuple[str, str | None]:
    """``172.16.42.1.39677``: the port follows the last dot."""
    if not ports:
        return text, None
    host, _, port = text.rpartition(".")
    return host, port
