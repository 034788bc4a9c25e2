"""Stamps of one block as nanoseconds: a minute is read once, and its seconds are added up."""

from __future__ import annotations

from collections.abc import Callable

from flowdiag.model.time import NS
from flowdiag.parserkit.block import Block

__all__ = ["TimesOfDay", "fractions"]

_SIXTY = b"60"
_SHORT = 3
_SCALES = tuple(10 ** (9 - digits) for digits in range(10))


class _Fractions(dict[bytes, int]):
    def __missing__(self, digits: bytes) -> int:
        nanos = int(digits) * _SCALES[len(digits)] if digits else 0
        if len(digits) <= _SHORT:
            self[digits] = nanos
        return nanos


fractions = _Fractions()
"""Digits of a fraction, nine at most -> nanoseconds; those of three digits and fewer are remembered."""


class TimesOfDay:
    """Reads the seconds that a form's pattern found in one block.

    Args:
        clock: as `flowdiag.parserkit.line_forms.LineForm.clock`.
        block: where they stand.
    """

    def __init__(self, clock: Callable[[bytes, bool], int | None] | None, block: Block) -> None:
        self._clock = clock
        self._block = block
        self._enveloped: bool | None = None
        self._minutes: dict[bytes, int | None] = {}

    def at(self, second: bytes) -> int | None:
        """Nanoseconds of a stamp without its fraction; ``None`` where it must be read with its line."""
        digits = second[-2:]
        if second[-3:-2] != b":" or not digits.isdigit() or digits >= _SIXTY:
            return self._ask(second)
        minute = second[:-2]
        if minute in self._minutes:
            start = self._minutes[minute]
        else:
            start = self._minutes[minute] = self._ask(minute + b"00")
        return None if start is None else start + int(digits) * NS

    def _ask(self, second: bytes) -> int | None:
        if self._clock is None:
            return None
        if self._enveloped is None:
            columns = self._block.envelope
            times = columns.at if columns is not None else None
            self._enveloped = times is not None and any(at is not None for at in times)
        return self._clock(second, self._enveloped)
