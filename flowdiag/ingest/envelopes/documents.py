"""Records inside one JSON document, objects behind one another on one line, and objects printed over several lines.

``jq -s`` and the cloud consoles make arrays, ``jq .`` prints an object over many lines.  Elements of an array
are counted from 1, as the event contract says; an object over several lines has the line it starts on.
"""

from __future__ import annotations

import json
import re
from abc import abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from typing import ClassVar

import msgspec

from flowdiag.ingest.envelopes.cut_documents import CUT, pieces
from flowdiag.ingest.envelopes.json_lines import DAMAGED, one_line
from flowdiag.ingest.envelopes.rows import Layer, Row, Rows, rows_from
from flowdiag.parserkit import ParseContext, said_around
from flowdiag.parserkit.lines import MAX_LINE_BYTES

__all__ = ["Document", "GluedObjects", "JsonArray", "PrettyObjects", "salvaged"]

_HEAD = 16_384
_WORDS = 1_000
"""Bytes of the longest line that is looked at before a document."""
_BLANK = re.compile(r"[\s,]*")


def _behind_words(data: bytes) -> int:
    """Where a document begins behind what the command that asked for it said on the same terminal."""
    at = 0
    while (end := data.find(b"\n", at, at + _WORDS)) >= 0:
        line = data[at:end]
        if line.strip() and not said_around(line.decode("utf-8", "replace")):
            break
        at = end + 1
    return at


class Document(Layer):
    """A layer that needs the whole input at once; its rows are numbered by element."""

    splittable: ClassVar[bool] = False
    lists: ClassVar[frozenset[bytes]] = frozenset()
    """Names of the lists that hold its records, where a document is an object: by these one that was cut off is read."""

    @classmethod
    def share(cls, lines: Sequence[bytes]) -> float:
        """All or nothing, from the document's first bytes."""
        head = b"\n".join(lines)[:_HEAD]
        return 1.0 if cls.begins(head[_behind_words(head) :].lstrip()) else 0.0

    @classmethod
    @abstractmethod
    def begins(cls, head: bytes) -> bool:
        """Whether a document that starts like this is one of mine."""

    @abstractmethod
    def elements(self, document: bytes) -> Iterator[Row]:
        """Rows of the document; numbers from 1.

        Raises:
            msgspec.MsgspecError: it is damaged or not of my shape.
        """

    def peel(self, rows: Rows) -> Rows:
        """See `Layer.peel`.  What cannot be decoded passes unchanged, for the parser to name."""
        data = rows.data[_behind_words(rows.data) :]
        try:
            return rows_from(self.elements(data))
        except DAMAGED:
            return (self._one_by_one(data) if self.lists else None) or rows

    def _one_by_one(self, data: bytes) -> Rows | None:
        """What several documents hold, of which the last may have been cut off; ``None`` where none has an element."""
        out: list[Row] = []
        number = 0
        cut = False
        for piece in pieces(data, self.lists):
            try:
                found = list(self.elements(piece.data)) if piece.data else []
            except DAMAGED:
                found = [Row(one_line(piece.data)[:MAX_LINE_BYTES], 1)]
            out += [row._replace(line=number + row.line) for row in found]
            number = out[-1].line if out else 0
            cut = piece.cut
        if not out:
            return None
        return rows_from([*out, Row(CUT, number + 1)] if cut else out, open_end=cut)


class JsonArray(Document):
    """``[{...}, {...}]``; of one that was cut off the whole elements are read.

    Several, each of which is a line, are what Fluent Bit sends and prints as ``json``: one for each flush.
    """

    name = "json-array"
    _START = re.compile(rb"\[\s*\{")

    def __init__(self, context: ParseContext) -> None:
        super().__init__(context)
        self._decoder = msgspec.json.Decoder(list[msgspec.Raw])

    @classmethod
    def begins(cls, head: bytes) -> bool:
        """See `Document.begins`."""
        return cls._START.match(head) is not None

    def elements(self, document: bytes) -> Iterator[Row]:
        """See `Document.elements`."""
        try:
            found: list[bytes] = [bytes(raw) for raw in self._decoder.decode(document)]
        except DAMAGED:
            lines = [line for line in document.split(b"\n") if line.strip()]
            several = sum(self._START.match(line) is not None for line in lines) > 1
            found = (
                [raw for line in lines for raw in self._of_line(line)]
                if several
                else list(self._of_arrays(document))
            )
        for number, raw in enumerate(found, start=1):
            yield Row(one_line(raw), number)

    def _of_line(self, line: bytes) -> Iterable[bytes]:
        """Elements of an array that is a line, or what else the line is."""
        try:
            return [bytes(raw) for raw in self._decoder.decode(line)]
        except DAMAGED:
            return salvaged(line) if self._START.match(line) else [line]

    def _of_arrays(self, document: bytes) -> Iterator[bytes]:
        """Elements of several arrays behind one another, the last of which may have been cut off."""
        for piece in pieces(document, ()):
            if not piece.cut:
                yield from self._of_line(piece.data.strip())
            elif piece.rest.startswith(b"["):
                found = list(salvaged(piece.rest))
                # A border between two elements may be the last that there is.
                yield from found if found[-1:] == [CUT] else [*found, CUT]
            else:
                yield from piece.rest.split(b"\n")


class GluedObjects(Document):
    """Objects behind one another without a line's end, as Amazon Data Firehose lays them into a bucket."""

    name = "json-glued"
    # '...,"message":"Node: ..."}]}{"messageType":"DATA_MESSAGE",...'   CloudWatch's subscription through Firehose
    _BORDER = b'}{"'
    """Inside a string the quote would be escaped, and inside an array or object a comma would stand there."""

    @classmethod
    def share(cls, lines: Sequence[bytes]) -> float:
        """Believed where all that is known of the input is one line."""
        return 1.0 if len(lines) == 1 and cls.begins(lines[0].lstrip()) else 0.0

    @classmethod
    def begins(cls, head: bytes) -> bool:
        """See `Document.begins`."""
        return head.startswith(b"{") and cls._BORDER in head

    def elements(self, document: bytes) -> Iterator[Row]:
        """See `Document.elements`."""
        found = document.strip().replace(self._BORDER, b'}\n{"').split(b"\n")
        return (Row(one, number) for number, one in enumerate(filter(bytes.strip, found), start=1))


def salvaged(document: bytes) -> Iterator[bytes]:
    """Elements of a damaged array up to the damage, then one for what was cut off."""
    text = document.decode("utf-8", "replace").strip()
    decoder = json.JSONDecoder()
    at = 1
    while at < len(text):
        match = _BLANK.match(text, at)
        at = match.end() if match else at
        if text[at : at + 1] in ("", "]"):
            at += 1
            continue
        try:
            _, end = decoder.raw_decode(text, at)
        except (ValueError, RecursionError):
            yield CUT
            return
        yield text[at:end].encode()
        at = end


class PrettyObjects(Layer):
    """Objects one after another, each printed over several lines: ``{`` and ``}`` stand alone on theirs."""

    name = "json-pretty"
    splittable: ClassVar[bool] = False

    def __init__(self, context: ParseContext) -> None:
        super().__init__(context)
        self._open: list[bytes] = []
        self._row: Row | None = None
        self._size = 0

    @classmethod
    def share(cls, lines: Sequence[bytes]) -> float:
        """Believed by the first line."""
        return 1.0 if lines and lines[0].rstrip() == b"{" else 0.0

    def peel(self, rows: Rows) -> Rows:
        """See `Layer.peel`."""
        out: list[Row] = []
        for row in rows:
            line = row.data.rstrip()
            if self._row is None:
                if line == b"{":
                    self._row, self._open, self._size = row, [line], 1
                else:
                    out.append(row)
                continue
            self._open.append(line.lstrip())
            self._size += len(line)
            if self._size > MAX_LINE_BYTES:
                self.too_long(self._row.line)
            if line == b"}" or self._size > MAX_LINE_BYTES:
                out.extend(self._closed())
        return rows_from(out, year_inferred=rows.year_inferred)

    def flush(self) -> Rows | None:
        """An object that was cut off."""
        return rows_from(self._closed())

    def _closed(self) -> Iterator[Row]:
        if self._row is not None:
            yield self._row._replace(data=b"".join(self._open))
        self._row, self._open = None, []
