"""Parser of what Calico's eBPF dataplane prints: packets traced, and dumps of what is programmed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

from flowdiag.parserkit import (
    Block,
    Cause,
    Event,
    FlowEvent,
    LineEnvelope,
    LogEvent,
    ParseContext,
    Peer,
    Verdict,
    decode,
    iter_lines,
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


class CalicoBpf:
    """``trace_pipe`` lines, and ``calico-node -bpf`` policy, counters and conntrack dumps."""

    name: ClassVar[str] = "calico-bpf"
    summary: ClassVar[str] = "Calico eBPF dataplane: trace_pipe lines, calico-node -bpf dumps"
    cni: ClassVar[str | None] = "calico"
    sequential: ClassVar[bool] = True
    document: ClassVar[bool] = False

    def sniff(self, head: bytes) -> float:
        """Calico's tag (interface and hook) after the tracer's head, or a dump's own words."""
        if TRACE_SNIFF.search(head) is not None:
            return 0.95
        return 0.9 if DUMP_SNIFF.search(head) is not None else 0.0

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
            if packet is None:
                yield _trace_event(trace, text, around, context)
            else:
                yield _packet_event(packet, trace, text, around, context)
        if block.last:
            for statement in finish(dump):
                yield _statement_event(statement, context)


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
        reason="denied-by-policy" if packet.by_policy else ("bpf-program-drop" if denied else None),
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
