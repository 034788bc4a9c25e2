"""What else matters beside flows: logs with a signal, changes, gaps and warnings, each kept up to a bound."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from msgspec import Struct, structs

from flowdiag.model.event import ChangeEvent, GapEvent, LogEvent, ParseWarning
from flowdiag.tally.kept import Kept, KeptState, Sighting
from flowdiag.tally.limits import Limits

__all__ = ["Sightings", "SightingsState"]

Other = LogEvent | ChangeEvent | GapEvent | ParseWarning


class SightingsState(Struct, frozen=True, array_like=True):
    """`Sightings` as they travel between processes."""

    logs: KeptState[LogEvent]
    changes: KeptState[ChangeEvent]
    gaps: KeptState[GapEvent]
    warnings: KeptState[ParseWarning]


class Sightings:
    """Of one tally.

    Args:
        limits: bounds.
    """

    def __init__(self, limits: Limits) -> None:
        self.logs: Kept[LogEvent] = Kept(limits.logs)
        """By signal."""
        self.changes: Kept[ChangeEvent] = Kept(limits.changes)
        """All in one group."""
        self.gaps: Kept[GapEvent] = Kept(limits.gaps)
        """By kind."""
        self.warnings: Kept[ParseWarning] = Kept(limits.warnings)
        """By parser and code; counted by input, too."""

    def add(self, event: Other, parser: str, name: str) -> None:
        """Keep an event that a parser found in an input, if it is among those that are kept; count it."""
        if isinstance(event, LogEvent):
            if event.signal is not None:
                self.logs.add(event.signal, Sighting(name, parser, event))
        elif isinstance(event, ChangeEvent):
            self.changes.add("", Sighting(name, parser, event))
        elif isinstance(event, GapEvent):
            self.gaps.add(event.kind, Sighting(name, parser, event))
        else:
            counted = f"{name}\0{parser}\0{event.code}"
            self.warnings.add(f"{parser}\0{event.code}", Sighting(name, parser, event), counted=counted)

    def add_again(
        self, event: LogEvent | ChangeEvent, at: int | None, line: int, raw: bytes, parser: str, name: str
    ) -> None:
        """As `add`, for an event that differs from `event` in time, line and text; it is only made where it may be kept."""
        kept, group = self._of(event)
        if group is None:
            return
        if kept.is_behind(group, at, name, line):
            kept.counts[group] += 1
            return
        self.add(structs.replace(event, at=at, line=line, raw=raw.decode("utf-8", "replace")), parser, name)

    def add_all_again(
        self,
        events: Sequence[LogEvent | ChangeEvent],
        ats: Sequence[int],
        lines: Sequence[int],
        raw: Callable[[int], bytes],
        parser: str,
        name: str,
    ) -> None:
        """As `add_again`, for many of one kind; they are counted together where none can be kept."""
        kept, group = self._of(events[0])
        if group is None:
            return
        if kept.is_past(group, min(ats)):
            kept.counts[group] += len(events)
            return
        for number, event in enumerate(events):
            self.add_again(event, ats[number], lines[number], raw(number), parser, name)

    def _of(self, event: LogEvent | ChangeEvent) -> tuple[Kept[Any], str | None]:
        return (self.changes, "") if isinstance(event, ChangeEvent) else (self.logs, event.signal)

    def forget(self, before: int) -> None:
        """Let go of what is older than `before`, nanoseconds; the counts and what could not be read stay."""
        for kept in (self.logs, self.changes, self.gaps):
            kept.forget(before)

    def move_lines(self, placed: Callable[[int], int]) -> None:
        """Every event stands at the line that `placed` says."""
        for kept in (self.logs, self.changes, self.gaps, self.warnings):
            kept.move_lines(placed)

    def state(self) -> SightingsState:
        """All of it."""
        return SightingsState(
            self.logs.state(), self.changes.state(), self.gaps.state(), self.warnings.state()
        )

    def absorb(self, state: SightingsState) -> None:
        """Add another part's."""
        self.logs.absorb(state.logs)
        self.changes.absorb(state.changes)
        self.gaps.absorb(state.gaps)
        self.warnings.absorb(state.warnings)
