"""Records as AWS hands them on: events of Lambda functions, and what the CLI reads of a stream or queue.

Sources: the Lambda developer guide's events of CloudWatch Logs, Kinesis, Firehose, SQS and SNS; Firehose's HTTP endpoint
delivery; ``aws kinesis get-records`` and ``aws sqs receive-message``.  Streams carry base64, and CloudWatch's
subscriptions pack it with gzip: what comes out is a batch of `CloudWatchBatches`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from msgspec import Raw, Struct, field

from flowdiag.ingest.envelopes.documents import Document
from flowdiag.ingest.envelopes.fitting import fitting
from flowdiag.ingest.envelopes.packed import unpacked
from flowdiag.ingest.envelopes.rows import Row, instant, text_rows
from flowdiag.model.time import from_micros

__all__ = ["AwsEvents"]

_MILLISECONDS = 100_000_000_000
"""From here on a number is no count of seconds."""
_STAMP = 40
"""Bytes of the longest stamp."""


class _Packed(Struct):
    # "kinesis":{"partitionKey":"p","sequenceNumber":"495","data":"H4sI...","approximateArrivalTimestamp":1767607200.123}
    data: str | None = None
    arrived: Raw = field(default=Raw(), name="approximateArrivalTimestamp")


class _Notice(Struct):
    # "Sns":{"Type":"Notification","TopicArn":"arn:...","Message":"...","Timestamp":"2026-01-05T10:00:00.123Z"}
    text: str | None = field(default=None, name="Message")
    at: str | None = field(default=None, name="Timestamp")


class _Sent(Struct):
    sent: Raw = field(default=Raw(), name="SentTimestamp")


class _Record(Struct):
    kinesis: _Packed | None = None
    notice: _Notice | None = field(default=None, name="Sns")
    # {"recordId":"4960","approximateArrivalTimestamp":1767607200123,"data":"H4sI..."}     Firehose to a function; {"data":"..."} over HTTP
    data: str | None = None
    arrived: Raw = field(default=Raw(), name="approximateArrivalTimestamp")
    # {"SequenceNumber":"495","ApproximateArrivalTimestamp":"2026-01-05T10:00:00.123000+00:00","Data":"H4sI...","PartitionKey":"p"}   aws-cli 2.17
    read: str | None = field(default=None, name="Data")
    stored: Raw = field(default=Raw(), name="ApproximateArrivalTimestamp")
    # {"messageId":"m","body":"...","attributes":{"SentTimestamp":"1767607200123"},"eventSource":"aws:sqs"}; capitals as the CLI prints it
    body: str | None = None
    attributes: _Sent | None = None
    received: str | None = field(default=None, name="Body")
    noted: _Sent | None = field(default=None, name="Attributes")


class _Event(Struct):
    # A subscription that calls a function: {"awslogs":{"data":"H4sI..."}}
    awslogs: _Packed | None = None
    events: list[_Record] = field(default_factory=list, name="Records")
    records: list[_Record] = []
    messages: list[_Record] = field(default_factory=list, name="Messages")


class AwsEvents(Document):
    """One event or more, each of them records of a stream, a queue or a topic; counted through the input."""

    name = "aws-events"
    lists = frozenset({b"Records", b"records", b"Messages"})
    _START = re.compile(
        rb'\{\s*(?:"awslogs"\s*:\s*\{|"(?:Records|records|Messages)"\s*:\s*\[|"(?:invocationId|requestId)"\s*:)'
    )
    _RECORD = re.compile(
        rb'"awslogs"\s*:\s*\{\s*"data"\s*:|"kinesis"\s*:\s*\{|"Sns"\s*:\s*\{'
        rb'|"(?:recordId|records|SequenceNumber)"[^{}]{0,400}"[dD]ata"\s*:\s*"|"(?:records)"\s*:\s*\[\s*\{\s*"data"\s*:\s*"'
        rb'|"(?:messageId|MessageId)"[^{}]{0,4000}"[bB]ody"\s*:\s*"'
    )

    @classmethod
    def begins(cls, head: bytes) -> bool:
        """See `Document.begins`."""
        return cls._START.match(head) is not None and cls._RECORD.search(head) is not None

    def elements(self, document: bytes) -> Iterator[Row]:
        """See `Document.elements`."""
        event = fitting(document, _Event)
        packed = [] if event.awslogs is None else [_Record(data=event.awslogs.data)]
        records = (*packed, *event.events, *event.records, *event.messages)
        for number, record in enumerate(records, start=1):
            yield from _rows(record, Row(b"", number))


def _rows(record: _Record, row: Row) -> Iterator[Row]:
    kinesis, notice = record.kinesis or _Packed(), record.notice or _Notice()
    sent = record.attributes or record.noted or _Sent()
    times = (kinesis.arrived, record.arrived, record.stored, sent.sent)
    at = next((found for raw in times if (found := _moment(raw)) is not None), instant(notice.at))
    text = next((one for one in (kinesis.data, record.data, record.read) if one is not None), None)
    if text is not None:
        return text_rows(unpacked(text), row._replace(at=at))
    said = next((one for one in (notice.text, record.body, record.received) if one is not None), None)
    return iter(()) if said is None else text_rows(said, row._replace(at=at))


def _moment(raw: Raw) -> int | None:
    """RFC 3339, or seconds or milliseconds since the epoch, which may stand in a text."""
    value = bytes(raw).strip(b'"')
    if not value[:1].isdigit() or len(value) > _STAMP:
        return None
    try:
        number = float(value)
    except ValueError:
        return instant(value.decode("ascii", "replace"))
    if number >= 1_000 * _MILLISECONDS:
        return None
    return from_micros(round(number * (1_000_000 if number < _MILLISECONDS else 1_000)))
