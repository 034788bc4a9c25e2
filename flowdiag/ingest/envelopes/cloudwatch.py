"""CloudWatch Logs, as ``aws logs`` prints them, and as subscriptions deliver them.

Source: CloudWatch Logs API reference (``FilterLogEvents``, ``GetLogEvents``, ``GetQueryResults``), user guide
(subscription filters).  The policy agent's messages hold no time of their own, so the outer one matters.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

import msgspec
from msgspec import Raw, Struct, field

from flowdiag.ingest.envelopes.documents import Document
from flowdiag.ingest.envelopes.header import Header
from flowdiag.ingest.envelopes.json_lines import Batches, JsonLines, one_line
from flowdiag.ingest.envelopes.rows import Layer, Row, Rows, ends_open, instant, rows_from, text_rows
from flowdiag.model.time import from_micros

__all__ = [
    "CloudWatchBatches",
    "CloudWatchEvents",
    "CloudWatchExport",
    "CloudWatchLines",
    "CloudWatchQuery",
    "CloudWatchShort",
    "CloudWatchTail",
    "CloudWatchText",
]


class _Event(Struct):
    # {"logStreamName":"aws-network-policy-agent-audit-1f0c","timestamp":1767607200123,"message":"Node: ...",
    #  "ingestionTime":1767607205000,"eventId":"3839"}   aws-cli 2.17
    message: str | None = None
    timestamp: int | None = None


class _Batch(Struct):
    # {"messageType":"DATA_MESSAGE","owner":"123456789012","logGroup":"/aws/eks/c/cluster","logStream":"s","subscriptionFilters":["f"],
    #  "logEvents":[{"id":"3839","timestamp":1767607200123,"message":"Node: ..."}]}
    events: list[_Event] = field(name="logEvents")
    kind: str | None = field(default=None, name="messageType")


class _Events(Struct):
    events: list[_Event]


class _Cell(Struct):
    field: str
    value: str


class _Results(Struct):
    results: list[list[_Cell]]


def _rows(event: _Event, row: Row) -> Iterator[Row]:
    if event.message is None:
        return iter(())
    at = row.at if event.timestamp is None else from_micros(event.timestamp * 1_000)
    return text_rows(event.message, row._replace(at=at))


class CloudWatchEvents(Document):
    """``aws logs filter-log-events`` and ``get-log-events``."""

    name = "cloudwatch"
    lists = frozenset({b"events"})
    _START = re.compile(rb"\{\s*\"events\"\s*:\s*\[")

    @classmethod
    def begins(cls, head: bytes) -> bool:
        """See `Document.begins`."""
        return cls._START.match(head) is not None and b'"message"' in head

    def elements(self, document: bytes) -> Iterator[Row]:
        """See `Document.elements`."""
        for number, event in enumerate(msgspec.json.decode(document, type=_Events).events, start=1):
            yield from _rows(event, Row(b"", number))


class CloudWatchQuery(Document):
    """``aws logs get-query-results``: cells by name."""

    name = "cloudwatch-query"
    lists = frozenset({b"results"})

    @classmethod
    def begins(cls, head: bytes) -> bool:
        """See `Document.begins`."""
        return head.startswith(b"{") and b'"results"' in head and b'"@message"' in head

    def elements(self, document: bytes) -> Iterator[Row]:
        """See `Document.elements`."""
        for number, cells in enumerate(msgspec.json.decode(document, type=_Results).results, start=1):
            named = {cell.field: cell.value for cell in cells}
            if "@message" in named:
                yield from text_rows(named["@message"], Row(b"", number, at=_console_time(named)))


def _console_time(named: dict[str, str]) -> int | None:
    """Insights prints UTC without saying so: ``2026-01-05 10:00:00.123``."""
    text = named.get("@timestamp")
    return instant(f"{text.strip()}Z") if text else None


class _Exported(Struct):
    # {"@timestamp":"2026-01-05 10:00:00.123","@message":{"level":"info","ts":"...","msg":"Flow Info: ..."},"@logStream":"x"}   console, 2025
    line: Raw = field(default=Raw(), name="@message")
    at: str | None = field(default=None, name="@timestamp")


class CloudWatchExport(JsonLines[_Exported]):
    """A row of what Insights' console exports as JSON; a message that is JSON stands there as an object."""

    name = "cloudwatch-export"
    marks = (b'"@message"',)
    shape = _Exported

    def unwrap(self, record: _Exported, row: Row) -> Iterator[Row] | None:
        """See `JsonLines.unwrap`."""
        at = _console_time({"@timestamp": record.at} if record.at else {})
        row = row._replace(at=row.at if at is None else at)
        line = bytes(record.line)
        if line.startswith(b"{"):
            return iter((row._replace(data=one_line(line)),))
        return text_rows(msgspec.json.decode(line, type=str), row) if line.startswith(b'"') else None


class CloudWatchLines(JsonLines[_Event]):
    """One event per line."""

    name = "cloudwatch-lines"
    marks = (b'"message"', b'"timestamp"')
    any_marks = (b'"ingestionTime"', b'"logStreamName"', b'"eventId"')
    shape = _Event

    def unwrap(self, record: _Event, row: Row) -> Iterator[Row] | None:
        """See `JsonLines.unwrap`."""
        return None if record.message is None else _rows(record, row)


class CloudWatchBatches(Batches[_Batch]):
    """What a subscription delivers: a batch of events per line; that the destination is there it asks with one of its own."""

    name = "cloudwatch-batches"
    lists = frozenset({b"logEvents"})
    marks = (b'"logEvents"', b'"message"')
    shape = _Batch

    def unwrap(self, record: _Batch, row: Row) -> Iterator[Row] | None:
        """See `JsonLines.unwrap`."""
        if record.kind == "CONTROL_MESSAGE":
            return iter(())
        return (inner for event in record.events for inner in _rows(event, self.counted(row)))


class CloudWatchTail(Header):
    """``aws logs tail``: time, stream, message; of ``--format json`` an object goes on in the lines below."""

    name = "cloudwatch-tail"
    # "2026-01-05T10:00:00.123000+00:00 aws-network-policy-agent-audit-1f0c Node: ip-10-0-1-2;SIP: ..."   aws-cli 2.17
    # "2026-01-05T10:00:00+00:00 eni-1235b8ca123456789-all 2 123456789010 eni-..."   at a whole second, as all of a VPC flow log are
    pattern = re.compile(
        rb"^(?P<at>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{6}[+-]\d\d:\d\d|\+00:00)) ([A-Za-z0-9._/$\[\]-]{1,512})(?: |$)",
        re.MULTILINE,
    )

    @classmethod
    def share(cls, lines: Sequence[bytes]) -> float:
        """See `Layer.share`; of the lines that begin an event."""
        return super().share([line for line in lines if not line.startswith((b" ", b"}"))])


class CloudWatchShort(Header):
    """``aws logs tail --format short``: time in UTC without saying so, message."""

    name = "cloudwatch-short"
    # "2026-01-05T10:00:00 Node: ip-10-0-1-2;SIP: ..."   aws-cli 2.17
    pattern = re.compile(rb"^(?P<at>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d) ", re.MULTILINE)

    def stamp(self, text: bytes) -> int | None:
        """See `Header.stamp`."""
        return super().stamp(text + b"Z")


class CloudWatchText(Layer):
    """``--output text`` of ``filter-log-events`` and ``get-log-events``: cells by their names' order, tabs between.

    Of the lines with other words in front (streams that were searched, tokens) nothing is a record.
    """

    name = "cloudwatch-text"
    by_line = True
    # "EVENTS\t3839\t1767607205000\taws-network-policy-agent-audit-1f0c\tNode: ...\t1767607200123"   aws-cli 2.17, filter-log-events
    # "EVENTS\t1767607205000\tNode: ...\t1767607200123"                                              get-log-events
    _BESIDE = (b"SEARCHEDLOGSTREAMS\t", b"NEXTTOKEN\t", b"b/")
    _EVENT = re.compile(
        rb"EVENTS\t(?:\d{1,60}\t\d{13}\t[A-Za-z0-9._/$\[\]-]{1,512}|\d{13})\t(?P<message>.*)\t(?P<at>\d{13})\r?"
    )

    @classmethod
    def share(cls, lines: Sequence[bytes]) -> float:
        """See `Layer.share`; of the lines that can be events."""
        told = [line for line in lines if not line.startswith(cls._BESIDE)]
        return sum(1 for line in told if cls._EVENT.fullmatch(line)) / max(len(told), 1)

    def peel(self, rows: Rows) -> Rows:
        """See `Layer.peel`."""
        out = []
        for row in rows:
            found = self._EVENT.fullmatch(row.data)
            at = None if found is None else from_micros(int(found["at"]) * 1_000)
            out.append(row if found is None else row._replace(data=found["message"], at=at))
        return rows_from(out, year_inferred=rows.year_inferred, open_end=ends_open(rows))
