"""How alike a wanted and a found label are: typing mistakes told from other workloads."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache

from flowdiag.policy.selectors import LabelSelector

__all__ = ["IDENTITY_KEYS", "alike", "choice", "split_label", "typo"]

IDENTITY_KEYS = frozenset(
    {
        "app",
        "name",
        "k8s-app",
        "component",
        "app.kubernetes.io/name",
        "app.kubernetes.io/instance",
        "app.kubernetes.io/component",
    }
)
"""Keys by which workloads are told apart: another value there is usually another workload, and meant."""

_CHOICE = re.compile(r"([^ =]+) in [({]([^(){}]*)[)}]")
# "tier in (back,front)"; of Calico: "tier in {back,front}"
_LEFT_OUT = "..."
"""Stands for the rest of a long list."""
_MAX_LENGTH = 64
"""Longer texts are not compared letter by letter."""


def split_label(text: str) -> tuple[str, str | None]:
    """``key=value`` of a miss; other requirements (``key in (a,b)``) have no value."""
    key, sign, value = text.partition("=")
    return (key, value) if sign and " " not in key else (text, None)


def choice(text: str) -> tuple[str, tuple[str, ...]]:
    """The key of a miss, and the values of which it wants one; none where it asks otherwise (``!key``, ``key``)."""
    key, value = split_label(text)
    if value is not None:
        return key, (value,)
    found = _CHOICE.fullmatch(text)
    if found is None:
        return text, ()
    return found[1], tuple(value for value in found[2].split(",") if value != _LEFT_OUT)


@lru_cache(maxsize=65536)
def typo(one: str, other: str) -> bool:
    """Whether two words differ as mistyped words do: case, ``-`` and ``_``, one or two letters, an affix.

    One word that continues the other counts from four letters on (``front`` and ``frontend``).
    """
    if one == other:
        return False
    a, b = (text.lower().replace("_", "-") for text in (one, other))
    if a == b:
        return True
    short, long = sorted((a, b), key=len)
    if len(short) >= 4 and (long.startswith(short) or long.endswith(short)):
        return True
    if max(len(a), len(b)) > _MAX_LENGTH or len(short) < 3:
        return False
    return _distance(a, b) <= (1 if len(short) < 6 else 2)


def _distance(one: str, other: str) -> int:
    """Edits between two short words, a swap of neighbours counting as one."""
    before: list[int] = []
    last = list(range(len(other) + 1))
    for i, left in enumerate(one, start=1):
        row = [i]
        for j, right in enumerate(other, start=1):
            cost = min(last[j] + 1, row[j - 1] + 1, last[j - 1] + (left != right))
            if i > 1 and j > 1 and left == other[j - 2] and one[i - 2] == right:
                cost = min(cost, before[j - 2] + 1)
            row.append(cost)
        before, last = last, row
    return last[-1]


def alike(selector: LabelSelector, labels: Mapping[str, str]) -> str | None:
    """Say how labels resemble what a selector asks for and they lack; ``None`` where they do not.

    The found label stands in the answer: ``application=front`` where ``app=front`` was wanted.
    """
    for each in selector.requirements:
        if each.operator != "In" or each.holds(labels):
            continue
        found = labels.get(each.key)
        for wanted in each.values:
            if found is not None and typo(wanted, found):
                return f"{each.key}={found}"
            same = sorted(
                key
                for key, value in labels.items()
                if key != each.key
                and (value == wanted or (value.lower() == wanted.lower() and typo(key, each.key)))
            )
            if found is None and same:
                return f"{same[0]}={labels[same[0]]}"
    return None
