"""Parser of ulogd's packet log, as k3s, rke2 and kube-router fill it.

One refused packet leaves several lines: one for each policy chain that did not match (k3s, with the policy's name), and
one without a prefix from the pod's last rule, which refuses it.  A policy's line alone refuses nothing: another policy
of the pod may accept the packet afterwards, and k3s v1.27.7 to the releases of February 2024 logged after every rule
(k3s-io/k3s#9032).  So a policy's line waits for the last rule's; without it it is only "logged".
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any, ClassVar

from msgspec import Struct, structs

from flowdiag.parserkit import (
    GROUPS,
    MONTHS,
    NOTHING,
    Block,
    Cause,
    Event,
    FlowEvent,
    FlowSink,
    Frame,
    LineEnvelope,
    LineForm,
    ParseContext,
    ParseWarning,
    PolicyHit,
    Reading,
    Record,
    TimeSource,
    Verdict,
    Witness,
    cut_lines,
    decode,
    fold_forms,
    frame,
    iter_lines,
)
from flowdiag_parsers.nflog.packet_line import (
    FORM,
    PAIR,
    QUICK,
    PacketLine,
    packet_key,
    policy_of,
    read_packet_line,
    second_of,
)

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


class _Known(Struct, frozen=True):
    """A line that is only counted: where it stands, and as what."""

    place: int
    prefix: bytes
    record: Record


class _Slot(Struct):
    """One line's place in the output; empty while its verdict is open."""

    number: int
    key: bytes = b""
    events: tuple[Event, ...] | None = None
    line: tuple[PacketLine, Frame] | None = None
    known: _Known | None = None
    """Instead of `line`, within the block that it stands in."""

    @property
    def prefix(self) -> bytes:
        """What the policy's chain wrote."""
        if self.known is not None:
            return self.known.prefix
        return self.line[0].prefix.encode("utf-8", "replace") if self.line is not None else b""


class _State(Struct):
    """What waits: lines in their order, and those of one packet by its key."""

    queue: deque[_Slot]
    open: dict[bytes, list[_Slot]]
    number: int = 0
    amend: Callable[[int, Record], None] | None = None
    """Counts a line of `_Known` as what it has become."""


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
                _place(state, slot, packet, _frame(packet, around, context, text))
            yield from _ready(state, state.number - _WAIT)
        if block.last:
            yield from _ready(state, state.number)

    def fold(self, block: Block, context: ParseContext, sink: FlowSink) -> None:
        """Count as reading would, but read only the first line of each kind."""
        with_raw = structs.replace(context, keep_raw=True)
        state: _State = context.memory.setdefault("nflog", _State(deque(), {}))

        def read(line: bytes, around: LineEnvelope, record: Record) -> Iterator[Event]:
            text = decode(line)
            packet = read_packet_line(text, with_raw)
            if packet is not None:
                yield _told(packet, _frame(packet, around, with_raw, text), record[_REST])

        taking = _Taking(state, sink)
        form = LineForm(
            pattern=FORM,
            quick=QUICK,
            clock=second_of(context),
            read=read,
            joined=taking.joined,
            whole=taking.whole,
            flags_between=b" ",
        )
        fold_forms(self, block, context, sink, form)
        state.amend = None
        lines = cut_lines(block.data) if any(slot.known is not None for slot in state.queue) else []
        for slot in state.queue:
            # What is open still may be settled by the next block.
            if slot.known is not None and slot.events is None:
                text = decode(lines[slot.known.place])
                packet = read_packet_line(text, with_raw)
                if packet is not None:
                    around = block.of_line(slot.known.place)
                    slot.line = packet, _frame(packet, around, with_raw, text)
            slot.known = None
        if block.last:
            for event in _ready(state, state.number):
                sink.add(event)


class _Taking:
    """Takes lines that are only counted."""

    def __init__(self, state: _State, sink: FlowSink) -> None:
        self._state = state
        self._sink = sink

    def joined(self, place: int, record: Record, reading: Reading) -> Record:
        """See `LineForm.joined`."""
        second, _, host, prefix, entered, left, src, dst, number, proto, sport, dport, flags, _ = record
        if second[:3] not in _MONTHS:
            # No stamp: its words belong to the prefix.
            reading.read(place, place + 1)
            return NOTHING
        state = self._state
        state.amend = reading.amend
        now = _taken(
            state,
            packet_key((host, entered, src, sport, dst, dport, proto, number)),
            _Known(
                place,
                prefix,
                (second, b"", host, entered, sport, src, dport, dst, left, flags, proto, b""),
            ),
        )
        self._tell()
        return now

    def whole(self, data: bytes, reading: Reading) -> bool:
        """See `LineForm.whole`: pairs of lines that settle each other at once."""
        found = PAIR.findall(data)
        lines = data.count(b"\n")
        if len(found) * 4 > lines * 3:
            # Less than half of the lines stand in pairs.
            return False
        state = self._state
        state.amend = give = reading.amend
        join = _BETWEEN.join
        place, waiting = 0, -1
        for (
            second,
            _,
            host,
            prefix,
            _,
            entered,
            left,
            src,
            dst,
            number,
            proto,
            sport,
            dport,
            flags,
            _,
        ) in found:
            start = place
            place += 2 if second else 1
            if not second or second[:3] not in _MONTHS:
                if waiting < 0:
                    waiting = start
                continue
            if waiting >= 0:
                reading.look_at(waiting, start)
                waiting = -1
            if (
                state.open
                and packet_key((host, entered, src, sport, dst, dport, proto, number)) in state.open
            ):
                # Other policies of the packet were told before.
                waiting = start
                continue
            state.number += 2
            told = join((_VERDICT, proto, prefix))
            give(start, (second, b"", host, entered, sport, src, dport, dst, left, flags, told, b""))
            told = join((_DROP, proto))
            give(start + 1, (second, b"", host, entered, sport, src, dport, dst, left, flags, told, b""))
            if state.queue:
                self._tell()
        if waiting >= 0:
            reading.look_at(waiting, place)
        if not data.endswith(b"\n"):
            reading.read(place, place + 1)
        return True

    def _tell(self) -> None:
        """Tell what waits no longer."""
        state, queue = self._state, self._state.queue
        if queue and (queue[0].events is not None or queue[0].number < state.number - _WAIT):
            for event in _ready(state, state.number - _WAIT):
                self._sink.add(event)


_MONTHS = frozenset(name.encode() for name in MONTHS)
_REST = GROUPS.index("rest")
_DROP, _VERDICT, _LOGGED, _BETWEEN = b"drop", b"verdict", b"logged", b"\n"


def _taken(state: _State, key: bytes, known: _Known) -> Record:
    """As `_place` for a line that is only counted: what it is to be counted as for now."""
    number = state.number
    state.number += 1
    if known.prefix:
        slot = _Slot(number, key, known=known)
        state.queue.append(slot)
        state.open.setdefault(key, []).append(slot)
        return NOTHING
    slots = state.open.pop(key, None)
    if slots is not None:
        _settle_refused(slots, state.amend)
    return _as(known.record, _DROP)


def _as(record: Record, what: bytes, *prefixes: bytes) -> Record:
    """A record whose ``rest`` is the protocol, as one that is counted as this."""
    return (*record[:_REST], _BETWEEN.join((what, record[_REST], *prefixes)), b"")


def _told(packet: PacketLine, shared: Frame, what: bytes) -> FlowEvent:
    """The event of a line that was counted as this."""
    word, _, *prefixes = what.split(_BETWEEN)
    if word == _LOGGED:
        return _unrefused(packet, shared)
    hits = tuple(hit for prefix in prefixes if (hit := policy_of(prefix.decode())) is not None)
    return _refusal(packet, shared, Witness.DROP if word == _DROP else Witness.VERDICT, hits)


def _frame(packet: PacketLine, around: LineEnvelope, context: ParseContext, text: str) -> Frame:
    return frame(around, context, text, packet.at, source=TimeSource.INFERRED_YEAR, node=packet.host)


def _place(state: _State, slot: _Slot, packet: PacketLine, shared: Frame) -> None:
    policy = policy_of(packet.prefix)
    if policy is not None and not packet.by_kernel:
        slot.line, slot.key = (packet, shared), packet.key
        state.open.setdefault(packet.key, []).append(slot)
    elif packet.prefix:
        slot.events = (_other(packet, shared, policy),)
    else:
        _settle_refused(state.open.pop(packet.key, []), state.amend)
        slot.events = (_refusal(packet, shared, Witness.DROP, ()),)


def _ready(state: _State, before: int) -> Iterator[Event]:
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


def _settle_refused(slots: list[_Slot], amend: Callable[[int, Record], None] | None) -> None:
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
        amend(first.known.place, _as(first.known.record, _VERDICT, *prefixes))


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
