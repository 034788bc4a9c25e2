"""Who is refused by whom: sources by destinations with counts, as a table that stays small."""

from __future__ import annotations

from collections import Counter
from typing import Any

from msgspec import Struct

from flowdiag.model.report import Report
from flowdiag.report.names import end_text
from flowdiag.report.phrases import count

__all__ = ["Matrix", "matrix"]

_MAX_SOURCES = 40
_MAX_DESTINATIONS = 14
_MARKS = 4
_OTHERS = "others"


class Matrix(Struct, frozen=True):
    """`sources` by `destinations`; a row of `cells` for each source, ``None`` where nothing was refused."""

    sources: list[str]
    destinations: list[str]
    cells: list[list[dict[str, Any] | None]]

    def cell(self, source: str, destination: str) -> str:
        """``row-column`` of a pair, for whoever filters."""
        row, column = _index(self.sources, source), _index(self.destinations, destination)
        return f"{row}-{column}"


def matrix(report: Report) -> Matrix:
    """Count and problems of each pair, `level` 1 to 4 by size; the smallest ends are added up."""
    cells: Counter[tuple[int, int]] = Counter()
    codes: dict[tuple[int, int], set[tuple[int, str]]] = {}
    from_: Counter[str] = Counter()
    to: Counter[str] = Counter()
    links = []
    for number, problem in enumerate(report.problems, start=1):
        for connection in problem.connections:
            pair = (end_text(connection.source), end_text(connection.destination))
            from_[pair[0]] += connection.count
            to[pair[1]] += connection.count
            links.append((pair, connection.count, (number, problem.code)))
    sources = _largest(from_, _MAX_SOURCES)
    destinations = _largest(to, _MAX_DESTINATIONS)
    rows = {name: index for index, name in enumerate(sources)}
    columns = {name: index for index, name in enumerate(destinations)}
    for (source, destination), size, mark in links:
        key = (rows.get(source, len(sources) - 1), columns.get(destination, len(destinations) - 1))
        cells[key] += size
        codes.setdefault(key, set()).add(mark)
    top = max(cells.values(), default=0)
    return Matrix(
        sources,
        destinations,
        [
            [_cell(cells, codes, (row, column), top) for column in range(len(destinations))]
            for row in range(len(sources))
        ],
    )


def _index(names: list[str], name: str) -> int:
    # Where there are more than fit, the last stands for the others.
    return names.index(name) if name in names else len(names) - 1


def _largest(ends: Counter[str], most: int) -> list[str]:
    ranked = [name for name, _ in sorted(ends.items(), key=lambda item: (-item[1], item[0]))]
    return ranked if len(ranked) <= most else [*ranked[: most - 1], _OTHERS]


def _cell(
    cells: Counter[tuple[int, int]],
    codes: dict[tuple[int, int], set[tuple[int, str]]],
    key: tuple[int, int],
    top: int,
) -> dict[str, Any] | None:
    number = cells.get(key, 0)
    if not number:
        return None
    marks = sorted(codes[key])
    return {
        "place": f"{key[0]}-{key[1]}",
        "count": count(number),
        "level": min(4, 1 + (4 * number - 1) // top) if top else 1,
        "marks": marks[:_MARKS],
        "more": max(len(marks) - _MARKS, 0),
    }
