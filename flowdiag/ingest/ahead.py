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

from flowdiag.ingest.streams import Over, Readable

__all__ = ["Ahead", "Steps", "has_core_to_spare", "in_thread"]

_PIECE = 1 << 20
"""Bytes of a piece.  The thread needs Python's lock once or twice for each, and may wait for it as long as a piece
takes to parse, so pieces must not be small."""
_PIECES = 4
_NARROW = 1 << 17
"""Bytes that readers without a thread ask for.  Of a damaged stream, what stands before the damage is found in steps
of this size."""
_WAIT_S = 0.1
_T = TypeVar("_T")


def has_core_to_spare() -> bool:
    """Whether a second thread has a core to run on."""
    affinity = getattr(os, "sched_getaffinity", None)
    return (len(affinity(0)) if affinity is not None else os.cpu_count() or 1) > 1


class Steps(Over):
    """A packed stream that is asked in steps of one size, however much its reader wants at a time.

    A decompressor gives nothing of a read that meets damage.  How much is read before the damage would otherwise depend on
    the size of the reads.
    """

    def __init__(self, stream: Readable) -> None:
        super().__init__(stream)
        self._left = b""
        self._error: Exception | None = None

    def read(self, size: int = -1, /) -> bytes:
        """Up to `size` bytes, all for -1; empty at the end."""
        pieces, held = [self._left], len(self._left)
        while self._error is None and (size < 0 or held < size):
            try:
                piece = self._stream.read(_NARROW)
            except Exception as error:  # noqa: BLE001 - whatever it is, it is raised behind what came before it.
                self._error = error
                break
            if not piece:
                break
            pieces.append(piece)
            held += len(piece)
        data = b"".join(pieces)
        if not data and size and self._error is not None:
            raise self._error
        if size < 0:
            self._left = b""
            return data
        self._left = data[size:]
        return data[:size]


class Ahead:
    """See the module.  It gives the same bytes, and at the end the same error, as reading without a thread.

    Args:
        reopened: opens the stream from its start, also a second time; its errors at first come from here.
    """

    def __init__(self, reopened: Callable[[], Readable]) -> None:
        self._reopened = reopened
        self._stream = reopened()
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
        done = 0
        try:
            while True:
                piece = self._stream.read(_PIECE)
                done += len(piece)
                if not self._put(piece, self._stream.tell(), None) or not piece:
                    return
        except Exception as error:  # noqa: BLE001 - whatever it is, it is raised where the bytes are read.
            self._finish(done, error)

    def _finish(self, done: int, error: Exception) -> None:
        """Read again, in narrow reads up to the error, what a wide read lost with its error."""
        try:
            again = self._reopened()
        except Exception:  # noqa: BLE001 - the file is gone meanwhile; the first error stays.
            self._put(b"", self._used, error)
            return
        at = 0
        try:
            while piece := again.read(_NARROW):
                at += len(piece)
                if at > done and not self._put(piece[max(0, len(piece) - (at - done)) :], again.tell(), None):
                    return
        except Exception as same:  # noqa: BLE001 - as above.
            error = same
        finally:
            again.close()
        self._put(b"", self._used, error)

    def _put(self, piece: bytes, used: int, error: Exception | None) -> bool:
        while not self._given_up.is_set():
            try:
                self._pieces.put((piece, used, error), timeout=_WAIT_S)
            except Full:
                continue
            return True
        return False


def in_thread(made: Iterator[_T], most: int) -> Generator[_T]:
    """Yield what `made` gives, while a thread asks it for the next ones.

    Args:
        made: works in the thread; its error is raised here, behind everything that it gave before.
        most: how many items may wait; then the thread does.
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
        try:
            for item in made:
                if not put(item, None):
                    return
        except Exception as error:  # noqa: BLE001 - whatever it is, it is raised where its results are asked for.
            put(None, error)
            return
        put(None, None)

    thread = Thread(target=run, name="ahead", daemon=True)
    thread.start()
    try:
        while True:
            item, error = waiting.get()
            if error is not None:
                raise error
            if item is None:
                return
            yield item
    finally:
        given_up.set()
        thread.join()
