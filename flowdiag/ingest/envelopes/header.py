"""Wrappers that are a header at the start of each line, peeled with one regular expression."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import ClassVar

from flowdiag.ingest.envelopes.rows import Layer, Row, Rows, instant, merged, rows_from

__all__ = ["Header"]

_MEMO = 8192


class Header(Layer):
    """A layer whose `pattern` matches what is to be taken off the front of a line.

    When every line of the run has the header, the whole run goes through ``findall`` and ``sub``, without
    an object per line.
    """

    pattern: ClassVar[re.Pattern[bytes]]
    """Anchored with ``^`` under MULTILINE; never crosses a newline; two or more groups (empty ones will
    do), named like the columns they fill."""
    year_inferred: ClassVar[bool] = False

    _columns: ClassVar[tuple[tuple[str, int], ...]]

    def __init_subclass__(cls) -> None:
        """Look up which group fills which column, once."""
        super().__init_subclass__()
        cls._columns = tuple(
            (name, cls.pattern.groupindex[name] - 1)
            for name in ("at", "node", "namespace", "pod", "container")
            if name in cls.pattern.groupindex
        )

    def __init__(self, context: object) -> None:
        super().__init__(context)  # type: ignore[arg-type]
        self._words: dict[bytes, str | None] = {}
        self._times: dict[bytes, int | None] = {}

    @classmethod
    def share(cls, lines: Sequence[bytes]) -> float:
        """See `Layer.share`."""
        return sum(1 for line in lines if cls.pattern.match(line)) / max(len(lines), 1)

    def stamp(self, text: bytes) -> int | None:
        """Nanoseconds of what the group ``at`` holds; RFC 3339 with a zone unless overridden."""
        return instant(text.decode("ascii", "replace"))

    def word(self, text: bytes) -> str | None:
        """A name; ``-`` and nothing are unknown."""
        return None if text in (b"", b"-") else text.decode("utf-8", "replace")

    def peel(self, rows: Rows) -> Rows:
        """See `Layer.peel`."""
        hits = self.pattern.findall(rows.data)
        if len(hits) != len(rows.lines):
            return self._one_by_one(rows)
        found = list(zip(*hits, strict=True))
        columns = {
            name: self._instants(found[group]) if name == "at" else self._names(found[group])
            for name, group in self._columns
        }
        return Rows(
            data=self.pattern.sub(b"", rows.data),
            lines=rows.lines,
            at=merged(rows.at, columns.get("at")),  # type: ignore[arg-type]
            node=merged(rows.node, columns.get("node")),  # type: ignore[arg-type]
            namespace=merged(rows.namespace, columns.get("namespace")),  # type: ignore[arg-type]
            pod=merged(rows.pod, columns.get("pod")),  # type: ignore[arg-type]
            container=merged(rows.container, columns.get("container")),  # type: ignore[arg-type]
            year_inferred=self._weaker(rows, any(at is not None for at in columns.get("at", ()))),
        )

    def _one_by_one(self, rows: Rows) -> Rows:
        out: list[Row] = []
        for row in rows:
            match = self.pattern.match(row.data)
            if match is None:
                out.append(row)
                continue
            changed: dict[str, object] = {"data": row.data[match.end() :]}
            for name, group in self._columns:
                text = match[group + 1] or b""
                value = self._instants([text])[0] if name == "at" else self._names([text])[0]
                if value is not None:
                    changed[name] = value
            out.append(row._replace(**changed))  # type: ignore[arg-type]
        return rows_from(out, year_inferred=rows.year_inferred or self.year_inferred)

    def _weaker(self, rows: Rows, dated: bool) -> bool:
        """A run has one mark for all its times: those of this layer where it gave any, else the outer ones'."""
        return self.year_inferred if dated else rows.year_inferred

    def _instants(self, texts: Sequence[bytes]) -> list[int | None]:
        memo = self._times
        if len(memo) > _MEMO:
            memo.clear()
        out = []
        for text in texts:
            if text not in memo:
                memo[text] = self.stamp(text)
            out.append(memo[text])
        return out

    def _names(self, texts: Sequence[bytes]) -> list[str | None]:
        memo = self._words
        if len(memo) > _MEMO:
            memo.clear()
        out = []
        for text in texts:
            if text not in memo:
                memo[text] = self.word(text)
            out.append(memo[text])
        return out
