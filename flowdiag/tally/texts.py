"""The texts of a tally's examples: taken in, and let go when most of them are not wanted any more."""

from __future__ import annotations

from collections.abc import Iterable

from flowdiag.tally.examples import NO_TEXT, Shelves, StoredExample
from flowdiag.tally.lane import FlowLane
from flowdiag.tally.limits import Limits

__all__ = ["Texts"]

_FEW = 1_000
"""Unneeded texts; up to so many are left where they are."""


class Texts:
    """See the module.

    Args:
        limits: of the tally.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._shelves = Shelves()
        self.fresh = 0
        """How many texts came since the last `restock`."""
        self._shelved = 0
        """Texts on the shelves, needed or not, but for those in `fresh`."""

    def example(self, at: int, name: str, line: int, raw: bytes | str | None) -> StoredExample:
        """Keep a record with its text, which is cut to the length that is kept."""
        text = raw.decode("utf-8", "replace") if isinstance(raw, bytes) else raw or ""
        most = self._limits.example_chars
        if len(text) > most:
            text = text[: most - 1] + "…"
        self.fresh += 1
        return StoredExample(at, name, line, self._shelves.put(text))

    def absorbed(self, many: int) -> None:
        """Count texts that came with other lanes."""
        self.fresh += many

    def are_many(self) -> bool:
        """Whether it is time to look which of them are wanted."""
        return self.fresh > 10 * self._limits.example_texts

    def restock(self, lanes: Iterable[FlowLane]) -> None:
        """Put texts on new shelves where most of the old are not wanted any more; `lanes` are all that have some."""
        self._shelved += self.fresh
        self.fresh = 0
        kept = [lane for lane in lanes if lane.examples]
        wanted = sum(one.text is not NO_TEXT for lane in kept for one in lane.examples or ())
        if self._shelved <= 2 * wanted + _FEW:
            return
        self._shelves = Shelves()
        self._shelved = wanted
        for lane in kept:
            lane.examples = [self._shelves.moved(one) for one in lane.examples or ()]
