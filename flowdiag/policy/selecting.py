"""Which policies select an end: looked up by what it shows, answered by their own conditions."""

from __future__ import annotations

from functools import cached_property
from itertools import repeat

from flowdiag.model.policy import PolicyRef
from flowdiag.policy.bitsets import bits_of
from flowdiag.policy.conditions import Alternative, Answers, Entry
from flowdiag.policy.demands import Token, shown
from flowdiag.policy.facts import Facts
from flowdiag.policy.model import Check, Outcome, Policy, all_of, miss
from flowdiag.policy.shortlist import Shortlist

__all__ = ["Selection", "Selections", "View", "selects"]

_FEW = 32
"""Up to so many are asked one by one, since a look-up would cost more."""

_TRIES = 4
"""Times that all are gone through before a list for look-ups is made, which costs as much as these."""


def selects(policy: Policy, facts: Facts) -> Check:
    """Whether a policy selects an end, with what it missed."""
    if facts.kind not in policy.subjects:
        return miss()
    if policy.namespace is not None and facts.namespace != policy.namespace:
        return miss()
    return all_of([each.check(facts) for each in policy.applies_to])


class Selection:
    """Policies of one namespace, or of none, that select the same ends."""

    __slots__ = ("applies_to", "narrowed", "places", "subjects")

    def __init__(self, applies_to: Alternative, subjects: frozenset[str]) -> None:
        self.applies_to = applies_to
        self.subjects = subjects
        self.places: list[int] = []
        self.narrowed = False
        """Whether a rule of theirs asks more of the policed end."""

    def selects(self, facts: Facts) -> Check | None:
        """Answer for an end of their namespace; ``None`` for a miss."""
        if facts.kind not in self.subjects:
            return None
        check = self.applies_to.of(facts)[0]
        return None if check.outcome is Outcome.MISS else check


class View:
    """One class of policed ends at one time: which policies select it, and what these allow or deny it."""

    __slots__ = (
        "answers",
        "broken",
        "dated",
        "isolated_by",
        "isolating",
        "maybe_isolating",
        "maybe_selecting",
        "selecting",
    )

    def __init__(self, tiers: int) -> None:
        self.answers = Answers()
        self.selecting: list[list[int]] = [[] for _ in range(tiers)]
        """Per tier, the policies that select the end."""
        self.maybe_selecting: list[list[tuple[int, Check]]] = [[] for _ in range(tiers)]
        self.isolating: list[list[int]] = [[] for _ in range(tiers)]
        self.maybe_isolating: list[bool] = [False] * tiers
        self.broken: list[list[int]] = [[] for _ in range(tiers)]
        """Per tier, policies that select the end and cannot be evaluated."""
        self.isolated_by: tuple[PolicyRef, ...] = ()
        """Every policy that isolates the end, sorted."""
        self.dated: list[tuple[int, PolicyRef]] = []
        """Policies that select the end, with the time from which on their text is known to hold, where it is."""


class Selections:
    """The policies of a direction by what they select."""

    def __init__(self) -> None:
        self._all: list[Selection] = []
        self._spaces: dict[str | None, int] = {}
        """Bits of the selections by namespace; under ``None`` those of policies that have none."""
        self._asked = 0

    def add(self, policy: Policy, entry: Entry) -> Selection:
        """Make the selection of a policy that selects other ends than those before it."""
        bit = 1 << len(self._all)
        selection = Selection(entry.applies_to, policy.subjects)
        self._all.append(selection)
        self._spaces[policy.namespace] = self._spaces.get(policy.namespace, 0) | bit
        return selection

    def of(self, facts: Facts) -> list[tuple[Selection, Check]]:
        """Those that take an end, surely or perhaps."""
        found: list[tuple[Selection, Check]] = []
        wanted, tokens = self._may_select(facts)
        for number in bits_of(wanted):
            selection = self._all[number]
            if tokens is not None and not selection.applies_to.may_be(facts.kind, tokens):
                continue
            check = selection.selects(facts)
            if check is not None:
                found.append((selection, check))
        return found

    def _may_select(self, facts: Facts) -> tuple[int, frozenset[Token] | None]:
        """Bits of the selections that may take the end, and what it shows where each is still to be held against that."""
        wanted = self._spaces.get(None, 0)
        if facts.namespace is not None:
            wanted |= self._spaces.get(facts.namespace, 0)
        if wanted.bit_count() <= _FEW or facts.kind != "pod":
            return wanted, None
        tokens = shown(facts)
        if tokens is None:
            return wanted, None
        self._asked += 1
        if self._asked <= _TRIES:
            return wanted, frozenset(tokens)
        return wanted & self._selecting.possible(tokens), None

    @cached_property
    def _selecting(self) -> Shortlist:
        return Shortlist((each.applies_to.demands("pod") for each in self._all), repeat(0))
