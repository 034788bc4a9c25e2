"""Docker's json-file logging driver.

Source: moby ``daemon/logger/jsonfilelog/jsonlog``; lines over 16 KiB come in parts without a newline.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from msgspec import Struct

from flowdiag.ingest.envelopes.json_lines import JsonLines
from flowdiag.ingest.envelopes.rows import Row, Rows, instant, rows_from, text_rows
from flowdiag.parserkit.lines import MAX_LINE_BYTES

__all__ = ["DockerJson"]


class _Line(Struct):
    # {"log":"WARN: 2020/09/09 13:43:06 ...\n","stream":"stderr","time":"2020-09-09T13:43:06.963611Z"}  Docker 20.10
    log: str | None = None
    stream: str | None = None
    time: str | None = None


class DockerJson(JsonLines[_Line]):
    """``{"log": ..., "stream": ..., "time": ...}``, parts joined by stream."""

    name = "docker-json"
    splittable: ClassVar[bool] = False
    marks = (b'"log":', b'"time":')
    any_marks = (b'"stream":"stdout"', b'"stream":"stderr"', b'"stream": "std')
    shape = _Line

    def __init__(self, context: object) -> None:
        super().__init__(context)
        self._parts: dict[str, tuple[Row, list[str], int]] = {}

    def unwrap(self, record: _Line, row: Row) -> Iterator[Row] | None:
        """See `JsonLines.unwrap`."""
        if record.log is None or record.time is None:
            return None
        stream = record.stream or ""
        row = row._replace(at=instant(record.time))
        first, parts, size = self._parts.pop(stream, (row, [], 0))
        parts.append(record.log)
        size += len(record.log)
        if not record.log.endswith("\n") and size <= MAX_LINE_BYTES:
            self._parts[stream] = (first, parts, size)
            return iter(())
        return text_rows("".join(parts), first)

    def flush(self) -> Rows | None:
        """A last line without its newline."""
        if not self._parts:
            return None
        held = sorted(self._parts.values(), key=lambda part: part[0].line)
        self._parts = {}
        return rows_from(row for first, parts, _ in held for row in text_rows("".join(parts), first))
