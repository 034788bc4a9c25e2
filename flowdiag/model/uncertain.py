"""The sentence on policies that may have read otherwise when they refused (FD804), and several such sentences as one.

Each refused flow has a moment of its own, so that a problem of forty connections would say forty times the same.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from flowdiag.model.time import moment_text

__all__ = ["told_as_one", "uncertain_text"]

_MOMENT = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC"
# "It is not certain that NetworkPolicy a/b read the same at 2026-09-14 22:12:11 UTC: its last change is later or not
# known. (FD804)"
_SENTENCE = re.compile(
    rf"(It is not certain that .+ read the same) at ({_MOMENT})"
    r"(: (?:its last change is|their last changes are) later or not known\.(?: \(FD804\))?)",
    re.ASCII,
)


def uncertain_text(names: str, number: int, at: int) -> str:
    """``It is not certain that NetworkPolicy a/b read the same at 2026-09-14 22:12:11 UTC: its last change is ...``.

    Args:
        names: the policies, as a list in words.
        number: how many they are.
        at: the moment of the refusal.
    """
    change = "its last change is" if number == 1 else "their last changes are"
    return f"It is not certain that {names} read the same at {moment_text(at)}: {change} later or not known."


def told_as_one(sentences: Iterable[str]) -> list[str]:
    """The sentences, each once, those of `uncertain_text` that differ in their moments alone as one with the span."""
    told: dict[tuple[str, str], list[str]] = {}
    # Most connections of a problem have the same ones.
    for sentence in dict.fromkeys(sentences):
        found = _SENTENCE.fullmatch(sentence)
        key, moment = ((found[1], found[3]), found[2]) if found else ((sentence, ""), "")
        told.setdefault(key, []).append(moment)
    return [_spanned(begin, end, moments) for (begin, end), moments in told.items()]


def _spanned(begin: str, end: str, moments: list[str]) -> str:
    if not end:
        return begin
    first, last = min(moments), max(moments)
    return f"{begin} {f'at {first}' if first == last else f'from {first} to {last}'}{end}"
