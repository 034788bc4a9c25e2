"""The server that worker processes fork from.

It loads what they share, which takes as long as the main process needs to look at the inputs.  So it is started as soon
as the inputs seem large enough for workers.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from flowdiag.model.interrupts import held_back

__all__ = ["SERIAL_BYTES", "TWO_CORES", "cores", "expect_workers", "uninterrupted", "worker_context"]

SERIAL_BYTES = 200 << 20
"""Below this, starting processes costs more than it saves (measured: at 100 MB two are no faster than one)."""

TWO_CORES = 2
"""With so many cores, one process may be able to use all (`Parser`, ``takes_two_cores``)."""
_SHARED = "flowdiag.ingest.worker"
"""The module that workers share, with all that it needs."""
_LONGEST_FOLDER = 70
"""Bytes: of 107 that Linux and 103 that macOS let a socket's path have, multiprocessing takes 32."""
_PACKED = (".bz2", ".gz", ".tar", ".tgz", ".xz", ".zip", ".zst")
"""Names of files that one process has to unpack, as far as names tell."""


def expect_workers(
    paths: Iterable[str],
    processes: int | None,
    scheduler: str | None,
    program: Sequence[str] = (),
) -> None:
    """Start the server where workers will be wanted, as far as sizes tell; it may have been started before.

    Args:
        paths: files and folders, of which only sizes are looked at.
        processes: how many are asked for, if that is said.
        scheduler: of another machine's workers.
        program: modules of the caller's program, which workers would each load anew.
    """
    if os.name != "posix" or scheduler is not None or processes == 1:
        return
    # One process may use two cores, which is only known once the inputs have been looked at.
    if cores() == 1 or (cores() == TWO_CORES and processes is None):
        return
    seen = 0
    for size in _sizes(paths):
        seen += size
        if seen >= SERIAL_BYTES:
            if worker_context(program).get_start_method() == "forkserver":
                from multiprocessing.forkserver import ensure_running

                with uninterrupted():
                    ensure_running()
            return


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Hold interrupts back, and mask them: processes that are begun here are never interrupted, whoever ends this one ends them."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    from multiprocessing.resource_tracker import ensure_running

    # The first worker process would start it otherwise, and starting it lets interrupts through again.
    ensure_running()
    with held_back():
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            yield
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)


def worker_context(program: Sequence[str] = ()) -> Any:
    """Where processes come from; what they share is settled when the first asks."""
    import multiprocessing
    from tempfile import gettempdir

    # Workers start clean: the caller may have threads, which a fork would not survive.  The server is asked by a socket
    # in the folder for temporary files, and a socket's path is short.
    with held_back():
        # It tries out places by writing a file to each.
        folder = gettempdir()
    served = os.name == "posix" and len(os.fsencode(folder)) <= _LONGEST_FOLDER
    context: Any = multiprocessing.get_context("forkserver" if served else "spawn")
    context.set_forkserver_preload([*program, _SHARED])
    return context


def cores() -> int:
    """How many processors this process may use."""
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity is not None else (os.cpu_count() or 1)


def _sizes(paths: Iterable[str]) -> Iterator[int]:
    """Bytes of each file that may be cut; what is no file here has none."""
    for path in paths:
        if os.path.isdir(path):  # noqa: PTH112 - pathlib costs start-up
            for folder, _, names in os.walk(path):
                yield from _sizes(f"{folder}/{name}" for name in names)
        elif not path.endswith(_PACKED):
            try:
                yield os.stat(path).st_size  # noqa: PTH116 - as above
            except (OSError, ValueError):
                continue
