"""Events that are kept as they are, a bounded number of each kind, with exact counts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Generic, TypeVar

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from flowdiag.model.event import ChangeEvent, GapEvent, LogEvent, ParseWarning

__all__ = ["Kept", "KeptState", "Sighting"]

E = TypeVar("E", LogEvent, ChangeEvent, GapEvent, ParseWarning)

_encoder = msgspec.msgpack.Encoder(order="deterministic")


class Sighting(Struct, Generic[E], frozen=True):
    """An event, and which parser found it in which input."""

    input: str
    parser: str
    event: E


class KeptState(Struct, Generic[E], frozen=True, array_like=True):
    """A `Kept` as it travels between processes."""

    groups: dict[str, list[Sighting[E]]]
    counts: dict[str, int]


class Kept(Generic[E]):
    """The smallest by (time, input, line) of each group, and how many there were."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._groups: dict[str, list[Sighting[E]]] = {}
        self._last: dict[str, tuple[int, str, int]] = {}
        """For groups that are full: time, input and line of the last event kept.  Events behind it are only counted."""
        self.counts: Counter[str] = Counter()

    def add(self, group: str, sighting: Sighting[E], *, counted: str | None = None) -> None:
        """Keep an event if it is among the smallest of its group; it is counted under `counted`, or else under the group."""
        event = sighting.event
        self.counts[group if counted is None else counted] += 1
        if group in self._last and self.is_behind(group, event.at, sighting.input, event.line):
            return
        kept = self._groups.get(group)
        if kept is None:
            kept = self._groups[group] = []
        kept.append(sighting)
        if len(kept) > 2 * self._most + 64:
            self._trim(group, kept)

    def is_behind(self, group: str, at: int | None, name: str, line: int) -> bool:
        """Whether an event of this time, input and line comes behind all that may stay of its group."""
        last = self._last.get(group)
        return last is not None and (at if at is not None else -1, name, line) > last

    def is_past(self, group: str, at: int) -> bool:
        """Whether nothing from this time on may stay of a group."""
        last = self._last.get(group)
        return last is not None and at > last[0]

    def absorb(self, state: KeptState[E]) -> None:
        """Add another part's."""
        for group, sightings in state.groups.items():
            kept = self._groups.setdefault(group, [])
            kept.extend(sightings)
            self._trim(group, kept)
        self.counts.update(state.counts)

    def forget(self, before: int) -> None:
        """Let go of events older than `before`; the counts stay."""
        self._last.clear()
        for group, kept in list(self._groups.items()):
            left = [one for one in kept if one.event.at is None or one.event.at >= before]
            if left:
                self._groups[group] = left
            else:
                del self._groups[group]

    def move_lines(self, placed: Callable[[int], int]) -> None:
        """Every event stands at the line that `placed` says."""
        self._last.clear()
        for kept in self._groups.values():
            kept[:] = [replace(one, event=replace(one.event, line=placed(one.event.line))) for one in kept]

    def state(self) -> KeptState[E]:
        """All of it."""
        for group, kept in self._groups.items():
            self._trim(group, kept)
        return KeptState(self._groups, dict(self.counts))

    def sorted(self) -> tuple[Sighting[E], ...]:
        """What is kept, by time, input and line."""
        for group, kept in self._groups.items():
            self._trim(group, kept)
        return tuple(sorted((item for kept in self._groups.values() for item in kept), key=_order))

    def _trim(self, group: str, kept: list[Sighting[E]]) -> None:
        if len(kept) > self._most:
            kept.sort(key=_order)
            del kept[self._most :]
            self._last[group] = _order(kept[-1])[:3]


def _order(sighting: Sighting[E]) -> tuple[int, str, int, str, bytes]:
    event = sighting.event
    at = event.at if event.at is not None else -1
    return at, sighting.input, event.line, sighting.parser, _encoder.encode(event)
