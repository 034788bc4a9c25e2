"""Azure Monitor's records in one document: flow logs in a storage account (``PT1H.json``), a message of an event hub.

Source: Azure Monitor's resource log schema, ``{"records": [{"time": ..., "category": ...}]}``.  Each record becomes a line; of a
document that was cut off, the whole ones are read.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import msgspec
from msgspec import Raw, Struct

from flowdiag.ingest.envelopes.documents import Document, salvaged
from flowdiag.ingest.envelopes.json_lines import DAMAGED, one_line
from flowdiag.ingest.envelopes.rows import Row
from flowdiag.parserkit import ParseContext

__all__ = ["AzureRecords"]


class _Records(Struct):
    # {"records":[{"time":"2026-01-05T10:00:52.5625085Z","category":"FlowLogFlowEvent","flowRecords":{...}}]}   flow log, version 4
    records: list[Raw]


class AzureRecords(Document):
    """``{"records": [{...}, ...]}``; records are counted from 1."""

    name = "azure-records"
    _START = re.compile(rb'\{\s*"records"\s*:\s*(?=\[\s*\{)')

    def __init__(self, context: ParseContext) -> None:
        super().__init__(context)
        self._decoder = msgspec.json.Decoder(_Records)

    @classmethod
    def begins(cls, head: bytes) -> bool:
        """See `Document.begins`.  Whole objects of this kind, one a line, stand among others and are their parser's."""
        line, _, behind = head.partition(b"\n")
        return cls._START.match(head) is not None and not (
            line.rstrip().endswith(b"]}") and behind.lstrip().startswith(b"{")
        )

    def elements(self, document: bytes) -> Iterator[Row]:
        """See `Document.elements`."""
        text = document.strip()
        try:
            found: list[bytes] = [bytes(raw) for raw in self._decoder.decode(text).records]
        except DAMAGED:
            start = self._START.match(text)
            if start is None or not self.begins(text):
                raise
            found = list(salvaged(text[start.end() :]))
        for number, raw in enumerate(found, start=1):
            yield Row(one_line(raw), number)
