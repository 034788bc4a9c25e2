"""Inputs with lines of several formats: which parser reads which line.

Files are joined, a collector's export holds what many programs wrote, ``kubectl logs`` of several containers goes into one
file.  Each parser then reads the input by itself and gets its own lines alone, with their numbers.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from msgspec.structs import replace

from flowdiag.ingest.deeper import CERTAIN
from flowdiag.ingest.detection import SURE, Detection
from flowdiag.ingest.envelopes import Rows
from flowdiag.ingest.heads import sniffed
from flowdiag.ingest.plugins import parser_named
from flowdiag.parserkit import Parser

__all__ = ["Owners", "lines_of", "told_apart"]


def told_apart(found: Detection) -> list[Detection]:
    """Give an input once for each parser that has lines in it; an input of one parser stays as it is.

    The first keeps the input's name, and the others have their parser's name behind it: ``all.log!hubble-json``.
    """
    if not found.others or found.parser is None:
        return [found]
    among = (found.parser, *found.others)
    source = found.source
    return [
        replace(found, among=among, others=()),
        *(
            replace(
                found,
                source=replace(source, name=f"{source.name}!{name}"),
                parser=name,
                cni=parser_named(name).cni,
                among=among,
                others=(),
                problems=(),
            )
            for name in found.others
        ),
    ]


class Owners:
    """Knows which reader each line of an input belongs to; it is worked out once for all readers.

    Args:
        readers: all that have lines here; the first gets what is nobody's.
    """

    def __init__(self, readers: Sequence[Parser]) -> None:
        self._readers = readers
        self._begins = [getattr(reader, "record_mark", None) for reader in readers]
        self._last = 0
        self._of_kind = {True: 0, False: 0}
        """The reader of the last line that was an object, and of the last line of text."""
        self._known = bytearray()
        """By line, in order: the reader's index."""

    def of(self, first: int, lines: Sequence[bytes]) -> Sequence[int]:
        """Indices of the readers of some lines, in order.

        Args:
            first: how many lines of the input stand before them; all these were asked about.
            lines: without their newlines.
        """
        self._known.extend(map(self._whose, lines[len(self._known) - first :]))
        return self._known[first : first + len(lines)]

    def _whose(self, line: bytes) -> int:
        """Give the reader of a line; one that no parser knows goes with the last line, or with the last of its kind."""
        if not line.strip():
            return self._last
        is_object = line.startswith(b"{")
        begun = next((n for n, mark in enumerate(self._begins) if mark and line.startswith(mark)), None)
        found = self._surest(line) if begun is None else begun
        if found is not None:
            self._last = self._of_kind[is_object] = found
        elif line[:1] not in b" \t":
            self._last = self._of_kind[is_object]
        return self._last

    def _surest(self, line: bytes) -> int | None:
        """Give the reader that is surest of a line, if any is; no two are certain of the same line."""
        best, surest = SURE, None
        for index, reader in enumerate(self._readers):
            score = sniffed(reader, line)
            if score > best:
                best, surest = score, index
            if score >= CERTAIN:
                break
        return surest


def lines_of(index: int, owners: Owners, rows: Iterable[Rows]) -> Iterator[Rows]:
    """Only the lines that belong to one of several parsers.

    Args:
        index: which of them.
        owners: of this input's lines.
        rows: its lines in order from the first, without their wrappers.
    """
    seen = 0
    for run in rows:
        lines = run.data.split(b"\n")
        ended = not lines[-1]
        if ended:
            lines.pop()
        mine = [number for number, whose in enumerate(owners.of(seen, lines)) if whose == index]
        seen += len(lines)
        if len(mine) == len(lines):
            yield run
        elif mine:
            open_end = not ended and mine[-1] == len(lines) - 1
            yield Rows(
                data=b"\n".join([lines[number] for number in mine]) + b"\n" * (not open_end),
                lines=[run.lines[number] for number in mine],
                at=[run.at[number] for number in mine] if run.at else None,
                node=[run.node[number] for number in mine] if run.node else None,
                namespace=[run.namespace[number] for number in mine] if run.namespace else None,
                pod=[run.pod[number] for number in mine] if run.pod else None,
                container=[run.container[number] for number in mine] if run.container else None,
                year_inferred=run.year_inferred,
            )
