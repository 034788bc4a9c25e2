"""Numbers that stand as text, from whoever wrote it: digits of other scripts and thousands of them are none."""

from __future__ import annotations

__all__ = ["is_digits", "whole"]

_MOST = 18
"""Digits of a number that anything here counts by; `int` refuses some thousands."""


def is_digits(text: str) -> bool:
    """Whether a text is 0 to 9 alone; ``str.isdigit`` also takes ``²``, of which `int` makes nothing."""
    return text.isascii() and text.isdigit()


def whole(digits: str) -> int:
    """The number, of a longer one than fits into 64 bits a larger one than any that is meant."""
    return int(digits) if len(digits) <= _MOST else 10**_MOST
