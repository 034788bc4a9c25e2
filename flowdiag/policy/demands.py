"""What ends show and what conditions demand: by that, conditions that cannot hold are known without being asked.

A condition may name its demands: sets of tokens (a label with its value, a namespace, an address range) of
which an end must show at least one each.  An end that shows none of a demand's tokens misses the condition,
and the condition tells at least one miss for each such demand.  So a look-up by tokens takes the
place of asking every condition, and the number of demands that an end does not meet is a lower bound of its misses.

Nothing here answers a condition: one whose demands are met may miss all the same.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from flowdiag.policy.facts import Facts

__all__ = ["NEVER", "Demand", "Demanding", "Token", "demands_of", "range_tokens", "shown"]

Token = tuple[str, ...] | tuple[str, int]
"""``("pod", "app", "web")``, ``("pod", "app")`` for any value, ``("in", "shop")``, ``("range", 3)``; a label that
a dialect marked as doubtful shows ``("marked", key)`` besides."""

Demand = frozenset[Token]

NEVER: Demand = frozenset()
"""What no end of the kind can show."""

_MOST_RANGES = 64
"""Ranges that an end may lie in; one of more is some end whose address is not known."""


class Demanding(Protocol):
    """A condition that names its demands."""

    def demands(self, kind: str, /) -> tuple[Demand, ...]:
        """Give the demands on ends of a kind, ``pod`` or ``outside``, that `shown` tells all of."""


def demands_of(matcher: object, kind: str) -> tuple[Demand, ...]:
    """What a condition demands of ends of a kind; nothing where it does not say."""
    named: Callable[[str], tuple[Demand, ...]] | None = getattr(matcher, "demands", None)
    return named(kind) if named is not None else ()


def shown(facts: Facts) -> list[Token] | None:
    """Every token that an end shows; ``None`` where something of it is not known, so that nothing follows."""
    if facts.before is not None:
        return None
    if facts.kind == "pod":
        if facts.labels is None or not facts.labels_complete:
            return None
        if facts.namespace_labels is None or not facts.namespace_complete:
            return None
    elif facts.kind != "outside":
        return None
    if not facts.addresses or facts.hits.maybe.bit_count() > _MOST_RANGES:
        return None
    found: list[Token] = list(range_tokens(facts.hits.maybe))
    if facts.namespace is not None:
        found.append(("in", facts.namespace))
    for source, labels in (
        ("pod", facts.labels),
        ("namespace", facts.namespace_labels),
        ("extra", facts.extra),
    ):
        for key, value in labels.items() if labels else ():
            found.append((source, key))
            found.append((source, key, value))
            if value.startswith("\0"):
                found.append(("marked", key))
    return found


def range_tokens(bits: int, first: int = 0) -> frozenset[Token]:
    """Tokens of address ranges by their bits in the set's table, of which `first` places are left out."""
    found: set[Token] = set()
    while bits:
        low = bits & -bits
        found.add(("range", first + low.bit_length()))
        bits ^= low
    return frozenset(found)
