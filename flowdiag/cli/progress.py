"""Progress of long reading: a bar on a terminal, a line a minute in a log, nothing for short work."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import click

__all__ = ["Progress", "progress"]

Progress = Callable[[int, int | None, str], None]
"""Called with bytes done, bytes in all (if known) and the file at hand."""

_QUIET_S = 1.0
"""Work that ends within this shows nothing."""
_DRAW_S = 0.2
_LOG_S = 60.0
_NAME = 40


@contextmanager
def progress() -> Iterator[Progress]:
    """A callback that shows progress on standard error, and clears it at the end."""
    shown = _Bar() if sys.stderr.isatty() else _Log()
    try:
        yield shown.update
    finally:
        shown.close()


def _printable(name: str) -> str:
    """The end of a file's name, which comes from an archive that a stranger may have packed."""
    return "".join(c if c.isprintable() else "?" for c in name)[-_NAME:]


class _Log:
    """One line a minute: what a scheduled job's log wants."""

    def __init__(self) -> None:
        self._began = self._said = time.monotonic()
        self._files: set[str] = set()

    def update(self, done: int, total: int | None, name: str) -> None:
        self._files.add(name)
        now = time.monotonic()
        if now - self._said < _LOG_S:
            return
        self._said = now
        rate = done / (now - self._began)
        of = f" of {total / 1e6:,.0f}" if total else ""
        left = f", about {_duration((total - done) / rate)} left" if total and rate and total > done else ""
        click.echo(
            f"flowdiag: read {done / 1e6:,.0f}{of} MB, file {len(self._files):,}, {rate / 1e6:,.1f} MB/s{left}, "
            f"at {_printable(name)}",
            err=True,
        )

    def close(self) -> None:
        """Nothing to clear."""


def _duration(seconds: float) -> str:
    """``40 s``, ``12 min``, ``3 h 20 min``."""
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 120 else f"{minutes // 60} h {minutes % 60} min"


class _Bar:
    """rich's bar, once the work has lasted long enough to be worth one."""

    def __init__(self) -> None:
        self._began = self._drawn = time.monotonic()
        self._files: set[str] = set()
        self._bar: Any = None
        self._task: Any = None

    def update(self, done: int, total: int | None, name: str) -> None:
        self._files.add(name)
        now = time.monotonic()
        if now - self._began < _QUIET_S or now - self._drawn < _DRAW_S:
            return
        self._drawn = now
        if self._bar is None:
            from rich.console import Console
            from rich.progress import (
                BarColumn,
                DownloadColumn,
                Progress,
                TextColumn,
                TimeRemainingColumn,
                TransferSpeedColumn,
            )

            self._bar = Progress(
                TextColumn("{task.fields[file]}", markup=False),
                BarColumn(),
                DownloadColumn(),
                TransferSpeedColumn(),
                TimeRemainingColumn(),
                console=Console(stderr=True),
                transient=True,
            )
            self._bar.start()
            self._task = self._bar.add_task("", total=total, file="")
        shown = f"file {len(self._files):,}  {_printable(name)}"
        self._bar.update(self._task, completed=done, total=total, file=shown)

    def close(self) -> None:
        if self._bar is not None:
            self._bar.stop()
