"""Who reads what is printed may go away: a pipe or a terminal is closed, and the command still has something to do."""

from __future__ import annotations

import errno
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

__all__ = ["drop_output", "hung_up", "leave_terminal", "on_hangup", "read_or_not"]


@contextmanager
def read_or_not() -> Iterator[None]:
    """Print in here what may find no reader (``| head``): the rest is dropped, and the exit code is what it would be."""
    try:
        yield
    except BrokenPipeError:
        drop_output()


def drop_output() -> None:
    """Drop buffered output: Python would try to write it as it exits, fail again, and exit with 120."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.__stdout__.fileno() if sys.__stdout__ else 1)


def on_hangup(number: int, frame: FrameType | None) -> None:
    """Answer SIGHUP as an interrupt.

    Raises:
        KeyboardInterrupt: always.
    """
    leave_terminal()
    signal.default_int_handler(number, frame)


def leave_terminal() -> None:
    """Give nobody what would go to a terminal that was closed: it refuses every byte."""
    gone = [stream for stream in (0, 1, 2) if hung_up(stream)]
    if not gone:
        return
    nobody = os.open(os.devnull, os.O_RDWR)
    for stream in gone:
        os.dup2(nobody, stream)
    os.close(nobody)


def hung_up(stream: int) -> bool:
    """Whether it is a terminal that was closed; of one there is none left to ask for its settings."""
    try:
        import termios
    except ImportError:
        return False
    try:
        termios.tcgetattr(stream)
    except termios.error as error:
        return bool(error.args[0] == errno.EIO)
    return False
