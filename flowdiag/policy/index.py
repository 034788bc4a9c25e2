"""Answers of conditions as bit sets over all rules of a direction, each asked once per class of ends.

Every rule of a direction has a bit, in the order in which it is tried.  For a class of policed ends, a
class of peers and a kind of traffic there is one pair of bit sets each: rules that match for sure, and
rules that may match.  A connection is then three ANDs, and what is left decides (`flowdiag.policy.decide`).
The bits are nothing but remembered answers of `Rule`'s own conditions: there is no second implementation.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from msgspec import Struct

from flowdiag.model.event import Direction
from flowdiag.model.policy import PolicyRef
from flowdiag.policy.facts import Facts
from flowdiag.policy.model import (
    MATCH,
    Action,
    Check,
    Matcher,
    Order,
    Outcome,
    Policy,
    Rule,
    Tier,
    Traffic,
    all_of,
    miss,
)

__all__ = ["Alternative", "Answers", "Conditions", "Plan", "TierPlan", "View", "bits_of", "in_order"]


def in_order(tier: Tier) -> Sequence[Policy]:
    """A tier's policies in the order in which they are tried."""
    return sorted(tier.policies, key=lambda each: (each.rank, each.ref))


def bits_of(mask: int) -> Iterator[int]:
    """Yield the positions of the set bits, lowest first."""
    while mask:
        low = mask & -mask
        yield low.bit_length() - 1
        mask ^= low


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
    """One peer as some rules have it, and its answers by class; equal peers share one."""

    __slots__ = ("_answers", "_matchers")

    def __init__(self, matchers: tuple[Asked, ...]) -> None:
        self._matchers = matchers
        self._answers: dict[int, tuple[Check, int]] = {}

    def outcome(self, facts: Facts) -> Outcome:
        """Answer for one end without what explains it: the first miss settles it."""
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


_Alternatives = tuple[tuple[str, Alternative], ...] | None
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
    """What one policy brings into a plan of one direction; bits count from its own first rule."""

    whole: dict[Direction, tuple[Rule, ...]]
    rules: tuple[Rule, ...]
    alternatives: list[_Alternatives]
    allow: int
    deny: int
    passes: int
    by_destination: int


class Conditions:
    """Conditions that stand in rules, with their answers by class of ends; equal ones share one.

    A condition says the same wherever it stands, so both directions, and policy sets that differ in a few
    policies over the same classes, ask through one of these.
    """

    def __init__(self) -> None:
        self._asked: dict[Matcher, Asked] = {}
        self._by_matchers: dict[tuple[Matcher, ...], Alternative] = {}
        self._entries: dict[tuple[int, Direction], Entry] = {}
        """By the identity of a policy's rules, which the entry keeps so that it stays theirs.

        Hashing conditions costs more, and a policy that only stands elsewhere or has another name keeps its rules.
        """

    def entry(self, policy: Policy, direction: Direction) -> Entry:
        """What a policy brings into a plan."""
        key = (id(policy.rules), direction)
        known = self._entries.get(key)
        if known is None:
            rules = policy.rules.get(direction, ())
            known = self._entries[key] = Entry(
                whole=policy.rules,
                rules=rules,
                alternatives=[self._alternatives(rule) for rule in rules],
                allow=_bits(rule.action is Action.ALLOW for rule in rules),
                deny=_bits(rule.action is Action.DENY for rule in rules),
                passes=_bits(rule.action is Action.PASS for rule in rules),
                by_destination=_bits(any(each.by_destination for each in rule.traffic) for rule in rules),
            )
        return known

    def _alternatives(self, rule: Rule) -> _Alternatives:
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
    return sum(1 << position for position, flag in enumerate(flags) if flag)


class TierPlan:
    """One tier in one direction: which bits are its, by action; which policies stand in it."""

    __slots__ = ("actions", "allow", "deny", "mask", "passes", "policies", "tie_groups", "tier")

    def __init__(self, tier: Tier) -> None:
        self.tier = tier
        self.mask = 0
        self.allow = 0
        self.deny = 0
        self.passes = 0
        self.actions = 0
        """Bits of rules that end the tier when they match: all but ``log``."""
        self.policies: list[int] = []
        self.tie_groups: list[list[int]] = []
        """Rule bits of each policy that shares its place with others, group by group."""


class View:
    """What the policies are to one class of policed ends at one time."""

    __slots__ = (
        "answers",
        "broken",
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


class Plan:
    """All tiers of one direction, their rules in order of evaluation, and the remembered answers.

    Args:
        direction: which.
        tiers: in the order in which they are tried, each with its policies `in_order`.
        conditions: what conditions answered the classes of ends at hand so far.
    """

    def __init__(
        self, direction: Direction, tiers: Iterable[tuple[Tier, Sequence[Policy]]], conditions: Conditions
    ) -> None:
        self.direction = direction
        self.tiers: list[TierPlan] = []
        self.policies: list[Policy] = []
        self.tier_of: list[int] = []
        self.rules: list[Rule] = []
        self.policy_of: list[int] = []
        self.rule_bits: list[int] = []
        """Per policy, the bits of its rules."""
        self.by_destination = 0
        self.implicit = 0
        """Bits of the rules that no object holds."""
        self._by_namespace: dict[str, list[int]] = {}
        self._cluster_wide: list[int] = []
        self._views: dict[tuple[int, int], View] = {}
        self._peers: dict[int, Answers] = {}
        self._traffic: dict[tuple[Traffic, int], Answers] = {}
        self._conditions = conditions
        self._alternatives: list[_Alternatives] = []
        """Per rule, its peers with their paths; ``None`` for any peer."""
        self._passing: dict[tuple[int, Traffic, int], Check] = {}
        self._by_ref: dict[PolicyRef, list[int]] = {}
        for tier, policies in tiers:
            if tier.always or any(direction in policy.directions for policy in policies):
                self._enter(tier, policies)

    def _enter(self, tier: Tier, policies: Sequence[Policy]) -> None:
        plan = TierPlan(tier)
        ordered = tier.order is Order.ORDERED
        ties: dict[int, list[int]] = {}
        for policy in policies:
            if self.direction not in policy.directions:
                continue
            place = len(self.policies)
            self.policies.append(policy)
            self._by_ref.setdefault(policy.ref, []).append(place)
            self.tier_of.append(len(self.tiers))
            plan.policies.append(place)
            if policy.namespace is None:
                self._cluster_wide.append(place)
            else:
                self._by_namespace.setdefault(policy.namespace, []).append(place)
            entry = self._conditions.entry(policy, self.direction)
            first, count = len(self.rules), len(entry.rules)
            own = ((1 << count) - 1) << first
            self.rules += entry.rules
            self._alternatives += entry.alternatives
            self.policy_of += [place] * count
            plan.allow |= entry.allow << first
            plan.deny |= entry.deny << first
            plan.passes |= entry.passes << first
            self.by_destination |= entry.by_destination << first
            plan.mask |= own
            if policy.implicit:
                self.implicit |= own
            self.rule_bits.append(own)
            if ordered and policy.tie is not None:
                ties.setdefault(policy.tie, []).append(own)
        plan.actions = plan.allow | plan.deny | plan.passes
        plan.tie_groups = [group for group in ties.values() if len(group) > 1]
        self.tiers.append(plan)

    def places(self, ref: PolicyRef) -> Sequence[int]:
        """Where the policies of that name stand in `policies`."""
        return self._by_ref.get(ref, ())

    def view(self, facts: Facts, epoch: int, active: int) -> View:
        """Which policies select an end, and which of their rules can concern it.

        Args:
            facts: the policed end.
            epoch: names the set of active policies, for the memory.
            active: bit set over `policies` of those that exist at the time asked about.
        """
        key = (facts.class_id, epoch)
        view = self._views.get(key)
        if view is None:
            view = self._views[key] = self._build_view(facts, active)
        return view

    def _build_view(self, facts: Facts, active: int) -> View:
        view = View(len(self.tiers))
        places = self._cluster_wide + self._by_namespace.get(facts.namespace or "", [])
        for place in sorted(places):
            if not active >> place & 1:
                continue
            policy = self.policies[place]
            selects = self.selects(policy, facts)
            if selects.outcome is Outcome.MISS:
                continue
            tier = self.tier_of[place]
            closes = self.tiers[tier].tier.closes and self.direction in policy.isolates
            if selects.outcome is Outcome.MATCH:
                view.selecting[tier].append(place)
                if closes:
                    view.isolating[tier].append(place)
            else:
                view.maybe_selecting[tier].append((place, selects))
                view.maybe_isolating[tier] |= closes
            if policy.broken:
                view.broken[tier].append(place)
            for position in bits_of(self.rule_bits[place]):
                own = all_of([each.check(facts) for each in self.rules[position].subject])
                view.answers.enter(position, min(selects.outcome, own.outcome))
        for tier, plan in enumerate(self.tiers):
            view.maybe_isolating[tier] |= (
                self.direction in plan.tier.always and facts.kind in plan.tier.always_for
            )
        view.isolated_by = tuple(
            sorted(
                {
                    self.policies[place].ref
                    for places in view.isolating
                    for place in places
                    if not self.policies[place].implicit
                }
            )
        )
        return view

    @staticmethod
    def selects(policy: Policy, facts: Facts) -> Check:
        """Whether a policy selects an end, with what it missed."""
        if facts.kind not in policy.subjects:
            return miss()
        if policy.namespace is not None and facts.namespace != policy.namespace:
            return miss()
        return all_of([each.check(facts) for each in policy.applies_to])

    def peer_answers(self, facts: Facts, wanted: int) -> Answers:
        """Answers of the peer conditions for a class of peers, asked for the rules in `wanted`."""
        answers = self._peers.get(facts.class_id)
        if answers is None:
            answers = self._peers[facts.class_id] = Answers()
        missing = wanted & ~answers.known
        for position in bits_of(missing):
            answers.enter(position, self._peer_outcome(position, facts))
        return answers

    def _peer_outcome(self, position: int, facts: Facts) -> Outcome:
        """Three-valued OR over the rule's peers."""
        alternatives = self._alternatives[position]
        if alternatives is None:
            return Outcome.MATCH
        best = Outcome.MISS
        for _, alternative in alternatives:
            outcome = alternative.outcome(facts)
            if outcome is Outcome.MATCH:
                return outcome
            if outcome is Outcome.UNKNOWN:
                best = outcome
        return best

    def alternatives(self, position: int) -> _Alternatives:
        """Give a rule's peers with their paths; ``None`` for any peer."""
        return self._alternatives[position]

    def traffic_answers(self, traffic: Traffic, destination: Facts, wanted: int) -> tuple[int, int]:
        """Bit sets ``(sure, maybe)`` of the rules in `wanted` whose conditions on the traffic hold."""
        named = wanted & self.by_destination
        plain = wanted & ~named
        sure = maybe = 0
        for part, key in ((plain, (traffic, -1)), (named, (traffic, destination.class_id))):
            if not part:
                continue
            answers = self._traffic.get(key)
            if answers is None:
                answers = self._traffic[key] = Answers()
            missing = part & ~answers.known
            for position in bits_of(missing):
                answers.enter(position, self.traffic_check(position, traffic, destination).outcome)
            sure |= answers.sure & part
            maybe |= answers.maybe & part
        return sure, maybe

    def traffic_check(self, position: int, traffic: Traffic, destination: Facts) -> Check:
        """Answer of all of a rule's conditions on the traffic."""
        conditions = self.rules[position].traffic
        if not conditions:
            return MATCH
        named = self.by_destination >> position & 1
        key = (position, traffic, destination.class_id if named else -1)
        answer = self._passing.get(key)
        if answer is None:
            answer = all_of([each.check(traffic, destination) for each in conditions])
            self._passing[key] = answer
        return answer

    def matching(self, view: View, peer: Facts, traffic: Traffic, destination: Facts) -> tuple[int, int]:
        """Bit sets ``(sure, maybe)`` of the rules that match a connection."""
        wanted = view.answers.maybe
        if not wanted:
            return 0, 0
        peers = self.peer_answers(peer, wanted)
        wanted &= peers.maybe
        if not wanted:
            return 0, 0
        sure, maybe = self.traffic_answers(traffic, destination, wanted)
        return sure & view.answers.sure & peers.sure, maybe
