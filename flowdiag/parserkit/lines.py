"""Cutting blocks into lines, and bytes into text that can be shown."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, overload

from flowdiag.parserkit.block import Block
from flowdiag.parserkit.native import native

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = [
    "MAX_LINE_BYTES",
    "LinesOf",
    "count_lines",
    "cut_lines",
    "decode",
    "finished",
    "iter_lines",
    "unfinished_line",
]

MAX_LINE_BYTES = 1 << 20
"""Longer lines are cut off at the reader, with a warning."""
_NEWLINE = ord("\n")
_FEW = 64
"""Lines that are cut one by one as they are asked for; beyond that all of them are cut."""


def cut_lines(data: bytes) -> list[bytes]:
    r"""Split at ``\\n`` alone (a lone ``\\r`` or a Unicode separator is part of a record), ``\\r`` stripped from the end."""
    lines = data.split(b"\n")
    if lines and not lines[-1]:
        lines.pop()
    if b"\r" in data:
        return [line[:-1] if line.endswith(b"\r") else line for line in lines]
    return lines


class LinesOf(Sequence[bytes]):
    """As `cut_lines`, but each line is only cut when it is asked for: of most blocks few are."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._asked = 0

    def __len__(self) -> int:
        return self._size

    @overload
    def __getitem__(self, place: int) -> bytes: ...

    @overload
    def __getitem__(self, place: slice) -> list[bytes]: ...

    def __getitem__(self, place: int | slice) -> bytes | list[bytes]:
        if isinstance(place, slice):
            return self.at(range(len(self))[place])
        self._asked += 1
        if self._asked > _FEW:
            return self._all[place]
        return self.at([place])[0]

    def at(self, places: Sequence[int]) -> list[bytes]:
        """Some of them."""
        if not places:
            return []
        # Mostly the lines at the block's edges are asked for.
        if max(places) < _FEW:
            return [self._front[place].removesuffix(b"\r") for place in places]
        last = self._size - len(self._back)
        if min(places) >= last:
            return [self._back[place - last].removesuffix(b"\r") for place in places]
        spans = zip(*(edges[list(places)].tolist() for edges in self._edges), strict=True)
        return [self._data[begin:end].removesuffix(b"\r") for begin, end in spans]

    @cached_property
    def _size(self) -> int:
        return count_lines(self._data) + bool(self._data and not self._data.endswith(b"\n"))

    @cached_property
    def _front(self) -> list[bytes]:
        return self._data.split(b"\n", _FEW)[:_FEW]

    @cached_property
    def _back(self) -> list[bytes]:
        _, *found = self._data.rsplit(b"\n", _FEW)
        return found[:-1] if found and not found[-1] else found

    @cached_property
    def _edges(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Where lines begin, and where they end."""
        # Imported here, since commands that only look at inputs do not need numpy, and it takes a tenth of a second
        # to load.
        import numpy as np

        ends = np.flatnonzero(np.frombuffer(self._data, np.uint8) == _NEWLINE)
        begins = np.append(0, ends + 1)
        return (
            (begins[:-1], ends)
            if begins[-1] == len(self._data)
            else (begins, np.append(ends, len(self._data)))
        )

    @cached_property
    def _all(self) -> list[bytes]:
        return cut_lines(self._data)


def count_lines(data: bytes) -> int:
    """How many newlines there are."""
    compiled = native()
    return data.count(b"\n") if compiled is None else compiled.newlines(data, 0, len(data))


def finished(data: bytes) -> bytes:
    """Give the lines that end, for a pattern that takes them to their ends: of the last one it would look for it from each byte."""
    return data if data.endswith(b"\n") else data[: data.rfind(b"\n") + 1]


def iter_lines(block: Block) -> Iterator[tuple[int, bytes]]:
    """Yield ``(index in the block, line without its end)``; `Block.of_line` knows the rest."""
    yield from enumerate(cut_lines(block.data))


def unfinished_line(block: Block) -> int:
    """Index of the input's last line if it has no newline, and may have been cut off in its last word; else -1."""
    return block.data.count(b"\n") if block.last and not block.data.endswith(b"\n") else -1


def decode(line: bytes) -> str:
    """Text of a line; bytes that are not UTF-8 become U+FFFD, so that nothing is lost silently."""
    return line.decode("utf-8", "replace")
