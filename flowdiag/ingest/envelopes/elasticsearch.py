"""Search results of Elasticsearch and OpenSearch, whole responses or one hit per line, and what is sent to their bulk API.

Sources: Elasticsearch search API (``hits.hits[]._source``); elasticdump writes one hit per line; bulk API (a line that
says where to, then the document).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec
from msgspec import Raw, Struct, field

from flowdiag.ingest.envelopes.documents import Document
from flowdiag.ingest.envelopes.json_lines import DAMAGED, JsonLines, one_line
from flowdiag.ingest.envelopes.rows import Layer, Row, Rows, ends_open, instant, rows_from

__all__ = ["ElasticBulk", "ElasticHits", "ElasticResponse", "ElasticTable"]


class _Hit(Struct):
    # {"_index":"tigera_secure_ee_flows.cluster.20190503","_id":"u12w","_score":null,"_source":{...}}  Elasticsearch 7
    source: Raw = field(default=Raw(), name="_source")
    # "fields":{"@timestamp":["2026-01-05T10:00:00.123Z"],"message":["..."]}   as Kibana asks; every value is a list
    fields: dict[str, Any] | None = None


class _Hits(Struct):
    hits: list[_Hit]


class _Response(Struct):
    hits: _Hits | None = None
    # {"id":"x","is_partial":false,"response":{"took":3,"hits":{...}}}      async search, Elasticsearch 7.7 and later
    response: _Response | None = None
    # {"id":"x","rawResponse":{"took":3,"hits":{...}}}                      what Kibana's inspector shows of a search
    raw: _Response | None = field(default=None, name="rawResponse")


class _Stamp(Struct):
    at: str | int | float | None = field(default=None, name="@timestamp")


_stamps = msgspec.json.Decoder(_Stamp)


def _only(value: Any) -> Any:
    """The value of a list of one."""
    return value[0] if isinstance(value, list) and len(value) == 1 else value


def _unwrapped(hit: _Hit, row: Row) -> Row | None:
    raw = bytes(hit.source)
    if not raw and hit.fields:
        raw = msgspec.json.encode({name: _only(value) for name, value in hit.fields.items()})
    if not raw.startswith(b"{"):
        return None
    try:
        stamp = _stamps.decode(raw).at
    except DAMAGED:
        stamp = None
    at = instant(stamp) if isinstance(stamp, str) else None
    return row._replace(data=one_line(raw), at=row.at if at is None else at)


class ElasticHits(JsonLines[_Hit]):
    """One hit per line."""

    name = "elasticsearch-hit"
    marks = (b'"_source"',)
    any_marks = (b'"_index"', b'"_id"')
    shape = _Hit

    def unwrap(self, record: _Hit, row: Row) -> Iterator[Row] | None:
        """See `JsonLines.unwrap`."""
        inner = _unwrapped(record, row)
        return None if inner is None else iter((inner,))


class _Named(Struct):
    name: str


class _Table(Struct):
    # {"took":3,"columns":[{"name":"@timestamp","type":"date"},{"name":"message","type":"keyword"}],"values":[["...","..."]]}  ES|QL
    # {"columns":[{"name":"message","type":"text"}],"rows":[["..."]]}                        Elasticsearch's SQL
    # {"schema":[{"name":"message","type":"text"}],"datarows":[["..."]],"total":1}           OpenSearch's SQL and PPL
    columns: list[_Named] = []
    schema: list[_Named] = []
    values: list[list[Raw]] = []
    rows: list[list[Raw]] = []
    datarows: list[list[Raw]] = []


class ElasticTable(Document):
    """What a query language answers: a row becomes an object of its columns, counted from 1."""

    name = "elasticsearch-table"
    lists = frozenset({b"values", b"rows", b"datarows"})
    _NAMES = re.compile(rb'"(?:columns|schema)"\s{0,20}:\s{0,20}\[\s{0,20}\{\s{0,20}"name"')

    @classmethod
    def begins(cls, head: bytes) -> bool:
        """See `Document.begins`."""
        return (
            head.startswith(b"{")
            and cls._NAMES.search(head) is not None
            and any(rows in head for rows in (b'"values"', b'"rows"', b'"datarows"'))
            and not any(other in head for other in (b'"tables"', b'"apiVersion"'))
        )

    def elements(self, document: bytes) -> Iterator[Row]:
        """See `Document.elements`."""
        table = msgspec.json.decode(document, type=_Table)
        names = [column.name for column in table.columns or table.schema]
        for number, cells in enumerate(table.values or table.rows or table.datarows, start=1):
            raw = msgspec.json.encode(dict(zip(names, cells, strict=False)))
            try:
                stamp = _stamps.decode(raw).at
            except DAMAGED:
                stamp = None
            yield Row(raw, number, at=instant(stamp) if isinstance(stamp, str) else None)


class ElasticBulk(Layer):
    """The body of a bulk request: lines that say where a document goes are taken out, the documents stay."""

    name = "elasticsearch-bulk"
    by_line = True
    # '{"index":{"_index":"flows-2026.01.05","_id":"u12w"}}', '{"create":{}}'   Elasticsearch 7 and 8, OpenSearch 2
    _ACTION = re.compile(
        rb'\s{0,8}\{\s{0,4}"(?:index|create)"\s{0,4}:\s{0,4}\{[^{}\n]{0,2000}\}\s{0,4}\}\s{0,8}'
    )

    @classmethod
    def share(cls, lines: Sequence[bytes]) -> float:
        """Every second line is such a one."""
        found = sum(1 for line in lines if line.lstrip()[:1] == b"{" and cls._ACTION.fullmatch(line))
        return min(2 * found / max(len(lines), 1), 1.0) if len(lines) > found else 0.0

    def peel(self, rows: Rows) -> Rows:
        """See `Layer.peel`."""
        kept = [row for row in rows if self._ACTION.fullmatch(row.data) is None]
        return rows_from(kept, year_inferred=rows.year_inferred, open_end=ends_open(rows))


class ElasticResponse(Document):
    """A whole response; hits are counted from 1."""

    name = "elasticsearch"
    lists = frozenset({b"hits"})

    @classmethod
    def begins(cls, head: bytes) -> bool:
        """See `Document.begins`."""
        return (
            head.startswith(b"{")
            and b'"hits"' in head
            and (b'"_source"' in head or (b'"_index"' in head and b'"fields"' in head))
        )

    def elements(self, document: bytes) -> Iterator[Row]:
        """See `Document.elements`."""
        response = msgspec.json.decode(document, type=_Response)
        response = response.raw or response.response or response
        for number, hit in enumerate(response.hits.hits if response.hits is not None else (), start=1):
            inner = _unwrapped(hit, Row(b"", number))
            if inner is not None:
                yield inner
