"""Docker's json-file logging driver.

Source: moby ``daemon/logger/jsonfilelog/jsonlog``; lines over 16 KiB come in parts without a newline.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import ClassVar

from msgspec import Struct, field

from flowdiag.ingest.envelopes.json_lines import JsonLines
from flowdiag.ingest.envelopes.rows import Row, Rows, instant, rows_from, text_rows
from flowdiag.parserkit import ParseContext
from flowdiag.parserkit.lines import MAX_LINE_BYTES

__all__ = ["DockerJson"]


_SHORTEST_PART = 4096
"""Characters; of 16 KiB there are at least so many."""


class _Line(Struct):
    # {"log":"WARN: 2020/09/09 13:43:06 ...\n","stream":"stderr","time":"2020-09-09T13:43:06.963611Z"}  Docker 20.10
    # {"time":"2026-01-05T10:00:00.1Z","stream":"stdout","_p":"F","log":"..."}      Fluent Bit 3.1, parser cri
    # {"time":"2026-01-05T10:00:00.1Z","stream":"stdout","logtag":"P","log":"..."}  Fluent Bit 1.8
    log: str | None = None
    stream: str | None = None
    time: str | None = None
    mark: str | None = field(default=None, name="_p")
    tag: str | None = field(default=None, name="logtag")


class DockerJson(JsonLines[_Line]):
    """``{"log": ..., "stream": ..., "time": ...}``, parts joined by stream.

    Fluent Bit's objects for a container runtime other than Docker have the same keys, no newline at a line's end and
    a mark beside instead; with Kubernetes metadata in them they are `ViaQ`'s.
    """

    name = "docker-json"
    splittable: ClassVar[bool] = False
    marks = (b'"log":', b'"time":')
    any_marks = (b'"stream":"stdout"', b'"stream":"stderr"', b'"stream": "std')
    shape = _Line
    _NEWLINE = re.compile(rb'\\n"\s{0,4}[,}]')

    @classmethod
    def _marked(cls, line: bytes) -> bool:
        # A collector that adds metadata has taken the newline away.  Inside a log text the quotes would be escaped.
        return super()._marked(line) and b'"kubernetes":' not in line

    def __init__(self, context: ParseContext) -> None:
        super().__init__(context)
        self._trimmed = True
        self._parts: dict[str, tuple[Row, list[str], int]] = {}

    def peel(self, rows: Rows) -> Rows:
        """See `Layer.peel`.  Where no line has its newline somebody has taken them away, and none is a part."""
        self._trimmed = self._trimmed and self._NEWLINE.search(rows.data) is None
        return super().peel(rows)

    def unwrap(self, record: _Line, row: Row) -> Iterator[Row] | None:
        """See `JsonLines.unwrap`."""
        if record.log is None or record.time is None:
            return None
        stream = record.stream or ""
        row = row._replace(at=instant(record.time))
        first, parts, size = self._parts.pop(stream, (row, [], 0))
        room, size = MAX_LINE_BYTES - size, size + len(record.log)
        if room > 0:
            parts.append(record.log[:room])
        if size > MAX_LINE_BYTES and room >= 0:
            self.too_long(first.line)
        mark = record.mark or record.tag
        if mark is not None:
            whole = mark[:1] != "P"
        else:
            whole = record.log.endswith("\n") or (self._trimmed and len(record.log) < _SHORTEST_PART)
        if not whole:
            self._parts[stream] = (first, parts, size)
            return iter(())
        return text_rows("".join(parts), first)

    def flush(self) -> Rows | None:
        """A last line without its newline."""
        if not self._parts:
            return None
        held = sorted(self._parts.values(), key=lambda part: part[0].line)
        self._parts = {}
        left = (row for first, parts, _ in held for row in text_rows("".join(parts), first))
        return rows_from(left, open_end=True)
