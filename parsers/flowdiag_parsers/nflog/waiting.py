"""Lines of one packet wait for each other: a policy's line refuses nothing until the last rule's line comes.

Lines that are only counted (`Known`) wait among those that were read.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

from msgspec import Struct

from flowdiag.parserkit import (
    GROUPS,
    NOTHING,
    Cause,
    Event,
    FlowEvent,
    Frame,
    LineEnvelope,
    ParseContext,
    PolicyHit,
    Record,
    TimeSource,
    Verdict,
    Witness,
    decode,
    frame,
)
from flowdiag_parsers.nflog.packet_line import PacketLine, direction_of, policy_of

__all__ = [
    "BETWEEN",
    "DROP",
    "REST",
    "VERDICT",
    "WAIT",
    "Known",
    "Slot",
    "State",
    "packet_frame",
    "place_line",
    "ready",
    "taken",
    "told_as",
]

_REFUSING = re.compile(
    r"(?<![A-Za-z])(?:drop(?:ped|s)?|den(?:y|ied)|reject(?:ed)?|block(?:ed)?)(?![A-Za-z])", re.IGNORECASE
)

WAIT = 64
"""How many lines of other packets may stand between the lines of one."""


class Known(Struct, frozen=True):
    """A line that is counted and not read: its index in the block, and the record that it is counted as."""

    place: int
    prefix: bytes
    record: Record


class Slot(Struct):
    """One line's place in the output; empty while its verdict is open."""

    number: int
    key: bytes = b""
    events: tuple[Event, ...] | None = None
    line: tuple[PacketLine, Frame] | None = None
    known: Known | None = None
    """In place of `line` for a line that is not read; only while its block is worked on."""

    @property
    def prefix(self) -> bytes:
        """What the policy's chain wrote."""
        if self.known is not None:
            return self.known.prefix
        return self.line[0].prefix.encode("utf-8", "replace") if self.line is not None else b""


class State(Struct):
    """What waits: lines in their order, and those of one packet by its key."""

    queue: deque[Slot]
    open: dict[bytes, list[Slot]]
    number: int = 0
    amend: Callable[[int, Record], None] | None = None
    """Counts the line at an index of the block as another record, now that its verdict is known."""


REST = GROUPS.index("rest")
DROP, VERDICT, _LOGGED, BETWEEN = b"drop", b"verdict", b"logged", b"\n"


def taken(state: State, key: bytes, known: Known) -> Record:
    """Like `place_line`, for a line that is not read: the record that it is to be counted as for now."""
    number = state.number
    state.number += 1
    if known.prefix:
        slot = Slot(number, key, known=known)
        state.queue.append(slot)
        state.open.setdefault(key, []).append(slot)
        return NOTHING
    slots = state.open.pop(key, None)
    if slots is not None:
        _settle_refused(slots, state.amend)
    return _as(known.record, DROP)


def _as(record: Record, what: bytes, *prefixes: bytes) -> Record:
    """The record with `what` and `prefixes` in its ``rest``, before and behind the protocol that stands there."""
    return (*record[:REST], BETWEEN.join((what, record[REST], *prefixes)), b"")


def told_as(packet: PacketLine, shared: Frame, what: bytes) -> FlowEvent:
    """The event of a line, by the text that `_as` put into its record."""
    word, _, *prefixes = what.split(BETWEEN)
    if word == _LOGGED:
        return _unrefused(packet, shared)
    hits = tuple(hit for prefix in prefixes if (hit := policy_of(prefix.decode())) is not None)
    return _refusal(packet, shared, Witness.DROP if word == DROP else Witness.VERDICT, hits)


def packet_frame(packet: PacketLine, around: LineEnvelope, context: ParseContext, text: str) -> Frame:
    """What all events of a packet's line have in common."""
    source = TimeSource.RECORD if packet.dated else TimeSource.INFERRED_YEAR
    return frame(around, context, text, packet.at, source=source, node=packet.host)


def place_line(state: State, slot: Slot, packet: PacketLine, shared: Frame) -> None:
    """Give a line that was read its events, or have it wait for the last rule's."""
    policy = policy_of(packet.prefix)
    if policy is not None and not packet.by_kernel:
        slot.line, slot.key = (packet, shared), packet.key
        state.open.setdefault(packet.key, []).append(slot)
    elif packet.prefix or packet.label == "allowed":
        slot.events = (_other(packet, shared, policy),)
    else:
        _settle_refused(state.open.pop(packet.key, []), state.amend)
        slot.events = (_refusal(packet, shared, Witness.DROP, ()),)


def ready(state: State, before: int) -> Iterator[Event]:
    """Events of the lines that are settled, in input order; lines numbered below `before` wait no longer."""
    queue = state.queue
    while queue and (queue[0].events is not None or queue[0].number < before):
        slot = queue.popleft()
        if slot.events is None:
            for late in state.open.pop(slot.key, []):
                late.events = (_unrefused(*late.line),) if late.line is not None else ()
                if late.known is not None and state.amend is not None:
                    state.amend(late.known.place, _as(late.known.record, _LOGGED, late.known.prefix))
        yield from slot.events or ()


def _settle_refused(slots: list[Slot], amend: Callable[[int, Record], None] | None) -> None:
    """The last rule refused the packet: its policies are told once, in the first line, whose witness pairs with it."""
    for slot in slots:
        slot.events = ()
    if not slots:
        return
    first = slots[0]
    prefixes = dict.fromkeys(slot.prefix for slot in slots)
    if first.line is not None:
        hits = (policy_of(decode(prefix)) for prefix in prefixes)
        first.events = (
            _refusal(*first.line, Witness.VERDICT, tuple(hit for hit in hits if hit is not None)),
        )
    elif first.known is not None and amend is not None:
        amend(first.known.place, _as(first.known.record, VERDICT, *prefixes))


def _refusal(
    packet: PacketLine, shared: Frame, witness: Witness, policies: tuple[PolicyHit, ...]
) -> FlowEvent:
    """Both witnesses say the same words (none), so that they are counted as one packet."""
    return _event(
        packet,
        shared,
        verdict=Verdict.DENIED,
        cause=Cause.POLICY,
        direction=direction_of(packet),
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
        direction=direction_of(packet),
        reason="policy-chain-without-refusal",
        policies=(policy,) if policy is not None else (),
    )


def _other(packet: PacketLine, shared: Frame, policy: PolicyHit | None) -> Event:
    """Another rule's prefix, k3s' words from a kernel LOG rule, or ulogd's label: only the words tell."""
    refuses = policy is not None or (
        # Behind a head that is not known a policy's line is only logged: the last rule's cannot be told from others.
        "DROP by policy " not in packet.prefix and _REFUSING.search(packet.prefix) is not None
    )
    verdict, reason = Verdict.LOGGED, None
    if packet.label == "allowed":
        # A label that contradicts its rule's words tells nothing.
        verdict = Verdict.LOGGED if refuses else Verdict.ALLOWED
    elif refuses or packet.label == "blocked":
        verdict = Verdict.DENIED
        reason = "log-prefix-says-refused" if refuses else "log-label-says-refused"
    return _event(
        packet,
        shared,
        verdict=verdict,
        verdict_raw=packet.prefix or packet.label,
        reason=reason,
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
