"""A stream that has no end yet: read as it comes, recognised by its first lines, cut into blocks."""

from __future__ import annotations

import os
import select
import time
from collections.abc import Iterator
from io import FileIO
from pathlib import Path
from typing import Any, BinaryIO, Protocol

from msgspec.structs import replace

from flowdiag.ingest.bundles import Hint
from flowdiag.ingest.compression import Kind, sniff_kind
from flowdiag.ingest.detection import HEAD_BYTES, InputKind, input_context
from flowdiag.ingest.envelopes import Peeler, Rows, is_document, keeps_nuls
from flowdiag.ingest.heads import detect_head
from flowdiag.ingest.lines import READ_BYTES, count_newlines
from flowdiag.ingest.nuls import without_nuls
from flowdiag.ingest.options import ReadOptions
from flowdiag.ingest.plugins import parser_named, parsers
from flowdiag.ingest.problems import InputProblem
from flowdiag.ingest.reading import Source
from flowdiag.ingest.records import RecordCutter
from flowdiag.ingest.text import line_end_of
from flowdiag.model.errors import InputError
from flowdiag.parserkit import Block, ParseContext
from flowdiag.parserkit.lines import MAX_LINE_BYTES

__all__ = ["FileTail", "Follower", "Pipe", "Tail", "tail_of"]

_POLL_S = 0.1
_MOST_PROBLEMS = 1000


class Tail(Protocol):
    """Where a stream's bytes come from."""

    def read(self, wait: float) -> bytes | None:
        """What is there, waiting up to `wait` seconds: ``None`` for nothing yet, empty for the end."""

    def close(self) -> None:
        """Let go of what was opened here."""


class Pipe:
    """Standard input, or another pipe.

    Args:
        stream: open for reading; what Python has buffered of it must not have been touched.
        own: it is closed here.
    """

    def __init__(self, stream: BinaryIO | FileIO, *, own: bool = False) -> None:
        self._fd = stream.fileno()
        self._own = stream if own else None

    def read(self, wait: float) -> bytes | None:
        """See `Tail`."""
        ready, _, _ = select.select([self._fd], [], [], wait)
        return os.read(self._fd, READ_BYTES) if ready else None

    def close(self) -> None:
        """See `Tail`."""
        if self._own is not None:
            self._own.close()


class FileTail:
    """A file that grows, from its start, through its rotations.

    Rotation is seen by the name meaning another file (renamed away and made anew) or by the file being
    shorter than what was read of it (copied and truncated).  What the old file still holds is read first, and what
    its writer adds to it until it takes up the new one.  A line that rotation cut off does not run into the next.
    It never ends by itself.

    Raises:
        OSError: it cannot be opened.
    """

    def __init__(self, path: str) -> None:
        self._path = Path(path)
        self._stream = self._path.open("rb", buffering=0)
        self._at = 0
        self._following: FileIO | None = None
        self._in_line = False

    def read(self, wait: float) -> bytes | None:
        """See `Tail`."""
        until = time.monotonic() + wait
        while True:
            data = self._stream.read(READ_BYTES)
            if data:
                self._at += len(data)
                self._in_line = not data.endswith((b"\n", b"\r"))
                return data
            if self._following is not None:
                self._stream.close()
                self._stream, self._following = self._following, None
                if cut := self._begun():
                    return cut
                continue
            if self._renamed():
                continue
            if self._truncated():
                self._stream.seek(0)
                if cut := self._begun():
                    return cut
                continue
            left = until - time.monotonic()
            if left <= 0:
                return None
            time.sleep(min(left, _POLL_S))

    def close(self) -> None:
        """See `Tail`."""
        self._stream.close()
        if self._following is not None:
            self._following.close()

    def _begun(self) -> bytes:
        """Start at the head of a file, and end the line that the one before it left open."""
        cut = b"\n" if self._in_line else b""
        self._at, self._in_line = 0, False
        return cut

    def _renamed(self) -> bool:
        """Whether the name means another file now that is written to, which is opened.

        Until then the writer may be at the old one: logrotate makes the new file before it tells anybody.
        """
        mine = os.fstat(self._stream.fileno())
        try:
            named = self._path.stat()
            if not named.st_size or (named.st_dev, named.st_ino) == (mine.st_dev, mine.st_ino):
                return False
            self._following = self._path.open("rb", buffering=0)
        except OSError:
            return False  # renamed away, and the new one is not there yet
        return True

    def _truncated(self) -> bool:
        return os.fstat(self._stream.fileno()).st_size < self._at


def tail_of(path: str, stdin: BinaryIO) -> Tail:
    """What is behind a name; ``-`` is `stdin`.  A pipe that has one (``<(hubble observe -f)``) ends as pipes do.

    Raises:
        OSError: it cannot be opened.
    """
    if path == "-":
        return Pipe(stdin)
    if Path(path).is_file() or Path(path).is_dir():
        return FileTail(path)
    return Pipe(Path(path).open("rb", buffering=0), own=True)


class Follower:
    """Makes the bytes of a stream into blocks for its parser.

    The parser is told by the first 64 KB, or by what came in before the stream paused.

    Args:
        name: the input's name, as reports show it.
        options: how to read.

    Attributes:
        parser: once it is known.
        cni: the CNI that the records show, once the parser is known.
        bytes: how many came in.
        problems: what is wrong with the stream.
    """

    def __init__(self, name: str, options: ReadOptions) -> None:
        self.name = name
        self.parser: Any = None
        self.cni: str | None = None
        self.bytes = 0
        self.problems: list[InputProblem] = []
        self.context: ParseContext | None = None
        self._options = options
        self._carry = b""
        self._dropping = False
        self._line_end: bytes | None = None
        self._line = 1
        self._peeler: Peeler | None = None
        self._stack: tuple[str, ...] = ()
        self._cutter: RecordCutter | None = None

    def feed(self, data: bytes) -> Iterator[Block]:
        """Take `data`, and give the blocks that are now whole.

        Raises:
            InputError: after `HEAD_BYTES` nobody knows what this is.
        """
        self.bytes += len(data)
        if self.parser is None:
            self._carry += data
            if len(self._carry) >= HEAD_BYTES:
                yield from self.recognise()
            return
        yield from self._lines(data if self._line_end is None else data.replace(self._line_end, b"\n"))

    def recognise(self, *, ended: bool = False) -> Iterator[Block]:
        """Say by what came in so far who reads this; called when the stream pauses.

        Raises:
            InputError: nobody knows; before `HEAD_BYTES` and the end more is waited for instead.
        """
        if self.parser is None and (end := line_end_of(self._carry)) is not None:
            self._line_end = end
            self._carry = self._carry.replace(end, b"\n")
        head = self._carry
        if self.parser is not None or not head.strip():
            return
        whole = head[: head.rfind(b"\n") + 1] if not ended else head
        if len(whole) >= HEAD_BYTES:
            # Of a line that long nobody can tell: whose the others are decides.
            whole = b"".join(line for line in whole.splitlines(keepends=True) if len(line) < HEAD_BYTES)
        if not whole:
            return
        if sniff_kind(head) is not Kind.PLAIN:
            raise InputError(
                f"{self.name}: compressed or an archive, which cannot be followed",
                hint="unpack it into the pipe: zcat FILE | flowdiag watch -",
            )
        source = Source(
            name=self.name, path=os.devnull, place=self.name, root=self.name, size=len(whole), kind=Kind.PLAIN
        )
        known, problems = parsers()
        found = detect_head(source, Hint(), known, self._options, whole)
        if found.kind is not InputKind.EVIDENCE or found.parser is None:
            if not ended and len(head) < HEAD_BYTES:
                return
            said = found.problems[0].message if found.problems else "these are cluster objects, not records"
            raise InputError(
                f"{self.name}: {said}",
                hint="name the format: flowdiag watch --format PARSER; see flowdiag parsers",
            )
        parser = parser_named(found.parser)
        if parser.document or is_document(found.stack):
            raise InputError(
                f"{self.name}: one document read as {found.parser}, which has to be whole",
                hint="follow one record a line, or read the document: flowdiag analyze",
            )
        broken = [InputProblem("plugins", "broken-plugin", fault) for fault in found.faults]
        self.problems += [*problems, *found.problems, *broken]
        self.parser = parser
        self.cni = found.cni
        self.context = input_context(source, Hint(), self._options)
        # Examples show records verbatim.
        self.context.keep_raw = True
        self._stack = found.stack
        self._peeler = Peeler(found.stack, self.context, self._too_long) if found.stack else None
        starts = getattr(parser, "record_start", None)
        self._cutter = RecordCutter(starts) if starts is not None else None
        self._carry = b""
        yield from self._lines(head)

    def pause(self) -> Iterator[Block]:
        """Give what was held back in case its record goes on; for streams that have been silent for a while."""
        if self._cutter is not None:
            rest = self._cutter.rest()
            if rest is not None:
                yield self._block(rest)

    def end(self) -> Iterator[Block]:
        """The rest, at the end of the stream.

        Raises:
            InputError: nobody knows what this is.
        """
        if self.parser is None:
            yield from self.recognise(ended=True)
        if self.parser is None:
            return
        held: Block | None = None
        for block in self._rest():
            if held is not None:
                yield held
            held = block
        # Parsers that join records let go of the last at the end of the input, and a last line without its end may be cut off.
        yield (
            replace(held, last=True)
            if held is not None
            else Block(data=b"", first_line=self._line, last=True)
        )

    def _rest(self) -> Iterator[Block]:
        if self._carry:
            yield from self._cut(self._carry)
            self._carry = b""
        if self._peeler is not None:
            for rows in self._peeler.flush():
                yield from self._whole(rows)
        yield from self.pause()

    def _lines(self, data: bytes) -> Iterator[Block]:
        end = data.rfind(b"\n") + 1
        if self._dropping:
            start = data.find(b"\n")
            if start < 0:
                return
            data, self._dropping = data[start:], False
            end -= start
        if not end:
            self._carry += data
            if len(self._carry) > MAX_LINE_BYTES:
                self._carry, self._dropping = self._carry[:MAX_LINE_BYTES], True
                self._too_long(self._line)
            return
        whole, self._carry = self._carry + data[:end], data[end:]
        yield from self._cut(whole)

    def _too_long(self, line: int) -> None:
        message = f"a line over {MAX_LINE_BYTES} bytes was cut off there"
        if len(self.problems) < _MOST_PROBLEMS:
            self.problems.append(InputProblem(self.name, "line-too-long", message, line))

    def _cut(self, data: bytes) -> Iterator[Block]:
        """Whole lines, peeled."""
        first = self._line
        self._line += count_newlines(data)
        lines = self._line - first + (not data.endswith(b"\n"))
        rows = Rows(data=data, lines=range(first, first + lines))
        if b"\0" in data and not keeps_nuls(self._stack):
            rows = without_nuls(rows)
        yield from self._whole(rows if self._peeler is None else self._peeler.peel_rows(rows))

    def _whole(self, rows: Rows) -> Iterator[Block]:
        if self._cutter is not None:
            cut = self._cutter.push(rows)
            if cut is None:
                return
            rows = cut
        if rows.lines:
            yield self._block(rows)

    def _block(self, rows: Rows) -> Block:
        plain = self._peeler is None and isinstance(rows.lines, range)
        return Block(
            data=rows.data, first_line=rows.lines[0], envelope=None if plain else rows.envelope(), last=False
        )
