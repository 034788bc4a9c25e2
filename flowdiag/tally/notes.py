"""What allowed records say beside being counted (policies and names), numbered, and of which lanes it was said."""

from __future__ import annotations

import numpy as np
from msgspec import Struct

from flowdiag.model.event import PolicyHit
from flowdiag.tally.grouping import I64, U64, distinct, none
from flowdiag.tally.packing import halves, moved, rows_of

__all__ = ["Note", "Notes"]

_MOST = 4096
"""Notes that the records of one table may add; those of tables that it absorbs come on top."""


class Note(Struct, frozen=True, array_like=True):
    """What a kind of record tells."""

    policies: tuple[PolicyHit, ...] = ()
    src_names: tuple[str, ...] = ()
    """DNS names of the source, as recorded."""
    dst_names: tuple[str, ...] = ()
    time_rank: int = 0
    """How sure their time is, as `Lane.time_rank` has it."""

    @property
    def names_ends(self) -> bool:
        """Whether there are names."""
        return bool(self.src_names or self.dst_names)


class Notes:
    """Notes by number; 0 says nothing.  `told` holds pairs of lane and note, packed in one number, sorted and distinct."""

    def __init__(self) -> None:
        self._numbers: dict[Note, int] = {Note(): 0}
        self.all: list[Note] = [Note()]
        self.told: U64 = none(np.uint64)

    def number(self, note: Note) -> int:
        """The number of a note, a new one for a new one."""
        found = self._numbers.get(note)
        if found is None:
            found = self._numbers[note] = len(self.all)
            self.all.append(note)
        return found

    def room_for(self, note: Note) -> bool:
        """Whether a note is known already, or there is room for one more."""
        return note in self._numbers or len(self.all) < _MOST

    def tell(self, told: U64) -> None:
        """Add notes of lanes."""
        self.told = distinct(np.concatenate((self.told, told)))

    def absorb(self, other: Notes, renumbered: I64) -> None:
        """Add the notes of another's lanes at their new numbers; lanes at -1 are left out."""
        if not len(other.told):
            return
        told, _ = moved(other.told, renumbered)
        lanes, notes = halves(told)
        numbers = np.array([self.number(note) for note in other.all], np.int64)
        self.tell(rows_of(lanes, numbers[notes]))

    def move(self, renumbered: I64) -> None:
        """Bring the notes to their lanes' new numbers; lanes at -1 are left out."""
        self.told, _ = moved(self.told, renumbered)

    def of_lanes(self, lanes: I64) -> dict[int, list[Note]]:
        """The notes of some lanes."""
        found: dict[int, list[Note]] = {}
        if len(self.told):
            of_notes, notes = halves(self.told)
            asked = np.isin(of_notes, lanes)
            for lane, note in zip(of_notes[asked].tolist(), notes[asked].tolist(), strict=True):
                found.setdefault(lane, []).append(self.all[note])
        return found

    def named(self) -> tuple[I64, I64]:
        """Lanes and the numbers of their notes that name ends, by lane."""
        lanes, notes = halves(self.told)
        names = np.array([note.names_ends for note in self.all], bool)[notes]
        return lanes[names], notes[names]
