"""Progress of long work: a bar on a terminal, a line a minute in a log, nothing for short work.

Reading tells how far it is; what stands beside it (asking a cluster, explaining, proposing, writing) only says
what it does, and a thread shows for how long.  None runs while evidence is read, which may start processes.
"""

from __future__ import annotations

import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Protocol

import click

from flowdiag.model.interrupts import leave_signals_to_main, threads_without_signals

__all__ = ["Shown", "progress"]

_QUIET_S = 1.0
"""Work that ends within this shows nothing."""
_DRAW_S = 0.2
"""Nothing is drawn or said more often."""
_LOG_S = 60.0
_NAME = 40
_WINDOW_S = 60.0
"""The speed is that of the last minute: caches and the first file's head are no measure."""
_SETTLED_S = 5.0
_SETTLED = 2.0
"""How far apart the speeds of the window's halves may be for a guess at the time that is left."""


class Shown(Protocol):
    """How far the work is, for whoever waits."""

    def __call__(self, done: int, total: int | None, name: str) -> None:
        """Reading: bytes done, bytes in all (if known) and the file at hand."""

    def stage(self, text: str | None) -> None:
        """What is done now, until there is more to read or another begins; ``None`` takes the display away."""


@contextmanager
def progress() -> Iterator[Shown]:
    """Show progress on standard error, and clear it at the end."""
    shown = _Bar() if sys.stderr.isatty() else _Log()
    try:
        yield shown
    finally:
        shown.stage(None)


def _printable(name: str) -> str:
    """The end of a file's name, which comes from an archive that a stranger may have packed."""
    return "".join(c if c.isprintable() else "?" for c in name)[-_NAME:]


def _duration(seconds: float) -> str:
    """``40 s``, ``12 min``, ``3 h 20 min``."""
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 120 else f"{minutes // 60} h {minutes % 60} min"


class _Speed:
    """Bytes a second over the last minute, from when reading began."""

    def __init__(self) -> None:
        self._seen: deque[tuple[float, int]] = deque()

    def note(self, now: float, done: int) -> None:
        """So much was done at that time."""
        seen = self._seen
        if not seen or now - seen[-1][0] >= _WINDOW_S / 60:
            seen.append((now, done))
        while len(seen) > 2 and now - seen[1][0] >= _WINDOW_S:
            seen.popleft()

    def text(self, now: float, done: int, total: int | None) -> str:
        """``12.0 MB/s, about 3 min left``: as much of it as can be known."""
        if not self._seen or now - self._seen[0][0] < _SETTLED_S:
            return ""
        start = self._seen[0]
        middle = self._seen[len(self._seen) // 2]
        rate = _rate(start, (now, done))
        if rate is None:
            return ""
        text = f"{rate / 1e6:,.1f} MB/s"
        halves = (_rate(start, middle), _rate(middle, (now, done)))
        slow, fast = min(half or 0 for half in halves), max(half or 0 for half in halves)
        if total and total > done and slow > 0 and fast <= _SETTLED * slow:
            text += f", about {_duration((total - done) / rate)} left"
        return text


def _rate(before: tuple[float, int], after: tuple[float, int]) -> float | None:
    seconds = after[0] - before[0]
    return (after[1] - before[1]) / seconds if seconds > 0 else None


class _Ticker(threading.Thread):
    """Calls `tick` now and then until it is stopped."""

    def __init__(self, every: float, tick: Callable[[], None]) -> None:
        super().__init__(name="flowdiag-progress", daemon=True)
        self._every = max(every, _DRAW_S)
        self._tick = tick
        self._ended = threading.Event()

    def run(self) -> None:
        leave_signals_to_main()
        while not self._ended.wait(self._every):
            self._tick()

    def stop(self) -> None:
        """End it; nothing is called any more on return."""
        self._ended.set()
        self.join()


class _Log:
    """One line a minute: what a scheduled job's log wants."""

    def __init__(self) -> None:
        self._said = time.monotonic()
        self._speed = _Speed()
        self._files: set[str] = set()
        self._stage: tuple[str, float] = ("", 0.0)
        self._ticker: _Ticker | None = None

    def __call__(self, done: int, total: int | None, name: str) -> None:
        if self._ticker is not None:
            self.stage(None)
        self._files.add(name)
        now = time.monotonic()
        self._speed.note(now, done)
        if now - self._said < _LOG_S:
            return
        self._said = now
        of = f" of {total / 1e6:,.0f}" if total else ""
        speed = self._speed.text(now, done, total)
        click.echo(
            f"flowdiag: read {done / 1e6:,.0f}{of} MB, file {len(self._files):,}, "
            f"{f'{speed}, ' if speed else ''}at {_printable(name)}",
            err=True,
        )

    def stage(self, text: str | None) -> None:
        """A line for it each minute that it lasts."""
        if text is None:
            if self._ticker is not None:
                self._ticker.stop()
                self._ticker = None
            return
        self._stage = (text, time.monotonic())
        if self._ticker is None:
            self._ticker = _Ticker(_LOG_S, self._say)
            self._ticker.start()

    def _say(self) -> None:
        text, began = self._stage
        click.echo(f"flowdiag: {text}, {_duration(time.monotonic() - began)}", err=True)


class _Bar:
    """rich's bar, once the work has lasted long enough to be worth one."""

    def __init__(self) -> None:
        self._began = self._drawn = time.monotonic()
        self._speed = _Speed()
        self._files: set[str] = set()
        self._bar: Any = None
        self._task: Any = None
        self._text = ""
        self._ticker: _Ticker | None = None

    def __call__(self, done: int, total: int | None, name: str) -> None:
        if self._ticker is not None:
            self.stage(None)
        self._files.add(name)
        now = time.monotonic()
        self._speed.note(now, done)
        if now - self._began < _QUIET_S or now - self._drawn < _DRAW_S:
            return
        self._drawn = now
        if self._bar is None:
            from rich.progress import BarColumn, DownloadColumn, TextColumn

            self._show(
                TextColumn("{task.fields[file]}", markup=False),
                BarColumn(),
                DownloadColumn(),
                TextColumn("{task.fields[speed]}", markup=False),
                total=total,
                file="",
                speed="",
            )
        shown = f"file {len(self._files):,}  {_printable(name)}"
        speed = self._speed.text(now, done, total)
        self._bar.update(self._task, completed=done, total=total, file=shown, speed=speed)

    def stage(self, text: str | None) -> None:
        """A line that moves, and for how long it has."""
        if text is None:
            if self._ticker is not None:
                self._ticker.stop()
                self._ticker = None
            self._hide()
            return
        self._text = text
        if self._ticker is None:
            self._hide()
            self._ticker = _Ticker(_QUIET_S, self._draw)
            self._ticker.start()

    def _draw(self) -> None:
        if self._bar is None:
            from rich.progress import SpinnerColumn, TextColumn, TimeElapsedColumn

            self._show(
                SpinnerColumn(),
                TextColumn("{task.fields[text]}", markup=False),
                TimeElapsedColumn(),
                total=None,
                text=self._text,
            )
        self._bar.update(self._task, text=self._text)

    def _show(self, *columns: Any, total: int | None, **fields: str) -> None:
        from rich.console import Console
        from rich.progress import Progress

        self._bar = Progress(*columns, console=Console(stderr=True), transient=True)
        self._task = self._bar.add_task("", total=total, **fields)
        with threads_without_signals():
            self._bar.start()

    def _hide(self) -> None:
        if self._bar is not None:
            self._bar.stop()
            self._bar = None
