"""Logs exported as a table (CSV): one row a message or a record of named fields, told by its header row.

Sources: CloudWatch Logs Insights' export (``@timestamp``, ``@message``), the console's of a stream (``timestamp`` in
milliseconds, ``message``), Athena's answer for a log group (``log_stream``, ``time``, ``message``), Sumo Logic's
(``_messagetimems``, ``_raw``), Splunk's ``outputcsv`` and search export
(``_time``, ``_raw``, ``host``), Kibana's CSV report of a saved search (``@timestamp``, ``message``), Grafana
Explore's (``Time``, ``Line``, ``tsNs``), Azure Log Analytics' (``TimeGenerated [UTC]``, ``LogMessage``), Datadog's (``Date``, ``Content``).
Kibana's report of records (a flow index) has ``@timestamp``, no message, and a column a field, dots in its name:
each row becomes one JSON object of the cells that hold something; so does a row of Antrea's flows in ClickHouse, of NetObserv's, of Azure's container network logs, and of what
Google's Logs Explorer exports (``logName``, ``jsonPayload.connection.src_ip``), where dots are the entry's own levels.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from datetime import datetime
from typing import Any, ClassVar

import msgspec

from flowdiag.ingest.envelopes.azure_flows import holds_azure_flows, holds_network_rows
from flowdiag.ingest.envelopes.rows import Layer, Row, Rows, ends_open, instant, rows_from, text_rows
from flowdiag.model.time import NS, from_datetime, from_epoch, from_micros, from_nanos
from flowdiag.parserkit import MONTHS, ParseContext, said_around
from flowdiag.parserkit.lines import MAX_LINE_BYTES

__all__ = ["CsvTable"]

_MESSAGES = (
    "@message",
    "_raw",
    "message",
    "log",
    "Line",
    "LogMessage",
    "LogEntry",
    "log_s",
    "msg_s",
    "Content",
)
_TIMES = (
    *("tsNs", "@timestamp", "_time", "Time", "timestamp", "TimeGenerated [UTC]", "TimeGenerated", "Date"),
    *("time", "_messagetimems", "_messagetime"),
)
_DEEPEST = 12
_FEW = 3
"""Columns that are no record yet."""
_UTC = ("@timestamp", "TimeGenerated [UTC]", "TimeGenerated")
"""Columns whose stamps are in UTC where they do not say (Kibana's say it in another form)."""
_PLACES: dict[str, tuple[str, ...]] = {
    "node": (
        "host",
        "_sourcehost",
        "hostname",
        "Host",
        "kubernetes.host",
        "kubernetes.node.name",
        "node_name",
        "node",
        "Computer",
    ),
    "namespace": ("kubernetes.namespace_name", "kubernetes.namespace", "namespace", "PodNamespace"),
    "pod": ("kubernetes.pod_name", "kubernetes.pod.name", "pod", "PodName"),
    "container": ("kubernetes.container_name", "kubernetes.container.name", "container", "ContainerName"),
}
# "Jan 5, 2026 @ 10:00:00.123"   Kibana 8, in the zone of the browser
_KIBANA = re.compile(r"([A-Z][a-z]{2}) (\d{1,2}), (\d{4}) @ (\d\d):(\d\d):(\d\d)\.(\d{3})")
# "1/5/2026, 10:00:00.123 AM"   Azure's portal, in UTC; upper case is written where the month comes first alone
_PORTAL = re.compile(r"(\d{1,2})/(\d{1,2})/(\d{4}), (\d{1,2}):(\d\d):(\d\d)(?:\.(\d{1,7}))? ([AP])M")
# "1767607200.123", "1767607200"  Splunk with an unformatted _time;   "1767607200123456789"  Grafana's tsNs
# "1767607200123"   CloudWatch's console, Athena, Sumo Logic
_EPOCH = re.compile(r"(\d{9,10})(?:\.(\d{1,9}))?|(\d{19})|(\d{13})")


class CsvTable(Layer):
    """A header row that names a message and a time, then a row a message; a quoted one may span lines."""

    name = "csv-table"
    splittable: ClassVar[bool] = False

    def __init__(self, context: ParseContext) -> None:
        super().__init__(context)
        self._names: list[str] | None = None
        self._open: list[Row] = []
        self._quotes = self._size = 0

    @classmethod
    def share(cls, lines: Sequence[bytes]) -> float:
        """Believed by the header row."""
        head = lines[0][:4096] if lines else b""
        if b"," not in head or head.lstrip().startswith((b"{", b"[")):
            return 0.0
        names = _cells(head) or []
        if _column(names, _MESSAGES) is not None:
            return 1.0 if _column(names, _TIMES) is not None else 0.0
        return 1.0 if _holds_records(names) else 0.0

    def peel(self, rows: Rows) -> Rows:
        """See `Layer.peel`."""
        out: list[Row] = []
        for row in rows:
            out.extend(self._pushed(row))
        cut = ends_open(rows) and not rows.data.endswith(b'"')
        return rows_from(out, year_inferred=rows.year_inferred, open_end=cut)

    def flush(self) -> Rows | None:
        """A row that was cut off."""
        return rows_from(self._closed(), open_end=True) if self._open else None

    def _pushed(self, row: Row) -> list[Row]:
        self._open.append(row)
        # A quote inside a cell is doubled, so a row that is whole has an even number of them.
        self._quotes += row.data.count(b'"')
        self._size += len(row.data)
        if self._quotes % 2 == 0:
            return self._closed()
        if self._size <= MAX_LINE_BYTES:
            return []
        # A cell without an end: what stands behind its first line are rows of their own, or text in no form.
        first, *others = self._open
        self._open, self._quotes, self._size = [], 0, 0
        self.too_long(first.line)
        return [first, *(found for other in others for found in self._pushed(other))]

    def _closed(self) -> list[Row]:
        parts, self._open, self._quotes, self._size = self._open, [], 0, 0
        row = parts[0]._replace(data=b"\n".join(part.data for part in parts))
        cells = _cells(row.data)
        if self._names is None:
            if not said_around(row.data[:400].decode("utf-8", "replace")):
                self._names = cells or []
            return []
        named = dict(zip(self._names, cells or (), strict=False))
        message = _column(list(named), _MESSAGES)
        records = _holds_records(self._names)
        if message is None and not records:
            return parts
        places: dict[str, Any] = {
            place: value
            for place, columns in _PLACES.items()
            if (value := next((named[name] for name in columns if named.get(name)), None)) is not None
        }
        at = self._instant(named)
        row = row._replace(at=row.at if at is None else at, **places)
        if message is None:
            held: dict[str, Any] = {name: value for name, value in named.items() if value}
            if _of_google(self._names):
                held = _nested(held)
            elif holds_network_rows(self._names):
                held = dict(_in_utc(name, value) for name, value in held.items())
            return [row._replace(data=msgspec.json.encode(held))]
        return list(text_rows(named[message], row))

    def _instant(self, named: dict[str, str]) -> int | None:
        column = _column([name for name, value in named.items() if value], _TIMES)
        if column is None:
            return None
        text = named[column].strip()
        epoch = _EPOCH.fullmatch(text)
        if epoch is not None:
            if epoch[3] is not None:
                return from_nanos(epoch[3])
            if epoch[4] is not None:
                return from_micros(int(epoch[4]) * 1_000)
            return from_epoch(int(epoch[1]), int((epoch[2] or "").ljust(9, "0")))
        kibana = _KIBANA.fullmatch(text)
        if kibana is not None:
            return self._local(kibana)
        portal = _portal(text) if column in _UTC else None
        if portal is not None:
            return instant(portal)
        whole = instant(text)
        if whole is not None:
            return whole
        if column in _UTC:
            return instant(f"{text.removesuffix(' UTC')}Z")
        moment = instant(f"{text.removesuffix(' UTC')}Z")
        if moment is None or text.endswith(" UTC"):
            return moment
        offset = datetime.fromtimestamp(moment // NS, self.context.zone).utcoffset()
        return moment if offset is None else moment - int(offset.total_seconds()) * NS

    def _local(self, match: re.Match[str]) -> int | None:
        month, day, year, hour, minute, second, milli = match.groups()
        try:
            moment = datetime(
                int(year),
                MONTHS[month],
                int(day),
                int(hour),
                int(minute),
                int(second),
                tzinfo=self.context.zone,
            )
        except (KeyError, ValueError):
            return None
        return from_epoch(from_datetime(moment) // NS, int(milli) * 1_000_000)


def _portal(text: str) -> str | None:
    """A stamp of Azure's portal as RFC 3339."""
    found = _PORTAL.fullmatch(text)
    if found is None:
        return None
    month, day, year, hour, minute, second, part, half = found.groups()
    clock = f"{int(hour) % 12 + 12 * (half == 'P'):02}:{minute}:{second}.{part or 0}"
    return f"{year}-{int(month):02}-{int(day):02}T{clock}Z"


def _in_utc(name: str, value: str) -> tuple[str, str]:
    """A cell as the table has it: the portal says in the column's name that its stamps are in UTC, and writes them in its own form."""
    column = name.removesuffix(" [UTC]")
    return (column, value) if column == name else (column, _portal(value) or value)


def _holds_records(names: Sequence[str]) -> bool:
    """``"@timestamp",action,"dest_port","policies.all_policies",reporter``: Kibana 7 and 8, a flow index."""
    if _column(names, _MESSAGES) is not None:
        return False
    if "@timestamp" in names and len(names) > _FEW:
        return True
    return (
        _of_google(names)
        or _of_antrea(names)
        or _of_netobserv(names)
        or holds_azure_flows(list(names))
        or holds_network_rows(names)
    )


def _of_google(names: Sequence[str]) -> bool:
    """``insertId,jsonPayload.connection.dest_ip,jsonPayload.disposition,logName,timestamp``: Logs Explorer, 2024."""
    return "logName" in names and any(
        name == "textPayload" or name.startswith(("jsonPayload.", "protoPayload.")) for name in names
    )


def _of_antrea(names: Sequence[str]) -> bool:
    """``"flowStartSeconds","sourceIP","destinationIP",...``: ClickHouse's CSVWithNames of Antrea's flows."""
    return "flowStartSeconds" in names and "sourceIP" in names


def _of_netobserv(names: Sequence[str]) -> bool:
    """``SrcK8S_Namespace,...,DstAddr,PktDropPackets,SrcAddr,TimeFlowEndMs,...``: what NetObserv's console exports."""
    return all(name in names for name in ("SrcAddr", "DstAddr", "TimeFlowEndMs"))


def _nested(held: dict[str, str]) -> dict[str, Any]:
    """Cells by the path in their column's name."""
    whole: dict[str, Any] = {}
    for name, value in held.items():
        *path, last = name.split(".")[:_DEEPEST]
        place = whole
        for key in path:
            inner = place.setdefault(key, {})
            if not isinstance(inner, dict):
                break
            place = inner
        else:
            place[last] = value
    return whole


def _cells(data: bytes) -> list[str] | None:
    """The cells of one row; ``None`` where it is no CSV."""
    try:
        return next(csv.reader([data.decode("utf-8", "replace")], strict=True), [])
    except csv.Error:
        return None


def _column(names: Sequence[str], wanted: Sequence[str]) -> str | None:
    return next((name for name in wanted if name in names), None)
