"""Moments in the sentences that a report carries: UTC, with the day where it is not the problem's own."""

from __future__ import annotations

from flowdiag.model.time import rfc3339_seconds

__all__ = ["moment"]


def moment(at: int, beside: int | None) -> str:
    """``14:02:35 UTC``, or ``2026-03-16 14:02:35 UTC`` where it is another day's.

    Args:
        at: nanoseconds.
        beside: a moment of the day that needs no saying, the problem's first refusal; ``None`` if unknown.
    """
    text = rfc3339_seconds(at)
    known = beside is not None and rfc3339_seconds(beside)[:10] == text[:10]
    return f"{text[11:19] if known else f'{text[:10]} {text[11:19]}'} UTC"
