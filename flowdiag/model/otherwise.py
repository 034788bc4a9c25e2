"""The sentence on a part of a problem that something else refused; for the problem's notes and for terminals."""

from __future__ import annotations

from msgspec import UNSET

from flowdiag.model.policy import CONDITION_WORDS, Miss
from flowdiag.model.problem import RefusedOtherwise
from flowdiag.model.time import moment_text, parse_rfc3339
from flowdiag.model.words import object_text

__all__ = ["miss_text", "otherwise_text"]

_MAX_NAMED = 3


def miss_text(miss: Miss) -> str:
    """``namespace label: wants name=kube-system, found none``."""
    word = CONDITION_WORDS[miss.condition]
    found = "found none" if miss.found is None else f"found {miss.found}"
    return f"{word}: wants {miss.wanted}, {found}"


def otherwise_text(part: RefusedOtherwise) -> str:
    """``1,150 of them were refused otherwise, the last at 2026-03-01 12:19:09 UTC (FD101 on egress by NetworkPolicy a/b)``.

    Where code, direction and policies are the problem's own, the sentence says what the nearest rule missed instead.
    """
    until = f", the last at {_moment(part.last)}" if part.last is not None else ""
    verb = "was" if part.count == 1 else "were"
    said = f"{part.count:,} of them {verb} refused otherwise{until}"
    if part.misses is not UNSET:
        return f"{said} ({part.code}; {'; '.join(map(miss_text, part.misses[:_MAX_NAMED]))})"
    side = f" on {part.direction}" if part.direction is not None else ""
    names = [object_text(ref) for ref in part.policies]
    by = f" by {' and '.join(names[:_MAX_NAMED])}" if names else ""
    more = f" and {len(names) - _MAX_NAMED} more" if len(names) > _MAX_NAMED else ""
    return f"{said} ({part.code}{side}{by}{more})"


def _moment(text: str) -> str:
    """Give the moment as a sentence does; the text itself where it is none, since a stored report may hold anything."""
    try:
        return moment_text(parse_rfc3339(text))
    except ValueError:
        return text
