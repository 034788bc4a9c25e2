"""Work that does not hang on the records, done by a thread while one process reads them.

Python's lock lets one of the two run at a time; reading lets go of it while it waits for bytes of the file and for
whoever scans or unpacks ahead, and those gaps are what the thread works in.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Thread

__all__ = ["alongside"]


@contextmanager
def alongside(work: Callable[[], None] | None) -> Iterator[None]:
    """Do `work` beside the body, and be done with it at the body's end; without any, the body alone.

    Raises:
        Exception: what `work` raised, once the body is done; what the body raises comes first.
    """
    if work is None:
        yield
        return
    raised: list[Exception] = []

    def run() -> None:
        try:
            work()
        except Exception as error:  # noqa: BLE001 - it is raised where the work was asked for.
            raised.append(error)

    thread = Thread(target=run, name="meanwhile", daemon=True)
    thread.start()
    try:
        yield
    finally:
        thread.join()
    if raised:
        raise raised[0]
