"""What a process that is about to end does not take apart: its memory goes back to the system as it is.

To free a million objects one by one, and the modules after them, takes a twentieth of the time after reading.
"""

from __future__ import annotations

import atexit
import gc
import os
import sys

__all__ = ["ends_with_its_command", "keep", "leave"]

_kept: list[object] | None = None


def ends_with_its_command() -> None:
    """Say that this process does one thing and then ends: for the program's start, never for a library or a test."""
    global _kept  # noqa: PLW0603 - it is the process's own affair
    _kept = []


def keep(*objects: object) -> None:
    """Nobody asks for these any more: let them be where the process ends soon, have them freed where it goes on."""
    if _kept is not None:
        _kept.extend(objects)
        # Nor are they to be searched for cycles.
        gc.freeze()


def leave(code: object) -> None:
    """End the process once what is registered for its end has run and what was printed is written.

    Returns where the interpreter has more to do than that: threads to wait for, a code that is a message, a stream that
    takes no more, of which it speaks itself.
    """
    threads = sys.modules.get("threading")
    if type(code) is not int or (threads is not None and threads.active_count() > 1):
        return
    atexit._run_exitfuncs()  # noqa: SLF001 - the one way to run them early, as multiprocessing does
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except (OSError, ValueError):
        return
    os._exit(code)
