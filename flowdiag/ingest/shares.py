"""Worker processes of this machine: each folds its share of the parts into one tally, and sends that once.

Merging costs by distinct flow, so a tally per worker is merged and not one per part.  Workers take the next
part when they are done with one.  Nobody counts lines ahead of them: parts are loose, each counts its own, and
a line is its part's number and its own until all are read.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import wait
from itertools import count
from pathlib import Path
from tempfile import NamedTemporaryFile, TemporaryDirectory
from typing import Any, NamedTuple

from msgspec.structs import replace

from flowdiag.ingest.fold import fold_into, fold_loose
from flowdiag.ingest.heap import return_freed_memory
from flowdiag.ingest.parts import Part
from flowdiag.ingest.problems import InputProblem
from flowdiag.parserkit.registry import available
from flowdiag.tally import Tally

__all__ = ["SHARE_BYTES", "fold_shares"]

SHARE_BYTES = 16 << 20
"""About the size of parts: what one worker can still be at while the others are done."""

_PART = 40
"""Bits for lines; those above are the part's number, so that lines stay in order."""
_LINE = (1 << _PART) - 1
_TOLD_S = 0.2


class _Share(NamedTuple):
    path: str
    """Of the tally's file."""
    problems: list[InputProblem]
    lines: dict[int, int]
    """Lines of each loose part that was folded, by its number."""


def fold_shares(
    parts: Sequence[Part], workers: int, told: Callable[[int, str], None] | None
) -> tuple[Tally, list[InputProblem]] | None:
    """Fold all parts in worker processes; ``None`` where one died or raised: what it had done is lost with it.

    Args:
        parts: the parts of all inputs in order, loose where they can be.
        workers: how many processes.
        told: called now and then with the bytes on disk that are done, and the name of an input at hand.
    """
    import multiprocessing
    from concurrent.futures import ProcessPoolExecutor

    # Workers start clean: the caller may have threads, which a fork would not survive.
    context = multiprocessing.get_context("forkserver" if os.name == "posix" else "spawn")
    # What the server has loaded its workers share; of parsers those that have loaded here without harm.
    context.set_forkserver_preload([__name__, *_modules(parts)])
    taken, done = context.Value("q", 0), context.Value("q", 0)
    try:
        with TemporaryDirectory(prefix="flowdiag-") as folder:
            with ProcessPoolExecutor(
                workers,
                mp_context=context,
                initializer=_start,
                initargs=(dict(os.environ), folder, list(parts), taken, done),
            ) as pool:
                futures = [pool.submit(_fold_share) for _ in range(workers)]
                while wait(futures, timeout=_TOLD_S).not_done:
                    if told is not None:
                        told(done.value, parts[min(taken.value, len(parts)) - 1].source.name)
                shares = [future.result() for future in futures]
            return _merged(parts, shares)
    except Exception:  # noqa: BLE001 - whatever it was shows again, and costs one part, part by part.
        return None


def _modules(parts: Sequence[Part]) -> list[str]:
    points = available("flowdiag.parsers")
    names = {part.parser for part in parts}
    return sorted({points[name].module for name in names if points[name].module in sys.modules})


_mine: list[Any] = []
"""In a worker: where its share goes, parts, number of the next, and bytes done."""


def _start(environment: dict[str, str], *given: Any) -> None:
    # The server that workers fork from has the environment of its own first day; keys to a store may be newer.
    os.environ.update(environment)
    return_freed_memory()
    _mine[:] = given


def _fold_share() -> _Share:
    folder, parts, taken, done = _mine
    tally = Tally()
    problems: list[InputProblem] = []
    lines: dict[int, int] = {}
    while True:
        with taken.get_lock():
            number = taken.value
            taken.value += 1
        if number >= len(parts):
            tally.rest()
            return _sent(folder, tally, problems, lines)
        _fold(parts[number], number, tally, problems, lines)
        with done.get_lock():
            done.value += parts[number].size


def _sent(folder: str, tally: Tally, problems: list[InputProblem], lines: dict[int, int]) -> _Share:
    """Through a file: a pipe's ends hold all of it, twice."""
    with NamedTemporaryFile(dir=folder, delete=False) as out:
        tally.write(out.file)
    return _Share(out.name, problems, lines)


def _fold(part: Part, number: int, tally: Tally, problems: list[InputProblem], lines: dict[int, int]) -> None:
    numbered = replace(part, first_line=(number << _PART) + part.first_line)
    if part.loose:
        lines[number] = fold_loose(tally, numbered, problems)
    else:
        fold_into(tally, numbered, problems)


def _merged(parts: Sequence[Part], shares: list[_Share]) -> tuple[Tally, list[InputProblem]]:
    """All shares as one."""
    tally = Tally()
    found: list[InputProblem] = []
    lines: dict[int, int] = {}
    while shares:
        path, problems, counted = shares.pop()
        with Path(path).open("rb") as stream:
            tally.merge_from(stream)
        found += problems
        lines |= counted
    before: dict[str, int] = {}
    shifts: list[int] = []
    for number, part in zip(count(), parts):
        shifts.append(before.get(part.source.name, 0))
        before[part.source.name] = shifts[-1] + lines.get(number, 0)

    def placed(line: int) -> int:
        return shifts[line >> _PART] + (line & _LINE)

    tally.move_lines(placed)
    return tally, [one if one.line is None else replace(one, line=placed(one.line)) for one in found]
