"""The extension in C, where it is installed (`parsers/native`): whatever it does is done without it too, slower."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from typing import Any, Protocol, cast

__all__ = ["Native", "native"]

_INTERFACE = 10
"""Of `flowdiag_native`; another one is not ours."""


class Native(Protocol):
    """What `flowdiag_native` offers; see its docstrings."""

    Scanner: Any

    def lines_with(self, data: bytes, marks: tuple[bytes, ...], /) -> bytes:
        """Where the lines begin and end that hold one of up to 32 marks of 1 to 256 bytes, and which they are."""

    def count_known(self, given: tuple[object, ...], position: int, index: int, /) -> tuple[int, int, bool]:
        """Count records of text that are known, from `position` to one that is not: `flowdiag.parserkit.line_forms`."""

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
