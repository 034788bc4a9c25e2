"""Working ahead of the parser in a thread: decompressing (`Ahead`), or whatever an iterator does (`in_thread`).

Decompressors and the extension let go of Python's lock while they work, so that thread and parser take a core each.
What the thread has ready is bounded.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Iterator
from queue import Empty, Full, Queue
from threading import Event, Thread
from typing import TypeVar

from flowdiag.ingest.streams import Readable
from flowdiag.model.interrupts import leave_signals_to_main

__all__ = ["Ahead", "Idle", "has_core_to_spare", "in_thread"]

_PIECE = 1 << 20
"""Bytes of a piece.  The thread needs Python's lock once or twice for each, and may wait for it as long as a piece
takes to parse, so pieces must not be small."""
_PIECES = 4
_WAIT_S = 0.1
_T = TypeVar("_T")
Idle = Callable[[], object]
"""Does a piece of other work, of some hundredths of a second, if there is any."""


def has_core_to_spare() -> bool:
    """Whether a second thread has a core to run on."""
    affinity = getattr(os, "sched_getaffinity", None)
    return (len(affinity(0)) if affinity is not None else os.cpu_count() or 1) > 1


class Ahead:
    """See the module.  It gives the same bytes, and at the end the same error, as reading without a thread.

    Raises:
        RuntimeError: there may be no more threads here; `stream` is as it was.
    """

    def __init__(self, stream: Readable) -> None:
        self._stream = stream
        self._pieces: Queue[tuple[bytes, int, Exception | None]] = Queue(_PIECES)
        self._piece, self._at, self._used = b"", 0, 0
        self._error: Exception | None = None
        self._ended = False
        self._given_up = Event()
        self._thread = Thread(target=self._run, name="decompressing", daemon=True)
        self._thread.start()

    def read(self, size: int = -1, /) -> bytes:
        """Up to `size` bytes, all for -1; empty at the end."""
        if size < 0:
            pieces = []
            while piece := self.read(_PIECE):
                pieces.append(piece)
            return b"".join(pieces)
        while self._at == len(self._piece):
            if self._error is not None:
                raise self._error
            if self._ended:
                return b""
            self._piece, self._used, self._error = self._pieces.get()
            self._at, self._ended = 0, not self._piece
        start = self._at
        self._at = min(start + size, len(self._piece))
        return self._piece[start : self._at]

    def tell(self) -> int:
        """As the stream below, up to the piece at hand."""
        return self._used

    def close(self) -> None:
        """Stop, and let go of the file."""
        self._given_up.set()
        while self._thread.is_alive():
            try:
                self._pieces.get(timeout=_WAIT_S)
            except Empty:
                continue
        self._stream.close()

    # -- in the thread -----------------------------------------------------------------------------

    def _run(self) -> None:
        leave_signals_to_main()
        try:
            while True:
                piece = self._stream.read(_PIECE)
                if not self._put(piece, self._stream.tell(), None) or not piece:
                    return
        except Exception as error:  # noqa: BLE001 - whatever it is, it is raised where the bytes are read.
            self._put(b"", self._used, error)

    def _put(self, piece: bytes, used: int, error: Exception | None) -> bool:
        while not self._given_up.is_set():
            try:
                self._pieces.put((piece, used, error), timeout=_WAIT_S)
            except Full:
                continue
            return True
        return False


def in_thread(made: Iterator[_T], most: int, idle: Idle = bool) -> Generator[_T]:
    """Yield what `made` gives, while a thread asks it for the next ones.

    Args:
        made: works in the thread; its error is raised here, behind everything that it gave before.
        most: how many items may wait; then the thread does.
        idle: called where none waits.
    """
    waiting: Queue[tuple[_T | None, Exception | None]] = Queue(most)
    given_up = Event()

    def put(item: _T | None, error: Exception | None) -> bool:
        while not given_up.is_set():
            try:
                waiting.put((item, error), timeout=_WAIT_S)
            except Full:
                continue
            return True
        return False

    def run() -> None:
        leave_signals_to_main()
        try:
            for item in made:
                if not put(item, None):
                    return
        except Exception as error:  # noqa: BLE001 - whatever it is, it is raised where its results are asked for.
            put(None, error)
            return
        put(None, None)

    thread = Thread(target=run, name="ahead", daemon=True)
    try:
        thread.start()
    except RuntimeError:
        # There may be no more threads here; then it is asked as it is.
        yield from made
        return
    try:
        while True:
            if waiting.empty():
                idle()
            item, error = waiting.get()
            if error is not None:
                raise error
            if item is None:
                return
            yield item
    finally:
        given_up.set()
        thread.join()
