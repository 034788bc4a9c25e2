"""Leaving out lines that cannot be refused traffic: in Python run by run, or by the extension as it reads a file.

The extension reads and searches plain files without Python's lock, so that a thread can do it ahead of whoever folds.
What it cannot take as lines (a NUL, a byte order mark, a line that is too long, one without a newline) ends its part of
the work, and Python reads on from there: either way the same lines come out.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import ExitStack, closing
from typing import Any, BinaryIO

from msgspec.structs import replace

from flowdiag.ingest.ahead import Idle, in_thread
from flowdiag.ingest.compression import Kind
from flowdiag.ingest.detection import HEAD_BYTES
from flowdiag.ingest.envelopes import Rows
from flowdiag.ingest.marks import can_look_for, marked
from flowdiag.ingest.parts import Part
from flowdiag.ingest.text import plain_lines_from
from flowdiag.parserkit import native

__all__ = ["SKIMMING_BYTES", "Skim", "extension_skims", "leaves_out_lines", "skim_of", "skimmed"]

SKIMMING_BYTES = 3 << 16
"""Searching for marks likes longer runs than decoding does, but not ones that the allocator maps and unmaps each
time (`flowdiag.ingest.heap`): that costs a third."""
_BLOCK_BYTES = 1 << 19
"""Of lines that the extension hands over at a time; see `flowdiag.ingest.fold`."""
_WAITING = 16
"""Such blocks that may wait for whoever folds them."""
_WORTH_A_THREAD = 1 << 23
"""Bytes of a part that take the extension about as long as a thread takes to begin and to end."""


def leaves_out_lines(parser: Any) -> bool:
    """Whether lines of a parser's input may be left out one by one, by marks."""
    by_line = getattr(parser, "record_start", None) is None or getattr(parser, "marks_whole_records", False)
    by_itself = not parser.sequential or getattr(parser, "marks_state", False)
    return by_line and by_itself


def extension_skims() -> bool:
    """Whether the extension is installed and can skim on this system."""
    return hasattr(native(), "skim")


def skimmed(rows: Iterable[Rows], parser: Any, marks: Sequence[bytes] | None = None) -> Iterator[Rows]:
    """Only the lines, or records, that may be refused traffic; all of them where the parser has no marks for this input.

    `marks` are the parser's, where it was asked before.
    """
    denied_marks = getattr(parser, "denied_marks", None)
    asked = marks is not None
    for run in rows:
        if not asked and denied_marks is not None and (head := _short_lines(run.data)):
            marks, asked = denied_marks(head), True
        yield run if marks is None else marked(run, marks, getattr(parser, "record_mark", None))


def skim_of(part: Part, parser: Any) -> Skim | None:
    """How the extension skims a part, or the beginning of it; ``None`` where it cannot, or nothing may be left out."""
    if not part.only_denied or parser.document or not leaves_out_lines(parser) or not extension_skims():
        return None
    if not hasattr(parser, "denied_marks") or hasattr(parser, "record_mark"):
        return None
    source = part.source
    if source.kind is not Kind.PLAIN or source.remote or part.stack or part.among:
        return None
    with ExitStack() as opened:
        try:
            file = opened.enter_context(open(source.path, "rb"))  # noqa: PTH123 - pathlib costs start-up
            head = _short_lines(_head(part, file))
        except OSError:
            return None  # whoever opens it in Python says why
        marks = parser.denied_marks(head) if head else None
        if not marks or not can_look_for(marks):
            return None
        opened.pop_all()
        return Skim(part, tuple(marks), file)


class Skim:
    """A part as the extension skims it.

    Args:
        part: of a plain file on disk.
        marks: what its lines must hold.
        stream: the file, open; the caller closes it.
    """

    def __init__(self, part: Part, marks: tuple[bytes, ...], stream: BinaryIO) -> None:
        self._part = part
        self.marks = marks
        """As given."""
        self.stream = stream
        """As given; where `rest` begins once `rows` has ended.  By its path another file may be found then."""
        self.rest = part
        """What Python has to read once `rows` has ended; mostly nothing."""

    def rows(
        self,
        *,
        idle: Idle | None,
        progress: Callable[[int], None] | None = None,
        counted: Callable[[int], None] | None = None,
    ) -> Iterator[Rows]:
        """The lines with marks, in order, up to where Python has to read.

        Args:
            idle: as for `flowdiag.ingest.blocks.blocks`: a thread may skim while whoever asks works on what it gave.
            progress: told how many bytes of the part are done.
            counted: told how many lines were looked at, time and again.
        """
        part = self._part
        found = self._found()
        if idle is not None and part.size >= _WORTH_A_THREAD:
            found = in_thread(found, _WAITING, idle)
        with closing(found):
            for rows, place, lines in found:
                self.rest = replace(self.rest, start=place, first_line=self.rest.first_line + lines)
                if counted is not None:
                    counted(lines)
                if progress is not None:
                    progress(place - part.start)
                yield rows
        self.stream.seek(self.rest.start)

    def _found(self) -> Generator[tuple[Rows, int, int]]:
        """Marked lines, where the line behind them begins, and how many lines were looked at for them."""
        extension: Any = native()
        file = self.stream.fileno()
        at, line, over = self._part.start, self._part.first_line, False
        end = -1 if self._part.end is None else self._part.end
        while not over:
            try:
                data, numbers, at, lines, over = extension.skim(file, at, end, self.marks, _BLOCK_BYTES)
            except OSError:
                return  # Python comes to the same place, and says what is wrong there
            yield (
                Rows(data=data, lines=[line + number for number in memoryview(numbers).cast("q")]),
                at,
                lines,
            )
            line += lines


def _head(part: Part, stream: BinaryIO) -> bytes:
    """The first lines of a part, if they are lines as they stand; else nothing.

    Raises:
        OSError: they cannot be read.
    """
    stream.seek(part.start)
    head = stream.read(min(SKIMMING_BYTES, part.size))
    if part.start == 0 and plain_lines_from(head) != 0:
        return b""
    return head[: head.rfind(b"\n") + 1]


def _short_lines(data: bytes) -> bytes:
    """The first of these lines, without any that is longer than a head: such a one tells nothing of the others."""
    head = data[:HEAD_BYTES]
    if len(head) < HEAD_BYTES or b"\n" in head[: HEAD_BYTES // 2]:
        return head
    at = 0
    while (end := data.find(b"\n", at)) >= 0:
        if end - at < HEAD_BYTES // 2:
            return data[at : at + HEAD_BYTES]
        at = end + 1
    return b""
