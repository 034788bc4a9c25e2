"""Parts folded and merged on a Dask cluster: workers read, count and join; the client gets one outcome.

Each part is a task of its own, the same function of the same value as in this process.  As soon as all parts in
front of it are counted, a part's line numbers are known and a task joins it with its neighbours, eight by eight
and level by level, on the workers.  What a lost worker held the scheduler has done again.
"""

from __future__ import annotations

import importlib
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

from msgspec.structs import replace

import flowdiag
from flowdiag.ingest.fold import fold_part, joined, lines_of, read_outcome
from flowdiag.ingest.parts import Part
from flowdiag.ingest.problems import InputProblem
from flowdiag.model.errors import ClusterError, UsageError
from flowdiag.tally import Tally

__all__ = ["fold_on"]

_FAN = 8
"""Outcomes that one task joins; each is some megabytes."""
_AHEAD = 4
"""Parts per worker thread that are asked for before the first is done."""
_RETRIES = 3
"""How often a part is read again after an error, such as a store that answers too slowly."""
_CONNECT_S = 10
_WAIT_S = 30
"""For a first worker: in a cluster their machines may have to start."""
_JOIN_FIRST = 10
"""Joining before folding on keeps what the workers hold small."""

Lost = Callable[[Part, str], InputProblem]


def fold_on(
    scheduler: str, parts: Iterator[Part], done: Callable[[Part], None], lost: Lost
) -> tuple[Tally, list[InputProblem]]:
    """Fold all parts on the cluster of a Dask scheduler.

    Args:
        scheduler: ``tcp://host:8786`` or ``tls://...``.
        parts: in the order of their inputs; none may lie in a spool of this machine.
        done: called when a part is read.
        lost: the problem that a part makes which could not be read, and why.

    Raises:
        UsageError: Dask is not installed.
        ClusterError: there is no such scheduler, no worker, or workers with another flowdiag.
    """
    with _client(scheduler) as client:
        return _Run(client, done, lost).outcome(parts)


def _dask() -> Any:
    try:
        return importlib.import_module("distributed")
    except ImportError as error:
        raise UsageError(
            "--scheduler needs Dask, which is not installed", hint='pip install "flowdiag[distributed]"'
        ) from error


@contextmanager
def _client(scheduler: str) -> Iterator[Any]:
    dask = _dask()
    # Dask narrates lost connections with tracebacks; what matters of them is said by what is raised.
    logging.getLogger("distributed").setLevel(logging.CRITICAL)
    try:
        client = dask.Client(scheduler, timeout=f"{_CONNECT_S}s", set_as_default=False, name="flowdiag")
    except (OSError, TimeoutError, ValueError) as error:
        raise ClusterError(
            f"{scheduler}: no Dask scheduler answers ({' '.join(str(error).split())[:200]})",
            hint="check the address, and that it is the scheduler's own port (8786), not its dashboard's (8787)",
        ) from error
    try:
        _checked(client, scheduler)
        yield client
    finally:
        client.close()


def _checked(client: Any, scheduler: str) -> None:
    try:
        client.wait_for_workers(1, timeout=_WAIT_S)
    except TimeoutError as error:
        raise ClusterError(
            f"{scheduler}: no worker came within {_WAIT_S} s",
            hint="start one: dask worker tcp://SCHEDULER:8786",
        ) from error
    try:
        versions = client.run(_version)
    except Exception as error:
        raise ClusterError(
            f"{scheduler}: a worker cannot import flowdiag ({type(error).__name__}: {error})",
            hint='install "flowdiag[distributed,remote]" where the workers run',
        ) from error
    others = {address: version for address, version in versions.items() if version != flowdiag.__version__}
    if others:
        address, version = min(others.items())
        raise ClusterError(
            f"{scheduler}: the worker {address} has flowdiag {version}, this is {flowdiag.__version__}",
            hint="install one version everywhere: reports of two need not agree",
        )


def _version() -> str:
    return flowdiag.__version__


class _Run:
    """The tasks of one run.

    `_levels` holds, level by level, outcomes that wait to be joined, with the lines to shift them by.
    """

    def __init__(self, client: Any, done: Callable[[Part], None], lost: Lost) -> None:
        self._client = client
        self._done = done
        self._lost = lost
        self._key = f"flowdiag-{uuid4().hex}"
        self._tasks = 0
        self._levels: list[list[tuple[Any, int]]] = [[]]
        self._problems: list[InputProblem] = []
        self._before: dict[str, int] = {}

    def outcome(self, parts: Iterator[Part]) -> tuple[Tally, list[InputProblem]]:
        """Fold, join, and fetch what is left."""
        most = _AHEAD * max(sum(self._client.nthreads().values()), 1)
        waiting: dict[int, tuple[Part, Any, Any]] = {}
        numbers: dict[str, int] = {}
        ready: set[int] = set()
        asked = told = 0
        queue = _dask().as_completed([], loop=self._client.loop)
        part = next(parts, None)
        while part is not None or told < asked:
            if part is not None and asked - told < most:
                fold = self._submit(fold_part, _everywhere(part), retries=_RETRIES)
                lines = self._submit(lines_of, fold, priority=_JOIN_FIRST)
                waiting[asked] = part, fold, lines
                numbers[lines.key] = asked
                queue.add(lines)
                asked += 1
                part = next(parts, None)
                continue
            ready.add(numbers.pop(next(queue).key))
            # Lines are known from the front on.
            while told in ready:
                ready.remove(told)
                self._counted(*waiting.pop(told))
                told += 1
        return self._rest()

    def _counted(self, part: Part, fold: Any, lines: Any) -> None:
        name = part.source.name
        self._done(part)
        try:
            count = lines.result()
        except Exception as error:  # noqa: BLE001 - whatever a worker raised costs its part, and is said.
            why = "its worker died each time" if type(error).__name__ == "KilledWorker" else f"{error}"
            self._problems.append(self._lost(part, f"{type(error).__name__}: {why}"))
            return
        shift = self._before.get(name, 0) if part.loose else 0
        self._before[name] = shift + count
        self._join(0, fold, shift)

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
            data = outcome.result()
        except Exception as error:
            raise ClusterError(
                f"the Dask cluster lost what it had read: {type(error).__name__}: {error}",
                hint="look at the workers' logs; too little memory is the usual cause",
            ) from error
        tally, problems = read_outcome(data, shift)
        return tally, [*self._problems, *map(_unseen, problems)]

    def _submit(self, function: Callable[..., Any], *arguments: Any, **how: Any) -> Any:
        self._tasks += 1
        return self._client.submit(function, *arguments, key=f"{self._key}-{self._tasks}", **how)


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
    return replace(
        problem,
        message=f"{problem.message}; the workers have to see it: a file system that they share, or a bucket",
    )
