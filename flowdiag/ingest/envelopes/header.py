"""Wrappers that are a header at the start of each line, peeled with one regular expression."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any, ClassVar, TypeVar

from flowdiag.ingest.envelopes.rows import Layer, Row, Rows, ends_open, instant, merged, rows_from
from flowdiag.parserkit import ParseContext

__all__ = ["Header"]

_MEMO = 8192
_T = TypeVar("_T")


class Header(Layer):
    """A layer whose `pattern` matches what is to be taken off the front of a line.

    When every line of the run has the header, columns are built at once, without a row per line.
    (``findall`` over the run would be slower: under MULTILINE it tries every byte as a line's start.)
    """

    pattern: ClassVar[re.Pattern[bytes]]
    """Anchored with ``^``; its groups are named like the columns they fill."""
    year_inferred: ClassVar[bool] = False
    by_line: ClassVar[bool] = True

    _columns: ClassVar[tuple[tuple[str, int], ...]]

    def __init_subclass__(cls) -> None:
        """Look up which group fills which column, once."""
        super().__init_subclass__()
        cls._columns = tuple(
            (name, cls.pattern.groupindex[name])
            for name in ("at", "node", "namespace", "pod", "container")
            if name in cls.pattern.groupindex
        )

    def __init__(self, context: ParseContext) -> None:
        super().__init__(context)
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
        lines = rows.data.split(b"\n")
        if not lines[-1]:
            lines.pop()
        matches = list(map(self.pattern.match, lines))
        if not matches or not self._alike(matches):
            return self._one_by_one(rows)
        hits = [match for match in matches if match is not None]
        columns: dict[str, list[Any]] = {
            name: (self._instants if name == "at" else self._names)([hit[group] or b"" for hit in hits])
            for name, group in self._columns
        }
        peeled = [line[hit.end() :] for line, hit in zip(lines, hits, strict=True)]
        return Rows(
            data=b"\n".join(peeled) + b"\n" * rows.data.endswith(b"\n"),
            lines=rows.lines,
            at=merged(rows.at, columns.get("at")),
            node=merged(rows.node, columns.get("node")),
            namespace=merged(rows.namespace, columns.get("namespace")),
            pod=merged(rows.pod, columns.get("pod")),
            container=merged(rows.container, columns.get("container")),
            year_inferred=self._weaker(rows, any(at is not None for at in columns.get("at", ()))),
        )

    def _alike(self, matches: list[re.Match[bytes] | None]) -> bool:
        """Whether the run can be peeled at once."""
        return None not in matches

    def _one_by_one(self, rows: Rows) -> Rows:
        out: list[Row] = []
        for row in rows:
            match = self.pattern.match(row.data)
            if match is None:
                out.append(row)
                continue
            changed: dict[str, object] = {"data": row.data[match.end() :]}
            for name, group in self._columns:
                text = match[group] or b""
                value = self._instants([text])[0] if name == "at" else self._names([text])[0]
                if value is not None:
                    changed[name] = value
            out.append(row._replace(**changed))  # type: ignore[arg-type]
        year_inferred = rows.year_inferred or self.year_inferred
        return rows_from(out, year_inferred=year_inferred, open_end=ends_open(rows))

    def _weaker(self, rows: Rows, dated: bool) -> bool:
        """A run has one mark for all its times: those of this layer where it gave any, else the outer ones'."""
        return self.year_inferred if dated else rows.year_inferred

    def _instants(self, texts: Sequence[bytes]) -> list[int | None]:
        return self._looked_up(texts, self._times, self.stamp)

    def _names(self, texts: Sequence[bytes]) -> list[str | None]:
        return self._looked_up(texts, self._words, self.word)

    @staticmethod
    def _looked_up(texts: Sequence[bytes], memo: dict[bytes, _T], read: Callable[[bytes], _T]) -> list[_T]:
        """Read each distinct text once; stamps that hardly repeat are read straight away."""
        distinct = set(texts)
        if len(distinct) * 2 > len(texts):
            return [read(text) for text in texts]
        if len(memo) > _MEMO:
            memo.clear()
        for text in distinct - memo.keys():
            memo[text] = read(text)
        return [memo[text] for text in texts]
