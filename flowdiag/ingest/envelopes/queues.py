"""Records as they come out of message queues: Kafka's console, its connectors' objects, Google Pub/Sub.

Sources: Kafka ``org.apache.kafka.tools.consumer.DefaultMessageFormatter`` (``--property print.timestamp=true`` and its
like); Aiven's and Confluent's sinks for object storage; Kafka's REST proxy; Pub/Sub's ``PubsubMessage`` (pull, push, and
the table that a BigQuery subscription fills).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TypeVar

import msgspec
from msgspec import Raw, Struct, field

from flowdiag.ingest.envelopes.header import Header
from flowdiag.ingest.envelopes.json_lines import DAMAGED, JsonLines, one_line
from flowdiag.ingest.envelopes.packed import unpacked
from flowdiag.ingest.envelopes.rows import Row, instant, text_rows
from flowdiag.model.time import from_micros

__all__ = ["KafkaConsole", "KafkaRecord", "PubSub"]

_Found = TypeVar("_Found")
_MILLISECONDS = 100_000_000_000
"""From here on a number is no count of seconds."""


class KafkaConsole(Header):
    """``kafka-console-consumer``: what it was asked to print of a record, the record; tabs between."""

    name = "kafka-console"
    # "CreateTime:1767607200123\tPartition:0\tOffset:7\tNO_HEADERS\tnull\t{...}"   Kafka 2.7 to 4.0; the key stands before the record
    pattern = re.compile(
        rb"^(?=(?:CreateTime|LogAppendTime|Partition|Offset):-?\d|NO_TIMESTAMP\t|NO_HEADERS\t|null\t)"
        rb"(?:(?:CreateTime|LogAppendTime):(?P<at>-?\d{1,14})\t|NO_TIMESTAMP\t)?(?:Partition:\d{1,10}\t)?(?:Offset:\d{1,19}\t)?"
        rb"(?:NO_HEADERS\t)?(?:null\t)?"
        # Before a line of text a key cannot be told from the line's own first word.
        rb'(?:(?:[^\s{\[]{1,1000}\t){1,2}(?=\{"))?',
        re.MULTILINE,
    )

    def stamp(self, text: bytes) -> int | None:
        """Milliseconds since the epoch; -1 where the record has none."""
        return from_micros(int(text) * 1_000) if text[:1].isdigit() else None


def _text(raw: Raw) -> str | None:
    value = bytes(raw)
    return msgspec.json.decode(value, type=str) if value.startswith(b'"') else None


def _inside(raw: Raw, row: Row) -> Iterator[Row] | None:
    """A record that is an object, a text, or base64 of one of these."""
    if bytes(raw).startswith(b"{"):
        return iter((row._replace(data=one_line(raw)),))
    text = _text(raw)
    return None if text is None else text_rows(unpacked(text), row)


def _decoded(line: bytes, decoder: msgspec.json.Decoder[_Found]) -> _Found | None:
    try:
        return decoder.decode(line)
    except DAMAGED:
        return None


def _moment(raw: Raw) -> int | None:
    """RFC 3339, or milliseconds since the epoch."""
    value = bytes(raw)
    if value.startswith(b'"'):
        return instant(_text(raw))
    if value.isdigit() and len(value) < 15 and int(value) >= _MILLISECONDS:
        return from_micros(int(value) * 1_000)
    return None


class _Record(Struct):
    # {"key":"k","value":{...},"offset":7,"timestamp":"2026-01-05T10:00:00.123Z","headers":[]}     Aiven's S3 connector, jsonl
    # {"topic":"flows","key":null,"value":"eyJmbG93Ijp7...","partition":0,"offset":7}              Kafka's REST proxy, v2
    value: Raw
    offset: int
    timestamp: Raw = Raw()


_records = msgspec.json.Decoder(_Record)


class KafkaRecord(JsonLines[_Record]):
    """A record's value, an object or a text, beside its key and place."""

    name = "kafka-record"
    marks = (b'"value"', b'"offset"')
    any_marks = (b'"key"', b'"topic"', b'"headers"')
    shape = _Record

    @classmethod
    def _marked(cls, line: bytes) -> bool:
        # These names stand in many an object of Kubernetes, deeper than here.
        return super()._marked(line) and _decoded(line, _records) is not None

    def unwrap(self, record: _Record, row: Row) -> Iterator[Row] | None:
        """See `JsonLines.unwrap`."""
        at = _moment(record.timestamp)
        return _inside(record.value, row._replace(at=row.at if at is None else at))


class _Published(Struct):
    data: Raw = Raw()
    pushed_at: str | None = field(default=None, name="publishTime")
    kept_at: str | None = field(default=None, name="publish_time")


class _Message(Struct):
    # {"ackId":"...","message":{"data":"eyJ...","messageId":"1","publishTime":"2026-01-05T10:00:00.123Z"}}   gcloud pubsub pull
    # {"message":{"data":"eyJ...","messageId":"1","publishTime":"..."},"subscription":"projects/p/subscriptions/s"}     push
    # {"subscription_name":"...","message_id":"1","publish_time":"2026-01-05 10:00:00.123 UTC","data":"{...}"}      BigQuery
    message: _Published | None = None
    data: Raw = Raw()
    kept_at: str | None = field(default=None, name="publish_time")


_messages = msgspec.json.Decoder(_Message)


class PubSub(JsonLines[_Message]):
    """A message of Google Pub/Sub; its data is base64, or text where a table has it."""

    name = "pubsub"
    marks = (b'"data"',)
    any_marks = (b'"messageId"', b'"message_id"', b'"publishTime"')
    shape = _Message

    @classmethod
    def _marked(cls, line: bytes) -> bool:
        if not super()._marked(line):
            return False
        found = _decoded(line, _messages)
        return found is not None and bool(bytes((found.message or found).data))

    def unwrap(self, record: _Message, row: Row) -> Iterator[Row] | None:
        """See `JsonLines.unwrap`."""
        message = record.message
        if message is None:
            message = _Published(data=record.data, kept_at=record.kept_at)
        at = instant(message.pushed_at or (message.kept_at or "").replace(" UTC", "Z"))
        return _inside(message.data, row._replace(at=row.at if at is None else at))
