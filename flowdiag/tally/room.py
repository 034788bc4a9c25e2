"""When to check whether a table holds too much.  A check costs time; when it is made changes no result."""

from __future__ import annotations

from flowdiag.tally.table import Table

__all__ = ["Room"]

_ROOM = 100_000
"""Weight that may be added before the next check for too many lanes."""
_LANE = 4
"""Weight of a lane of its own; in columns, where it takes a thirtieth of the memory, it weighs 1."""
_ROOM_FOR_ENDS = 100_000
"""Ends and shapes that may be added before the next check: records counted straight into a remainder add these, and no lane."""


class Room:
    """What may be added to one table until its bounds are looked at again."""

    def __init__(self) -> None:
        self._weight = _ROOM
        self._numbered = _ROOM_FOR_ENDS

    def is_used(self, table: Table) -> bool:
        """Whether so much was added that it is time for a check."""
        return _weight(table) > self._weight or table.numbered > self._numbered

    def looked(self, table: Table) -> None:
        """Begin again after a check; the more there is, the more may be added before the next."""
        weight, numbered = _weight(table), table.numbered
        # What comes for sorting is small, and most tables are never full.
        self._weight = weight + max(_ROOM, min(weight, 4 * _ROOM), weight // 2)
        self._numbered = numbered + max(_ROOM_FOR_ENDS, numbered // 2)

    def emptied(self, table: Table) -> None:
        """Begin again with a table from which much was taken."""
        self._weight = _weight(table) + _ROOM
        self._numbered = table.numbered + _ROOM_FOR_ENDS


def _weight(table: Table) -> int:
    return _LANE * len(table.lanes) + len(table.columns)
