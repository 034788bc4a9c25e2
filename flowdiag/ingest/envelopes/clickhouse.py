"""What ClickHouse prints as one document: the rows of a query as objects, or as lists with the columns' names beside.

Source: ClickHouse's formats ``JSON``, ``JSONStrings`` and ``JSONCompact``; Antrea's flow records are kept there, and what
OpenTelemetry's exporter writes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import msgspec
from msgspec import Raw, Struct

from flowdiag.ingest.envelopes.documents import Document
from flowdiag.ingest.envelopes.json_lines import one_line
from flowdiag.ingest.envelopes.rows import Row

__all__ = ["ClickHouse"]


class _Column(Struct):
    name: str


class _Answer(Struct):
    # {"meta":[{"name":"flowStartSeconds","type":"DateTime"}],"data":[{"flowStartSeconds":"2026-01-05 10:00:00"}],"rows":1}   24.8
    meta: list[_Column]
    data: list[Raw] = []


class ClickHouse(Document):
    """An answer; rows are counted from 1."""

    name = "clickhouse"
    lists = frozenset({b"data"})
    _META = re.compile(rb'\{\s{0,20}"meta"\s{0,4}:\s{0,4}\[\s{0,20}\{\s{0,20}"name"\s{0,4}:')

    @classmethod
    def begins(cls, head: bytes) -> bool:
        """See `Document.begins`."""
        return cls._META.match(head) is not None

    def elements(self, document: bytes) -> Iterator[Row]:
        """See `Document.elements`."""
        answer = msgspec.json.decode(document, type=_Answer)
        names = [column.name for column in answer.meta]
        for number, row in enumerate(answer.data, start=1):
            raw = bytes(row)
            if raw.startswith(b"["):
                cells = msgspec.json.decode(raw, type=list[Raw])
                raw = msgspec.json.encode(dict(zip(names, cells, strict=False)))
            yield Row(one_line(raw), number)
