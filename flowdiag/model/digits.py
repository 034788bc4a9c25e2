"""Reading numbers from text that anybody may have written: digits of other scripts do not count, nor do thousands of digits."""

from __future__ import annotations

__all__ = ["is_digits", "whole"]

_MOST = 18
"""The most digits that a number may have here; `int` refuses texts of some thousands."""


def is_digits(text: str) -> bool:
    """Whether a text is 0 to 9 alone; ``str.isdigit`` also takes ``²``, of which `int` makes nothing."""
    return text.isascii() and text.isdigit()


def whole(digits: str) -> int:
    """Give the number; for one with too many digits, a number larger than any that is ever meant."""
    return int(digits) if len(digits) <= _MOST else 10**_MOST
