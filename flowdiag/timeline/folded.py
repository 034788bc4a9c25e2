"""What folding says of a problem."""

from __future__ import annotations

from msgspec import Struct

from flowdiag.timeline.drafts import ProblemDraft

__all__ = ["Folded", "overlap"]


class Folded(Struct, frozen=True):
    """A consequence: the index of its cause, and why, in words for the reader where the titles do not say."""

    cause: int
    why: str | None
    beside: bool = False
    """Whether both come from one change, so that mending the cause alone does not mend this."""


def overlap(one: ProblemDraft, other: ProblemDraft, *, apart_ns: int = 0) -> bool:
    """Whether two problems went on at one time, or at most `apart_ns` after each other."""
    (a, b), (c, d) = one.span, other.span
    if a is None or b is None or c is None or d is None:
        return False
    return a <= d + apart_ns and c <= b + apart_ns
