"""Records that begin far behind a log's head: in a host's journal a firewall's lines stand among thousands of others.

The head decides what an input is.  If no parser knows the head, the input's beginning is searched for a window in which
a parser is certain of a record; and of a plain file the end, too, since an incident's records are there.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import BinaryIO

from flowdiag.ingest.compression import Kind, corruptions
from flowdiag.ingest.reading import Source, open_source
from flowdiag.ingest.remote import open_raw
from flowdiag.ingest.streams import Readable
from flowdiag.parserkit import Parser, holds

__all__ = ["CERTAIN", "others_inside", "windows_at_ends", "windows_near", "windows_of_records"]

CERTAIN = 0.95
"""How sure a parser must be of lines in somebody else's log."""
_WINDOW = 1 << 16
_REACH = 32 << 20
"""Bytes at either end that are searched, which takes some tenths of a second."""
_NEAR = 4 << 20
"""Bytes that are searched for records of further formats, once one is known."""
_SEVERAL = 3
_OF_ONE = 1 << 20
"""Bytes that are searched of a single container's log.  A bundle holds hundreds, and nearly always the head tells."""


def windows_of_records(
    source: Source,
    parsers: Sequence[Parser],
    sure: Callable[[Parser, bytes], float],
    peel: Callable[[bytes], bytes],
    *,
    of_one: bool,
) -> Iterator[bytes]:
    """Yield each window of whole lines in which a parser is `CERTAIN` of a record.

    Args:
        source: an input whose head nobody knows.
        parsers: who is asked: those that promise marks of their records (`record_words`, else `denied_marks`), of the
            windows where one stands.
        sure: how sure a parser is of some lines.
        peel: takes off the wrappers that the head has.
        of_one: a bundle says whose log it is: less of it is looked at.

    Raises:
        OSError, MissingReaderError: as `open_source`; what is damaged is looked through as far as it goes.
    """
    for window in _windows(source, of_one=of_one):
        asked = _asked(parsers, window)
        if not asked:
            continue
        inner = peel(window)
        # Objects among lines of text are asked about apart, as some parsers judge by how a log begins.
        objects = b"".join(line for line in inner.splitlines(keepends=True) if line.startswith(b"{"))
        if any(sure(parser, lines) >= CERTAIN for parser in asked for lines in {window, inner, objects}):
            yield window


def windows_near(source: Source | bytes) -> Iterator[bytes]:
    """Yield windows of whole lines of the first megabytes of an input, or of the lines of a document.

    Raises:
        OSError, MissingReaderError: as `open_source`; what is damaged is looked through as far as it goes.
    """
    stream = io.BytesIO(source) if isinstance(source, bytes) else open_source(source)
    try:
        yield from _whole_lines(stream, _NEAR)
    except corruptions():
        pass
    finally:
        stream.close()


def windows_at_ends(
    source: Source | bytes, reach: int = _WINDOW, head: bytes | None = None
) -> Iterator[bytes]:
    """Yield the first lines of an input, and the last ones of what is not packed or of a document's lines.

    Args:
        source: an input, or the lines of a document without their wrappers.
        reach: bytes that are looked at from either end, at most a window.
        head: the input's first bytes where they were read already, as many as there are up to `reach`.

    Raises:
        OSError, MissingReaderError: as `windows_near`.
    """
    stream: Readable
    if isinstance(source, bytes):
        stream = io.BytesIO(source)
    else:
        stream = open_source(source) if head is None else io.BytesIO(head)
    try:
        yield from _whole_lines(stream, reach, reach)
    except corruptions():
        pass
    finally:
        stream.close()
    size = len(source) if isinstance(source, bytes) else source.size
    if size <= reach:
        return
    if isinstance(source, bytes):
        yield from _last_lines(io.BytesIO(source), size, reach)
    elif source.kind is Kind.PLAIN:
        with open_raw(source.path) as file:
            yield from _last_lines(file, size, reach)


def _last_lines(stream: BinaryIO, size: int, reach: int) -> Iterator[bytes]:
    stream.seek(max(size - reach, reach))
    stream.readline(_WINDOW)
    yield from _whole_lines(stream, reach, reach)


def others_inside(
    windows: Iterable[bytes],
    reader: Parser,
    parsers: Sequence[Parser],
    sure: Callable[[Parser, bytes], float],
    peel: Callable[[bytes], bytes],
    rivals: Sequence[Parser] = (),
) -> list[str]:
    """Names of the parsers that are `CERTAIN` of a record of theirs among those of `reader`.

    Args:
        windows: lines of an input.
        reader: who reads the input; lines that it knows are its own.
        parsers: who is asked, as in `windows_of_records`.
        sure: how sure a parser is of some lines.
        peel: takes off the wrappers that the input has.
        rivals: who is asked whatever stands there.
    """
    found: set[str] = set()
    for window in windows:
        asked = [parser for parser in _asked(parsers, window) if parser.name not in found]
        ask_rivals = any(rival.name not in found for rival in rivals)
        if not asked and not ask_rivals:
            continue
        lines = peel(window).splitlines(keepends=True)
        if not ask_rivals:
            marks = {mark for parser in asked for mark in _marks(parser, window)}
            lines = [line for line in lines if any(mark in line for mark in marks)]
        rest = [line for line in lines if sure(reader, line) < CERTAIN]
        # Objects and lines of text are asked about apart: some parsers judge by how a log begins.
        for left in (
            b"".join(line for line in rest if line.startswith(b"{")),
            b"".join(line for line in rest if not line.startswith(b"{")),
        ):
            if left.strip():
                found.update(
                    parser.name
                    for parser in (*asked, *rivals)
                    if sure(parser, left) >= CERTAIN and (_promises(parser) or _some(parser, left, sure))
                )
    return sorted(found)


def _promises(parser: Parser) -> bool:
    """Whether a parser promises marks of refusals; then one record is enough."""
    return hasattr(parser, "record_words") or hasattr(parser, "denied_marks")


def _some(parser: Parser, lines: bytes, sure: Callable[[Parser, bytes], float]) -> bool:
    """Whether several lines are a parser's own: one line may only be another tool's quotation."""
    its_own = (line for line in lines.splitlines(keepends=True) if sure(parser, line) >= CERTAIN)
    return len(list(islice(its_own, _SEVERAL))) == _SEVERAL


def _asked(parsers: Sequence[Parser], window: bytes) -> list[Parser]:
    """Give the parsers one of whose marks occurs, perhaps inside a string of JSON."""
    plain, inside = b'"' in window, b'\\"' in window
    there: dict[bytes, bool] = {}

    def stands(mark: bytes) -> bool:
        quoted = b'"' in mark
        return (
            # A log without a quote has none of the marks of JSON, and most logs that nobody knows are text.
            ((plain or not quoted) and holds(window, mark))
            or (inside and quoted and holds(window, mark.replace(b'"', b'\\"')))
        )

    def known(mark: bytes) -> bool:
        if mark not in there:
            there[mark] = stands(mark)
        return there[mark]

    return [parser for parser in parsers if any(map(known, _marks(parser, window)))]


def _marks(parser: Parser, window: bytes) -> Sequence[bytes]:
    """Give byte strings of which every record of a parser holds one, or every refusal; none where it promises neither."""
    words: Sequence[bytes] | None = getattr(parser, "record_words", None)
    if words is not None:
        return words
    denied_marks = getattr(parser, "denied_marks", None)
    try:
        return () if denied_marks is None else denied_marks(window) or ()
    except Exception:  # noqa: BLE001 - a stranger's parser may raise anything; it then promises nothing.
        return ()


def _windows(source: Source, *, of_one: bool) -> Iterator[bytes]:
    stream = open_source(source)
    try:
        yield from _whole_lines(stream, _OF_ONE if of_one else _REACH)
    except corruptions():
        pass
    finally:
        stream.close()
    if of_one or source.kind is not Kind.PLAIN or source.remote or source.size <= _REACH:
        return
    with open(source.path, "rb") as file:  # noqa: PTH123 - a path in the spool, or the user's own
        file.seek(max(source.size - _REACH, _REACH))
        file.readline(_WINDOW)
        yield from _whole_lines(file, _REACH)


def _whole_lines(stream: Readable | BinaryIO, reach: int, window: int = _WINDOW) -> Iterator[bytes]:
    """Yield windows of whole lines; a line that fills a whole window is left out."""
    rest, seen = b"", 0
    while seen < reach and (chunk := stream.read(window)):
        seen += len(chunk)
        data = rest + chunk
        end = data.rfind(b"\n") + 1
        rest = data[end:] if len(data) - end < _WINDOW else b""
        if end:
            yield data[:end]
    if rest:
        yield rest
