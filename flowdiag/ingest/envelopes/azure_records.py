"""Azure Monitor's records: flow logs in a storage account (``PT1H.json``), a message of an event hub, AKS' control plane.

Source: Azure Monitor's resource log schema, ``{"records": [{"time": ..., "category": ...}]}``.  Each record becomes a line; of a
document that was cut off, the whole ones are read.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import msgspec
from msgspec import Raw, Struct

from flowdiag.ingest.envelopes.documents import Document, salvaged
from flowdiag.ingest.envelopes.json_lines import DAMAGED, Batches, JsonLines, one_line
from flowdiag.ingest.envelopes.rows import Row, instant, text_rows
from flowdiag.parserkit import ParseContext

__all__ = ["AzureMessages", "AzureRecords", "AzureResourceLog"]


class _Records(Struct):
    # {"records":[{"time":"2026-01-05T10:00:52.5625085Z","category":"FlowLogFlowEvent","flowRecords":{...}}]}   flow log, version 4
    records: list[Raw]


class _Properties(Struct):
    log: str | None = None
    pod: str | None = None


class _Resource(Struct):
    # {"time":"2026-01-05T10:00:00.1234567Z","category":"kube-audit","resourceId":"/SUBSCRIPTIONS/...","properties":{"log":"{...}\n",
    #  "stream":"stdout","pod":"kube-apiserver-7d9c4b5f6-x2k8p"}}       AKS' control plane, 2024
    properties: _Properties
    time: str | None = None


class AzureResourceLog(JsonLines[_Resource]):
    """A line of a program of AKS' control plane, as diagnostic settings store it."""

    name = "azure-resource-log"
    marks = (b'"properties"', b'"category"', b'"log"')
    shape = _Resource

    def unwrap(self, record: _Resource, row: Row) -> Iterator[Row] | None:
        """See `JsonLines.unwrap`."""
        if record.properties.log is None:
            return None
        at = instant(record.time)
        row = row._replace(at=row.at if at is None else at, pod=record.properties.pod or row.pod)
        return text_rows(record.properties.log, row)


class _Message(Struct):
    # As an event hub has it: {"records":[{"time":"2026-01-05T10:00:00Z","category":"kube-audit","properties":{"log":"{...}\n","stream":"stdout"}}]}
    records: list[Raw]


class AzureMessages(Batches[_Message]):
    """Messages of an event hub that resource logs go to, one a line: AKS' and a firewall's; those of flow logs their parser reads so."""

    name = "azure-messages"
    lists = frozenset({b"records"})
    marks = (b'"records"', b'"properties"')
    any_marks = (b'"log"', b'"AZFW', b'"AzureFirewall')
    shape = _Message

    def unwrap(self, record: _Message, row: Row) -> Iterator[Row] | None:
        """See `JsonLines.unwrap`."""
        return (self.counted(row)._replace(data=one_line(bytes(raw))) for raw in record.records)


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
