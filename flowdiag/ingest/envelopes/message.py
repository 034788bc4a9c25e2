"""JSON of collectors that have no mark of their own: an object with a line of text or a record in it, one a line.

Sources: Datadog's log explorer, its search API and its archives; Graylog's GELF; Elastic Common Schema
(``event.original``); tools that read Kafka's topics; any shipper that puts a stamp beside a line.  What this is asked
about last only counts where a parser knows the text inside better than the object around it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import msgspec
from msgspec import Raw, Struct, field

from flowdiag.ingest.envelopes.documents import Document
from flowdiag.ingest.envelopes.json_lines import DAMAGED, JsonLines, one_line
from flowdiag.ingest.envelopes.rows import Row, instant, text_rows
from flowdiag.model.time import from_micros

__all__ = ["AnyMessage", "DatadogSearch"]

_MILLISECONDS = 100_000_000_000
_TAGS = {
    "pod_name": "pod",
    "kube_namespace": "namespace",
    "kube_container_name": "container",
    "container_name": "container",
}


class _Original(Struct):
    original: str | None = None


class _Message(Struct):
    # {"timestamp":"2026-01-05T10:00:00.123Z","message":"WARN: ..."}                                     any shipper
    # {"version":"1.1","host":"node-1","short_message":"...","full_message":"...","timestamp":1767607200.12}    GELF 1.1
    # {"_id":"AQ","date":"2026-01-05T10:00:00.123Z","host":"node-1","message":"...","tags":["pod_name:a"]}   Datadog's archives
    # {"id":"AQ","content":{"timestamp":"...","host":"node-1","message":"...","tags":[...]}}                 Datadog's API v1
    message: Raw = Raw()
    full: Raw = field(default=Raw(), name="full_message")
    short: Raw = field(default=Raw(), name="short_message")
    log: Raw = Raw()
    line: Raw = Raw()
    body: Raw = Raw()
    text: Raw = Raw()
    # {"topic":"flows","partition":0,"offset":7,"tstype":"create","ts":1767607200123,"key":null,"payload":"{...}"}   kcat -J 1.7
    payload: Raw = Raw()
    # {"topic":"flows","key":null,"value":"{...}","partition":0,"offset":7}                            Kafka's REST proxy, v2
    value: Raw = Raw()
    # {"msg":"...","rawmsg":"<4>Jan  5 10:00:00 node-1 kernel: ...","hostname":"node-1","timereported":"..."}    rsyslog, %jsonmesg%
    as_it_came: Raw = field(default=Raw(), name="rawmsg")
    # {"MESSAGE":"...","HOST":"node-1","PROGRAM":"kernel","ISODATE":"2026-01-05T10:00:00+00:00"}           syslog-ng, $(format-json)
    syslog_ng: Raw = field(default=Raw(), name="MESSAGE")
    # {"@rawstring":"...","@timestamp":1767607200123}                                                   LogScale
    logscale: Raw = field(default=Raw(), name="@rawstring")
    # {"Type":"Notification","TopicArn":"arn:...","Message":"...","Timestamp":"2026-01-05T10:00:00.123Z"}   Amazon SNS
    notified: Raw = field(default=Raw(), name="Message")
    event: Raw = Raw()
    content: Raw = Raw()
    attributes: Raw = Raw()
    # What was JSON before it was shipped, as an object:
    # {"date":"...","host":"node-1","attributes":{"flow":{...}},"tags":[...]}                        Datadog's archives
    # {"@timestamp":"...","json":{"flow":{...}},"log":{"file":{"path":"/x"},"offset":3}}             Filebeat 8, parser ndjson
    # {"schema":null,"payload":{"flow":{...}}}                                                       Kafka Connect's JsonConverter
    # {"SequenceNumber":7,"Offset":"96","EnqueuedTimeUtc":"...","Body":{"flow":{...}}}               captures of Azure's event hubs
    # {"specversion":"1.0","id":"7","source":"x","type":"y","time":"...","data":{"flow":{...}}}      CloudEvents 1.0
    json: Raw = Raw()
    captured: Raw = field(default=Raw(), name="Body")
    data: Raw = Raw()
    record: Raw = Raw()
    at: Raw = field(default=Raw(), name="@timestamp")
    timestamp: Raw = Raw()
    time: Raw = Raw()
    ts: Raw = Raw()
    date: Raw = Raw()
    enqueued: Raw = field(default=Raw(), name="EnqueuedTimeUtc")
    reported: Raw = field(default=Raw(), name="timereported")
    iso: Raw = field(default=Raw(), name="ISODATE")
    noted: Raw = field(default=Raw(), name="Timestamp")
    host: Raw = Raw()
    hostname: Raw = Raw()
    syslog_ng_host: Raw = field(default=Raw(), name="HOST")
    tags: Raw = Raw()
    # A Kubernetes Event has a message, and is the record itself.
    involved: Raw = field(default=Raw(), name="involvedObject")
    regarding: Raw = Raw()


_messages = msgspec.json.Decoder(_Message)
_originals = msgspec.json.Decoder(_Original)


def _text(raw: Raw) -> str | None:
    value = bytes(raw)
    return msgspec.json.decode(value, type=str) if value.startswith(b'"') else None


def _instant(record: _Message) -> int | None:
    for raw in (
        *(record.at, record.timestamp, record.time, record.ts, record.date),
        *(record.enqueued, record.reported, record.iso, record.noted),
    ):
        value = bytes(raw)
        if value.startswith(b'"') and (found := instant(_text(raw))) is not None:
            return found
        if value[:1].isdigit() and len(value) < 30 and (number := float(value)) < 1_000 * _MILLISECONDS:
            return from_micros(round(number * (1_000_000 if number < _MILLISECONDS else 1_000)))
    return None


def _line(record: _Message) -> str | None:
    """The first text with something in it, else an empty one."""
    empty: str | None = None
    for raw in (
        *(record.message, record.full, record.short, record.log, record.line, record.body, record.text),
        *(record.payload, record.value, record.captured),
        *(record.as_it_came, record.syslog_ng, record.logscale, record.notified),
    ):
        text = _text(raw)
        if text:
            return text
        empty = text if empty is None else empty
    if bytes(record.event).startswith(b"{"):
        return _originals.decode(record.event).original or empty
    return empty


def _placed(record: _Message, row: Row) -> Row:
    found: dict[str, str] = {}
    if bytes(record.tags).startswith(b'["'):
        for tag in msgspec.json.decode(record.tags, type=list[str]):
            name, _, value = tag.partition(":")
            if name in _TAGS and value:
                found.setdefault(_TAGS[name], value)
    at = _instant(record)
    return row._replace(
        at=row.at if at is None else at,
        node=_text(record.host) or _text(record.hostname) or _text(record.syslog_ng_host) or row.node,
        namespace=found.get("namespace") or row.namespace,
        pod=found.get("pod") or row.pod,
        container=found.get("container") or row.container,
    )


# What else stands under these names: "log":{"file":{"path":"/x"},"offset":3}, "event":{"dataset":"x","original":"..."}
_BESIDE = re.compile(
    rb'\{\s{0,8}(?:\}|"(?:file|offset|level|original|dataset|module|created|kind|category)"\s{0,8}:)'
)


def _object(record: _Message) -> bytes | None:
    """The record itself, where it was JSON before it was shipped."""
    for raw in (
        *(record.json, record.message, record.payload, record.body, record.captured),
        *(record.record, record.value, record.data),
    ):
        if bytes(raw).startswith(b"{"):
            return one_line(bytes(raw))
    for raw in (record.log, record.event):
        if bytes(raw).startswith(b"{") and _BESIDE.match(bytes(raw)) is None:
            return one_line(bytes(raw))
    # Beside a time of their own they are what the record came to; without one they hold that time, and no line.
    attributes = bytes(record.attributes) if _instant(record) is not None else b""
    return one_line(attributes) if attributes.startswith(b"{") else None


def _unwrapped(record: _Message, row: Row) -> Iterator[Row] | None:
    line = _line(record)
    if line:
        return text_rows(line, _placed(record, row))
    for raw in (record.content, record.attributes):
        if bytes(raw).startswith(b"{"):
            inner = _messages.decode(raw)
            if _is_event(inner):
                return iter((_placed(record, row)._replace(data=one_line(bytes(raw))),))
            said = _line(inner)
            if said:
                return text_rows(said, _placed(inner, row))
            inside = _object(inner)
            if inside is not None:
                return iter((_placed(inner, _placed(record, row))._replace(data=inside),))
    inside = _object(record)
    if inside is not None:
        return iter((_placed(record, row)._replace(data=inside),))
    text = _text(record.content) if line is None else line
    return None if text is None else text_rows(text, _placed(record, row))


def _is_event(record: _Message) -> bool:
    """Whether it is a Kubernetes Event, and not one in an object (``{"verb":"ADDED","event":{...}}``, eventrouter 0.4)."""
    return bool(bytes(record.involved) or bytes(record.regarding))


class AnyMessage(JsonLines[_Message]):
    """An object with a text, or another object, by one of the names that collectors use."""

    name = "json-message"
    marks = (b'"',)
    shape = _Message
    _TEXT = re.compile(
        rb'"(?:message|full_message|short_message|log|line|body|Body|text|payload|value|original|content|rawmsg|MESSAGE|Message|@rawstring)"\s{0,4}:\s{0,4}"'
        rb'|"(?:json|message|log|payload|body|Body|record|value|data|event|attributes)"\s{0,4}:\s{0,4}\{'
    )

    @classmethod
    def _marked(cls, line: bytes) -> bool:
        if not super()._marked(line) or cls._TEXT.search(line) is None:
            return False
        # These names stand in many an object, deeper than here.
        try:
            record = _messages.decode(line)
            return not _is_event(record) and _unwrapped(record, Row(b"", 1)) is not None
        except msgspec.ValidationError:
            return True
        except DAMAGED:
            return b'"involvedObject"' not in line

    def unwrap(self, record: _Message, row: Row) -> Iterator[Row] | None:
        """See `JsonLines.unwrap`."""
        return None if _is_event(record) else _unwrapped(record, row)


class _Found(Struct):
    # {"data":[{"id":"AQ","type":"log","attributes":{"timestamp":"...","host":"node-1","message":"...","tags":[]}}],"meta":{}}   API v2
    data: list[Raw] = []
    logs: list[Raw] = []


class DatadogSearch(Document):
    """The answer of Datadog's search for logs; they are counted from 1."""

    name = "datadog"
    lists = frozenset({b"data", b"logs"})
    # A message of Pub/Sub has attributes and data as well, and its data is a text.
    _DATA = re.compile(rb'"data"\s{0,20}:\s{0,20}\[')

    @classmethod
    def begins(cls, head: bytes) -> bool:
        """See `Document.begins`."""
        if not head.startswith(b"{") or b'"message"' not in head:
            return False
        if b'"attributes"' in head and cls._DATA.search(head) is not None:
            return True
        return b'"content"' in head and b'"logs"' in head

    def elements(self, document: bytes) -> Iterator[Row]:
        """See `Document.elements`."""
        found = msgspec.json.decode(document, type=_Found)
        for number, raw in enumerate(found.data or found.logs, start=1):
            try:
                inner = _unwrapped(_messages.decode(raw), Row(b"", number))
            except DAMAGED:
                inner = None
            yield from iter((Row(bytes(raw), number),)) if inner is None else inner
