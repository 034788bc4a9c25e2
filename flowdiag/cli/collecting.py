"""Options that bound what is collected from a running cluster, for the commands that collect."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, TypeVar

import click

from flowdiag.model.errors import UsageError

__all__ = ["Bounds", "bounds_of", "bounds_options"]

_Function = TypeVar("_Function", bound=Callable[..., Any])
Bounds = tuple[int, int, float]
"""Bytes of everything, bytes of one log or export, seconds."""

# "500M", "1GiB", "64k", "1048576"
_SIZE = re.compile(r"(\d{1,12})\s*([kmg]?)(?:i?b)?", re.IGNORECASE)
_BOUNDS = (
    ("--max-size", "SIZE", "1G", "collect at most this much, before compression. [1G]"),
    (
        "--max-file",
        "SIZE",
        "64M",
        "keep at most this much of one log or flow export, its latest lines. [64M]",
    ),
    ("--within", "DURATION", "10m", "stop after this time, and keep what is there by then. [10m]"),
)
_UNITS = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30}


def bounds_options(condition: str = "") -> Callable[[_Function], _Function]:
    """``--max-size``, ``--max-file`` and ``--within``.

    Args:
        condition: what their helps begin with, where they count only with another option.
    """

    def said(text: str) -> str:
        return f"{condition}{text}" if condition else f"{text[0].upper()}{text[1:]}"

    def decorated(function: _Function) -> _Function:
        for name, metavar, default, text in reversed(_BOUNDS):
            function = click.option(name, metavar=metavar, default=default, help=said(text))(function)
        return function

    return decorated


def bounds_of(given: dict[str, Any]) -> Bounds:
    """The bounds that these options name.

    Raises:
        UsageError: one of them is no size or duration.
    """
    from flowdiag.cli.moments import parse_duration
    from flowdiag.model.time import NS

    return _size(given["max_size"]), _size(given["max_file"]), parse_duration(given["within"]) / NS


def _size(text: str) -> int:
    match = _SIZE.fullmatch(text.strip())
    if match is None or not int(match[1]):
        raise UsageError(f"{text!r} is not a size", hint="write 500M, 64k or 2G")
    return int(match[1]) * _UNITS[match[2].lower()]
