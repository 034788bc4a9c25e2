"""Reading the text logs of Calico's components line by line: records, what continues them, and what stands between."""

from __future__ import annotations

import re
from collections.abc import Iterator

from flowdiag.parserkit import (
    Block,
    ChangeEvent,
    Event,
    GapEvent,
    LineEnvelope,
    LogEvent,
    ParseContext,
    ParseWarning,
    TimeSource,
    decode,
    iter_lines,
    said_around,
)
from flowdiag_parsers.calico.details import SLOW_LOOP_MS, loop_summary, updated_policy, workload
from flowdiag_parsers.calico.operator_log import read_operator
from flowdiag_parsers.calico.outer import CHATTER, Foreign, Outer, peel, read_foreign
from flowdiag_parsers.calico.record import Header, begins_operator, read_header, split_fields
from flowdiag_parsers.calico.signals import bird_signal, signal_of, text_signal

__all__ = ["OpenRecord", "RecordReader", "record_events"]

_MAX_RECORD = 64_000
"""Characters kept of one record: verifier dumps and iptables states run to megabytes."""
_MAX_MESSAGE = 8000
_BY = "felix (changed, or new to this node)"
"""Felix hears of a policy when it changes, and also when the first endpoint here comes to need it."""

# "... dropped 12 logs ..."   lib/logrusr destination: the writer could not keep up
_DROPPED = re.compile(r"\.\.\. dropped (\d{1,12}) logs \.\.\.")

_Stream = tuple[str | None, str | None]


class OpenRecord:
    """A record that may still get continuation lines."""

    __slots__ = ("around", "header", "host", "parts", "size")

    def __init__(self, header: Header, text: str, around: LineEnvelope, host: str | None) -> None:
        self.header = header
        self.around = around
        self.host = host
        self.parts = [text]
        self.size = len(text)

    def add(self, text: str) -> None:
        """Take a continuation line, as far as there is room."""
        if self.size < _MAX_RECORD:
            self.parts.append(text)
            self.size += len(text) + 1


class RecordReader:
    """One block's records, told apart by the stream (pod and container) that the envelope names."""

    def __init__(self, context: ParseContext) -> None:
        self.context = context
        self.events: list[Event] = []
        self.open: dict[_Stream, OpenRecord] = {}
        self.last_time: dict[_Stream, tuple[int, int]] = {}
        """Time and line of the latest record of a stream: BIRD's lines have no time of their own."""
        self.foreign: dict[_Stream, tuple[LineEnvelope, int, str]] = {}
        self.in_trace: set[_Stream] = set()
        """Streams that are in a Go stack trace: its frames say nothing to a reader of this report."""

    def read(self, block: Block) -> list[Event]:
        """Events of the block, in no order."""
        for index, line in iter_lines(block):
            if line:
                around = block.of_line(index)
                if begins_operator(line):
                    self._cut((around.pod, around.container))
                self._line(decode(line), b"][" in line, around)
        for stream in list(self.open):
            self._close(stream)
        for stream in list(self.foreign):
            self._close_foreign(stream)
        return self.events

    def _line(self, text: str, may_have_header: bool, around: LineEnvelope) -> None:
        stream = (around.pod, around.container)
        header = read_header(text, self.context) if may_have_header else None
        if header is not None:
            if text.startswith('time="'):
                # A collector quoted the whole record: read what it quoted.
                wrapped = read_foreign(text, self.context)
                inner = read_header(wrapped.text, self.context) if wrapped is not None else None
                if wrapped is not None and inner is not None:
                    header, text = inner, wrapped.text
            clean = text[:1].isdigit() and text[10:11] == " "
            host = None if clean else peel(text, self.context).host
            self._close(stream)
            self._close_foreign(stream)
            self.in_trace.discard(stream)
            self.open[stream] = OpenRecord(header, text, around, host)
            self.last_time.pop(stream, None)
            if header.at is not None:
                self.last_time[stream] = (header.at, around.line)
            return
        outer = peel(text, self.context)
        own = text[outer.end :]
        dropped = _DROPPED.search(own)
        if dropped is not None:
            at, source, _ = self._time(None, outer, around, stream)
            self.events.append(
                GapEvent(
                    line=around.line,
                    at=at,
                    time_source=source,
                    node=outer.host or around.node or self.context.node,
                    raw=text if self.context.keep_raw else None,
                    kind="dropped-logs",
                    lost=int(dropped[1]),
                    message="the component could not write its log fast enough",
                )
            )
            return
        if CHATTER.match(own) is not None or said_around(own):
            return
        foreign = read_operator(own, self.context) if own[:1] == "{" else read_foreign(own, self.context)
        if foreign is not None:
            self._close_foreign(stream)
            if foreign.kind in ("klog", "panic", "operator"):
                self._close(stream)
            if foreign.kind in ("klog", "operator"):
                # Blocks may be cut here, so nothing is lent across: a result must not depend on the cut.
                self.last_time.pop(stream, None)
            self.in_trace.discard(stream)
            if foreign.kind == "panic":
                self.in_trace.add(stream)
            self._foreign_record(foreign, text, outer, around, stream)
        elif stream in self.open:
            self.open[stream].add(text)
        elif own.strip() and stream not in self.in_trace:
            first, count, words = self.foreign.get(stream, (around, 0, own))
            self.foreign[stream] = (first, count + 1, words)

    def _time(
        self, at: int | None, outer: Outer, around: LineEnvelope, stream: _Stream
    ) -> tuple[int | None, TimeSource, int | None]:
        """Time of a record without a full stamp, and the line that lent it, if a neighbour did."""
        if at is not None:
            return at, TimeSource.INFERRED_YEAR, None
        if outer.at is not None:
            return outer.at, outer.time_source, None
        if around.at is not None:
            return around.at, around.time_source, None
        if not outer.stamped and stream in self.last_time:
            neighbour, line = self.last_time[stream]
            return neighbour, TimeSource.ENVELOPE, line
        return None, TimeSource.NONE, None

    def _foreign_record(
        self, foreign: Foreign, raw: str, outer: Outer, around: LineEnvelope, stream: _Stream
    ) -> None:
        lent: int | None = None
        at: int | None = foreign.at
        source = foreign.time_source
        if source is not TimeSource.RECORD:
            at, source, lent = self._time(foreign.at, outer, around, stream)
        fields = dict(foreign.fields)
        message = foreign.text
        if foreign.kind in ("syslog", "cni"):
            message, more = split_fields(foreign.text)
            fields = more | fields
        if lent is not None:
            fields["time_of_line"] = str(lent)
        if foreign.kind == "bird":
            signal = bird_signal(foreign.text)
        elif foreign.kind == "operator":
            signal = "operator-error" if foreign.level in ("error", "fatal", "panic") else None
        elif foreign.kind == "syslog":
            signal = signal_of(fields.get("file"), foreign.level, message, foreign.text)
        else:
            signal = "agent-crashed" if foreign.kind == "panic" else text_signal(foreign.text)
        self.events.append(
            LogEvent(
                line=around.line,
                at=at,
                time_source=source,
                node=outer.host or around.node or self.context.node,
                raw=raw if self.context.keep_raw else None,
                level=foreign.level,
                component=foreign.component or around.container or self.context.container,
                message=_bounded(message),
                fields=fields,
                signal=signal,
            )
        )

    def _close_foreign(self, stream: _Stream) -> None:
        held = self.foreign.pop(stream, None)
        if held is None:
            return
        first, count, words = held
        lines = "a line that is" if count == 1 else f"{count} lines that are"
        self.events.append(
            ParseWarning(
                line=first.line,
                code="not-a-record",
                message=f"{lines} no record of a Calico component: {words[:80]}",
                node=first.node or self.context.node,
                raw=words if self.context.keep_raw else None,
            )
        )

    def _cut(self, stream: _Stream) -> None:
        """Lend nothing across a line before which a block may end."""
        self._close(stream)
        self._close_foreign(stream)
        self.last_time.pop(stream, None)
        self.in_trace.discard(stream)

    def _close(self, stream: _Stream) -> None:
        held = self.open.pop(stream, None)
        if held is not None:
            self.events.extend(record_events(held, self.context))


def record_events(held: OpenRecord, context: ParseContext) -> Iterator[Event]:
    """What a record says, with the lines that continue it: its message, and the policy that it tells of."""
    header, around = held.header, held.around
    raw = "\n".join(held.parts)
    text = raw[header.end :]
    summary = loop_summary(text)
    message, fields = (text.rstrip(), summary) if summary is not None else split_fields(text)
    signal = signal_of(header.file, header.level, message, text)
    change: ChangeEvent | None = None
    at = header.at if header.at is not None else around.at
    source = TimeSource.RECORD if header.at is not None else around.time_source
    node = held.host or around.node or context.node
    if signal == "dataplane-loop-summary":
        if float(fields.get("longest_ms", "0")) >= SLOW_LOOP_MS:
            signal = "slow-dataplane-loop"
    elif signal in ("policy-updated", "policy-removed"):
        named = updated_policy(fields.get("msg", ""))
        if named is not None:
            ref, tier = named
            fields |= {"policy_kind": ref.kind, "policy": ref.name or ""}
            fields |= {"policy_namespace": ref.namespace} if ref.namespace else {}
            fields |= {"policy_tier": tier} if tier else {}
            if signal == "policy-updated":
                # A removal only says that no endpoint of this node needs the policy any more.
                change = ChangeEvent(
                    line=around.line,
                    at=at,
                    time_source=source,
                    node=node,
                    raw=raw if context.keep_raw else None,
                    object=ref,
                    change="updated",
                    by=_BY,
                )
    elif signal is not None and signal.startswith("endpoint-"):
        pod = workload(text)
        if pod is not None:
            fields |= {"namespace": pod[0], "pod": pod[1]}
        if signal == "endpoint-status" and fields.get("status") in ("up", "down", "error"):
            signal = "endpoint-up" if fields["status"] == "up" else "endpoint-down"
    head = {"pid": header.pid}
    if header.file is not None:
        head["file"] = header.file
    if header.source_line is not None:
        head["line"] = header.source_line
    yield LogEvent(
        line=around.line,
        at=at,
        time_source=source,
        node=node,
        raw=raw if context.keep_raw else None,
        level=header.level,
        component=header.component or around.container or context.container,
        message=_bounded(message),
        fields={**{(f"field.{k}" if k in head else k): v for k, v in fields.items()}, **head},
        signal=signal,
    )
    if change is not None:
        yield change


def _bounded(text: str) -> str:
    return text if len(text) <= _MAX_MESSAGE else text[:_MAX_MESSAGE] + "…"
