"""Stamps of one block as nanoseconds: a minute is read once, and its seconds are added up."""

from __future__ import annotations

from collections.abc import Callable
from datetime import tzinfo

from flowdiag.model.time import NS, parse_rfc3339
from flowdiag.parserkit.block import Block

__all__ = ["SCALES", "TimesOfDay", "fractions", "utc_second", "zoned_second"]

_SIXTY = b"60"
_SHORT = 3
SCALES = tuple(10 ** (9 - digits) for digits in range(10))
"""Nanoseconds that one unit of the last digit stands for, by how many digits a fraction of a second has."""


class _Fractions(dict[bytes, int]):
    def __missing__(self, digits: bytes) -> int:
        nanos = int(digits) * SCALES[len(digits)] if digits else 0
        if len(digits) <= _SHORT:
            self[digits] = nanos
        return nanos


fractions = _Fractions()
"""Digits of a fraction, nine at most -> nanoseconds; those of three digits and fewer are remembered, others cost less by `SCALES`."""


def utc_second(text: bytes, enveloped: bool) -> int | None:
    """Nanoseconds of an RFC 3339 stamp whose fraction and ``Z`` were cut off; a clock for `LineForm`."""
    del enveloped  # the stamp has year and zone
    return _read(text.decode("ascii", "replace") + "Z", None)


def zoned_second(zone: tzinfo) -> Callable[[bytes, bool], int | None]:
    """A clock for `LineForm` that reads stamps without a zone as ones of `zone`: ``2026/01/05 10:00:06``, dashes as well."""

    def read(text: bytes, enveloped: bool) -> int | None:
        del enveloped
        return _read(text.decode("ascii", "replace").replace("/", "-"), zone)

    return read


def _read(text: str, zone: tzinfo | None) -> int | None:
    try:
        return parse_rfc3339(text, zone)
    except (ValueError, OverflowError):
        return None


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
