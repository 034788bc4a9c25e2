"""Moments in which an interrupt would leave something behind: it comes when they are over."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tempfile import TemporaryDirectory

__all__ = ["held_back", "temporary_folder"]

_Handler = Callable[[int, FrameType | None], object]


@contextmanager
def held_back() -> Iterator[None]:
    """Hold SIGINT and SIGTERM back where a function of Python answers them.

    To mask them would not do: they would go to another thread, and Python would interrupt this one all the same.

    Raises:
        KeyboardInterrupt: at the end, where one came.
    """
    came: list[tuple[_Handler, int, FrameType | None]] = []
    replaced: list[tuple[signal.Signals, _Handler]] = []
    # No other thread is ever interrupted, nor may it say who answers.
    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGINT, signal.SIGTERM):
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
    """A folder of ours for temporary files, which goes with the object: before there is one nobody would remove it.

    Raises:
        OSError: there is no place for one.
    """
    from tempfile import TemporaryDirectory

    # Python also tries each place out, by a file.
    with held_back():
        return TemporaryDirectory(prefix="flowdiag-")
