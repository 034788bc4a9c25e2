"""Wrappers that are one JSON object per line."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from typing import Any, ClassVar, Generic, TypeVar

import msgspec

from flowdiag.ingest.envelopes.fitting import DAMAGED, fitting
from flowdiag.ingest.envelopes.rows import Layer, Row, Rows, ends_open, rows_from
from flowdiag.parserkit import ParseContext

__all__ = ["DAMAGED", "Batches", "JsonLines", "one_line"]

_Record = TypeVar("_Record")


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
        """See `Layer.share`."""
        return sum(1 for line in lines if cls._marked(line)) / max(len(lines), 1)

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

    def _unwrapped(self, row: Row) -> Iterator[Row] | None:
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
                    inner = self._unwrapped(row)
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
    # A collector sends some 8,000 records at once unless it is told otherwise: a dozen megabytes of Hubble's.
    longest: ClassVar[int] = 64 << 20

    def __init__(self, context: ParseContext) -> None:
        super().__init__(context)
        self._count = 0

    def counted(self, row: Row) -> Row:
        """The place of the next record."""
        self._count += 1
        return row._replace(line=self._count)


def one_line(raw: bytes) -> bytes:
    """A JSON value on one line: inside JSON strings newlines are escaped, so all others are blanks."""
    return bytes(raw).replace(b"\r", b" ").replace(b"\n", b" ")
