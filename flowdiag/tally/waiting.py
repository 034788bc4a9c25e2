"""Records that wait to be sorted into `LaneColumns`, as columns of numbers."""

from __future__ import annotations

from array import array

import numpy as np

__all__ = ["Repeats", "Waiting"]


class Waiting:
    """Records that wait: append one number to each column."""

    __slots__ = ("ats", "dsts", "flags", "kinds", "ports", "srcs")

    def __init__(self) -> None:
        self.srcs = array("i")
        self.dsts = array("i")
        self.ports = array("i")
        """-1 for none."""
        self.kinds = array("i")
        """As `LaneColumns.kind` gave."""
        self.ats = array("q")
        """Nanoseconds."""
        self.flags = array("H")

    def clear(self) -> None:
        """Forget all."""
        for column in (self.srcs, self.dsts, self.ports, self.kinds, self.ats, self.flags):
            del column[:]


class Repeats:
    """As `Waiting` for records that are alike in ends, port and kind: one number says all of that."""

    __slots__ = ("_dsts", "_kinds", "_ports", "_srcs", "ats", "flags", "numbers")

    def __init__(self) -> None:
        self._srcs = array("i")
        self._dsts = array("i")
        self._ports = array("i")
        self._kinds = array("i")
        self.numbers = array("i")
        """As `add` gave."""
        self.ats = array("q")
        """Nanoseconds."""
        self.flags = array("H")

    def add(self, src: int, dst: int, port: int, kind: int) -> int:
        """Give the number for records with these ends, port and kind; valid as long as numbers of kinds are."""
        number = len(self._srcs)
        self._srcs.append(src)
        self._dsts.append(dst)
        self._ports.append(port)
        self._kinds.append(kind)
        return number

    def move_to(self, waiting: Waiting) -> None:
        """Move what waits here to `Waiting`, written out in full."""
        numbers = np.array(self.numbers, np.int64)
        for known, column in (
            (self._srcs, waiting.srcs),
            (self._dsts, waiting.dsts),
            (self._ports, waiting.ports),
            (self._kinds, waiting.kinds),
        ):
            column.frombytes(np.array(known, np.int32)[numbers].tobytes())
        waiting.ats.extend(self.ats)
        waiting.flags.extend(self.flags)
        for taken in (self.numbers, self.ats, self.flags):
            del taken[:]
