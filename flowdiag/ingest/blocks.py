"""A part of an input as the blocks that a parser gets: whole records, wrappers peeled, original line numbers."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import ExitStack, closing
from typing import Any

from flowdiag.ingest.ahead import Ahead, Idle, has_core_to_spare
from flowdiag.ingest.among import Owners, lines_of
from flowdiag.ingest.compression import Kind, corruptions
from flowdiag.ingest.detection import DOCUMENT_BYTES
from flowdiag.ingest.envelopes import Peeler, Rows, is_document, keeps_nuls, longest_line
from flowdiag.ingest.lines import READ_BYTES, Run, count_newlines, runs
from flowdiag.ingest.newest_first import in_time
from flowdiag.ingest.nuls import MARK, without_marks, without_nuls
from flowdiag.ingest.parser_reading import parser_reading_of
from flowdiag.ingest.parts import Part
from flowdiag.ingest.plugins import parser_named
from flowdiag.ingest.problems import InputProblem
from flowdiag.ingest.reading import open_source
from flowdiag.ingest.records import RecordCutter, RecordStart, piece
from flowdiag.ingest.remote import open_raw, why_cut
from flowdiag.ingest.skim import SKIMMING_BYTES, leaves_out_lines, skim_of, skimmed
from flowdiag.ingest.streams import Over, Readable
from flowdiag.parserkit import Block, FlowSink, ParseContext
from flowdiag.parserkit.lines import MAX_LINE_BYTES

__all__ = ["blocks"]

_WORTH_A_THREAD = 1 << 20
"""Packed bytes from which on a thread decompresses ahead."""
_ROWS_PER_BLOCK = 4096


def blocks(
    part: Part,
    parser: Any,
    context: ParseContext,
    problems: list[InputProblem],
    *,
    read_bytes: int | None = None,
    progress: Callable[[int], None] | None = None,
    counted: Callable[[int], None] | None = None,
    owners: Owners | None = None,
    idle: Idle | None = None,
    sink: Callable[[], FlowSink] | None = None,
) -> Iterator[Block]:
    """Yield the blocks of `part` in order.

    Args:
        part: what to read.
        parser: whose records they are; its ``document`` and ``record_start`` say how to cut.
        context: the input's; wrappers read stamps without a year by it.
        problems: grows by what is wrong (cut lines, a stream that ends in damage).
        read_bytes: about the size of a block.
        progress: told after each read how many bytes on disk of this part are done.
        counted: told the newlines of each run of lines that is read; of documents none.
        owners: of the input's lines, where several read it: the same for each of them saves asking again.
        idle: a second core may be used; called where a thread on it is waited for, it does a piece of other work, of some
            hundredths of a second.
        sink: gives what the parser's ``fold`` gets, where each block is folded before the next is asked for; then the
            parser may read the part itself.

    A damaged stream gives what came before the damage.
    """
    own = None if idle is None or sink is None else parser_reading_of(part, parser, sink, idle)
    stream = None
    if own is not None:
        stream = own.stream
        with ExitStack() as opened:
            opened.enter_context(closing(stream))
            yield from own.blocks(progress=progress, counted=counted)
            opened.pop_all()
        progress = _behind(progress, own.rest.start - part.start)
        part = own.rest
    read = _read(part, parser, context, problems, read_bytes, progress, counted, owners, stream, idle)
    with closing(read):
        rows: Iterator[Rows] = read
        if part.stack and getattr(parser, "follows_time", False):
            rows = in_time(rows)
        starts: RecordStart | None = getattr(parser, "record_start", None)
        if starts is not None and not parser.document:
            rows = _by_record(rows, starts)
            if part.only_denied and not parser.sequential and hasattr(parser, "record_mark"):
                rows = skimmed(rows, parser)
        yield from _as_blocks(rows, enveloped=bool(part.stack), final=part.end is None)


def _read(
    part: Part,
    parser: Any,
    context: ParseContext,
    problems: list[InputProblem],
    read_bytes: int | None,
    progress: Callable[[int], None] | None,
    counted: Callable[[int], None] | None,
    owners: Owners | None,
    stream: Readable | None,
    idle: Idle | None,
) -> Generator[Rows]:
    """The lines: what the extension finds, and behind it what is read in Python, from `stream` where it is open already."""
    skim = skim_of(part, parser) if stream is None else None
    try:
        if stream is None:
            stream = _opened(part) if skim is None else skim.stream
    except OSError as error:
        problems.append(InputProblem(part.source.name, "unreadable", error.strerror or str(error)))
        return
    with closing(stream):
        marks = None
        if skim is not None:
            yield from skim.rows(idle=idle, progress=progress, counted=counted)
            progress = _behind(progress, skim.rest.start - part.start)
            part, marks = skim.rest, skim.marks
        guarded = _Guarded(stream, part, problems, progress)
        yield from _rows(part, parser, context, guarded, problems, read_bytes, counted, owners, marks)


def _behind(progress: Callable[[int], None] | None, done: int) -> Callable[[int], None] | None:
    """`progress` of what stands behind so many bytes of a part."""
    return None if progress is None else lambda more: progress(done + more)


def _opened(part: Part) -> Readable:
    source = part.source
    if part.start == 0:
        if source.kind is not Kind.PLAIN and source.size >= _WORTH_A_THREAD and has_core_to_spare():
            unpacked = open_source(source)
            try:
                return Ahead(unpacked)
            except RuntimeError:
                return unpacked
        return open_source(source)
    stream = open_raw(part.source.path)
    stream.seek(part.start)
    return stream


class _Guarded(Over):
    """A stream whose damage becomes a problem and an early end."""

    def __init__(
        self,
        stream: Readable,
        part: Part,
        problems: list[InputProblem],
        progress: Callable[[int], None] | None,
    ) -> None:
        super().__init__(stream)
        self._name = part.source.name
        self._start = part.start
        self._problems = problems
        self._progress = progress
        self._ended = False

    def read(self, size: int = -1, /) -> bytes:
        if self._ended:
            return b""
        try:
            data = self._stream.read(size)
        except corruptions() as error:
            self._ended = True
            message = f"the stream is damaged or cut off ({why_cut(error)}); what came before was read"
            self._problems.append(InputProblem(self._name, "truncated", message))
            return b""
        if self._progress is not None and data:
            self._progress(self._stream.tell() - self._start)
        return data


def _rows(
    part: Part,
    parser: Any,
    context: ParseContext,
    stream: Readable,
    problems: list[InputProblem],
    read_bytes: int | None,
    counted: Callable[[int], None] | None,
    owners: Owners | None,
    marks: Sequence[bytes] | None,
) -> Iterator[Rows]:
    if parser.document or is_document(part.stack):
        yield from _own(part, _document(part, context, stream, problems, whole=parser.document), owners)
        return

    def too_long(line: int) -> None:
        problems.append(_too_long(part, line))

    def longer(line: int) -> None:
        problems.append(_too_long(part, line, most))

    most = longest_line(part.stack)
    length = None if part.end is None else part.end - part.start
    skim = part.only_denied and leaves_out_lines(parser)
    size = read_bytes or (SKIMMING_BYTES if skim and not part.stack else READ_BYTES)
    found = runs(
        stream, first_line=part.first_line, length=length, too_long=longer, read_bytes=size, max_line=most
    )
    if counted is not None:
        found = _told(found, counted)
    rows: Iterable[Rows] = map(_rows_as_written if keeps_nuls(part.stack) else _rows_of, found)
    if part.stack:
        peeler = Peeler(part.stack, context, too_long)
        rows = _followed(map(peeler.peel_rows, rows), peeler)
    if skim:
        # Which lines are left depends on whose refusals are looked for.
        rows, owners = skimmed(rows, parser, marks), None
    yield from _own(part, rows, owners)


def _own(part: Part, rows: Iterable[Rows], owners: Owners | None) -> Iterable[Rows]:
    """The lines of the part's own parser, where several read it."""
    if not part.among:
        return rows
    if owners is None:
        owners = Owners([parser_named(name) for name in part.among])
    return lines_of(part.among.index(part.parser), owners, rows)


def _too_long(part: Part, line: int, most: int = MAX_LINE_BYTES) -> InputProblem:
    message = f"a line over {most} bytes was cut off there"
    return InputProblem(part.source.name, "line-too-long", message, line)


def _rows_as_written(run: Run) -> Rows:
    lines = run.newlines + (not run.data.endswith(b"\n"))
    return Rows(data=run.data, lines=range(run.first_line, run.first_line + lines))


def _rows_of(run: Run) -> Rows:
    rows = _rows_as_written(run)
    # One byte is looked for at the speed of memory, three in seventy times that.
    if MARK[0] in run.data and MARK in run.data:
        rows.data = without_marks(run.data)
    return without_nuls(rows) if b"\0" in rows.data else rows


def _told(found: Iterable[Run], counted: Callable[[int], None]) -> Iterator[Run]:
    for run in found:
        counted(run.newlines)
        yield run


def _followed(peeled: Iterable[Rows], peeler: Peeler) -> Iterator[Rows]:
    yield from peeled
    yield from peeler.flush()


def _document(
    part: Part, context: ParseContext, stream: Readable, problems: list[InputProblem], *, whole: bool
) -> Iterator[Rows]:
    pieces, size = [], 0
    while piece := stream.read(1 << 20):
        pieces.append(piece)
        size += len(piece)
        if size > DOCUMENT_BYTES:
            message = f"one JSON document of more than {DOCUMENT_BYTES} bytes; split it, or export one record a line"
            problems.append(InputProblem(part.source.name, "document-too-large", message))
            return
    data = b"".join(pieces)
    if not part.stack:
        yield Rows(data=data, lines=range(1, 1 + _count(data)))
        return
    peeler = Peeler(part.stack, context, lambda line: problems.append(_too_long(part, line)))
    for rows in _followed([peeler.peel(data, 1)], peeler):
        yield from [rows] if whole else _sliced(rows)


def _count(data: bytes) -> int:
    return count_newlines(data) + (bool(data) and not data.endswith(b"\n"))


def _sliced(rows: Rows) -> Iterator[Rows]:
    """Pieces of a few thousand lines."""
    at, first = 0, 0
    total = len(rows.lines)
    while first < total:
        last = min(first + _ROWS_PER_BLOCK, total)
        if last == total:
            end = len(rows.data)
        else:
            end = at
            for _ in range(last - first):
                end = rows.data.find(b"\n", end) + 1
        yield piece(rows, at, end, first, last)
        at, first = end, last


def _by_record(rows: Iterable[Rows], starts: RecordStart) -> Iterator[Rows]:
    """Runs that end where a record ends."""
    cutter = RecordCutter(starts)
    for run in rows:
        whole = cutter.push(run)
        if whole is not None:
            yield whole
    rest = cutter.rest()
    if rest is not None:
        yield rest


def _as_blocks(rows: Iterable[Rows], *, enveloped: bool, final: bool) -> Iterator[Block]:
    waiting: Rows | None = None
    for run in rows:
        if not run.lines:
            continue
        if waiting is not None:
            yield _block(waiting, enveloped=enveloped, last=False)
        waiting = run
    if waiting is not None:
        yield _block(waiting, enveloped=enveloped, last=final)


def _block(rows: Rows, *, enveloped: bool, last: bool) -> Block:
    plain = not enveloped and isinstance(rows.lines, range)
    return Block(
        data=rows.data,
        first_line=rows.lines[0],
        envelope=None if plain else rows.envelope(),
        last=last,
    )
