"""What stands around lines where people pass them on: a mark of a quotation, an indentation, their numbers, quotes.

Sources: Markdown's quotations and code blocks, as tickets and mails hold them; ``cat -n`` and ``nl`` of GNU coreutils; lines as JSON's
strings, as ``jq`` prints them without ``-r``.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import ClassVar

import msgspec

from flowdiag.ingest.envelopes.header import Header
from flowdiag.ingest.envelopes.json_lines import DAMAGED
from flowdiag.ingest.envelopes.rows import Layer, Row, Rows, ends_open, rows_from, text_rows
from flowdiag.parserkit import ParseContext

__all__ = ["Indented", "JsonStrings", "Numbered", "Quoted"]

_NEARLY_ALL = 0.9
_SOME = 0.1


class Quoted(Header):
    """``> `` before each line, once or more."""

    name = "quoted"
    # "> WARN: 2026/01/05 10:00:06.963438 TCP connection from ..."   a ticket;  ">> Policy updated: {...}" is cilium monitor's own
    pattern = re.compile(rb"^(?:> )+|^>(?![> ])", re.MULTILINE)

    @classmethod
    def share(cls, lines: Sequence[bytes]) -> float:
        """Some lines among what a ticket says of them are enough: the mark is taken off these alone."""
        share = super().share(lines)
        return 1.0 if share >= _SOME and share * len(lines) > 1 else share


class Numbered(Header):
    """The line's number, right aligned, and a tab."""

    name = "numbered"
    # '     1\t{"flow":{...}}'   cat -n and nl, coreutils 9.1
    pattern = re.compile(rb"^ {0,6}\d{1,7}\t", re.MULTILINE)
    by_line: ClassVar[bool] = False

    @classmethod
    def share(cls, lines: Sequence[bytes]) -> float:
        """Only where each number follows the last: a table's first column may hold anything."""
        numbers = [int(found[0]) for line in lines if (found := cls.pattern.match(line))]
        counted = numbers == list(range(numbers[0], numbers[0] + len(numbers))) if numbers else False
        return len(numbers) / len(lines) if counted and len(lines) > 1 else 0.0


class JsonStrings(Layer):
    """Each line a JSON string, alone or as an array's element."""

    name = "json-strings"
    by_line: ClassVar[bool] = True
    # '"2026-01-05T16:28:54.139Z|00004|acl_log(ovn_pinctrl0)|INFO|name=\\"NP:shop:Ingress\\", verdict=drop, ..."'   jq 1.7 without -r
    _string = msgspec.json.Decoder(str)

    @classmethod
    def share(cls, lines: Sequence[bytes]) -> float:
        """Lines of an array's brackets count for neither."""
        told = [line for line in lines if line.strip() not in (b"[", b"]")]
        return sum(cls._text(line) is not None for line in told) / max(len(told), 1)

    @classmethod
    def _text(cls, line: bytes) -> str | None:
        stripped = line.strip().removesuffix(b",")
        if stripped[:1] != b'"' or stripped[-1:] != b'"':
            return None
        try:
            return cls._string.decode(stripped)
        except DAMAGED:
            return None

    def peel(self, rows: Rows) -> Rows:
        """See `Layer.peel`."""
        out: list[Row] = []
        text: str | None = None
        for row in rows:
            text = self._text(row.data)
            if text is not None:
                out.extend(text_rows(text, row))
            elif row.data.strip() not in (b"[", b"]"):
                out.append(row)
        # A string that closes is whole without a newline behind it.
        return rows_from(out, year_inferred=rows.year_inferred, open_end=text is None and ends_open(rows))


class Indented(Layer):
    """The same blanks before each line; what a line has more is its own."""

    name = "indented"
    splittable: ClassVar[bool] = False
    # "    WARN: 2026/01/05 10:00:06.963438 TCP connection from ..."   a code block
    _BLANKS = re.compile(rb"[ \t]*")

    def __init__(self, context: ParseContext) -> None:
        super().__init__(context)
        self._prefix: bytes | None = None

    @classmethod
    def share(cls, lines: Sequence[bytes]) -> float:
        """By the blanks of the first line; of objects printed over lines or tables hardly all lines have them."""
        prefix = cls._blanks(lines[0]) if lines else b""
        if not prefix:
            return 0.0
        return float(sum(line.startswith(prefix) for line in lines) >= _NEARLY_ALL * len(lines))

    @classmethod
    def _blanks(cls, line: bytes) -> bytes:
        found = cls._BLANKS.match(line)
        return found[0] if found is not None else b""

    def peel(self, rows: Rows) -> Rows:
        """See `Layer.peel`."""
        lines = rows.data.split(b"\n")
        if self._prefix is None:
            self._prefix = next((self._blanks(line) for line in lines if line.strip()), None)
        if self._prefix:
            rows.data = b"\n".join(line.removeprefix(self._prefix) for line in lines)
        return rows
