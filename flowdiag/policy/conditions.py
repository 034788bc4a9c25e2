"""Conditions that rules share, their answers for each class of ends, and what each policy contributes to a plan."""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Set as AbstractSet

from msgspec import Struct

from flowdiag.model.event import Direction
from flowdiag.policy.bitsets import packed
from flowdiag.policy.demands import Demand, Token, demands_of
from flowdiag.policy.facts import Facts
from flowdiag.policy.model import Action, Check, Matcher, Outcome, Policy, Rule, TrafficMatcher, all_of

__all__ = ["Alternative", "Alternatives", "Answers", "Asked", "Conditions", "Entry"]


class Answers:
    """Bit sets of rules: asked so far, surely matching, possibly matching."""

    __slots__ = ("known", "maybe", "sure")

    def __init__(self) -> None:
        self.known = 0
        self.sure = 0
        self.maybe = 0

    def enter(self, position: int, outcome: Outcome) -> None:
        """Remember one answer."""
        bit = 1 << position
        self.known |= bit
        if outcome is not Outcome.MISS:
            self.maybe |= bit
            if outcome is Outcome.MATCH:
                self.sure |= bit


class Alternative:
    """Conditions on a peer that must all hold, and their answers for each class of ends; rules with equal ones share it."""

    __slots__ = ("_answers", "_demands", "_matchers")

    def __init__(self, matchers: tuple[Asked, ...]) -> None:
        self._matchers = matchers
        self._answers: dict[int, tuple[Check, int]] = {}
        self._demands: dict[str, tuple[Demand, ...]] = {}

    def __len__(self) -> int:
        return len(self._matchers)

    def demands(self, kind: str) -> tuple[Demand, ...]:
        """What it demands of ends of a kind; see `flowdiag.policy.demands`."""
        known = self._demands.get(kind)
        if known is None:
            known = self._demands[kind] = tuple(
                demand for asked in self._matchers for demand in demands_of(asked.matcher, kind)
            )
        return known

    def may_be(self, kind: str, tokens: AbstractSet[Token]) -> bool:
        """Whether an end of a kind that shows these tokens meets all demands; if not, it misses for sure."""
        return not any(map(tokens.isdisjoint, self.demands(kind)))

    def outcome(self, facts: Facts) -> Outcome:
        """Answer for one end; stops at the first miss, since it explains nothing."""
        answer = self._answers.get(facts.class_id)
        if answer is not None:
            return answer[0].outcome
        outcome = Outcome.MATCH
        for asked in self._matchers:
            found = asked.of(facts).outcome
            if found is Outcome.MISS:
                return found
            if found is Outcome.UNKNOWN:
                outcome = found
        return outcome

    def of(self, facts: Facts) -> tuple[Check, int]:
        """Answer for one end, and how many of its conditions hold."""
        answer = self._answers.get(facts.class_id)
        if answer is None:
            checks = [asked.of(facts) for asked in self._matchers]
            held = sum(1 for check in checks if check.outcome is Outcome.MATCH)
            answer = self._answers[facts.class_id] = (all_of(checks), held)
        return answer


Alternatives = tuple[tuple[str, Alternative], ...] | None
"""A rule's peers with their paths; ``None`` for any peer."""


class Asked:
    """A condition that occurs in some rule, and its answers by class; equal conditions share one."""

    __slots__ = ("_answers", "matcher")

    def __init__(self, matcher: Matcher) -> None:
        self.matcher = matcher
        self._answers: dict[int, Check] = {}

    def of(self, facts: Facts) -> Check:
        """Answer for one end, asked once per class."""
        answer = self._answers.get(facts.class_id)
        if answer is None:
            answer = self._answers[facts.class_id] = self.matcher.check(facts)
        return answer


class Entry(Struct, frozen=True, eq=False):
    """What one policy contributes to the plan of a direction; bits are counted from its own first rule."""

    whole: tuple[object, ...]
    rules: tuple[Rule, ...]
    alternatives: list[Alternatives]
    allow: int
    deny: int
    passes: int
    by_destination: int
    traffic: tuple[int, ...]
    """Per rule, the number of its conditions on the traffic; equal ones have one number."""
    applies_to: Alternative
    """What the policy asks of the ends that it selects."""
    narrowed: bool
    """Whether some rule asks more of the ends that the policy selects."""


class Conditions:
    """Conditions that stand in rules, with their answers by class of ends; equal ones share one.

    A condition says the same wherever it stands, so both directions, and policy sets that differ in a few
    policies over the same classes, ask through one of these.
    """

    def __init__(self) -> None:
        self._asked: dict[Matcher, Asked] = {}
        self._by_matchers: dict[tuple[Matcher, ...], Alternative] = {}
        self._traffic: dict[tuple[TrafficMatcher, ...], int] = {}
        self._entries: dict[tuple[int, int, Direction], Entry] = {}
        """Entries by the identities (``id()``) of a policy's rules and conditions, which the entry keeps alive.

        To hash the conditions would cost more, and a policy that was only moved or renamed keeps the same rules.
        """

    def entry(self, policy: Policy, direction: Direction) -> Entry:
        """What a policy brings into a plan."""
        key = (id(policy.rules), id(policy.applies_to), direction)
        known = self._entries.get(key)
        if known is None:
            rules = policy.rules.get(direction, ())
            known = self._entries[key] = Entry(
                whole=(policy.rules, policy.applies_to),
                rules=rules,
                alternatives=[self._alternatives(rule) for rule in rules],
                allow=_bits(rule.action is Action.ALLOW for rule in rules),
                deny=_bits(rule.action is Action.DENY for rule in rules),
                passes=_bits(rule.action is Action.PASS for rule in rules),
                by_destination=_bits(any(each.by_destination for each in rule.traffic) for rule in rules),
                traffic=tuple(self._traffic.setdefault(rule.traffic, len(self._traffic)) for rule in rules),
                applies_to=self._alternative(policy.applies_to),
                narrowed=any(rule.subject for rule in rules),
            )
        return known

    def _alternatives(self, rule: Rule) -> Alternatives:
        if rule.peers is None:
            return None
        return tuple((rule.path + peer.path, self._alternative(peer.matchers)) for peer in rule.peers)

    def _alternative(self, matchers: tuple[Matcher, ...]) -> Alternative:
        found = self._by_matchers.get(matchers)
        if found is None:
            asked = tuple(self._asked.setdefault(each, Asked(each)) for each in matchers)
            found = self._by_matchers[matchers] = Alternative(asked)
        return found


def _bits(flags: Iterable[bool]) -> int:
    return packed([position for position, flag in enumerate(flags) if flag])
