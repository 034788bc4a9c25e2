"""Folding and merging parts on a Dask cluster: workers read, count and join, and the client gets one outcome.

Each part is a task of its own, the same function of the same value as in this process.  As soon as all parts in
front of it are counted, a part's line numbers are known and a task joins it with its neighbours, eight by eight
and level by level, on the workers.  What a lost
worker held, the scheduler has done again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import Any
from uuid import uuid4

from msgspec.structs import replace

from flowdiag.ingest.compression import Kind
from flowdiag.ingest.outcomes import fold_parts, joined, lines_of, read_outcome
from flowdiag.ingest.parts import Part
from flowdiag.ingest.problems import InputProblem
from flowdiag.ingest.remote import is_remote
from flowdiag.ingest.scheduler import Cluster, connected
from flowdiag.model.errors import ClusterError
from flowdiag.tally import Tally

__all__ = ["fold_on"]

_FAN = 8
"""Outcomes that one task joins; each is some megabytes."""
_AHEAD = 4
"""Parts per worker thread that are asked for before the first is done."""
_RETRIES = 3
"""How often a part is read again after an error, such as a store that answers too slowly."""
_JOIN_FIRST = 10
"""Joining before folding on keeps what the workers hold small."""
_TOGETHER_BYTES = 16 << 20
_TOGETHER = 256
"""The most bytes and the most inputs of one task.  Small inputs are joined, since any task costs some hundredths of a second."""
_SHARES = 8
"""Tasks that each worker thread should have at least, where inputs are small, so that all end at about one time."""
_UNPACK = 8

Lost = Callable[[Part, str], InputProblem]


def fold_on(
    scheduler: str,
    parts: Iterator[Part],
    done: Callable[[Part], None],
    lost: Lost,
    *,
    total: int,
    parsers: frozenset[str],
) -> tuple[Tally, list[InputProblem]]:
    """Fold all parts on the cluster of a Dask scheduler.

    Args:
        scheduler: ``tcp://host:8786`` or ``tls://...``.
        parts: in the order of their inputs; none may lie in a spool of this machine.
        done: called when a part is read.
        lost: the problem that a part makes which could not be read, and why.
        total: bytes of all parts, about.
        parsers: their names.

    Raises:
        UsageError: Dask is not installed.
        ClusterError: there is no such scheduler, no worker, workers with another flowdiag or without a parser, or it went
            away in the middle.
    """
    with connected(scheduler, parsers) as cluster:
        size = min(_TOGETHER_BYTES, total // (_SHARES * cluster.threads))
        return _Run(cluster, done, lost).outcome(_tasks(parts, size))


def _tasks(parts: Iterator[Part], size: int) -> Iterator[tuple[Part, ...]]:
    """Parts as tasks: ranges alone, small whole inputs several together."""
    together: list[Part] = []
    held = 0
    for part in parts:
        weight = part.size * (1 if part.source.kind is Kind.PLAIN else _UNPACK)
        if together and (part.loose or held + weight > size or len(together) == _TOGETHER):
            yield tuple(together)
            together, held = [], 0
        if part.loose:
            yield (part,)
        else:
            together.append(part)
            held += weight
    if together:
        yield tuple(together)


class _Run:
    """The tasks of one run.

    `_levels` holds, level by level, outcomes that wait to be joined, with the lines to shift them by.
    """

    def __init__(self, cluster: Cluster, done: Callable[[Part], None], lost: Lost) -> None:
        self._cluster = cluster
        self._done = done
        self._lost = lost
        self._key = f"flowdiag-{uuid4().hex}"
        self._tasks = 0
        self._levels: list[list[tuple[Any, int]]] = [[]]
        self._problems: list[InputProblem] = []
        self._before: dict[str, int] = {}

    def outcome(self, tasks: Iterator[tuple[Part, ...]]) -> tuple[Tally, list[InputProblem]]:
        """Fold, join, and fetch what is left."""
        most = _AHEAD * self._cluster.threads
        waiting: dict[int, tuple[tuple[Part, ...], Any, Any]] = {}
        numbers: dict[str, int] = {}
        ready: set[int] = set()
        asked = told = 0
        task = next(tasks, None)
        while task is not None or told < asked:
            if task is not None and asked - told < most:
                fold = self._submit(fold_parts, [*map(_everywhere, task)], retries=_RETRIES)
                lines = self._submit(lines_of, fold, priority=_JOIN_FIRST)
                waiting[asked] = task, fold, lines
                numbers[lines.key] = asked
                self._cluster.announce(lines)
                asked += 1
                task = next(tasks, None)
                continue
            ready.add(numbers.pop(self._cluster.next_finished()))
            # Lines are known from the front on.
            while told in ready:
                ready.remove(told)
                alone = self._counted(*waiting.pop(told))
                told += 1
                if alone:
                    tasks = chain([(part,) for part in alone], [] if task is None else [task], tasks)
                    task = next(tasks, None)
        return self._rest()

    def _counted(self, parts: tuple[Part, ...], fold: Any, lines: Any) -> Sequence[Part]:
        """Join what a task gave; returns the parts that are to be read by themselves, since one of several failed."""
        try:
            count = self._cluster.result(lines)
        except ClusterError:
            raise
        except Exception as error:  # noqa: BLE001 - whatever a worker raised costs its part, and is said.
            if len(parts) > 1:
                return parts
            why = "its worker died each time" if type(error).__name__ == "KilledWorker" else f"{error}"
            self._problems.append(self._lost(parts[0], f"{type(error).__name__}: {why}"))
            self._done(parts[0])
            return ()
        for part in parts:
            self._done(part)
        # A range of an input is a task of its own; the lines of whole inputs stand where they are.
        name = parts[0].source.name
        shift = self._before.get(name, 0) if parts[0].loose else 0
        self._before[name] = shift + count
        self._join(0, fold, shift)
        return ()

    def _join(self, level: int, outcome: Any, shift: int) -> None:
        if level == len(self._levels):
            self._levels.append([])
        row = self._levels[level]
        row.append((outcome, shift))
        if len(row) == _FAN:
            self._levels[level] = []
            self._join(level + 1, self._joined(row), 0)

    def _joined(self, row: list[tuple[Any, int]]) -> Any:
        return self._submit(
            joined,
            [one for one, _ in row],
            [shift for _, shift in row],
            retries=_RETRIES,
            priority=_JOIN_FIRST,
        )

    def _rest(self) -> tuple[Tally, list[InputProblem]]:
        left = [one for row in self._levels for one in row]
        while len(left) > 1:
            left = [(self._joined(left[at : at + _FAN]), 0) for at in range(0, len(left), _FAN)]
        if not left:
            return Tally(), self._problems
        outcome, shift = left[0]
        try:
            data = self._cluster.result(outcome)
        except ClusterError:
            raise
        except Exception as error:
            raise ClusterError(
                f"the Dask cluster lost what it had read: {type(error).__name__}: {error}",
                hint="look at the workers' logs; too little memory is the usual cause",
            ) from error
        tally, problems = read_outcome(data, shift)
        return tally, [*self._problems, *map(_unseen, problems)]

    def _submit(self, function: Callable[..., Any], *arguments: Any, **how: Any) -> Any:
        self._tasks += 1
        return self._cluster.submit(function, *arguments, key=f"{self._key}-{self._tasks}", **how)


def _everywhere(part: Part) -> Part:
    """The part with a path that means the same in another working directory."""
    source = part.source
    return (
        part
        if source.remote
        else replace(part, source=replace(source, path=str(Path(source.path).absolute())))
    )


def _unseen(problem: InputProblem) -> InputProblem:
    if problem.code != "unreadable":
        return problem
    if is_remote(problem.path):
        # It was listed here, and its head was read here.
        return replace(problem, message=f"{problem.message} (so says a worker)")
    return replace(
        problem,
        message=f"{problem.message}; the workers have to see it: a file system that they share, or a bucket",
    )
