"""Wrappers that are one JSON object per line."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Any, ClassVar, Generic, TypeVar

import msgspec

from flowdiag.ingest.envelopes.cut_documents import CUT, pieces
from flowdiag.ingest.envelopes.fitting import DAMAGED, fitting
from flowdiag.ingest.envelopes.rows import Layer, Row, Rows, ends_open, rows_from
from flowdiag.parserkit import ParseContext

__all__ = ["DAMAGED", "Batches", "JsonLines", "one_line"]

_Record = TypeVar("_Record")


_TRIED = 3
"""Lines of a head that are unwrapped to tell: some may be foreign."""
_NOWHERE = ParseContext(input="")


class JsonLines(Layer, Generic[_Record]):
    """A layer that reads `shape` from each line and gives what it wraps."""

    any_marks: ClassVar[tuple[bytes, ...]] = ()
    """And one of these beside `marks`, if there are any."""
    shape: ClassVar[type[Any]]
    by_line: ClassVar[bool] = True

    def __init__(self, context: ParseContext) -> None:
        super().__init__(context)
        self._decoder: msgspec.json.Decoder[_Record] = msgspec.json.Decoder(self.shape, strict=False)

    @classmethod
    def share(cls, lines: Sequence[bytes]) -> float:
        """See `Layer.share`; the marks may stand deeper in an object, which then is another collector's."""
        marked = [line for line in lines if cls._marked(line)]
        if marked and not any(map(cls._wraps, marked[:_TRIED])):
            return 0.0
        return len(marked) / max(len(lines), 1)

    @classmethod
    def _wraps(cls, line: bytes) -> bool:
        try:
            return cls(_NOWHERE).inner(Row(line, 1)) is not None
        except DAMAGED:
            return True  # cut off

    @classmethod
    def _marked(cls, line: bytes) -> bool:
        if not line.lstrip().startswith(b"{"):
            return False
        # Loops, and no generators: this is asked of every layer about the first lines of every file.
        for mark in cls.marks:
            if mark not in line:
                return False
        for mark in cls.any_marks:
            if mark in line:
                return True
        return not cls.any_marks

    @abstractmethod
    def unwrap(self, record: _Record, row: Row) -> Iterator[Row] | None:
        """The rows inside `record`, which came in `row`; ``None`` if it is no such wrapper after all."""

    def inner(self, row: Row) -> Iterator[Row] | None:
        """The rows in the object of `row`; ``None`` as `unwrap` gives it.

        Raises:
            DAMAGED: it is no object, or not one of this kind.
        """
        try:
            record = self._decoder.decode(row.data)
        except msgspec.ValidationError:
            # A name that is a number, a stamp that is an object: what stands beside a line does not make it unreadable.
            if not self._marked(row.data):
                return None
            record = fitting(row.data, self.shape)
        return self.unwrap(record, row)

    def peel(self, rows: Rows) -> Rows:
        """See `Layer.peel`."""
        out: list[Row] = []
        inner: Iterator[Row] | None = None
        for row in rows:
            inner = None
            if row.data.lstrip()[:1] == b"{":
                try:
                    inner = self.inner(row)
                except DAMAGED:
                    inner = None
            if inner is None:
                out.append(row)
            else:
                out.extend(inner)
        # An object that closes is whole without a newline behind it, and so is the line inside.
        return rows_from(out, year_inferred=rows.year_inferred, open_end=inner is None and ends_open(rows))


class Batches(JsonLines[_Record]):
    """A layer whose objects hold many records each; these are counted through the input, as a document's elements are.

    Rows of one number would be the lines of one message.
    """

    splittable: ClassVar[bool] = False
    lists: ClassVar[frozenset[bytes]] = frozenset()
    """Names of the lists that hold the records: by these a batch that was cut off is read."""
    # A collector sends some 8,000 records at once unless it is told otherwise: a dozen megabytes of Hubble's.
    longest: ClassVar[int] = 64 << 20

    @classmethod
    def share(cls, lines: Sequence[bytes]) -> float:
        """See `Layer.share`; of the lines that are objects, since each holds more records than there are lines between."""
        return super().share([line for line in lines if line.lstrip().startswith(b"{")])

    def __init__(self, context: ParseContext) -> None:
        super().__init__(context)
        self._count = 0

    def inner(self, row: Row) -> Iterator[Row] | None:
        """See `JsonLines.inner`; of a batch that was cut off the whole records, and the rest."""
        try:
            return super().inner(row)
        except DAMAGED:
            piece = next(pieces(row.data, self.lists), None) if self._marked(row.data) else None
            if piece is None or not piece.data:
                raise
            whole = super().inner(row._replace(data=piece.data))
            return None if whole is None else chain(whole, self._torn(row))

    def _torn(self, row: Row) -> Iterator[Row]:
        """One more record, that was cut off; counted when its turn comes."""
        yield self.counted(row._replace(data=CUT))

    def counted(self, row: Row) -> Row:
        """The place of the next record."""
        self._count += 1
        return row._replace(line=self._count)


def one_line(raw: bytes) -> bytes:
    """A JSON value on one line: inside JSON strings newlines are escaped, so all others are blanks."""
    return bytes(raw).replace(b"\r", b" ").replace(b"\n", b" ")
