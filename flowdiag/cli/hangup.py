"""A terminal that was closed, under a command that still has something to clear away or to write to files."""

from __future__ import annotations

import errno
import os
import signal
from types import FrameType

__all__ = ["hung_up", "leave_terminal", "on_hangup"]


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
