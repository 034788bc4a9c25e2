"""Some or all lines of a block, by number; each is only cut out when it is asked for."""

from __future__ import annotations

import re
from collections.abc import Sequence

__all__ = ["Lines", "has_long_number", "is_utf8"]

# Python reads integers of up to 4,300 digits, 3.11; what only skips them takes more.
_DIGITS = 4_300
_LONG_NUMBER = re.compile(rb"[0-9]{4301}")
_OPENING, _CLOSING, _RETURN = b"{}\r"


def is_utf8(data: bytes) -> bool:
    """Whether this is text; most is ASCII, which is told at once."""
    if data.isascii():
        return True
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def has_long_number(line: bytes) -> bool:
    """Whether a line holds an integer of more digits than are read."""
    return len(line) > _DIGITS and _LONG_NUMBER.search(line) is not None


class Lines:
    """Some lines of a run by number, without their ends; only those asked for are cut out."""

    __slots__ = ("_ends", "_run", "_starts", "numbers")

    def __init__(self, run: bytes, starts: list[int], ends: list[int], numbers: Sequence[int]) -> None:
        self._run = run
        self._starts = starts
        self._ends = ends
        self.numbers = numbers
        """Which lines of the block they are, from 0 on."""

    @classmethod
    def all_of(cls, run: bytes, index: int) -> Lines:
        """Every line of a run, the first of which is the block's line `index`.

        For long lines searching beats counting byte by byte.
        """
        find = run.find
        ends: list[int] = []
        at = find(b"\n")
        while at >= 0:
            ends.append(at)
            at = find(b"\n", at + 1)
        if not run.endswith(b"\n"):
            ends.append(len(run))
        return cls(run, [0, *(end + 1 for end in ends[:-1])], ends, range(index, index + len(ends)))

    def __len__(self) -> int:
        return len(self._ends)

    def __getitem__(self, place: int) -> bytes:
        line = self._run[self._starts[place] : self._ends[place]]
        return line[:-1] if line.endswith(b"\r") else line

    @property
    def are_objects(self) -> bool:
        """Whether each line begins and ends with a brace, and holds no number that is too long.

        Then an object ends where a line does, and if there are as many objects as lines, there is one on each.  Otherwise
        two objects on one line could be balanced by one that spans two lines.
        """
        run = self._run
        return all(
            end - start > 1
            and (end - start <= _DIGITS or _LONG_NUMBER.search(run, start, end) is None)
            and run[start] == _OPENING
            and (run[end - 1] == _CLOSING or (run[end - 1] == _RETURN and run[end - 2] == _CLOSING))
            for start, end in zip(self._starts, self._ends, strict=True)
        )

    def whole(self, place: int) -> bytes:
        """A line with its end."""
        return self._run[self._starts[place] : self._ends[place] + 1]

    def joined(self) -> bytes:
        """All of them, one behind the other, with their ends."""
        return b"".join(
            [self._run[start : end + 1] for start, end in zip(self._starts, self._ends, strict=True)]
        )

    def is_cut_off(self, place: int) -> bool:
        """Whether this line lacks its newline."""
        return self._ends[place] == len(self._run)
