"""Parser of what Calico's eBPF dataplane prints: packets traced, and dumps of what is programmed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from typing import Any, ClassVar

from msgspec import structs

from flowdiag.parserkit import (
    Block,
    Cause,
    Event,
    FlowEvent,
    FlowSink,
    LineEnvelope,
    LineForm,
    LogEvent,
    ParseContext,
    Peer,
    Verdict,
    decode,
    fold_forms,
    iter_lines,
    seek,
    unfinished_line,
)
from flowdiag_parsers.calico.bpf_dump import DUMP_SNIFF, Origin, Statement, finish, read_dump_line
from flowdiag_parsers.calico.bpf_trace import (
    TRACE_SNIFF,
    Packet,
    Trace,
    direction_of,
    interfaces_of,
    packet_of,
    read_trace,
)

__all__ = ["CalicoBpf"]


# A Log rule's line; groups as `flowdiag.parserkit.line_form.GROUPS` has them.  Program, processor and uptime tell nothing.
#             curl-5288    [000] ..s2.  3055.982021: bpf_trace_printk: cali43878a68a0a-E: policy DENIED proto 6
# src 10.0.1.5:56042 dest 192.0.2.12:80                                                             v3.29.1 and later
@cache
def _form() -> re.Pattern[bytes]:
    return re.compile(
        rb"(?:()()[ \t]{0,24}[^\n\x80-\xff]{1,16}?-\d{1,10}[ \t]{1,8}\[\d{1,4}\] [^\s\x1c-\x1f\x80-\xff]{1,8}[ \t]{1,12}\d{1,10}\.\d{6}: (?:bpf_trace_printk|0): "
        rb"([^\s:\x80-\xff]{1,24}-[IEX]: policy (?:ALLOWED|DENIED) {1,4}proto (?:6|17) src )([0-9.]{7,15}):(\d{1,5})"
        rb"( dest [0-9.]{7,15}):(\d{1,5})()()()()"
        rb"|([^\n]*))\n"
    )


# The same for the most usual of them, tried first: see `flowdiag.parserkit.LineForm`.
@cache
def _quick() -> re.Pattern[bytes]:
    return re.compile(
        rb"(?:()()[ \t]{0,24}.{1,16}?-\d{1,10}[ \t]{1,8}\[\d{1,4}\] [^\s\x1c-\x1f]{1,8}[ \t]{1,12}\d{1,10}\.\d{6}: (?:bpf_trace_printk|0): "
        rb"([^:]{1,24}-[IEX]: policy (?:ALLOWED|DENIED) {1,4}proto (?:6|17) src )([^:]{7,15}):(\d{1,5})"
        rb"( dest [^:]{7,15}):(\d{1,5})()()()()"
        rb"|(.*))\n"
    )


class CalicoBpf:
    """``trace_pipe`` lines, and ``calico-node -bpf`` policy, counters and conntrack dumps."""

    name: ClassVar[str] = "calico-bpf"
    summary: ClassVar[str] = "Calico eBPF dataplane: trace_pipe lines, calico-node -bpf dumps"
    cni: ClassVar[str | None] = "calico"
    sequential: ClassVar[bool] = True
    document: ClassVar[bool] = False
    tells_inferred_years: ClassVar[bool] = True
    marks_state: ClassVar[bool] = True
    """What is remembered of a packet until its verdict comes stands on lines with a mark."""

    def sniff(self, head: bytes) -> float:
        """Calico's tag (interface and hook) after the tracer's head, or a dump's own words."""
        if seek(TRACE_SNIFF, head, b"-I: ", b"-E: ", b"-X: ") is not None:
            return 0.95
        words = (b"IfaceName: ", b"// Start of ", b"| CATEGORY |", b" Active ago ")
        return 0.9 if seek(DUMP_SNIFF, head, *words) is not None else 0.0

    def denied_marks(self, head: bytes) -> tuple[bytes, ...] | None:
        """The two words for refused, and the debug lines that name the packet before its verdict."""
        del head
        return (b"DENIED", b"Final result=", b"New packet", b"IP s=", b"; ports: s=", b"Denied by policy")

    def parse(self, block: Block, context: ParseContext) -> Iterator[Event]:
        """Yield a `FlowEvent` per packet decided, a `LogEvent` per other line of a trace and per fact of a dump.

        Traces carry time since boot only: the time is the envelope's, or unknown.
        """
        packets: dict[str, Any] = context.memory.setdefault("calico-bpf-packets", {})
        dump: dict[str, Any] = context.memory.setdefault("calico-bpf-dump", {})
        cut = unfinished_line(block)
        for index, line in iter_lines(block):
            if not line:
                continue
            around = block.of_line(index)
            text = decode(line)
            trace = read_trace(text)
            if trace is None:
                for statement in read_dump_line(Origin(around, text), dump):
                    yield _statement_event(statement, context)
                continue
            packet = packet_of(trace, packets)
            if packet is not None and index == cut:
                # The line ends with the destination's port, of which digits may be missing.
                packet = structs.replace(packet, dport=None, icmp=None)
                if packet.dst is not None and ":" in packet.dst:
                    # Nothing parts an address of IPv6 from its port.
                    packet = structs.replace(packet, dst=None)
            if packet is None:
                yield _trace_event(trace, text, around, context)
            else:
                yield _packet_event(packet, trace, text, around, context)
        if block.last:
            for statement in finish(dump):
                yield _statement_event(statement, context)

    def fold(self, block: Block, context: ParseContext, sink: FlowSink) -> None:
        """Count as reading would, but read only the first line of each kind that a Log rule printed."""
        fold_forms(self, block, context, sink, LineForm(pattern=_form(), quick=_quick()))
        if block.last:
            # A dump that goes on to the end is told where the input ends, whatever stands in its last line.
            for event in self.parse(Block(data=b"", last=True), structs.replace(context, keep_raw=True)):
                sink.add(event)


def _packet_event(
    packet: Packet, trace: Trace, raw: str, around: LineEnvelope, context: ParseContext
) -> FlowEvent:
    entered, left = interfaces_of(trace)
    denied = packet.verdict is Verdict.DENIED
    return FlowEvent(
        line=around.line,
        at=around.at,
        time_source=around.time_source,
        node=around.node or context.node,
        raw=raw if context.keep_raw else None,
        src=Peer(ip=packet.src, port=packet.sport),
        dst=Peer(ip=packet.dst, port=packet.dport),
        protocol=packet.protocol,
        direction=direction_of(trace),
        verdict=packet.verdict,
        verdict_raw=packet.word,
        # A program drops for other reasons too (conntrack, routes): only its own word makes it policy.
        cause=Cause.POLICY if packet.by_policy else None,
        reason="policy-denied" if packet.by_policy else ("bpf-program-drop" if denied else None),
        icmp=packet.icmp,
        interface_in=entered,
        interface_out=left,
    )


def _trace_event(trace: Trace, raw: str, around: LineEnvelope, context: ParseContext) -> LogEvent:
    fields = {"uptime": trace.uptime, "cpu": trace.cpu}
    return LogEvent(
        line=around.line,
        at=around.at,
        time_source=around.time_source,
        node=around.node or context.node,
        raw=raw if context.keep_raw else None,
        component=trace.tag,
        message=trace.text,
        fields={key: value for key, value in fields.items() if value is not None},
    )


def _statement_event(statement: Statement, context: ParseContext) -> LogEvent:
    around = statement.origin.around
    return LogEvent(
        line=around.line,
        at=around.at,
        time_source=around.time_source,
        node=around.node or context.node,
        raw=statement.origin.text if context.keep_raw else None,
        component="bpf",
        message=statement.message,
        fields=statement.fields,
        signal=statement.signal,
    )
