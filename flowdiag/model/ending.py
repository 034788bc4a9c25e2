"""Ending a process without freeing its objects first: the system takes its memory back as a whole.

To free a million objects one by one, and then the modules, would take a twentieth of the time that is left after reading.
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
    """Say that these are not needed any more: they stay where the process ends soon, and are freed as usual elsewhere."""
    if _kept is not None:
        _kept.extend(objects)
        # The garbage collector need not search them for cycles, either.
        gc.freeze()


def leave(code: object) -> None:
    """End the process, once its exit functions have run and its output is written.

    It returns, and the interpreter ends the process in its own way, where other threads run, where the exit code is a
    message, or where a stream takes no more output, which the interpreter reports.
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
