"""JSON that nobody knows with records somewhere in it: answers of services that queue, keep or search logs.

A parser of text finds the first record of a line and no other, and such an answer is often a single line.  What this is
asked about last of all only counts where a parser knows the texts inside as well as the JSON around them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any, ClassVar

import msgspec

from flowdiag.ingest.envelopes.json_lines import DAMAGED
from flowdiag.ingest.envelopes.rows import Layer, Row, Rows, ends_open, instant, rows_from, text_rows
from flowdiag.parserkit import ParseContext

__all__ = ["JsonInside"]

_DEPTH = 24
_MOST = 64
"""Texts of an object that are held against each other."""
_LEAST = 30
"""Characters of a text that may be a record; names, stamps and words are shorter."""
_STAMPS = ("@timestamp", "timestamp", "Timestamp", "time", "_time", "date", "ts")


class JsonInside(Layer):
    """Every long text of an object or array that is a line, where several objects in it have one; counted through the input.

    A line with one such object is a record, or holds one, and parsers find it there.
    """

    name = "json-inside"
    splittable: ClassVar[bool] = False
    longest: ClassVar[int] = 64 << 20
    # '{"Messages":[{"MessageId":"x","Body":"WARN: 2026/01/05 10:00:06.963438 TCP connection from ..."},...]}'   aws sqs
    # '{"data":{"actor":{"nrql":{"results":[{"message":"...","timestamp":1767607200123},...]}}}}'           New Relic
    _TEXT = re.compile(
        rb'"(?:\{\\"|(?:[^"\\\n]|\\.){1,200}? (?:[^"\\\n]|\\.){0,200}? (?:[^"\\\n]|\\.){0,200}? (?:[^"\\\n]|\\.){10})'
    )

    def __init__(self, context: ParseContext) -> None:
        super().__init__(context)
        self._count = 0

    @classmethod
    def share(cls, lines: Sequence[bytes]) -> float:
        """See `Layer.share`."""
        found = sum(1 for line in lines if _is_list(cls._TEXT, line) and len(_elements(Row(line, 1))) > 1)
        return found / max(len(lines), 1)

    def peel(self, rows: Rows) -> Rows:
        """See `Layer.peel`."""
        out: list[Row] = []
        for row in rows:
            elements = _elements(row) if _is_list(self._TEXT, row.data) else []
            texts = [text for element in elements for text in _once(element)] if len(elements) > 1 else []
            for text in texts or (row,):
                self._count += 1
                out += [line._replace(line=self._count) for line in text_rows(text.data, text)]
        return rows_from(out, year_inferred=rows.year_inferred, open_end=ends_open(rows))


def _is_list(texts: re.Pattern[bytes], line: bytes) -> bool:
    """Whether it may be JSON with several texts in it, and no cluster objects: these quote logs (a container's last words)."""
    if line.lstrip()[:1] not in (b"{", b"[") or (b'"apiVersion"' in line and b'"kind"' in line):
        return False
    # Each text has three blanks or begins with an object: counting these takes a fiftieth of looking for texts.
    if line.count(b" ") // 3 + line.count(b'"{\\"') < 2:
        return False
    first = texts.search(line)
    return first is not None and texts.search(line, first.end()) is not None


def _elements(row: Row) -> list[list[Row]]:
    """The texts of each object that has some."""
    elements: list[list[Row]] = []
    try:
        _look(msgspec.json.decode(row.data), row, None, elements, _DEPTH)
    except DAMAGED:
        return []
    return [element for element in elements if element]


def _look(value: Any, row: Row, element: list[Row] | None, elements: list[list[Row]], depth: int) -> None:
    """Find the texts of a value: those of each object in a list by themselves, as they tell of one record."""
    if depth == 0:
        return
    if element is None:
        element = []
        elements.append(element)
    if isinstance(value, str):
        if len(value) >= _LEAST and (" " in value or value.startswith("{")):
            element.append(row._replace(data=value.encode("utf-8", "surrogatepass")))
    elif isinstance(value, dict):
        at = next((found for name in _STAMPS if (found := _instant(value.get(name))) is not None), None)
        if at is not None:
            row = row._replace(at=at)
        for inner in value.values():
            _look(inner, row, element, elements, depth - 1)
    elif isinstance(value, list):
        for inner in value:
            _look(inner, row, element if isinstance(inner, str) else None, elements, depth - 1)


def _once(element: list[Row]) -> Iterator[Row]:
    """A line that stands in a record twice, as it came and without its head (rsyslog's rawmsg and msg), only as it came."""
    for place, text in enumerate(element):
        others = (other.data for at, other in enumerate(element[:_MOST]) if at != place)
        if not any(text.data in other and (text.data != other) for other in others) and not any(
            text.data == other.data for other in element[:place]
        ):
            yield text


def _instant(value: Any) -> int | None:
    """A stamp, or a list of one, as some indexes give every field."""
    if isinstance(value, list) and len(value) == 1:
        (value,) = value
    return instant(value) if isinstance(value, str) else None
