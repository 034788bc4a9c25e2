"""Parser of ulogd's packet log, text or JSON, as k3s, rke2 and kube-router fill it.

One refused packet leaves several lines: one for each policy chain that did not match (k3s, with the policy's name), and
one without a prefix from the pod's last rule, which refuses it.  A policy's line alone refuses nothing: another policy
of the pod may accept the packet afterwards, and k3s v1.27.7 to the releases of February 2024 logged after every rule
(k3s-io/k3s#9032).  So a policy's line waits for the last rule's; without it it is only "logged".
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator
from typing import ClassVar

from msgspec import structs

from flowdiag.parserkit import (
    Block,
    Event,
    FlowSink,
    LineEnvelope,
    LineForm,
    LinesOf,
    ParseContext,
    ParseWarning,
    Record,
    decode,
    fold_forms,
    frame,
    iter_lines,
    seek,
    unfinished_line,
)

__all__ = ["UlogdPackets"]

_SNIFF = re.compile(
    rb"^[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d [A-Za-z0-9][A-Za-z0-9_.-]{0,252} [^\n]{0,80}?IN=\S{0,64} OUT=\S{0,64} [^\n]{0,120}?"
    rb"SRC=\S{1,64} DST=\S{1,64} LEN=\d{1,6} (?:TOS=[0-9A-F]{2} |TC=[^\n]{1,200}MARK=)",
    re.MULTILINE,
)
# '"oob.prefix": "", "oob.time.sec": 1767607201,'   ulogd2's JSON output
_OBJECT_SNIFF = re.compile(rb'"oob\.(?:prefix|time\.sec|hook|family)"\s{0,4}:')
_POLICY_SNIFF = re.compile(rb"DROP by policy \S{1,64} ?IN=\S{0,64} OUT=")


class UlogdPackets:
    """Packets of NFLOG rules as ulogd writes them, text or JSON, several lines a packet."""

    name: ClassVar[str] = "nflog"
    summary: ClassVar[str] = (
        "ulogd packet log, text or JSON: k3s, rke2 and kube-router network policy refusals"
    )
    cni: ClassVar[str | None] = "kube-router"
    sequential: ClassVar[bool] = True
    follows_time: ClassVar[bool] = True
    document: ClassVar[bool] = False
    record_words: ClassVar[tuple[bytes, ...]] = (b" OUT=", b"DROP by policy ", b'"oob.')

    def sniff(self, head: bytes) -> float:
        """k3s' prefix before a packet, a packet in ulogd's spelling (``TOS=00``), or the keys of its JSON."""
        if _POLICY_SNIFF.search(head) is not None:
            return 0.98
        if seek(_OBJECT_SNIFF, head, b'"oob.') is not None:
            return 0.95
        return 0.92 if seek(_SNIFF, head, b" OUT=") is not None else 0.0

    def parse(self, block: Block, context: ParseContext) -> Iterator[Event]:
        """Yield a flow per line in input order; further policies of a refused packet stand in its first line's event."""
        # What reads packets is loaded where there are some: every parser is asked about every file.
        from flowdiag_parsers.nflog.packet_line import read_packet_line
        from flowdiag_parsers.nflog.packet_object import MARK, read_packet_object
        from flowdiag_parsers.nflog.waiting import WAIT, Slot, State, packet_frame, place_line, ready

        state: State = context.memory.setdefault("nflog", State(deque(), {}))
        last = unfinished_line(block)
        for index, line in iter_lines(block):
            is_object = line.lstrip()[:1] == b"{" and MARK in line
            if not is_object and b"OUT=" not in line and b"DROP by policy" not in line:
                continue
            around = block.of_line(index)
            text = decode(line)
            if is_object:
                packet = read_packet_object(line, context)
            else:
                packet = read_packet_line(text, context, cut=index == last)
            slot = Slot(state.number)
            state.number += 1
            state.queue.append(slot)
            if packet is None:
                shared = frame(around, context, text)
                slot.events = (
                    ParseWarning(
                        **shared,
                        code="truncated",
                        message="not a whole packet with addresses" if is_object else "the packet is cut off",
                    ),
                )
            else:
                place_line(state, slot, packet, packet_frame(packet, around, context, text))
            yield from ready(state, state.number - WAIT)
        if block.last:
            yield from ready(state, state.number)

    def fold(self, block: Block, context: ParseContext, sink: FlowSink) -> None:
        """Count as reading would, but read only the first line of each kind."""
        from flowdiag_parsers.nflog.known_pairs import Taking
        from flowdiag_parsers.nflog.packet_line import FORM, QUICK, read_packet_line, second_of
        from flowdiag_parsers.nflog.waiting import REST, State, packet_frame, ready, told_as

        with_raw = structs.replace(context, keep_raw=True)
        state: State = context.memory.setdefault("nflog", State(deque(), {}))

        def read(line: bytes, around: LineEnvelope, record: Record) -> Iterator[Event]:
            text = decode(line)
            packet = read_packet_line(text, with_raw)
            if packet is not None:
                yield told_as(packet, packet_frame(packet, around, with_raw, text), record[REST])

        taking = Taking(state, sink, context.node)
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
        # What is open still may be settled by the next block.
        waiting = [slot for slot in state.queue if slot.known is not None and slot.events is None]
        places = [slot.known.place for slot in waiting if slot.known is not None]
        for slot, place, line in zip(waiting, places, LinesOf(block.data).at(places), strict=True):
            text = decode(line)
            packet = read_packet_line(text, with_raw)
            if packet is not None:
                slot.line = packet, packet_frame(packet, block.of_line(place), with_raw, text)
        for slot in state.queue:
            slot.known = None
        if block.last:
            for event in ready(state, state.number):
                sink.add(event)
