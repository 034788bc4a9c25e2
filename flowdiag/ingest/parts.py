"""Cutting inputs into units of work: byte ranges of plain files, and whole files otherwise.

A part begins at the start of a record and knows the number of its first line, so that it can be read without anything
else.  To find these numbers, lines are counted ahead of the workers, at several times their speed.

Parts are loose where the caller does not want to read the input itself, since it is in a bucket or the workers are
elsewhere.  The ends of a loose part are approximate.  Whoever reads it first moves them to the next start of a record
(`settled`), and the reader of the neighbouring part finds the same place.  A loose part counts its lines from 1, and its
outcome is shifted afterwards by the lines of the parts before it.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import tzinfo
from typing import Any, BinaryIO

from msgspec import Struct
from msgspec.structs import replace

from flowdiag.ingest.compression import Kind
from flowdiag.ingest.detection import Detection
from flowdiag.ingest.envelopes import Peeler, is_splittable
from flowdiag.ingest.lines import count_newlines
from flowdiag.ingest.options import ReadOptions
from flowdiag.ingest.plugins import parser_named
from flowdiag.ingest.reading import Source
from flowdiag.ingest.remote import open_raw
from flowdiag.ingest.text import SEPARATOR_HEAD, encoding_of, plain_lines_from
from flowdiag.ingest.years import reading_context
from flowdiag.parserkit import ParseContext
from flowdiag.parserkit.lines import MAX_LINE_BYTES

__all__ = ["PART_BYTES", "Part", "lines_in", "parts_of", "settled", "shared_part_bytes"]

PART_BYTES = 64 << 20
_LARGEST = 512 << 20
_MANY = 256
"""The number of parts to aim at: enough for many workers, and small enough that one is soon read again."""
_COUNT_BYTES = 4 << 20
_MAX_RECORD_LINES = 10_000


def shared_part_bytes(total: int) -> int:
    """About the size of parts of so many bytes where each is a tally of its own.

    A part learns by itself what ends and kinds of records there are, so larger ones are cheaper: 2 GB of Hubble's records take
    13 s in parts of 64 MB, 7 s in parts of 256 MB and 6 s of 512 MB.
    """
    return min(max(total // _MANY, PART_BYTES), _LARGEST)


class Part(Struct, frozen=True, kw_only=True):
    """One unit of work; picklable, and complete in itself."""

    source: Source
    parser: str
    stack: tuple[str, ...]
    start: int = 0
    """Byte at which a record starts."""
    end: int | None = None
    """Byte after the last one; ``None`` is the end of the input."""
    first_line: int = 1
    loose: bool = False
    """`start` and `end` are yet to be settled, and lines are counted from the start of the part."""
    only_denied: bool = False
    among: tuple[str, ...] = ()
    """As `flowdiag.ingest.detection.Detection.among`."""
    zone: tzinfo
    year: int | None = None
    reference_time: int | None = None
    node: str | None = None
    namespace: str | None = None
    pod: str | None = None
    container: str | None = None
    keep_raw: bool = False
    pod_nodes: dict[str, str] = {}
    endpoint_ids: dict[int, str] = {}
    since: int | None = None
    """As `flowdiag.ingest.options.ReadOptions.since`."""
    until: int | None = None

    def context(self) -> ParseContext:
        """A fresh context for reading this part."""
        return ParseContext(
            input=self.source.name,
            zone=self.zone,
            year=self.year,
            reference_time=self.reference_time,
            node=self.node,
            namespace=self.namespace,
            pod=self.pod,
            container=self.container,
            keep_raw=self.keep_raw,
            pod_nodes=self.pod_nodes,
            endpoint_ids=self.endpoint_ids,
        )

    @property
    def size(self) -> int:
        """Bytes on disk that this part stands for."""
        return (self.source.size if self.end is None else self.end) - self.start


def parts_of(
    detection: Detection, options: ReadOptions, part_bytes: int = PART_BYTES, *, loose: bool = False
) -> Iterator[Part]:
    """Cut one input that is evidence; `loose` reads no more of it than its first bytes.

    Compressed files, UTF-16, lines that do not end in newlines, what was laid apart, what several parsers read, wrappers that join lines, documents and sequential parsers make one part.

    Raises:
        OSError: the file cannot be read any more.
        PluginError: its parser does not load.
    """
    if detection.parser is None:
        return
    source = detection.source
    parser = parser_named(detection.parser)
    known = reading_context(detection, parser, options)
    whole = Part(
        source=source,
        parser=detection.parser,
        stack=detection.stack,
        first_line=source.first_line,
        only_denied=options.only_denied,
        among=detection.among,
        zone=known.zone,
        year=known.year,
        reference_time=known.reference_time,
        node=known.node,
        namespace=known.namespace,
        pod=known.pod,
        container=known.container,
        keep_raw=known.keep_raw,
        pod_nodes=known.pod_nodes,
        endpoint_ids=known.endpoint_ids,
        since=options.since,
        until=options.until,
    )
    if (
        source.kind is not Kind.PLAIN
        or source.whole is not None
        or detection.among
        or source.size <= part_bytes + part_bytes // 2
        or parser.sequential
        or parser.document
        or not is_splittable(detection.stack)
    ):
        yield whole
        return
    with open_raw(source.path) as stream:
        first = plain_lines_from(stream.read(SEPARATOR_HEAD))
        if first is None:
            yield whole
        elif loose:
            for start in range(first, source.size, part_bytes):
                end = start + part_bytes if start + part_bytes < source.size else None
                yield replace(whole, start=start, end=end, loose=True)
        else:
            yield from _ranges(whole, stream, first, part_bytes, parser)


def settled(part: Part) -> Part | None:
    """A loose part with its ends where records start; ``None`` where none starts in it.

    Raises:
        OSError: the input cannot be read.
    """
    if not part.loose:
        return part
    parser = parser_named(part.parser)
    with open_raw(part.source.path, listed=part.source.size if part.source.remote else None) as stream:
        _, mark = encoding_of(stream.read(4))
        start = part.start
        if start > mark:
            start = _record_boundary(stream, start, part, parser, until=part.end)
        if part.end is not None and start >= part.end:
            # If a line runs through many parts, each of them would otherwise search all of it for its end.
            return None
        end = None if part.end is None else _record_boundary(stream, part.end, part, parser)
    if start >= (part.source.size if end is None else end):
        return None
    return replace(part, start=start, end=_open_end(end, part.source))


def _ranges(whole: Part, stream: BinaryIO, start: int, part_bytes: int, parser: Any) -> Iterator[Part]:
    line = 1
    while start < whole.source.size:
        target = start + part_bytes
        if target >= whole.source.size:
            yield replace(whole, start=start, first_line=line)
            return
        end = _record_boundary(stream, target, whole, parser)
        yield replace(whole, start=start, end=_open_end(end, whole.source), first_line=line)
        line += _lines_between(stream, start, end)
        start = end


def _open_end(end: int | None, source: Source) -> int | None:
    """Give ``None`` for an end that is the input's, even if other parts were to follow: the last line may be cut off."""
    return None if end is None or end >= source.size else end


def _record_boundary(
    stream: BinaryIO, target: int, whole: Part, parser: Any, *, until: int | None = None
) -> int:
    """The first byte from `target` on at which a record starts; some place from `until` on where none does before."""
    stream.seek(target - 1)
    _skip_line(stream, until)
    starts = getattr(parser, "record_start", None)
    if starts is None:
        return stream.tell()
    peeler = Peeler(whole.stack, whole.context())
    for _ in range(_MAX_RECORD_LINES):
        at = stream.tell()
        if until is not None and at >= until:
            return at
        line = stream.readline(MAX_LINE_BYTES)
        if not line or starts(peeler.peel(line, 1).data.rstrip(b"\r\n")):
            return at
        if not line.endswith(b"\n"):
            _skip_line(stream, until)
    return stream.tell()


def _skip_line(stream: BinaryIO, until: int | None) -> None:
    """Behind the line's end, or `until` if that comes first."""
    while (piece := stream.readline(MAX_LINE_BYTES)) and not piece.endswith(b"\n"):
        if until is not None and stream.tell() >= until:
            return


def lines_in(part: Part) -> int:
    """How many lines a settled part has.

    Raises:
        OSError: the input cannot be read.
    """
    with open_raw(part.source.path) as stream:
        return _lines_between(stream, part.start, part.source.size if part.end is None else part.end)


def _lines_between(stream: BinaryIO, start: int, end: int) -> int:
    stream.seek(start)
    left, count = end - start, 0
    while left > 0 and (data := stream.read(min(_COUNT_BYTES, left))):
        count += count_newlines(data)
        left -= len(data)
    return count
