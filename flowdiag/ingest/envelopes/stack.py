"""Which wrappers stand around an input's lines, and peeling them all.

A stack is a tuple of layer names, outermost first; it is found on the head of an input and then applied to
all of it, in this process or in a worker.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from flowdiag.ingest.envelopes.aws_events import AwsEvents
from flowdiag.ingest.envelopes.azure_flows import AzureFlowRow
from flowdiag.ingest.envelopes.azure_records import AzureMessages, AzureRecords, AzureResourceLog
from flowdiag.ingest.envelopes.clickhouse import ClickHouse
from flowdiag.ingest.envelopes.cloud_logging import CloudLogging
from flowdiag.ingest.envelopes.cloudwatch import (
    CloudWatchBatches,
    CloudWatchEvents,
    CloudWatchExport,
    CloudWatchLines,
    CloudWatchQuery,
    CloudWatchShort,
    CloudWatchTail,
    CloudWatchText,
)
from flowdiag.ingest.envelopes.cri import Cri
from flowdiag.ingest.envelopes.docker import DockerJson
from flowdiag.ingest.envelopes.documents import Document, GluedObjects, JsonArray, PrettyObjects
from flowdiag.ingest.envelopes.elasticsearch import ElasticBulk, ElasticHits, ElasticResponse, ElasticTable
from flowdiag.ingest.envelopes.inside import JsonInside
from flowdiag.ingest.envelopes.journald import JournalExport, JournalJson, JournalVerbose
from flowdiag.ingest.envelopes.kubectl import (
    DumpSections,
    GrepPrefix,
    KubectlPrefix,
    KubectlTimestamps,
    NodeLogs,
    Svlogd,
)
from flowdiag.ingest.envelopes.loki import GrafanaText, LogcliJson, LogcliText, LokiResponse, LokiStreams
from flowdiag.ingest.envelopes.message import AnyMessage, DatadogSearch
from flowdiag.ingest.envelopes.otlp import OtlpLogs
from flowdiag.ingest.envelopes.pasted import Indented, JsonStrings, Numbered, Quoted
from flowdiag.ingest.envelopes.prefixes import Colours, ComposePrefix, Kail, Kubetail, SentJson, Talosctl
from flowdiag.ingest.envelopes.queues import KafkaConsole, KafkaRecord, PubSub
from flowdiag.ingest.envelopes.rows import Layer, Rows
from flowdiag.ingest.envelopes.search_rows import AzureRow, AzureTables, SplunkResults, SplunkRow
from flowdiag.ingest.envelopes.stern import Stern, SternJson
from flowdiag.ingest.envelopes.syslog import (
    JournalMonotonic,
    Syslog3164,
    Syslog5424,
    SyslogFrames,
    SyslogIso,
    SyslogUnix,
)
from flowdiag.ingest.envelopes.tables import CsvTable
from flowdiag.ingest.envelopes.viaq import FluentBitFile, FluentdFile, ViaQ
from flowdiag.ingest.envelopes.victorialogs import VictoriaLogs
from flowdiag.parserkit import ParseContext, holds, said_around
from flowdiag.parserkit.lines import MAX_LINE_BYTES

__all__ = [
    "DEPTH",
    "LAYERS",
    "Peeler",
    "is_document",
    "is_splittable",
    "keeps_nuls",
    "longest_line",
    "next_layer",
]

DEPTH = 6
"""Most wrappers around one line; a search's answer alone may be three (an array of hits, each of them a shipper's object)."""

_SAMPLE = 200
_MAJORITY = 0.5
_WORDS = 400
"""Bytes of a first line that tell whether it is what a command said before the log."""
_MANY, _STRIDE = 64, 7

# The more a layer demands of a line, the earlier it is asked: the first that most lines satisfy wins.
_ORDER: tuple[type[Layer], ...] = (
    GluedObjects,
    SentJson,
    PubSub,
    KafkaRecord,
    KafkaConsole,
    ElasticBulk,
    ElasticResponse,
    ElasticTable,
    ClickHouse,
    LokiResponse,
    CloudWatchEvents,
    CloudWatchQuery,
    SplunkResults,
    AzureTables,
    AwsEvents,
    AzureRecords,
    DatadogSearch,
    JsonArray,
    JournalExport,
    JournalVerbose,
    DumpSections,
    CsvTable,
    GrepPrefix,
    Cri,
    DockerJson,
    SyslogFrames,
    Syslog5424,
    SyslogIso,
    Syslog3164,
    SyslogUnix,
    JournalMonotonic,
    LogcliText,
    GrafanaText,
    FluentdFile,
    FluentBitFile,
    KubectlPrefix,
    Talosctl,
    Kubetail,
    Kail,
    CloudWatchText,
    ComposePrefix,
    OtlpLogs,
    LokiStreams,
    LogcliJson,
    JournalJson,
    SternJson,
    CloudLogging,
    CloudWatchExport,
    CloudWatchBatches,
    CloudWatchLines,
    ElasticHits,
    AzureRow,
    AzureMessages,
    AzureResourceLog,
    AzureFlowRow,
    SplunkRow,
    VictoriaLogs,
    ViaQ,
    PrettyObjects,
    Quoted,
    Numbered,
    JsonStrings,
    Indented,
    CloudWatchTail,
    CloudWatchShort,
    KubectlTimestamps,
    Svlogd,
    NodeLogs,
    Stern,
    Colours,
    AnyMessage,
    JsonInside,
)

LAYERS: dict[str, type[Layer]] = {layer.name: layer for layer in _ORDER}
"""Every layer by name."""


def next_layer(head: bytes) -> str | None:
    """The layer that most of the head's lines are wrapped in, or ``None``.

    Args:
        head: first bytes of the input, or what the layers before left of them.  The last line may be cut.
    """
    lines = [line for line in head.split(b"\n")[: _SAMPLE + 1] if line.strip()]
    while lines and said_around(lines[0][:_WORDS].decode("utf-8", "replace")):
        del lines[0]
    if len(lines) > 1 and not head.endswith(b"\n"):
        lines.pop()
    if not lines:
        return None
    some = lines[::_STRIDE] if len(lines) > _MANY else None

    def wraps(layer: type[Layer]) -> bool:
        for mark in layer.marks:
            if not holds(head, mark):
                return False
        # Of hundreds of lines a few tell that a layer wraps none, and most layers wrap none.
        if some is not None and layer.by_line and not layer.share(some):
            return False
        return layer.share(lines) > _MAJORITY

    return next((layer.name for layer in _ORDER if wraps(layer)), None)


def is_splittable(stack: tuple[str, ...]) -> bool:
    """Whether an input in these wrappers can be cut anywhere between lines."""
    return all(LAYERS[name].splittable for name in stack)


def is_document(stack: tuple[str, ...]) -> bool:
    """Whether the outermost wrapper needs the whole input at once."""
    return bool(stack) and issubclass(LAYERS[stack[0]], Document)


def longest_line(stack: tuple[str, ...]) -> int:
    """Bytes of a line of an input in these wrappers."""
    return LAYERS[stack[0]].longest if stack else MAX_LINE_BYTES


def keeps_nuls(stack: tuple[str, ...]) -> bool:
    """Whether NULs in an input in these wrappers have a meaning."""
    return bool(stack) and LAYERS[stack[0]].keeps_nuls


class Peeler:
    """Applies a stack to the runs of lines of one input, in order.

    Args:
        stack: layer names, outermost first.
        context: of the input; its year, reference time and zone read stamps that lack them.
        too_long: told the first line of each record that a layer joined and had to cut off.
    """

    def __init__(
        self, stack: tuple[str, ...], context: ParseContext, too_long: Callable[[int], None] | None = None
    ) -> None:
        self._layers = [LAYERS[name](context) for name in stack]
        if too_long is not None:
            for layer in self._layers:
                layer.too_long = too_long

    def peel(self, data: bytes, first_line: int) -> Rows:
        """Peel whole lines whose first has the number `first_line`."""
        count = data.count(b"\n") + (not data.endswith(b"\n") and bool(data))
        return self.peel_rows(Rows(data=data, lines=range(first_line, first_line + count)))

    def peel_rows(self, rows: Rows) -> Rows:
        """Peel whole lines whose numbers are known."""
        for layer in self._layers:
            rows = layer.peel(rows)
        return rows

    def flush(self) -> Iterator[Rows]:
        """What the layers held back, at the end of the input; the outermost first."""
        for depth, layer in enumerate(self._layers):
            rows = layer.flush()
            if rows is None or not rows.lines:
                continue
            for inner in self._layers[depth + 1 :]:
                rows = inner.peel(rows)
            if rows.lines:
                yield rows
