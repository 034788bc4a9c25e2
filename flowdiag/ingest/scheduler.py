"""A Dask cluster as one run uses it: reached, checked, asked, and not waited for when it is gone."""

from __future__ import annotations

import importlib
import logging
import queue
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from threading import Thread
from typing import Any

import flowdiag
from flowdiag.ingest.plugins import GROUP
from flowdiag.model.errors import ClusterError, UsageError
from flowdiag.model.interrupts import leave_signals_to_main
from flowdiag.parserkit.registry import available

__all__ = ["Cluster", "connected"]

_CONNECT_S = 10
_WAIT_S = 30
"""For a first worker: in a cluster their machines may have to start."""
_ALONE_S = 120
"""How long to wait for new workers when all have gone: a Deployment starts others."""
_LOOK_S = 2
"""Between looks at whether the scheduler and a worker are still there, while nothing is done."""
_NARRATORS = ("distributed", "distributed.client", "distributed.core", "distributed.comm", "asyncio")

_ONE_VERSION = "install one version everywhere: reports of two need not agree"


@contextmanager
def connected(address: str, parsers: Collection[str]) -> Iterator[Cluster]:
    """The cluster of a scheduler, with workers that read as this process would.

    Args:
        address: ``tcp://host:8786`` or ``tls://...``.
        parsers: names of those that will be asked for.

    Raises:
        UsageError: Dask is not installed.
        ClusterError: there is no such scheduler, no worker, or workers with another flowdiag or without a parser.
    """
    dask = _dask()
    # Dask logs lost connections with tracebacks; what matters of them is in the errors that are raised here.
    for name in _NARRATORS:
        logging.getLogger(name).setLevel(logging.CRITICAL)
    try:
        client = dask.Client(address, timeout=f"{_CONNECT_S}s", set_as_default=False, name="flowdiag")
    except (OSError, TimeoutError, ValueError) as error:
        raise ClusterError(
            f"{address}: no Dask scheduler answers ({' '.join(str(error).split())[:200]})",
            hint="check the address, and that it is the scheduler's own port (8786), not its dashboard's (8787)",
        ) from error
    try:
        _check(client, address, parsers)
        yield Cluster(client, address)
    finally:
        client.close()


def _dask() -> Any:
    try:
        return importlib.import_module("distributed")
    except ImportError as error:
        raise UsageError(
            "--scheduler needs Dask, which is not installed", hint='pip install "flowdiag[distributed]"'
        ) from error


def _check(client: Any, address: str, parsers: Collection[str]) -> None:
    try:
        client.wait_for_workers(1, timeout=_WAIT_S)
    except TimeoutError as error:
        raise ClusterError(
            f"{address}: no worker came within {_WAIT_S} s",
            hint="start one: dask worker tcp://SCHEDULER:8786",
        ) from error
    try:
        versions = client.run(_version)
    except Exception as error:
        raise ClusterError(
            f"{address}: a worker cannot import flowdiag ({type(error).__name__}: {error})",
            hint='install "flowdiag[distributed,remote]" where the workers run',
        ) from error
    others = {worker: version for worker, version in versions.items() if version != flowdiag.__version__}
    if others:
        worker, version = min(others.items())
        raise ClusterError(
            f"{address}: the worker {worker} has flowdiag {version}, this is {flowdiag.__version__}",
            hint=_ONE_VERSION,
        )
    mine = _origins(parsers)
    for worker, theirs in sorted(client.run(_origins, tuple(parsers)).items()):
        for name in sorted(parsers):
            if theirs[name] != mine[name]:
                raise ClusterError(
                    f"{address}: the worker {worker} has {theirs[name] or 'no'} parser {name}, here it is "
                    f"{mine[name]}'s",
                    hint="install the same plugins where the workers run, and set FLOWDIAG_PLUGINS alike",
                )


def _version() -> str:
    return flowdiag.__version__


def _of_one_version(version: str, function: Callable[..., Any], *arguments: Any) -> Any:
    """Run a task if the worker has the client's version of flowdiag; it may have come after all workers were checked.

    Raises:
        ClusterError: it is another one.
    """
    if flowdiag.__version__ != version:
        raise ClusterError(
            f"a worker that came later has flowdiag {flowdiag.__version__}, this is {version}",
            hint=_ONE_VERSION,
        )
    return function(*arguments)


def _origins(parsers: Collection[str]) -> dict[str, str | None]:
    """Whose each parser is: distribution and version; ``None`` where there is none of the name."""
    points = available(GROUP)
    found: dict[str, str | None] = {}
    for name in parsers:
        point = points.get(name)
        dist = point.dist if point is not None else None
        found[name] = None if point is None else f"{dist.name} {dist.version}" if dist is not None else "?"
    return found


class Cluster:
    """Tasks on a cluster that may go away.

    Args:
        client: of Dask.
        address: the scheduler's, for messages.
    """

    def __init__(self, client: Any, address: str) -> None:
        self._client = client
        self._address = address
        self._finished: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._alone_since: float | None = None

    @property
    def threads(self) -> int:
        """How many tasks run at a time."""
        held: int = sum(self._client.nthreads().values())
        return max(held, 1)

    def submit(self, function: Callable[..., Any], *arguments: Any, **how: Any) -> Any:
        """Ask for a task; `how` as for ``distributed.Client.submit``."""
        return self._client.submit(_of_one_version, flowdiag.__version__, function, *arguments, **how)

    def announce(self, future: Any) -> None:
        """Have `next_finished` give the key of this one, however it ends."""
        future.add_done_callback(lambda one: self._finished.put(one.key))

    def next_finished(self) -> str:
        """Wait for one of those that were announced.

        Raises:
            ClusterError: the scheduler or all workers went away.
        """
        while True:
            try:
                return self._finished.get(timeout=_LOOK_S)
            except queue.Empty:
                self._look()

    def result(self, future: Any) -> Any:
        """Wait for a result.

        Raises:
            ClusterError: the scheduler or all workers went away.
            Exception: whatever the task raised.
        """
        answers: queue.SimpleQueue[tuple[Any, Exception | None]] = queue.SimpleQueue()

        def ask() -> None:
            leave_signals_to_main()
            try:
                answers.put((future.result(), None))
            except Exception as error:  # noqa: BLE001 - it is raised where it is waited for.
                answers.put((None, error))

        # Dask waits for ever for what a lost worker held, and cuts a large result off where it is to wait for less.
        Thread(target=ask, daemon=True).start()
        while True:
            try:
                value, error = answers.get(timeout=_LOOK_S)
            except queue.Empty:
                self._look()
                continue
            if error is None:
                return value
            self._check_running()
            raise error

    def _look(self) -> None:
        self._check_running()
        try:
            there = bool(self._client.nthreads())
        except (OSError, TimeoutError):
            return  # it is being reached again, or soon said to be gone
        if there:
            self._alone_since = None
            return
        now = time.monotonic()
        self._alone_since = self._alone_since if self._alone_since is not None else now
        if now - self._alone_since > _ALONE_S:
            raise ClusterError(
                f"{self._address}: all workers went away, and none came within {_ALONE_S} s",
                hint="look at their logs (too little memory is the usual cause), start them, and run this again",
            )

    def _check_running(self) -> None:
        if self._client.status not in ("running", "connecting"):
            raise ClusterError(
                f"{self._address}: the scheduler went away while its workers read",
                hint="look at its log, and run this again when it is back",
            )
