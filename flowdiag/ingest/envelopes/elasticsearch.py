"""Search results of Elasticsearch and OpenSearch, whole responses or one hit per line, and what is sent to their bulk API.

Sources: Elasticsearch search API (``hits.hits[]._source``); elasticdump writes one hit per line; bulk API (a line that
says where to, then the document).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

import msgspec
from msgspec import Raw, Struct, field

from flowdiag.ingest.envelopes.documents import Document
from flowdiag.ingest.envelopes.json_lines import DAMAGED, JsonLines, one_line
from flowdiag.ingest.envelopes.rows import Layer, Row, Rows, ends_open, instant, rows_from

__all__ = ["ElasticBulk", "ElasticHits", "ElasticResponse"]


class _Hit(Struct):
    # {"_index":"tigera_secure_ee_flows.cluster.20190503","_id":"u12w","_score":null,"_source":{...}}  Elasticsearch 7
    source: Raw = field(default=Raw(), name="_source")


class _Hits(Struct):
    hits: list[_Hit]


class _Response(Struct):
    hits: _Hits


class _Stamp(Struct):
    at: str | int | float | None = field(default=None, name="@timestamp")


_stamps = msgspec.json.Decoder(_Stamp)


def _unwrapped(hit: _Hit, row: Row) -> Row | None:
    raw = bytes(hit.source)
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

    @classmethod
    def begins(cls, head: bytes) -> bool:
        """See `Document.begins`."""
        return head.startswith(b"{") and b'"hits"' in head and b'"_source"' in head

    def elements(self, document: bytes) -> Iterator[Row]:
        """See `Document.elements`."""
        response = msgspec.json.decode(document, type=_Response)
        for number, hit in enumerate(response.hits.hits, start=1):
            inner = _unwrapped(hit, Row(b"", number))
            if inner is not None:
                yield inner
