"""What the fast path keeps from block to block: its memory and, once that pays off, the scanner and its teaching."""

from __future__ import annotations

from flowdiag.parserkit import FlowSink
from flowdiag_parsers.hubble.json_memory import Memory
from flowdiag_parsers.hubble.json_native import new_scanner
from flowdiag_parsers.hubble.json_teaching import Teaching

__all__ = ["Learnt", "learnt_in"]

_WORTH_SCANNING = 1 << 20
"""Bytes of input after which making a scanner pays off."""
_AFTER_VAIN = 32 << 20
"""Bytes after which a scanner that took no lines is tried again, since the next input may have another encoder;
doubled each time."""


class Learnt:
    """What earlier blocks taught; valid as long as the sink keeps it in `FlowSink.memo`."""

    __slots__ = ("_after_vain", "_bytes", "memory", "teaching")

    def __init__(self) -> None:
        self.memory = Memory()
        self.teaching: Teaching | None = None
        """What teaches the scanner, where there is one."""
        self._bytes = 0
        """Bytes of input so far; below 0 after a scanner was given up, until it is time to try one again."""
        self._after_vain = _AFTER_VAIN

    @property
    def is_full(self) -> bool:
        """Whether it is time to forget; never within a block."""
        return self.memory.is_full() or (self.teaching is not None and self.teaching.is_full)

    def teaching_of_file(self) -> Teaching | None:
        """Give the scanner's `Teaching` for a large file, if it may be of use."""
        if 0 <= self._bytes <= _WORTH_SCANNING:
            self.teaching_for(_WORTH_SCANNING + 1)
        teaching = self.teaching
        return None if teaching is None or teaching.is_in_vain else teaching

    def teaching_for(self, size: int) -> Teaching | None:
        """Give the scanner's `Teaching` for a block of `size` bytes; ``None`` where all lines must be decoded."""
        if self._bytes <= _WORTH_SCANNING:
            self._bytes += size
            if self._bytes > _WORTH_SCANNING:
                scanner = new_scanner()
                self.teaching = None if scanner is None else Teaching(scanner, self.memory)
        elif self.teaching is not None and self.teaching.is_in_vain:
            self.teaching = None
            self._bytes = -self._after_vain
            self._after_vain *= 2
        return self.teaching


def learnt_in(sink: FlowSink) -> Learnt:
    """What is still good of what earlier blocks taught, or room for it."""
    kept = sink.memo.setdefault("hubble", {})
    learnt: Learnt | None = kept.get("learnt")
    if learnt is None or learnt.is_full:
        learnt = kept["learnt"] = Learnt()
    return learnt
