"""Which pairs of ends an edit can affect at all, so that a proof asks about these only.

Ends stand in the groups of `flowdiag.diagnose.proposals.groups`.  Of a policy that selects the same ends and isolates
as before, only the rules that were added, taken away or written anew can change anything, and these only for the
peers that they may match.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet

from flowdiag.diagnose.proposals.cuts import Cut, Group, Seen
from flowdiag.diagnose.proposals.edit import AnyEdit, Edit, Labelling
from flowdiag.model.event import Direction
from flowdiag.model.policy import PolicyRef
from flowdiag.policy import PolicySet
from flowdiag.policy.bitsets import bits_of
from flowdiag.policy.conditions import Alternative, Asked
from flowdiag.policy.facts import Facts
from flowdiag.policy.index import Plan
from flowdiag.policy.model import Outcome, Policy, Rule
from flowdiag.policy.selecting import View, selects

__all__ = ["Pair", "concerned", "selected_by"]

Pair = tuple[Group, Group]
"""Client and server."""

_FEW = 64
"""Groups up to which it costs less to ask a policy than to look up what they show."""


def concerned(old: PolicySet, new: PolicySet, edit: AnyEdit, cut: Cut) -> Iterator[tuple[Pair, Direction]]:
    """Yield pairs whose open ports may differ after one edit, and at which end; one may come twice.

    Args:
        old: the policies before.
        new: the same with the edit.
        edit: what was changed.
        cut: groups of ends that neither of the two tells apart.
    """
    chosen: _Chosen | None = None
    for direction in Direction:
        if isinstance(edit, Labelling):
            found = _by_label(old, new, direction, edit, cut)
        elif old.beyond.crosses or new.beyond.crosses:
            # Something on the way may refuse by where pods run, which the groups do not show: no pair is left out.
            found = ((subject, peer) for subject in cut.groups for peer in cut.groups if not subject.outside)
        else:
            chosen = chosen or _Chosen(old, new, edit, cut)
            found = _by_policy(old, new, direction, chosen, cut)
        for subject, peer in found:
            if not (subject.outside and peer.outside) and subject.meets(peer):
                pair = (subject, peer) if direction is Direction.EGRESS else (peer, subject)
                yield pair, direction


def selected_by(policies: PolicySet, ref: PolicyRef, cut: Cut) -> list[Group]:
    """The groups inside the cluster that a policy selects, perhaps or surely."""
    edited = policies.register.named(ref)
    facts = cut.facts(policies)
    return [cut.groups[place] for place in _near([(edited, facts)], cut) if _selected(edited, facts[place])]


def _near(asked: Sequence[tuple[Sequence[tuple[str, Policy]], Seen]], cut: Cut) -> list[int]:
    """Places of the groups that one of these policies may select, each with what its set's conditions see."""
    every = [policy for policies, _ in asked for _, policy in policies]
    places = cut.within({policy.namespace for policy in every})
    if len(places) <= _FEW:
        return places
    near: set[int] = set()
    for policies, seen in asked:
        for _, policy in policies:
            near |= cut.may_meet(seen, Alternative(tuple(map(Asked, policy.applies_to))))
    return [place for place in places if place in near]


# --- an edited policy ---------------------------------------------------------------------------------


class _Chosen:
    """The edited policies before and after, and whom they select, perhaps or surely."""

    def __init__(self, old: PolicySet, new: PolicySet, edit: Edit, cut: Cut) -> None:
        self.refs = dict.fromkeys((edit.new.ref, edit.old.ref if edit.old is not None else edit.new.ref))
        self.before, self.after = (
            [one for ref in self.refs for one in each.register.named(ref)] for each in (old, new)
        )
        every = [policy for _, policy in (*self.before, *self.after)]
        self.broken = any(policy.broken for policy in every)
        in_force = [
            [policy.validity.until is None for _, policy in each] for each in (self.before, self.after)
        ]
        self.settled = in_force[0] == in_force[1] and all(in_force[0])
        """Whether none of them is an earlier version that no longer holds: selecting the same ends then means the
        same for these."""
        looks = [cut.facts(each) for each in (old, new)]
        self.ends: list[tuple[int, bool]] = []
        """Places of those whom they select, and whether it is the same before and after."""
        for place in _near(list(zip((self.before, self.after), looks, strict=True)), cut):
            own = [
                _selected(one, look[place])
                for one, look in zip((self.before, self.after), looks, strict=True)
            ]
            if own[0] or own[1]:
                self.ends.append((place, own[0] == own[1]))


def _by_policy(
    old: PolicySet, new: PolicySet, direction: Direction, chosen: _Chosen, cut: Cut
) -> Iterator[Pair]:
    sides = (old, new)
    plans = [each.plan(direction) for each in sides]
    rules = _rewritten(chosen.before, chosen.after, direction)
    every = [_asked(plan, chosen.refs, None) for plan in plans]
    rewritten = [_asked(plan, chosen.refs, rules) for plan in plans]
    facts = [cut.facts(each) for each in sides]
    reached: dict[tuple[tuple[int, ...], ...], Sequence[Group]] = {}
    for place, alike in chosen.ends:
        subject, looks = cut.groups[place], [each[place] for each in facts]
        if chosen.broken:
            yield from ((subject, peer) for peer in cut.groups)
            continue
        asked = rewritten if alike else every
        if alike and chosen.settled:
            # All other policies are the same, and these isolate the same ends as before: only their rules may differ.
            positions = tuple(
                tuple(position for position in each if _may_concern(plan, position, look))
                for each, plan, look in zip(asked, plans, looks, strict=True)
            )
        else:
            views = [each.view(direction, look) for each, look in zip(sides, looks, strict=True)]
            if _standing(views[0]) != _standing(views[1]):
                yield from ((subject, peer) for peer in cut.groups)
                continue
            positions = tuple(
                tuple(position for position in each if view.answers.maybe >> position & 1)
                for each, view in zip(asked, views, strict=True)
            )
        peers = reached.get(positions)
        if peers is None:
            wanted = [
                (each[position], look)
                for each, own_positions, look in zip(asked, positions, facts, strict=True)
                for position in own_positions
            ]
            peers = reached[positions] = _reached(wanted, cut)
        yield from ((subject, peer) for peer in peers)


def _may_concern(plan: Plan, position: int, facts: Facts) -> bool:
    """Whether a rule of a policy that is in force may be about a policed end; as `View.answers` has it."""
    policy = plan.policies[plan.policy_of[position]]
    return selects(policy, facts).outcome is not Outcome.MISS and all(
        each.check(facts).outcome is not Outcome.MISS for each in plan.rules[position].subject
    )


def _reached(wanted: Sequence[tuple[_Peers, Seen]], cut: Cut) -> Sequence[Group]:
    """Groups that one of these peers of rules may match."""
    if any(peers is None for peers, _ in wanted):
        return cut.groups
    found = [False] * len(cut.groups)
    for peers, seen in wanted:
        for peer in peers or ():
            for number in cut.may_meet(seen, peer):
                if not found[number] and peer.outcome(seen[number]) is not Outcome.MISS:
                    found[number] = True
    return [group for group, near in zip(cut.groups, found, strict=True) if near]


_Head = tuple[object, ...]
"""A rule without its path and peers."""
_Peers = list[Alternative] | None
"""Peers of a rule; ``None`` where any peer will do."""


def _rewritten(
    before: Sequence[tuple[str, Policy]], after: Sequence[tuple[str, Policy]], direction: Direction
) -> Mapping[object, AbstractSet[object] | None]:
    """Rules, without their paths, that only one side has, with the peers that only one side has where that is all.

    All rules where they stand in another order.
    """
    had, has = (
        [_text(rule) for _, one in each for rule in one.rules.get(direction, ())] for each in (before, after)
    )
    kept = set(had) & set(has)
    if [rule for rule in had if rule in kept] != [rule for rule in has if rule in kept]:
        return dict.fromkeys((*had, *has))
    changed: dict[object, AbstractSet[object] | None] = dict.fromkeys(set(had) ^ set(has))
    aligned = len(had) == len(has) == len(set(had)) == len(set(has)) and all(
        old == new or not {old, new} & kept for old, new in zip(had, has, strict=True)
    )
    for (head, peers), (new_head, new_peers) in zip(had, has, strict=True) if aligned else ():
        # Peers of one rule are alternatives: who meets none of those that differ meets what he met before.
        if head == new_head and peers != new_peers and peers is not None and new_peers is not None:
            changed[head, peers] = changed[new_head, new_peers] = set(peers) ^ set(new_peers)
    return changed


def _text(rule: Rule) -> tuple[_Head, tuple[object, ...] | None]:
    peers = None if rule.peers is None else tuple(peer.matchers for peer in rule.peers)
    return (rule.action, rule.subject, rule.traffic, rule.note), peers


def _asked(
    plan: Plan, refs: Iterable[PolicyRef], rules: Mapping[object, AbstractSet[object] | None] | None
) -> dict[int, _Peers]:
    """Positions of the rules of these policies, or of those among them in `rules`, with the peers to ask for."""
    found: dict[int, _Peers] = {}
    for place in (place for ref in refs for place in plan.places(ref)):
        for position in bits_of(plan.rule_bits[place]):
            rule, alternatives = plan.rules[position], plan.peers.alternatives(position)
            text = _text(rule) if rules is not None else None
            if rules is not None and text not in rules:
                continue
            only = rules[text] if rules is not None else None
            found[position] = (
                None
                if alternatives is None
                else [
                    alternative
                    for peer, (_, alternative) in zip(rule.peers or (), alternatives, strict=True)
                    if only is None or peer.matchers in only
                ]
            )
    return found


def _selected(policies: Sequence[tuple[str, Policy]], facts: Facts) -> list[tuple[object, ...]]:
    """By which of the policies the end is selected, how surely, and where they stand."""
    return [
        (outcome, tier, policy.rank, policy.isolates, policy.directions)
        for tier, policy in policies
        if (outcome := selects(policy, facts).outcome) is not Outcome.MISS
    ]


def _standing(view: View) -> tuple[object, ...]:
    return ([bool(places) for places in view.isolating], view.maybe_isolating)


# --- a labelled namespace -----------------------------------------------------------------------------


def _by_label(
    old: PolicySet, new: PolicySet, direction: Direction, edit: Labelling, cut: Cut
) -> Iterator[Pair]:
    """Yield pairs for a labelled namespace: the policies are the same, rule by rule, and its ends look different to them.

    All pairs where a label makes other rules of the policies, as those of Antrea for each of its values.
    """
    sides = (old, new)
    plans = [each.plan(direction) for each in sides]
    if _places(plans[0]) != _places(plans[1]):
        yield from ((subject, peer) for subject in cut.groups if not subject.outside for peer in cut.groups)
        return
    every = (1 << len(plans[0].rules)) - 1
    facts = [cut.facts(each) for each in sides]
    labelled = cut.within({edit.namespace.name})
    changed: list[tuple[Group, int]] = []
    for place in labelled:
        before, after = (plan.peers.of(looks[place], every) for plan, looks in zip(plans, facts, strict=True))
        bits = (before.sure ^ after.sure) | (before.maybe ^ after.maybe)
        if bits:
            changed.append((cut.groups[place], bits))
    own = frozenset(labelled)
    for place, subject in enumerate(cut.groups):
        if subject.outside:
            continue
        view = old.view(direction, facts[0][place])
        if place in own and _seen(view) != _seen(new.view(direction, facts[1][place])):
            yield from ((subject, peer) for peer in cut.groups)
        else:
            wanted = view.answers.maybe
            yield from ((subject, peer) for peer, bits in changed if bits & wanted)


def _places(plan: Plan) -> list[tuple[PolicyRef, str]]:
    """Whose the rules are, in order."""
    return [
        (plan.policies[place].ref, rule.path) for place, rule in zip(plan.policy_of, plan.rules, strict=True)
    ]


def _seen(view: View) -> tuple[object, ...]:
    maybe = [[place for place, _ in places] for places in view.maybe_selecting]
    return (view.selecting, maybe, view.answers.sure, view.answers.maybe, *_standing(view))
