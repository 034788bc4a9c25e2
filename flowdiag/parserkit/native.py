"""The extension in C (`parsers/native`), where it is installed; without it everything works the same, but slower."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from typing import Any, Protocol, cast

__all__ = ["Native", "native"]

_INTERFACE = 14
"""The number of the interface that is used here; an extension with another number is left alone."""


class Native(Protocol):
    """What `flowdiag_native` offers; see its docstrings."""

    Scanner: Any

    def lines_with(self, data: bytes, marks: tuple[bytes, ...], /) -> bytes:
        """Find the lines that hold one of up to 32 marks of 1 to 256 bytes: where each begins and ends, and its index."""

    def count_known(self, given: tuple[object, ...], position: int, index: int, /) -> tuple[int, int, bool]:
        """Count known records of text from `position` on, up to one that is not known; see `flowdiag.parserkit.line_forms`."""

    def held(self, data: bytes, marks: tuple[bytes, ...], /) -> bytes:
        """Say which of up to 1024 marks of a byte or more stand in `data`: a byte for each, 1 or 0."""

    def newlines(self, data: bytes, start: int, stop: int, /) -> int:
        """How many there are in a part of `data`."""


@cache
def native() -> Native | None:
    """The extension; ``None`` where it is not installed, or is another version's."""
    try:
        module = import_module("flowdiag_native")
    except ImportError:
        return None
    return cast("Native", module) if getattr(module, "INTERFACE", None) == _INTERFACE else None
