"""Answers of conditions as bit sets over all rules of a direction, each asked once per class of ends.

Every rule of a direction has a bit, in the order in which it is tried.  For a class of policed ends, a
class of peers and a kind of traffic there is one pair of bit sets each: rules that match for sure, and
rules that may match.  A connection is then three ANDs, and what is left decides (`flowdiag.policy.decide`).
The bits are nothing but remembered answers of `Rule`'s own conditions: there is no second implementation.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cached_property
from itertools import repeat
from operator import itemgetter
from typing import NamedTuple

from flowdiag.model.event import Direction
from flowdiag.model.policy import PolicyRef
from flowdiag.policy.conditions import Alternative, Alternatives, Answers, Conditions, Entry
from flowdiag.policy.demands import shown
from flowdiag.policy.facts import Facts
from flowdiag.policy.model import MATCH, Check, Order, Outcome, Policy, Rule, Tier, Traffic, all_of, miss
from flowdiag.policy.peerlist import PeerList, bits_of
from flowdiag.policy.ports import PortSet
from flowdiag.policy.shortlist import Shortlist

__all__ = ["Distance", "Plan", "TierPlan", "Told", "View", "bits_of", "in_order"]

_FEW = 32
"""So many rules are asked one by one: looking them up costs more."""

_MEMORY = 1 << 10
"""Kinds of traffic whose answers by level are remembered before the memory starts afresh."""

Distance = tuple[int, int, int]
"""Misses, unknowns, and minus the number of conditions that hold: what nearest rules are ranked by."""

_TRIES = 4
"""Questions to all rules before they are put into a list to be looked up in: making it costs as much."""


def in_order(tier: Tier) -> Sequence[Policy]:
    """A tier's policies in the order in which they are tried."""
    return sorted(tier.policies, key=lambda each: (each.rank, each.ref))


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
    """What the policies are to one class of policed ends at one time."""

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


class Told(NamedTuple):
    """What rules say of all ports of a protocol between two ends."""

    spans: list[tuple[int, int, bool | None]]
    """``(first, last, allowed)`` in order; neighbours differ."""
    surely: PortSet
    possibly: PortSet


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
        self._selections: list[Selection] = []
        self._spaces: dict[str | None, int] = {}
        """Bits of the selections by namespace; under ``None`` those of policies that have none."""
        self._built = 0
        self._views: dict[tuple[int, int], View] = {}
        self._shared: dict[tuple[object, ...], View] = {}
        self._peers: dict[int, Answers] = {}
        self._traffic: dict[tuple[Traffic, int], Answers] = {}
        self._conditions = conditions
        self._alternatives: list[Alternatives] = []
        """Per rule, its peers with their paths; ``None`` for any peer."""
        self._passing: dict[tuple[int, Traffic, int], Check] = {}
        self._traffic_of: list[int] = []
        """Per rule, the number of its conditions on the traffic."""
        self._levels: dict[tuple[Traffic, int], dict[Distance, int]] = {}
        self._asked = 0
        self.spans: dict[tuple[int, int, int, str, int], Told] = {}
        """What `flowdiag.policy.reach` remembers of the rules' verdicts over ports."""
        for tier, policies in tiers:
            if tier.always or any(direction in policy.directions for policy in policies):
                self._enter(tier, policies)

    def _enter(self, tier: Tier, policies: Sequence[Policy]) -> None:
        plan = TierPlan(tier)
        ordered = tier.order is Order.ORDERED
        ties: dict[int, list[int]] = {}
        selections: dict[tuple[str | None, int, frozenset[str]], Selection] = {}
        for policy in policies:
            if self.direction not in policy.directions:
                continue
            place = len(self.policies)
            self.policies.append(policy)
            self.tier_of.append(len(self.tiers))
            plan.policies.append(place)
            entry = self._conditions.entry(policy, self.direction)
            key = (policy.namespace, id(entry.applies_to), policy.subjects)
            selection = selections.get(key)
            if selection is None:
                selection = selections[key] = self._selection(policy, entry)
            selection.places.append(place)
            selection.narrowed |= entry.narrowed
            first, count = len(self.rules), len(entry.rules)
            own = ((1 << count) - 1) << first
            self.rules += entry.rules
            self._alternatives += entry.alternatives
            self.policy_of += [place] * count
            self._traffic_of += entry.traffic
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

    @cached_property
    def _by_ref(self) -> dict[PolicyRef, list[int]]:
        found: dict[PolicyRef, list[int]] = {}
        for place, policy in enumerate(self.policies):
            found.setdefault(policy.ref, []).append(place)
        return found

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
            view = self._views[key] = self._build_view(facts, epoch, active)
        return view

    def _selection(self, policy: Policy, entry: Entry) -> Selection:
        bit = 1 << len(self._selections)
        selection = Selection(entry.applies_to, policy.subjects)
        self._selections.append(selection)
        self._spaces[policy.namespace] = self._spaces.get(policy.namespace, 0) | bit
        return selection

    def _build_view(self, facts: Facts, epoch: int, active: int) -> View:
        selected: list[tuple[Selection, Check]] = []
        for number in bits_of(self._may_select(facts)):
            selection = self._selections[number]
            check = selection.selects(facts)
            if check is not None:
                selected.append((selection, check))
        if any(selection.narrowed or check is not MATCH for selection, check in selected):
            return self._put_together(selected, facts, active)
        # Ends that the same policies select for sure, whose rules ask no more of them, share what that comes to.
        key = (epoch, facts.kind, *(id(selection) for selection, _ in selected))
        view = self._shared.get(key)
        if view is None:
            view = self._shared[key] = self._put_together(selected, facts, active)
        return view

    def _may_select(self, facts: Facts) -> int:
        """Bits of the selections that may take the end."""
        wanted = self._spaces.get(None, 0)
        if facts.namespace is not None:
            wanted |= self._spaces.get(facts.namespace, 0)
        if wanted.bit_count() <= _FEW or facts.kind != "pod":
            return wanted
        self._built += 1
        tokens = shown(facts) if self._built > _TRIES else None
        if tokens is None:
            return wanted
        return wanted & self._selecting.possible(tokens)

    @cached_property
    def _selecting(self) -> Shortlist:
        return Shortlist((each.applies_to.demands("pod") for each in self._selections), repeat(0))

    def _put_together(self, selected: Sequence[tuple[Selection, Check]], facts: Facts, active: int) -> View:
        view = View(len(self.tiers))
        places = [(place, check) for selection, check in selected for place in selection.places]
        places.sort(key=itemgetter(0))
        for place, selects in places:
            if not active >> place & 1:
                continue
            policy = self.policies[place]
            tier = self.tier_of[place]
            closes = self.tiers[tier].tier.closes and self.direction in policy.isolates
            if selects.outcome is Outcome.MATCH:
                view.selecting[tier].append(place)
                if policy.validity.valid_from is not None:
                    view.dated.append((policy.validity.valid_from, policy.ref))
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
        isolating = [
            self.policies[place]
            for places in view.isolating
            for place in places
            if not self.policies[place].implicit
        ]
        named = [policy for policy in isolating if not policy.remainder] or isolating
        view.isolated_by = tuple(sorted({policy.ref for policy in named}))
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
        if missing.bit_count() > _FEW:
            self._asked += 1
            near = self.peer_list.near(facts) if self._asked > _TRIES else None
            if near is not None:
                # All others miss for sure.
                answers.known |= missing
                missing &= near
        for position in bits_of(missing):
            answers.enter(position, self._peer_outcome(position, facts))
        return answers

    @cached_property
    def peer_list(self) -> PeerList:
        """Every rule's peers, to be looked up."""
        return PeerList(self._alternatives)

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

    def alternatives(self, position: int) -> Alternatives:
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
        key = (self._traffic_of[position], traffic, destination.class_id if named else -1)
        answer = self._passing.get(key)
        if answer is None:
            answer = all_of([each.check(traffic, destination) for each in conditions])
            self._passing[key] = answer
        return answer

    def distances(
        self, rules: int, peer: Facts, traffic: Traffic, destination: Facts
    ) -> list[tuple[Distance, int]] | None:
        """How near rules can be at best, nearest first, as bits of their peers in `peer_list`.

        Args:
            rules: bits of the rules.
            peer: the refused end.
            traffic: what was asked.
            destination: whose ports count.

        Returns:
            ``None`` where nothing can be said before the peers are asked.
        """
        levels = self.peer_list.levels(peer)
        if levels is None:
            return None
        wanted = self.peer_list.of(rules)
        found: dict[Distance, int] = {}
        for (misses, unknowns, held), passing in self._traffic_levels(traffic, destination).items():
            here = passing & wanted
            for (unmet, size), bits in levels.items() if here else ():
                # Of the conditions on the peer, one at least does not hold where a demand is not met.
                best = (misses + unmet, unknowns, -held - size + (unmet > 0))
                found[best] = found.get(best, 0) | (bits & here)
        return sorted((best, bits) for best, bits in found.items() if bits)

    def _traffic_levels(self, traffic: Traffic, destination: Facts) -> dict[Distance, int]:
        """Peers by how their rules answer to the traffic: misses, unknowns, and what can hold beside the peer."""
        key = (traffic, destination.class_id if self.by_destination else -1)
        known = self._levels.get(key)
        if known is None:
            if len(self._levels) >= _MEMORY:
                self._levels.clear()
            known = self._levels[key] = {}
            for position, peers in self._alike_traffic:
                check = self.traffic_check(position, traffic, destination)
                level = (len(check.misses), len(check.unknown), 1 + (check.outcome is Outcome.MATCH))
                known[level] = known.get(level, 0) | peers
        return known

    @cached_property
    def _alike_traffic(self) -> list[tuple[int, int]]:
        """One rule of those with the same conditions on the traffic, and the peers of all of them."""
        first: dict[int, int] = {}
        peers: dict[int, int] = {}
        for position, number in enumerate(self._traffic_of):
            first.setdefault(number, position)
            peers[number] = peers.get(number, 0) | self.peer_list.of_rule[position]
        return [(first[number], bits) for number, bits in peers.items()]

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
