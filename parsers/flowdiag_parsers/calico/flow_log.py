"""Parsers of Calico's flow logs: one record a line, or one document that holds many."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, ClassVar

import msgspec

from flowdiag.parserkit import (
    Block,
    Event,
    FlowSink,
    LineEnvelope,
    LogEvent,
    ParseContext,
    ParseWarning,
    beheaded,
    decode,
    iter_lines,
)
from flowdiag_parsers.calico.flow_record import flow_event, interval_of
from flowdiag_parsers.calico.flow_shape import is_flow, level, unwrap
from flowdiag_parsers.calico.policy_names import policy_string

__all__ = ["CalicoFlowDocument", "CalicoFlowLog"]

_MARKS = (b'"reporter"', b'"action"')
_ENDS = (b'"source_name"', b'"sourceName"', b'"source_ip"', b'"dest_name"', b'"destName"', b'"dest_ip"')
# Quoted once more inside a collector's own JSON: "log":"{\"action\":...
_QUOTED_MARK = b'\\"reporter\\"'
_POLICY_STRING = re.compile(rb"^\d{1,4}\|[^|\n]{1,253}\|[^|\n]{1,600}\|(?:allow|deny|pass)\|-?\d")
# A reply of Whisker v3.30 begins {"meta":{"totalPages":1},"items":[
# and one of Elasticsearch 7 {"took":3,"hits":{"total":{"value":2,"relation":"eq"},"hits":[
_LISTED = re.compile(rb'"(?:items|hits)"\s{0,8}:\s{0,8}\[')
# A reply of Whisker with no flow in the time that was asked for: {"meta":{"totalPages":0},"items":[]}
_EMPTY_REPLY = re.compile(
    rb'\s{0,64}\{\s{0,64}"meta"\s{0,8}:\s{0,8}\{\s{0,64}"totalPages"\s{0,8}:\s{0,8}\d{1,9}\s{0,64}\}\s{0,8},'
    rb'\s{0,64}"items"\s{0,8}:\s{0,8}(?:\[\s{0,64}\]|null)\s{0,64}\}'
)
_LIST_START = re.compile(r'"(?:items|hits|flows)"\s{0,8}:\s{0,8}\[|^\s{0,64}\[')


class CalicoFlowLog:
    """Flow records, one JSON object a line: Felix, Enterprise and Cloud files, exports, event streams."""

    name: ClassVar[str] = "calico-flowlog"
    summary: ClassVar[str] = (
        "Calico flow log, one JSON object per line (Goldmane, Whisker, Enterprise, Cloud)"
    )
    cni: ClassVar[str | None] = "calico"
    sequential: ClassVar[bool] = False
    document: ClassVar[bool] = False
    tells_inferred_years: ClassVar[bool] = True

    def sniff(self, head: bytes) -> float:
        """Reporter, action and a named end together are a mark; a document is for `CalicoFlowDocument`."""
        if _POLICY_STRING.match(head) is not None:
            return 0.9
        if not _has_marks(head):
            return 0.9 if b'"all_policies"' in head else 0.0
        return 0.3 if _is_document(head) or _is_reply(head) else 0.95

    def denied_marks(self, head: bytes) -> tuple[bytes, ...] | None:
        """A denial and a staged denial both hold the word, as an action or inside a policy string."""
        del head
        return (b"deny", b"Deny")

    @staticmethod
    def interval_of(record: str) -> int | None:
        """See `flow_record.interval_of`."""
        return interval_of(record)

    def parse(self, block: Block, context: ParseContext) -> Iterator[Event]:
        """Yield an event per flow record; DNS, L7 and other logs in the same files are passed over."""
        for index, line in iter_lines(block):
            yield from _line(line, block.of_line(index), context)

    def fold(self, block: Block, context: ParseContext, sink: FlowSink) -> None:
        """Count as reading would, but read only the first record of each kind."""
        # Loaded where there are records: every parser is asked about every file.
        from flowdiag_parsers.calico.flow_fold import fold_records

        fold_records(block, context, sink, _line)


class CalicoFlowDocument:
    """Flow records in one JSON document: a reply of Whisker's or Elasticsearch's API."""

    name: ClassVar[str] = "calico-flowlog-document"
    summary: ClassVar[str] = "Calico flows as one JSON document (Whisker reply, Elasticsearch hits)"
    cni: ClassVar[str | None] = "calico"
    sequential: ClassVar[bool] = False
    document: ClassVar[bool] = True

    def sniff(self, head: bytes) -> float:
        """A reply's list is a mark; arrays and objects over several lines are peeled before."""
        if not _marked(head):
            # Records that stand in texts are for whoever takes the objects around these off.
            return 0.9 if _EMPTY_REPLY.match(head) is not None else 0.0
        if _is_reply(head):
            return 0.95
        return 0.5 if _is_document(head) else 0.0

    @staticmethod
    def interval_of(record: str) -> int | None:
        """See `flow_record.interval_of`."""
        return interval_of(record)

    def parse(self, block: Block, context: ParseContext) -> Iterator[Event]:
        """Yield an event per flow record; `line` is the record's place in the document, from 1."""
        place = 0
        around = block.of_line(0)
        try:
            values: list[Any] = [_decoded(block.data)]
            whole = True
        except (msgspec.DecodeError, RecursionError):
            values, whole = _salvage(decode(block.data))
        for value in values:
            for record in unwrap(value):
                place += 1
                raw = decode(msgspec.json.encode(record)) if context.keep_raw else None
                yield from _events(record, _at_place(around, place), context, raw)
        if not whole:
            yield _warning(
                "truncated-document", "the document ends early", _at_place(around, place + 1), context, b""
            )


def _line(line: bytes, around: LineEnvelope, context: ParseContext) -> Iterator[Event]:
    start = line.find(b"{")
    if start < 0:
        if line[:1].isdigit() and _POLICY_STRING.match(line) is not None:
            yield from _strings([decode(line)], around, context)
        elif beheaded(line, around):
            yield _warning("malformed-json", "not a whole JSON object", around, context, line)
        return
    body = line if start == 0 else line[start:]
    try:
        value = _decoded(body)
    except (msgspec.DecodeError, RecursionError):
        if _has_marks(body) or beheaded(line, around):
            yield _warning("malformed-json", "not a whole JSON object", around, context, line)
        return
    raw = decode(line) if context.keep_raw else None
    told = False
    for record in unwrap(value):
        for event in _events(record, around, context, raw):
            told = True
            yield event
    if not told and _QUOTED_MARK in body:
        # A collector's JSON is whole, and what it holds was cut off.
        yield _warning("malformed-json", "not a whole JSON object", around, context, line)


def _events(
    record: dict[str, Any], around: LineEnvelope, context: ParseContext, raw: str | None
) -> Iterator[Event]:
    flat = level(record)
    if is_flow(flat):
        yield flow_event(flat, around, context, raw)
        return
    strings = record.get("all_policies")
    if isinstance(strings, list):
        yield from _strings([text for text in strings if isinstance(text, str)], around, context)


def _strings(texts: list[str], around: LineEnvelope, context: ParseContext) -> Iterator[Event]:
    """Policy strings cut out of their record: what they name, without the traffic."""
    for text in texts:
        entry = policy_string(text.strip())
        if entry is None:
            continue
        place, hit = entry
        parts = {
            "index": str(place),
            "tier": text.split("|")[1],
            "kind": hit.kind,
            "group": hit.group,
            "namespace": hit.namespace,
            "name": hit.name,
            "action": hit.effect,
            "rule": hit.rule,
        }
        yield LogEvent(
            line=around.line,
            at=around.at,
            time_source=around.time_source,
            node=around.node or context.node,
            raw=text if context.keep_raw else None,
            message=text.strip(),
            fields={key: value for key, value in parts.items() if value is not None},
        )


def _decoded(data: bytes) -> Any:
    """The JSON value of `data`; bytes that are not UTF-8 are replaced, not fatal."""
    try:
        return msgspec.json.decode(data)
    except UnicodeDecodeError:
        return msgspec.json.decode(decode(data))


def _has_marks(head: bytes) -> bool:
    return _QUOTED_MARK in head or _marked(head)


def _marked(head: bytes) -> bool:
    return all(mark in head for mark in _MARKS) and any(end in head for end in _ENDS)


def _is_reply(head: bytes) -> bool:
    """A reply of Whisker's list request or of a search, on one line or on many."""
    start = head.lstrip()[:400]
    return start[:1] == b"{" and _LISTED.search(start) is not None


def _is_document(head: bytes) -> bool:
    """An array, or an object whose first line is not whole."""
    start = head.lstrip()
    if start[:1] == b"[":
        return True
    first, newline, _ = start.partition(b"\n")
    return start[:1] == b"{" and newline != b"" and not first.rstrip().endswith(b"}")


def _salvage(text: str) -> tuple[list[Any], bool]:
    """Values one after the other (``grpcurl``), or the whole elements of a list that was cut off."""
    decoder = json.JSONDecoder()
    values, end = _run(decoder, text, 0)
    if values:
        return values, not text[end:].strip()
    start = _LIST_START.search(text)
    if start is None:
        return [], False
    values, _ = _run(decoder, text, start.end())
    return values, False


def _run(decoder: json.JSONDecoder, text: str, start: int) -> tuple[list[Any], int]:
    values: list[Any] = []
    place = start
    while True:
        while place < len(text) and text[place] in " \t\r\n,":
            place += 1
        if place >= len(text):
            return values, place
        try:
            value, place = decoder.raw_decode(text, place)
        except (ValueError, RecursionError):
            return values, place
        values.append(value)


def _at_place(around: LineEnvelope, place: int) -> LineEnvelope:
    return LineEnvelope(line=place, node=around.node, at=around.at, year_inferred=around.year_inferred)


def _warning(
    code: str, message: str, around: LineEnvelope, context: ParseContext, line: bytes
) -> ParseWarning:
    return ParseWarning(
        line=around.line,
        code=code,
        message=message,
        node=around.node or context.node,
        raw=decode(line) if context.keep_raw and line else None,
    )
