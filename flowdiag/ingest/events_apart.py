"""Taking Kubernetes Events and Antrea's Traceflows out of lists of cluster objects: they are records, and are read as such.

``kubectl get events -A -o yaml`` and support bundles give such lists.  They are written to the spool, one per
line, so that a line's number is the Event's number in its list.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from msgspec.structs import replace

from flowdiag.ingest.compression import Kind, MissingReaderError, corruptions
from flowdiag.ingest.detection import DOCUMENT_BYTES, Detection, InputKind
from flowdiag.ingest.options import ListedEvents
from flowdiag.ingest.reading import Source, open_source
from flowdiag.ingest.streams import mapped

__all__ = ["events_apart"]

_COPY = 1 << 20
_MARKS = (b"involvedObject", b"regarding", b"EventList", b"Traceflow")
"""One of them stands in every such record, or in the list around it."""


def events_apart(
    found: Detection, spool: Callable[[], Path], ask: Callable[[Source], Detection], listed: ListedEvents
) -> list[Detection]:
    """Give an input of objects as its records, where it holds nothing else, or as both; any other as it is.

    Args:
        found: an input.
        spool: a folder that lives as long as the run, made when it is asked for.
        ask: says what a part is.
        listed: reads the records.
    """
    source = found.source
    if found.kind is not InputKind.STATE or source.remote:
        return [found]
    try:
        data = _of_events(source)
    except MissingReaderError:
        return [found]
    except corruptions():
        return [found]  # reading it will say so
    lines, alone = listed(data) if data else ({}, False)
    parts = []
    for called, of_kind in lines.items():
        folder = spool()
        path = folder / f"{called}-{len(list(folder.iterdir()))}"
        path.write_bytes(b"".join(line + b"\n" for line in of_kind))
        whole = alone and len(lines) == 1
        part = ask(
            replace(
                source,
                name=source.name if whole else f"{source.name}!{called}",
                path=str(path),
                size=path.stat().st_size,
                kind=Kind.PLAIN,
                spooled=True,
                whole=source.whole or source.path,
                stored=source.size if whole else None,
            )
        )
        if part.kind is not InputKind.EVIDENCE:
            return [found]
        parts.append(part)
    return parts if alone and parts else [found, *parts]


def _of_events(source: Source) -> bytes:
    """All of an input that may hold an Event; empty where it holds none, or is too large to look."""
    if source.kind is Kind.PLAIN and source.size:
        with open(source.path, "rb") as file, mapped(file) as seen:  # noqa: PTH123
            if not any(seen.find(mark) >= 0 for mark in _MARKS):
                return b""
    stream = open_source(source)
    try:
        pieces, size = [], 0
        while size <= DOCUMENT_BYTES and (piece := stream.read(_COPY)):
            pieces.append(piece)
            size += len(piece)
    finally:
        stream.close()
    data = b"".join(pieces) if size <= DOCUMENT_BYTES else b""
    return data if any(mark in data for mark in _MARKS) else b""
