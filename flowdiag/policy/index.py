"""Answers of conditions as bit sets over all rules of a direction, each asked once per class of ends.

Every rule of a direction has a bit, in the order in which it is tried.  For a class of policed ends, a
class of peers and a kind of traffic there is one pair of bit sets each: rules that match for sure, and
rules that may match.  A connection is then three ANDs, and what is left decides (`flowdiag.policy.decide`).
The bits are nothing but remembered answers of `Rule`'s own conditions: there is no second implementation.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cached_property
from operator import itemgetter
from typing import NamedTuple

from flowdiag.model.event import Direction
from flowdiag.model.policy import PolicyRef
from flowdiag.policy.bitsets import bits_of
from flowdiag.policy.conditions import Alternatives, Conditions
from flowdiag.policy.facts import Facts
from flowdiag.policy.model import MATCH, Check, Order, Outcome, Policy, Rule, Tier, Traffic, all_of
from flowdiag.policy.openness import EndPorts
from flowdiag.policy.peer_answers import PeerAnswers
from flowdiag.policy.ports import PortSet
from flowdiag.policy.selecting import Selection, Selections, View
from flowdiag.policy.traffic_answers import Distance, TrafficAnswers

__all__ = ["Plan", "TierPlan", "Told", "in_order"]


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


class Told(NamedTuple):
    """The rules' verdicts on all ports of a protocol between two ends."""

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
        self.apart: list[int] = []
        """Tiers that are asked of what the others let pass (`Tier.apart`)."""
        self.by_destination = 0
        self.implicit = 0
        """Bits of the rules that no object holds."""
        self.remainders: set[PolicyRef] = set()
        """Policies that only stand for "no policy decided" (`Policy.remainder`)."""
        self._selections = Selections()
        self._views: dict[tuple[int, int], View] = {}
        self._shared: dict[tuple[object, ...], View] = {}
        self._conditions = conditions
        self._alternatives: list[Alternatives] = []
        self._traffic_of: list[int] = []
        self.spans: dict[tuple[int, int, int, str, int], Told] = {}
        """The memory of `flowdiag.policy.reach`: verdicts over all ports of a protocol."""
        self.ends: dict[tuple[int, int, int, int, bool], EndPorts] = {}
        """The memory of `flowdiag.policy.reach`: open ports of ends, which ends with the same verdicts share."""
        for tier, policies in tiers:
            if tier.always or any(direction in policy.directions for policy in policies):
                self._enter(tier, policies)
        self.peers = PeerAnswers(self._alternatives)
        self.traffic = TrafficAnswers(self.rules, self._traffic_of, self.by_destination, self.peers)

    def _enter(self, tier: Tier, policies: Sequence[Policy]) -> None:
        plan = TierPlan(tier)
        if tier.apart:
            self.apart.append(len(self.tiers))
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
                selection = selections[key] = self._selections.add(policy, entry)
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
            if policy.remainder:
                self.remainders.add(policy.ref)
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

    def _build_view(self, facts: Facts, epoch: int, active: int) -> View:
        selected = self._selections.of(facts)
        if any(selection.narrowed or check is not MATCH for selection, check in selected):
            return self._put_together(selected, facts, active)
        # Ends share a view if the same policies surely select them, and no rule of these asks more of them.
        key = (epoch, facts.kind, *(id(selection) for selection, _ in selected))
        view = self._shared.get(key)
        if view is None:
            view = self._shared[key] = self._put_together(selected, facts, active)
        return view

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

    def distances(
        self, rules: int, peer: Facts, traffic: Traffic, destination: Facts
    ) -> list[tuple[Distance, int]] | None:
        """Tell how near rules can be at best, nearest first, as bits of their peers in `PeerAnswers.list`.

        Args:
            rules: bits of the rules.
            peer: the refused end.
            traffic: what was asked.
            destination: whose ports count.

        Returns:
            ``None`` where nothing can be said before the peers are asked.
        """
        levels = self.peers.list.levels(peer)
        if levels is None:
            return None
        wanted = self.peers.list.of(rules)
        found: dict[Distance, int] = {}
        for (misses, unknowns, held), passing in self.traffic.levels(traffic, destination).items():
            here = passing & wanted
            for (unmet, size), bits in levels.items() if here else ():
                # Where a demand is not met, at least one condition on the peer does not hold.
                best = (misses + unmet, unknowns, -held - size + (unmet > 0))
                found[best] = found.get(best, 0) | (bits & here)
        return sorted((best, bits) for best, bits in found.items() if bits)

    def matching(self, view: View, peer: Facts, traffic: Traffic, destination: Facts) -> tuple[int, int]:
        """Bit sets ``(sure, maybe)`` of the rules that match a connection."""
        wanted = view.answers.maybe
        if not wanted:
            return 0, 0
        peers = self.peers.of(peer, wanted)
        wanted &= peers.maybe
        if not wanted:
            return 0, 0
        sure, maybe = self.traffic.of(traffic, destination, wanted)
        return sure & view.answers.sure & peers.sure, maybe
