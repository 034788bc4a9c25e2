"""Holding interrupts back for moments in which one would leave something behind."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from concurrent.futures import Future
    from tempfile import TemporaryDirectory

__all__ = [
    "awaited",
    "ending_signals",
    "held_back",
    "leave_signals_to_main",
    "temporary_folder",
    "threads_without_signals",
]

T = TypeVar("T")
_LOOK_S = 0.5
_Handler = Callable[[int, FrameType | None], object]


def ending_signals() -> list[signal.Signals]:
    """Signals that ask this process to end: an interrupt, SIGTERM, and a closed terminal's hangup where nohup does not ignore it."""
    hangup = getattr(signal, "SIGHUP", None)
    heard = hangup is not None and signal.getsignal(hangup) is not signal.SIG_IGN
    return [signal.SIGINT, signal.SIGTERM, *([signal.SIGHUP] if heard else [])]


def awaited(future: Future[T]) -> T:
    """``future.result()``, for which the main thread can be interrupted whichever thread takes the signal.

    The system may give a signal to any thread that has not masked it, as it does where the process was stopped when
    the signal came.  Python's handlers run in the main thread alone, and nothing wakes that while it waits.
    """
    while True:
        try:
            return future.result(_LOOK_S)
        except TimeoutError:
            # Or it is what the work itself came to.
            if future.done():
                return future.result()


def leave_signals_to_main() -> None:
    """Mask in the calling thread, which is not the main one, the signals that ask this process to end: see `awaited`.

    Not for threads that may start programs, a cluster's credential plugin for one: these would have the same mask.
    """
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_BLOCK, ending_signals())


@contextmanager
def threads_without_signals() -> Iterator[None]:
    """As `leave_signals_to_main`, for the threads that a library begins within the block: they have this one's mask."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ending_signals())
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def held_back() -> Iterator[None]:
    """Hold signals that ask for an end back until the block ends, where a Python function handles them.

    Masking the signals would not be enough: the system would give them to another thread, and Python would interrupt
    this one all the same.

    Raises:
        KeyboardInterrupt: at the end of the block, if one came.
    """
    came: list[tuple[_Handler, int, FrameType | None]] = []
    replaced: list[tuple[signal.Signals, _Handler]] = []
    # Python interrupts the main thread alone, and lets no other set a handler.
    if threading.current_thread() is threading.main_thread():
        for number in ending_signals():
            answers = signal.getsignal(number)
            if callable(answers):
                replaced.append((number, answers))
                signal.signal(number, _remembering(came, answers))
    try:
        yield
    finally:
        for number, answers in replaced:
            signal.signal(number, answers)
        for answers, which, frame in came[:1]:
            answers(which, frame)


def _remembering(came: list[tuple[_Handler, int, FrameType | None]], answers: _Handler) -> _Handler:
    return lambda number, frame: came.append((answers, number, frame))


def temporary_folder() -> TemporaryDirectory[str]:
    """Make a folder for temporary files, which is removed with the object.

    An interrupt between the two steps would leave a folder that nobody removes.

    Raises:
        OSError: there is no place for one.
    """
    from tempfile import TemporaryDirectory

    # To find a place, Python writes a file there, which an interrupt would leave, too.
    with held_back():
        return TemporaryDirectory(prefix="flowdiag-")
