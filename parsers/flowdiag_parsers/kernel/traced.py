"""What a traced packet was, and the flow of one that was dropped: for nft's traces and for those of ``xtables-monitor``."""

from __future__ import annotations

from typing import NamedTuple, TypeVar

from flowdiag.parserkit import FlowEvent, Frame, Icmp, ParseWarning, Peer, Verdict

__all__ = ["Packet", "dropped", "remember", "without_packet"]

_MOST = 4096
"""Packets that are remembered at one time."""

T = TypeVar("T")


class Packet(NamedTuple):
    """What the line of a packet says."""

    src: Peer
    dst: Peer
    protocol: str | None
    icmp: Icmp | None
    flags: tuple[str, ...] | None


def remember(packets: dict[str, T], key: str, what: T) -> T | None:
    """Keep what is known of a packet; of too many the one that was met first is forgotten, and given back."""
    forgotten = None
    if key not in packets and len(packets) >= _MOST:
        forgotten = packets.pop(next(iter(packets)))
    packets[key] = what
    return forgotten


def dropped(where: Frame, packet: Packet, verdict: str, chain: str) -> FlowEvent:
    """A refusal; `chain` says in which table."""
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


def without_packet(where: Frame) -> ParseWarning:
    """A drop of nobody knows what."""
    return ParseWarning(
        **where,
        code="no-ends",
        message="a drop without its packet, whose line was not read",
    )
