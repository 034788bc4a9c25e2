"""Plain files that their parser reads itself (`flowdiag.parserkit.Parser`, ``read_file``), in a thread.

Where it ends, perhaps at once, Python reads on: either way the same is counted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, BinaryIO

from msgspec.structs import replace

from flowdiag.ingest.compression import Kind
from flowdiag.ingest.parts import Part
from flowdiag.ingest.text import SEPARATOR_HEAD, plain_lines_from
from flowdiag.parserkit import Block, Envelope, FlowSink

__all__ = ["ParserReading", "parser_may_read", "parser_reading_of"]

_WORTH_IT = 1 << 23
"""Bytes of a part from which on it saves more than the thread and its buffers cost."""


def parser_may_read(part: Part, parser: Any) -> bool:
    """Whether a part is a large enough piece of a plain file of a parser that reads such by itself."""
    source = part.source
    plain = source.kind is Kind.PLAIN and not (source.remote or part.stack or part.among)
    return plain and not part.only_denied and part.size >= _WORTH_IT and hasattr(parser, "read_file")


def parser_reading_of(
    part: Part, parser: Any, sink: Callable[[], FlowSink], idle: Callable[[], object]
) -> ParserReading | None:
    """How the parser reads a part, or the beginning of it, itself; ``None`` where it does not.

    Args:
        part: what to read.
        parser: its parser.
        sink: gives what ``fold`` gets.
        idle: does a piece of other work, of some hundredths of a second; called where there is nothing to fold yet.
    """
    if not parser_may_read(part, parser):
        return None
    try:
        file = open(part.source.path, "rb")  # noqa: PTH123, SIM115 - pathlib costs start-up; `ParserReading` has it closed
    except OSError:
        return None  # whoever opens it in Python says why
    try:
        if part.start == 0 and plain_lines_from(file.read(SEPARATOR_HEAD)) != 0:
            file.close()
            return None
    except OSError:
        file.close()
        return None
    return ParserReading(part, parser, file, sink, idle)


class ParserReading:
    """A part that its parser reads.

    Args:
        part: of a plain file on disk.
        parser: who reads.
        stream: the file, open; the caller closes it.
        sink: as for `parser_reading_of`.
        idle: likewise.
    """

    def __init__(
        self,
        part: Part,
        parser: Any,
        stream: BinaryIO,
        sink: Callable[[], FlowSink],
        idle: Callable[[], object],
    ) -> None:
        self._part = part
        self._parser = parser
        self._sink = sink
        self._idle = idle
        self.stream = stream
        """As given; where `rest` begins once `blocks` has ended.  By its path another file may be found then."""
        self.rest = part
        """What Python has to read once `blocks` has ended; mostly nothing."""

    def blocks(
        self, *, progress: Callable[[int], None] | None = None, counted: Callable[[int], None] | None = None
    ) -> Iterator[Block]:
        """What is to be folded, each before the next is asked for.

        Args:
            progress: told how many bytes of the part are done.
            counted: told how many lines were read, time and again.
        """
        part = self._part
        for read in self._parser.read_file(self.stream, part.start, part.end, self._sink, self._idle):
            first_line = self.rest.first_line
            self.rest = replace(self.rest, start=read.place, first_line=first_line + read.newlines)
            if counted is not None:
                counted(read.newlines)
            if progress is not None:
                progress(read.place - part.start)
            lines = [first_line + before for before in read.before]
            yield Block(
                data=read.data,
                first_line=first_line,
                envelope=Envelope(lines=lines),
                found=read.found,
            )
        self.stream.seek(self.rest.start)
