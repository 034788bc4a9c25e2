"""Events as CSV rows, for spreadsheets: the flow's columns first, what only other types have at the end.

A spreadsheet runs what starts like a formula, and logs are written by strangers: such cells are defused
(`flowdiag.report.escape`).
"""

from __future__ import annotations

import csv
import io

from flowdiag.model.event import ChangeEvent, Event, FlowEvent, GapEvent, LogEvent, ParseWarning, Peer
from flowdiag.model.time import rfc3339
from flowdiag.report.escape import csv_text

__all__ = ["COLUMNS", "csv_header", "csv_line"]

_ENDS = tuple(
    f"{side}_{field}"
    for side in ("src", "dst")
    for field in (
        "ip",
        "port",
        "namespace",
        "pod",
        "node",
        "service",
        "workload",
        "entity",
        "identity",
        "dns_names",
        "labels",
    )
)

COLUMNS = (
    "type",
    "at",
    "time_source",
    "parser",
    "input",
    "line",
    "node",
    "verdict",
    "verdict_raw",
    "cause",
    "reason",
    "reason_raw",
    "direction",
    "protocol",
    *_ENDS,
    "is_reply",
    "tcp_flags",
    "icmp_type",
    "icmp_code",
    "l7",
    "policies",
    "interface_in",
    "interface_out",
    "count",
    "level",
    "component",
    "message",
    "signal",
    "object",
    "change",
    "by",
    "kind",
    "lost",
    "until",
    "code",
)
"""Column names, in order; ``raw`` follows where it is asked for."""


def csv_header(*, with_raw: bool) -> bytes:
    """The first row."""
    return _row([*COLUMNS, *(("raw",) if with_raw else ())])


def csv_line(event: Event, parser: str, name: str, *, with_raw: bool) -> bytes:
    """One event as one row; empty cells are what the record does not say or its type does not have.

    Args:
        event: what the parser yielded.
        parser: the parser's name.
        name: the input's path.
        with_raw: add the record verbatim.
    """
    cells: dict[str, object] = {
        "at": None if event.at is None else rfc3339(event.at),
        "time_source": event.time_source,
        "parser": parser,
        "input": name,
        "line": event.line,
        "node": event.node,
        "raw": event.raw,
    }
    if isinstance(event, FlowEvent):
        cells |= _flow(event)
    elif isinstance(event, LogEvent):
        cells |= {
            "type": "log",
            "level": event.level,
            "component": event.component,
            "message": event.message,
            "signal": event.signal,
        }
    elif isinstance(event, ChangeEvent):
        ref = event.object
        cells |= {
            "type": "change",
            "object": "/".join(part for part in (ref.kind, ref.namespace, ref.name) if part),
            "change": event.change,
            "by": event.by,
        }
    elif isinstance(event, GapEvent):
        cells |= {
            "type": "gap",
            "kind": event.kind,
            "lost": event.lost,
            "until": None if event.until is None else rfc3339(event.until),
            "message": event.message,
        }
    elif isinstance(event, ParseWarning):
        cells |= {"type": "warning", "code": event.code, "message": event.message}
    columns = [*COLUMNS, *(("raw",) if with_raw else ())]
    return _row([_text(cells.get(column)) for column in columns])


def _flow(event: FlowEvent) -> dict[str, object]:
    cells: dict[str, object] = {
        "type": "flow",
        "verdict": event.verdict,
        "verdict_raw": event.verdict_raw,
        "cause": event.cause,
        "reason": event.reason,
        "reason_raw": event.reason_raw,
        "direction": event.direction,
        "protocol": event.protocol,
        "is_reply": None if event.is_reply is None else str(event.is_reply).lower(),
        "tcp_flags": " ".join(event.tcp_flags or ()),
        "icmp_type": event.icmp.type if event.icmp else None,
        "icmp_code": event.icmp.code if event.icmp else None,
        "l7": _l7(event),
        "policies": " ".join(
            "/".join(part for part in (hit.kind, hit.namespace, hit.name or hit.raw, hit.effect) if part)
            for hit in event.policies
        ),
        "interface_in": event.interface_in,
        "interface_out": event.interface_out,
        "count": event.count,
    }
    for side, peer in (("src", event.src), ("dst", event.dst)):
        cells |= {f"{side}_{key}": value for key, value in _peer(peer).items()}
    return cells


def _peer(peer: Peer) -> dict[str, object]:
    workload = peer.workload
    return {
        "ip": peer.ip,
        "port": peer.port,
        "namespace": peer.namespace,
        "pod": peer.pod,
        "node": peer.node,
        "service": peer.service,
        "workload": None
        if workload is None
        else f"{workload.kind}/{workload.name}"
        if workload.kind
        else workload.name,
        "entity": peer.entity,
        "identity": peer.identity,
        "dns_names": " ".join(peer.dns_names or ()),
        "labels": " ".join(f"{key}={value}" if value else key for key, value in peer.labels or ()),
    }


def _l7(event: FlowEvent) -> str | None:
    l7 = event.l7
    if l7 is None:
        return None
    parts = (l7.kind, l7.type, l7.method, l7.url, l7.query, l7.code, l7.rcode, l7.summary)
    return " ".join(str(part) for part in parts if part is not None)


def _text(value: object) -> str:
    return "" if value is None else str(value)


def _row(cells: list[str]) -> bytes:
    out = io.StringIO()
    csv.writer(out, lineterminator="\r\n").writerow([csv_text(cell) for cell in cells])
    return out.getvalue().encode("utf-8", "backslashreplace")
