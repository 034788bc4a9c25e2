"""Packets of kube-network-policies that are being judged: what joins their verdicts to them.

A verdict's line has no addresses: it is joined, by the id of the packet, to the latest "Evaluating packet" before it from
the same container.  Ids restart with the process and wrap.  No policy is ever named.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from msgspec import Struct

from flowdiag.parserkit import (
    Cause,
    Direction,
    Event,
    FlowEvent,
    Frame,
    LineEnvelope,
    ParseWarning,
    Peer,
    Verdict,
    canonical_ip,
    port_number,
    protocol_name,
)
from flowdiag_parsers.kindnet.known_packets import MOST_HELD

__all__ = [
    "UNNUMBERED",
    "Packet",
    "Stream",
    "Streams",
    "address_of",
    "fill",
    "flow_of",
    "judged",
    "open_packet",
    "stream_of",
    "unjudged",
]

UNNUMBERED = -1
"""Stands for the id of a packet that is told in its indented text only (v0.7 and v0.8)."""


class Packet(Struct):
    """What is known of a packet that is being judged."""

    shared: Frame
    src: Peer = Peer()
    dst: Peer = Peer()
    protocol: str | None = None
    way: Direction | None = None
    refused: Direction | None = None
    src_pod: str | None = None
    dst_pod: str | None = None
    failed: bool = False
    """Judging it ended in an error: what drops it then is no policy."""
    before: Packet | None = None
    """What had this id before and got no verdict: the same packet in the other direction, or one of long ago."""

    def same(self, other: Packet) -> bool:
        """Whether both are records of one packet, as far as they tell."""
        return (self.src, self.dst, self.protocol) == (other.src, other.dst, other.protocol)


class Stream(Struct):
    """One container's records so far."""

    packets: dict[int, Packet]
    latest: int | None = None
    """Id of the packet whose indented text may follow."""


Streams = dict[tuple[str | None, str | None], Stream]
"""By node and pod."""


def stream_of(streams: Streams, around: LineEnvelope) -> Stream:
    """The container that a line is of."""
    return streams.setdefault((around.node, around.pod), Stream({}))


def unjudged(streams: Streams) -> Iterator[Event]:
    """Events of the packets without a verdict at the input's end; all are forgotten."""
    for stream in streams.values():
        for packet in stream.packets.values():
            yield from _unjudged(packet)
    streams.clear()


def open_packet(stream: Stream, number: int, shared: Frame) -> Iterator[Event]:
    """A packet is looked at from here on; yields events of older ones that are given up for it."""
    before = stream.packets.pop(number, None)
    if before is not None and before.before is not None:
        yield from _prior(before)
        before.before = None
    if len(stream.packets) >= MOST_HELD:
        yield from _unjudged(stream.packets.pop(next(iter(stream.packets))))
    stream.packets[number] = Packet(shared=shared, before=before)


def fill(stream: Stream, packet: re.Match[str], number: int) -> None:
    """Take the addresses; an id that was unknown until here is known now."""
    one = stream.packets.get(number)
    if one is None:
        return
    one.src = address_of(packet["src"], packet["sport"])
    one.dst = address_of(packet["dst"], packet["dport"])
    one.protocol = protocol_name(packet["proto"] or "")
    if number == UNNUMBERED:
        own = int(packet["id"])
        one = stream.packets.pop(UNNUMBERED)
        one.before = stream.packets.pop(own, None)
        stream.packets[own] = one
    stream.latest = None


def judged(
    stream: Stream, number: int, shared: Frame, words: str, *, accepted: bool, way: Direction | None = None
) -> Iterator[Event]:
    """A packet's verdict; `way` is the side that refused, where the line says it."""
    one = stream.packets.pop(number, None)
    if one is None or one.src.ip is None:
        yield ParseWarning(
            **shared,
            code="verdict-without-packet",
            message=f"nothing before says which packet {number} is: {words[:80]}",
        )
        return
    yield from _prior(one)
    yield flow_of(
        one,
        shared,
        Verdict.ALLOWED if accepted else Verdict.DENIED,
        None if accepted else way or one.refused or one.way,
        words,
        failed=one.failed,
    )


def _prior(one: Packet) -> Iterator[Event]:
    """An earlier packet with the same id, whose verdict is not in the log."""
    if one.before is not None and not one.same(one.before):
        yield from _unjudged(one.before)


def _unjudged(one: Packet) -> Iterator[Event]:
    """A packet that was looked at, and of which no verdict follows."""
    yield from _prior(one)
    if one.src.ip is not None:
        yield flow_of(one, one.shared, Verdict.UNKNOWN, one.way, None)


def flow_of(
    one: Packet,
    shared: Frame,
    verdict: Verdict,
    way: Direction | None,
    words: str | None,
    *,
    failed: bool = False,
) -> FlowEvent:
    """The event of a packet; `words` are those of its verdict, `failed` as `Packet.failed`."""
    denied = verdict is Verdict.DENIED
    return FlowEvent(
        **shared,
        src=_pod(one.src, one.src_pod),
        dst=_pod(one.dst, one.dst_pod),
        protocol=one.protocol,
        direction=way,
        verdict=verdict,
        verdict_raw=words[:120] if words else None,
        cause=(Cause.FAULT if failed else Cause.POLICY) if denied else None,
        reason=("policy-evaluation-error" if failed else "policy-denied") if denied else None,
    )


def _pod(peer: Peer, name: str | None) -> Peer:
    """``namespace/name``, or the word ``external``."""
    namespace, slash, pod = (name or "").partition("/")
    if not slash or not namespace or not pod:
        return peer
    return Peer(ip=peer.ip, port=peer.port, namespace=namespace, pod=pod)


def address_of(ip: str | None, port: str | int | None) -> Peer:
    """An end as a packet has it; port 0 is none."""
    return Peer(ip=canonical_ip(ip) if ip else None, port=port_number(port) or None)
