"""Parser of ulogd's packet log, as k3s, rke2 and kube-router fill it.

One refused packet leaves several lines: one for each policy chain that did not match (k3s, with the policy's name), and
one without a prefix from the pod's last rule, which refuses it.  A policy's line alone refuses nothing: another policy
of the pod may accept the packet afterwards, and k3s v1.27.7 to the releases of February 2024 logged after every rule
(k3s-io/k3s#9032).  So a policy's line waits for the last rule's; without it it is only "logged".
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, ClassVar

from msgspec import Struct

from flowdiag.parserkit import (
    Block,
    Cause,
    Event,
    FlowEvent,
    Frame,
    ParseContext,
    ParseWarning,
    PolicyHit,
    TimeSource,
    Verdict,
    Witness,
    decode,
    frame,
    iter_lines,
)
from flowdiag_parsers.nflog.packet_line import PacketLine, policy_of, read_packet_line

__all__ = ["UlogdPackets"]

_SNIFF = re.compile(
    rb"^[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d [A-Za-z0-9][A-Za-z0-9_.-]{0,252} [^\n]{0,80}?IN=\S{0,64} OUT=\S{0,64} [^\n]{0,120}?"
    rb"SRC=\S{1,64} DST=\S{1,64} LEN=\d{1,6} (?:TOS=[0-9A-F]{2} |TC=[^\n]{1,200}MARK=)",
    re.MULTILINE,
)
_POLICY_SNIFF = re.compile(rb"DROP by policy \S{1,64} ?IN=\S{0,64} OUT=")
_REFUSING = re.compile(
    r"(?<![A-Za-z])(?:drop(?:ped|s)?|den(?:y|ied)|reject(?:ed)?|block(?:ed)?)(?![A-Za-z])", re.IGNORECASE
)
_WAIT = 64
"""Lines of other packets that may stand between the lines of one."""


class _Held(Struct):
    """A packet's lines that wait for the last rule's."""

    lines: list[tuple[PacketLine, Frame]]
    since: int


class UlogdPackets:
    """Packets of NFLOG rules in ulogd's text form, several lines a packet."""

    name: ClassVar[str] = "nflog"
    summary: ClassVar[str] = "ulogd packet log: k3s, rke2 and kube-router network policy refusals"
    cni: ClassVar[str | None] = "kube-router"
    sequential: ClassVar[bool] = True
    document: ClassVar[bool] = False

    def sniff(self, head: bytes) -> float:
        """k3s' prefix before a packet, or a packet in ulogd's spelling (``TOS=00``)."""
        if _POLICY_SNIFF.search(head) is not None:
            return 0.98
        return 0.92 if _SNIFF.search(head) is not None else 0.0

    def parse(self, block: Block, context: ParseContext) -> Iterator[Event]:
        """Yield a flow per line, in their order but for those that waited."""
        held: dict[str, _Held] = context.memory.setdefault("nflog-held", {})
        clock: list[int] = context.memory.setdefault("nflog-clock", [0])
        for index, line in iter_lines(block):
            if b"OUT=" not in line and b"DROP by policy" not in line:
                continue
            around = block.of_line(index)
            text = decode(line)
            packet = read_packet_line(text, context)
            if packet is None:
                if b"IN=" in line or b"DROP by policy" in line:
                    shared = frame(around, context, text)
                    yield ParseWarning(**shared, code="truncated", message="the packet is cut off")
                continue
            clock[0] += 1
            shared = frame(
                around, context, text, packet.at, source=TimeSource.INFERRED_YEAR, node=packet.host
            )
            yield from _overdue(held, clock[0] - _WAIT)
            policy = policy_of(packet.prefix)
            if policy is not None and not packet.by_kernel:
                held.setdefault(packet.key, _Held([], clock[0])).lines.append((packet, shared))
            elif packet.prefix == "":
                yield from _refused(held.pop(packet.key, None), packet, shared)
            else:
                yield _other(packet, shared, policy)
        if block.last:
            yield from _overdue(held, clock[0] + 1)


def _overdue(held: dict[str, _Held], before: int) -> Iterator[Event]:
    """Lines whose last rule did not come: oldest first."""
    for key in [key for key, one in held.items() if one.since < before]:
        for packet, shared in held.pop(key).lines:
            policy = policy_of(packet.prefix)
            yield _event(
                packet,
                shared,
                verdict=Verdict.LOGGED,
                # Rate limits can swallow the last rule's line too: so not "allowed" either.
                reason="policy-chain-without-refusal",
                policies=(policy,) if policy is not None else (),
            )


def _refused(before: _Held | None, packet: PacketLine, shared: Frame) -> Iterator[Event]:
    """The last rule's line, and once for all of them the lines of the policies before it."""
    hits = tuple(
        dict.fromkeys(hit for line, _ in (before.lines if before else []) if (hit := policy_of(line.prefix)))
    )
    if before is not None:
        first, first_shared = before.lines[0]
        yield _event(
            first,
            first_shared,
            verdict=Verdict.DENIED,
            cause=Cause.POLICY,
            reason="default-deny",
            policies=hits,
            witness=Witness.VERDICT,
        )
    yield _event(
        packet,
        shared,
        verdict=Verdict.DENIED,
        cause=Cause.POLICY,
        reason="default-deny",
        witness=Witness.DROP,
    )


def _other(packet: PacketLine, shared: Frame, policy: PolicyHit | None) -> Event:
    """Another rule's prefix, or k3s' words from a kernel LOG rule: only the words tell."""
    refuses = policy is not None or _REFUSING.search(packet.prefix) is not None
    return _event(
        packet,
        shared,
        verdict=Verdict.DENIED if refuses else Verdict.LOGGED,
        reason="log-prefix-says-refused" if refuses else None,
        policies=(policy,) if policy is not None else (),
    )


def _event(packet: PacketLine, shared: Frame, **said: Any) -> FlowEvent:
    return FlowEvent(
        **shared,
        src=packet.src,
        dst=packet.dst,
        protocol=packet.protocol,
        verdict_raw=packet.prefix or None,
        tcp_flags=packet.tcp_flags,
        icmp=packet.icmp,
        interface_in=packet.interface_in,
        interface_out=packet.interface_out,
        **said,
    )
