"""Counters per input."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

__all__ = ["InputCounts", "Inputs"]


class InputCounts(Struct, kw_only=True):
    """What one input held, as far as parsers said.  Times are nanoseconds."""

    parser: str | None = None
    """The parser; the smallest name, should several have read it."""
    records: int = 0
    """Events but for warnings."""
    flows: int = 0
    """Flow records."""
    warnings: int = 0
    first: int | None = None
    last: int | None = None
    year_inferred: bool = False

    def seen(self, at: int | None) -> None:
        """Widen the span by an instant."""
        if at is None:
            return
        # Asked of every event: comparing takes half as long as min() and max().
        if self.first is None or at < self.first:
            self.first = at
        if self.last is None or at > self.last:
            self.last = at

    def absorb(self, other: InputCounts) -> None:
        """Add another part's counters of the same input."""
        names = [name for name in (self.parser, other.parser) if name is not None]
        self.parser = min(names) if names else None
        self.records += other.records
        self.flows += other.flows
        self.warnings += other.warnings
        self.seen(other.first)
        self.seen(other.last)
        self.year_inferred |= other.year_inferred


class Inputs:
    """Counters of all inputs by name."""

    def __init__(self) -> None:
        self._found: dict[str, InputCounts] = {}

    def of(self, name: str, parser: str) -> InputCounts:
        """The counters of an input that a parser reads."""
        counts = self._found.get(name)
        if counts is None:
            counts = self._found[name] = InputCounts(parser=parser)
        elif counts.parser is None or parser < counts.parser:
            counts.parser = parser
        return counts

    def absorb(self, others: Mapping[str, InputCounts]) -> None:
        """Add another part's, which is not to be used any more."""
        for name, counts in others.items():
            mine = self._found.get(name)
            if mine is None:
                self._found[name] = counts
            else:
                mine.absorb(counts)

    def sorted(self) -> dict[str, InputCounts]:
        """By name."""
        return dict(sorted(self._found.items()))
