"""Parser of the text logs of Calico's components, one process or many mixed."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import cache
from itertools import compress
from operator import attrgetter
from typing import ClassVar

from msgspec import structs

from flowdiag.parserkit import (
    Block,
    Event,
    FlowSink,
    LineEnvelope,
    ParseContext,
    QuietForm,
    decode,
    fold_quiet,
    holds,
    lines_holding,
    parse_rfc3339,
    seek,
)
from flowdiag_parsers.calico.record import HEADER_BYTES, LEVELS, begins_operator, read_header
from flowdiag_parsers.calico.signals import SIGNALS, TEXTS

__all__ = ["CalicoLog"]

_KLOG_BYTES = re.compile(rb"[IWEF]\d{4} \d\d:\d\d:\d\d\.\d{6} +\d+ [\w.-]+:\d+\] ")
# {"level":"info","ts":"2026-02-23T16:31:05Z","logger":"controller_installation","msg":"Patching nftables mode",
#  "Request.Namespace":"","Request.Name":"default","nftablesMode":"Disabled"}                           v1.36 and later
# {"level":"error","ts":1687590015.4100752,"logger":"controller_apiserver","msg":"Waiting for Installation to be ready",
#  "Request.Namespace":"tigera-operator","Request.Name":"tigera-ca-private","reason":"ResourceNotReady"}  v1.29
_OPERATOR_BYTES = re.compile(
    rb'(?:^|\n|[FP] )\{"level":"[a-z]{1,7}","ts":"?[\d.TZ:+-]{10,40}"?,"logger":'
    rb'"(?:controller_(?:installation|apiserver|core|ippool|tiers|csr|windows|gatewayapi|logcollector|manager)'
    rb"|(?:goldmane|whisker|tigera-installation|tigera-[a-z-]{1,30}|apiserver|ippool|tiers|csr|secrets)-controller"
    rb'|kubeproxy_monitor|status_manager|typha_autoscaler)"'
)
_OPERATOR_WORDS = (
    b'"logger":"controller_',
    b'-controller"',
    b"kubeproxy_monitor",
    b"status_manager",
    b"typha_autoscaler",
)
_BIRD_BYTES = re.compile(rb"(?:^|\n)bird6?: (?:Mesh|Node|Global|Local_Workload)_")

_QUOTED = tuple(words.encode() for words, _, _ in TEXTS)
_TEXT_BYTES = tuple(words for words in _QUOTED if words != b"is not ready:")

# A record on one line, with another record behind it; groups as `flowdiag.parserkit.quiet_lines` has them.  What text counts as
# blanks beside those of bytes, reading may not take for a file's name.
# 2026-03-02 10:00:00.077 [INFO][83] felix/summary.go 100: Summarising 11 dataplane reconciliation loops over 1m4.5s
_HEAD = (
    rb"[12]\d{3}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} \[(?:" + LEVELS.encode() + rb")\]\[\d{1,10}\] "
    rb"(?:[a-z][a-z0-9-]{0,40}/)?[^\s/\x1c-\x1f\x80-\xff]{1,80} (?:-?\d{1,7}|<nil>):[ \n]"
)


@cache
def _form() -> re.Pattern[bytes]:
    return re.compile(
        rb"(?:([12]\d{3}-\d\d-\d\d \d\d:\d\d:\d\d)\.(\d{3}) \[(?:ERROR|WARNING|INFO|DEBUG|TRACE)\]\[\d{1,10}\] "
        rb"(?:[a-z][a-z0-9-]{0,40}/)?([^\s/\x1c-\x1f\x80-\xff]{1,80}) (?:-?\d{1,7}|<nil>):(?: ([^\n]*)|(?=\n))()(?=\n(?:"
        + _HEAD
        + rb"|\Z))"
        rb"|([^\n]*))\n"
    )


_STARTS: dict[bytes, tuple[bytes, ...]] = {
    file.encode(): tuple(entry.starts.encode() for entry in SIGNALS if entry.file == file)
    for file in {entry.file for entry in SIGNALS}
}
_HEAD_BYTES = min(len(start) for starts in _STARTS.values() for start in starts)
_HEADS = frozenset(start[:_HEAD_BYTES] for starts in _STARTS.values() for start in starts)


# The same for the most usual of them, tried first: see `flowdiag.parserkit.QuietForm`.
@cache
def _quick() -> re.Pattern[bytes]:
    return re.compile(
        rb"^([12]\d{3}-.{5} .{8}\.\d{3}) \[(?:ERROR|WARNING|INFO|DEBUG|TRACE)\]\[\d{1,10}\] "
        rb"(?:[a-z][a-z0-9-]{0,40}/|)[^ /\t\n\v\f\r\x1c-\x1f\x80-\xff]{1,80} (?:-?\d{1,7}|<nil>):(?: (.{%d}).*| .*|)\n"
        % _HEAD_BYTES,
        re.MULTILINE,
    )


class CalicoLog:
    """Component logs: Felix, confd, BIRD, Typha, kube-controllers, API server, CNI plugin, operator."""

    name: ClassVar[str] = "calico-log"
    summary: ClassVar[str] = (
        "Calico component logs (calico-node, typha, kube-controllers, CNI plugin, operator)"
    )
    cni: ClassVar[str | None] = "calico"
    sequential: ClassVar[bool] = False
    document: ClassVar[bool] = False
    tells_inferred_years: ClassVar[bool] = True

    def sniff(self, head: bytes) -> float:
        """Calico's record header is a mark; klog alone is anybody's."""
        if seek(HEADER_BYTES, head, b"][") is not None:
            return 0.95
        if b"calico/node is not ready: " in head or b"calico-felix[" in head:
            return 0.9
        if seek(_OPERATOR_BYTES, head, *_OPERATOR_WORDS) is not None:
            return 0.95
        if seek(_BIRD_BYTES, head, b"bird") is not None:
            return 0.85
        if seek(_KLOG_BYTES, head, b"] ") is None:
            return 0.0
        # The kubelet quotes what the CNI plugin told it.
        if any(words in head for words in _TEXT_BYTES):
            return 0.7
        return 0.62 if b"calico" in head else 0.3

    def record_start(self, line: bytes) -> bool:
        """A line with a time of its own; BIRD's and continuation lines stay with the record before."""
        return (
            HEADER_BYTES.search(line, 0, 600) is not None
            or _KLOG_BYTES.search(line, 0, 300) is not None
            or begins_operator(line)
        )

    def denied_marks(self, head: bytes) -> tuple[bytes, ...] | None:
        """No component log says that a packet was refused; of gaps there is the writer's own mark."""
        del head
        return (b"... dropped ",)

    def parse(self, block: Block, context: ParseContext) -> Iterator[Event]:
        """Yield a `LogEvent` per record, and a `ChangeEvent` where it names an updated policy."""
        # Loaded where there is such a log: every parser is asked about every file.
        from flowdiag_parsers.calico.component_reader import RecordReader

        events = RecordReader(context).read(block)
        events.sort(key=attrgetter("line"))
        yield from events

    def fold(self, block: Block, context: ParseContext, sink: FlowSink) -> None:
        """Count records that carry no signal, and read the others with what follows them."""
        if not _one_stream(block):
            # Continuation lines stand among the records of other streams.
            for event in self.parse(block, structs.replace(context, keep_raw=True)):
                sink.add(event)
            return

        from flowdiag_parsers.calico.component_reader import OpenRecord, record_events

        @cache
        def quoted() -> list[bytes]:
            return [words for words in _QUOTED if holds(block.data, words)]

        def is_quiet(kind: bytes, message: bytes, rest: bytes) -> bool:  # noqa: ARG001 - all is in the message
            starts = _STARTS.get(kind)
            if starts is not None and message.startswith(starts):
                return False
            return not any(mark in message for mark in quoted())

        def loud(heads: Sequence[bytes], data: bytes) -> list[int]:
            # Few of the others begin like one of these.
            telling = list(compress(range(len(heads)), map(_HEADS.__contains__, heads)))
            quoting = lines_holding(data, _QUOTED)
            return sorted({*telling, *quoting}) if quoting else telling

        def clock(second: bytes, enveloped: bool) -> int | None:  # noqa: ARG001 - as `LineForm.clock` is called
            try:
                return parse_rfc3339(second.decode("ascii").replace(" ", "T"), context.zone)
            except ValueError:  # not a day of the calendar
                return None

        with_raw = structs.replace(context, keep_raw=True)

        def read(line: bytes, around: LineEnvelope) -> Iterator[Event]:
            text = decode(line)
            header = read_header(text, with_raw)
            # A line of the form has its header in front.
            return (
                iter(())
                if header is None
                else record_events(OpenRecord(header, text, around, None), with_raw)
            )

        form = QuietForm(
            pattern=_form(), quick=_quick(), is_quiet=is_quiet, loud=loud, clock=clock, read=read
        )
        fold_quiet(self, block, context, sink, form)


def _one_stream(block: Block) -> bool:
    columns = block.envelope
    if columns is None:
        return True
    return all(column is None or len(set(column)) <= 1 for column in (columns.pod, columns.container))
