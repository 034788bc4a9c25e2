"""``journalctl -o json``, ``-o export`` and ``-o verbose``.

Source: systemd ``docs/JOURNAL_EXPORT_FORMATS.md``.  The message of a kernel record has no ``kernel: `` in front.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import ClassVar

from msgspec import Struct

from flowdiag.ingest.envelopes.json_lines import JsonLines
from flowdiag.ingest.envelopes.rows import Layer, Row, Rows, ends_open, rows_from, text_rows
from flowdiag.model.time import from_micros
from flowdiag.parserkit import ParseContext
from flowdiag.parserkit.lines import MAX_LINE_BYTES

__all__ = ["JournalExport", "JournalJson", "JournalVerbose"]


class _Entry(
    Struct,
    rename={"message": "MESSAGE", "micros": "__REALTIME_TIMESTAMP", "host": "_HOSTNAME"},
):
    # Seen with systemd 252: `{"__REALTIME_TIMESTAMP":"1731036139123456","_HOSTNAME":"node-1","MESSAGE":"calico-packet: .."}`
    # MESSAGE is a list of bytes where it is not UTF-8, and null where it is over journalctl's size limit.
    message: str | list[int] | None = None
    micros: str | int | None = None
    host: str | None = None


class JournalJson(JsonLines[_Entry]):
    """One object per record; also what fluent-bit's systemd input forwards."""

    name = "journal-json"
    marks = (b'"MESSAGE"',)
    any_marks = (b'"__REALTIME_TIMESTAMP"', b'"_HOSTNAME"')
    shape = _Entry

    def unwrap(self, record: _Entry, row: Row) -> Iterator[Row] | None:
        """See `JsonLines.unwrap`."""
        if record.message is None:
            return None
        message = record.message
        if not isinstance(message, str):
            message = bytes(byte & 0xFF for byte in message).decode("utf-8", "replace")
        at = from_micros(record.micros) if record.micros is not None else None
        at = row.at if at is None else at
        return text_rows(message, row._replace(at=at, node=record.host or row.node))


class JournalExport(Layer):
    """``KEY=value`` lines, a blank line between records."""

    name = "journal-export"
    splittable: ClassVar[bool] = False
    keeps_nuls: ClassVar[bool] = True
    # A line reads "__REALTIME_TIMESTAMP=1731036139123456" or "MESSAGE=calico-packet: IN=..." (systemd 252).
    _FIELD = re.compile(rb"^([A-Z_][A-Z0-9_]{0,63})=(.*)$", re.DOTALL)
    _NAME = re.compile(rb"^[A-Z_][A-Z0-9_]{0,63}$")

    def __init__(self, context: ParseContext) -> None:
        super().__init__(context)
        self._fields: dict[bytes, bytes] = {}
        self._row: Row | None = None
        self._binary: tuple[bytes, bytes] | None = None
        self._cut = False
        """The input ended, or ends for now, inside the message."""

    @classmethod
    def share(cls, lines: Sequence[bytes]) -> float:
        """Believed where the first record starts as ``journalctl -o export`` starts it."""
        return 1.0 if lines and lines[0].startswith((b"__CURSOR=", b"__REALTIME_TIMESTAMP=")) else 0.0

    def peel(self, rows: Rows) -> Rows:
        """See `Layer.peel`."""
        out: list[Row] = []
        for row in rows:
            if self._binary is not None:
                self._continue_binary(row)
            elif not row.data:
                out.extend(self._finished())
            elif match := self._FIELD.match(row.data):
                self._row = self._row or row
                self._fields[match[1]] = match[2][:MAX_LINE_BYTES]
            elif self._NAME.match(row.data):
                self._row = self._row or row
                self._binary = (row.data, b"")
            self._cut = row.data.startswith(b"MESSAGE=")
        self._cut = self._cut and ends_open(rows)
        return rows_from(out, year_inferred=rows.year_inferred)

    def _continue_binary(self, row: Row) -> None:
        """A value with newlines: eight bytes of little-endian length, then the value, cut here at newlines."""
        if self._binary is None:
            return
        name, data = self._binary
        data += row.data + b"\n"
        size = int.from_bytes(data[:8], "little") if len(data) > 8 else MAX_LINE_BYTES
        if len(data) < 8 + size + 1 and len(data) < MAX_LINE_BYTES:
            self._binary = (name, data)
            return
        if len(data) < 8 + size:
            self.too_long(row.line if self._row is None else self._row.line)
        self._fields[name] = data[8 : 8 + size]
        self._binary = None

    def flush(self) -> Rows | None:
        """The last record, where no blank line follows."""
        return rows_from(self._finished(), open_end=self._cut)

    def _finished(self) -> Iterator[Row]:
        row, fields = self._row, self._fields
        self._row, self._fields = None, {}
        message = fields.get(b"MESSAGE")
        if row is None or message is None:
            return
        micros = fields.get(b"__REALTIME_TIMESTAMP", b"")
        host = fields.get(b"_HOSTNAME")
        yield from text_rows(
            message,
            row._replace(
                at=row.at if (at := from_micros(micros)) is None else at,
                node=host.decode("utf-8", "replace") if host else row.node,
            ),
        )


class JournalVerbose(Layer):
    """A line with the time and the cursor, then ``KEY=value`` lines, four blanks in front."""

    name = "journal-verbose"
    splittable: ClassVar[bool] = False
    # "Mon 2026-01-05 10:00:00.123456 UTC [s=7d1c;i=1b2;b=9c0e;m=1f;t=647a1c5e1d240;x=4f]"   systemd 252; t is the time in microseconds
    _HEAD = re.compile(
        rb"[A-Z][a-z]{2} \d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d{1,9})? [^ ]{1,40} \[s=[0-9a-f]{1,64};[^\]]{0,200}\]"
    )
    _TIME = re.compile(rb";t=([0-9a-f]{8,16})[;\]]")
    # "    MESSAGE=calico-packet: IN=..."; what follows of a value over several lines stands as deep as it
    _FIELD = re.compile(rb" {4}([A-Z_][A-Z0-9_]{0,63})=(.*)", re.DOTALL)

    def __init__(self, context: ParseContext) -> None:
        super().__init__(context)
        self._row: Row | None = None
        self._message: list[bytes] = []
        self._host: bytes | None = None
        self._inside = self._cut = False

    @classmethod
    def share(cls, lines: Sequence[bytes]) -> float:
        """Believed by the first record's first line; what journalctl says of its own stands before it."""
        told = next((line for line in lines if not line.startswith(b"-- ")), b"")
        return 1.0 if cls._HEAD.match(told) else 0.0

    def peel(self, rows: Rows) -> Rows:
        """See `Layer.peel`."""
        out: list[Row] = []
        for row in rows:
            field = self._FIELD.match(row.data)
            if field is not None:
                self._inside = field[1] == b"MESSAGE"
                if self._inside:
                    self._message = [field[2]]
                elif field[1] == b"_HOSTNAME":
                    self._host = field[2]
            elif self._HEAD.match(row.data):
                out.extend(self._finished())
                time = self._TIME.search(row.data)
                at = from_micros(str(int(time[1], 16))) if time is not None else None
                self._row = row._replace(at=row.at if at is None else at)
                self._inside = False
            elif self._inside and len(self._message) < MAX_LINE_BYTES:
                self._message.append(row.data.strip(b" "))
        self._cut = self._inside and ends_open(rows)
        return rows_from(out, year_inferred=rows.year_inferred)

    def flush(self) -> Rows | None:
        """The last record."""
        return rows_from(self._finished(), open_end=self._cut)

    def _finished(self) -> Iterator[Row]:
        row, host, lines = self._row, self._host, self._message
        self._row, self._host, self._message = None, None, []
        if row is None or not lines:
            return
        node = host.decode("utf-8", "replace") if host else row.node
        yield from text_rows(b"\n".join(lines), row._replace(node=node))
