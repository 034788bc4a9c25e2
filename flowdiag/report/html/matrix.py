"""Who is refused by whom: sources by destinations with counts, as a table that stays small."""

from __future__ import annotations

from collections import Counter
from typing import Any

from flowdiag.model.report import Report
from flowdiag.report.phrases import count, end_text

__all__ = ["matrix"]

_MAX_SOURCES = 40
_MAX_DESTINATIONS = 14
_OTHERS = "others"


def matrix(report: Report) -> dict[str, Any]:
    """Rows of cells: `count` and `codes` per pair, `level` 0 to 4 by size; the smallest ends are added up."""
    cells: Counter[tuple[str, str]] = Counter()
    codes: dict[tuple[str, str], set[tuple[int, str]]] = {}
    sources: Counter[str] = Counter()
    destinations: Counter[str] = Counter()
    links = []
    for number, problem in enumerate(report.problems, start=1):
        for connection in problem.connections:
            pair = (end_text(connection.source), end_text(connection.destination))
            sources[pair[0]] += connection.count
            destinations[pair[1]] += connection.count
            links.append((pair, connection.count, (number, problem.code)))
    rows = _largest(sources, _MAX_SOURCES)
    columns = _largest(destinations, _MAX_DESTINATIONS)
    for (source, destination), number_, mark in links:
        key = (source if source in rows else _OTHERS, destination if destination in columns else _OTHERS)
        cells[key] += number_
        codes.setdefault(key, set()).add(mark)
    top = max(cells.values(), default=0)
    return {
        "columns": columns,
        "rows": [
            {"source": source, "cells": [_cell(cells, codes, (source, to), top) for to in columns]}
            for source in rows
        ],
    }


def _largest(ends: Counter[str], most: int) -> list[str]:
    ranked = [name for name, _ in sorted(ends.items(), key=lambda item: (-item[1], item[0]))]
    return ranked if len(ranked) <= most else [*ranked[: most - 1], _OTHERS]


def _cell(
    cells: Counter[tuple[str, str]],
    codes: dict[tuple[str, str], set[tuple[int, str]]],
    key: tuple[str, str],
    top: int,
) -> dict[str, Any] | None:
    number = cells.get(key, 0)
    if not number:
        return None
    marks = sorted(codes[key])
    return {
        "count": count(number),
        "level": min(4, 1 + (4 * number - 1) // top) if top else 1,
        "marks": marks[:4],
        "more": max(len(marks) - 4, 0),
    }
