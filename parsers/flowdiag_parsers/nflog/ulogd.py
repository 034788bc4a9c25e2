"""Parser of ulogd's packet log, as k3s, rke2 and kube-router fill it.

One refused packet leaves several lines: one for each policy chain that did not match (k3s, with the policy's name), and
one without a prefix from the pod's last rule, which refuses it.  A policy's line alone refuses nothing: another policy
of the pod may accept the packet afterwards, and k3s v1.27.7 to the releases of February 2024 logged after every rule
(k3s-io/k3s#9032).  So a policy's line waits for the last rule's; without it it is only "logged".
"""

from __future__ import annotations

import re
from collections import deque
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


class _Slot(Struct):
    """One line's place in the output; empty while its verdict is open."""

    number: int
    events: tuple[Event, ...] | None = None
    line: tuple[PacketLine, Frame] | None = None


class _State(Struct):
    """What waits: lines in their order, and those of one packet by its key."""

    queue: deque[_Slot]
    open: dict[str, list[_Slot]]
    number: int = 0


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
        """Yield a flow per line in input order; further policies of a refused packet stand in its first line's event."""
        state: _State = context.memory.setdefault("nflog", _State(deque(), {}))
        for index, line in iter_lines(block):
            if b"OUT=" not in line and b"DROP by policy" not in line:
                continue
            around = block.of_line(index)
            text = decode(line)
            packet = read_packet_line(text, context)
            slot = _Slot(state.number)
            state.number += 1
            state.queue.append(slot)
            if packet is None:
                shared = frame(around, context, text)
                slot.events = (ParseWarning(**shared, code="truncated", message="the packet is cut off"),)
            else:
                shared = frame(
                    around, context, text, packet.at, source=TimeSource.INFERRED_YEAR, node=packet.host
                )
                _place(state, slot, packet, shared)
            yield from _ready(state, state.number - _WAIT)
        if block.last:
            yield from _ready(state, state.number)


def _place(state: _State, slot: _Slot, packet: PacketLine, shared: Frame) -> None:
    policy = policy_of(packet.prefix)
    if policy is not None and not packet.by_kernel:
        slot.line = (packet, shared)
        state.open.setdefault(packet.key, []).append(slot)
    elif packet.prefix:
        slot.events = (_other(packet, shared, policy),)
    else:
        _settle_refused(state.open.pop(packet.key, []))
        slot.events = (_refusal(packet, shared, Witness.DROP, ()),)


def _ready(state: _State, before: int) -> Iterator[Event]:
    """Events of the lines that are settled, in input order; lines numbered below `before` wait no longer."""
    queue = state.queue
    while queue and (queue[0].events is not None or queue[0].number < before):
        slot = queue.popleft()
        if slot.events is None and slot.line is not None:
            for late in state.open.pop(slot.line[0].key, []):
                late.events = tuple(_unrefused(*line) for line in (late.line,) if line is not None)
        yield from slot.events or ()


def _settle_refused(slots: list[_Slot]) -> None:
    """The last rule refused the packet: its policies are told once, in the first line, whose witness pairs with it."""
    lines = [slot.line for slot in slots if slot.line is not None]
    hits = tuple(dict.fromkeys(hit for packet, _ in lines if (hit := policy_of(packet.prefix)) is not None))
    for slot in slots:
        slot.events = ()
    if lines:
        slots[0].events = (_refusal(*lines[0], Witness.VERDICT, hits),)


def _refusal(
    packet: PacketLine, shared: Frame, witness: Witness, policies: tuple[PolicyHit, ...]
) -> FlowEvent:
    """Both witnesses say the same words (none), so that they are counted as one packet."""
    return _event(
        packet,
        shared,
        verdict=Verdict.DENIED,
        cause=Cause.POLICY,
        reason="default-deny",
        policies=policies,
        witness=witness,
    )


def _unrefused(packet: PacketLine, shared: Frame) -> FlowEvent:
    """No last rule's line came.  Rate limits can swallow it too, so this is not "allowed" either."""
    policy = policy_of(packet.prefix)
    return _event(
        packet,
        shared,
        verdict=Verdict.LOGGED,
        verdict_raw=packet.prefix,
        reason="policy-chain-without-refusal",
        policies=(policy,) if policy is not None else (),
    )


def _other(packet: PacketLine, shared: Frame, policy: PolicyHit | None) -> Event:
    """Another rule's prefix, or k3s' words from a kernel LOG rule: only the words tell."""
    refuses = policy is not None or _REFUSING.search(packet.prefix) is not None
    return _event(
        packet,
        shared,
        verdict=Verdict.DENIED if refuses else Verdict.LOGGED,
        verdict_raw=packet.prefix,
        reason="log-prefix-says-refused" if refuses else None,
        policies=(policy,) if policy is not None else (),
    )


def _event(packet: PacketLine, shared: Frame, **said: Any) -> FlowEvent:
    return FlowEvent(
        **shared,
        src=packet.src,
        dst=packet.dst,
        protocol=packet.protocol,
        tcp_flags=packet.tcp_flags,
        icmp=packet.icmp,
        interface_in=packet.interface_in,
        interface_out=packet.interface_out,
        **said,
    )
