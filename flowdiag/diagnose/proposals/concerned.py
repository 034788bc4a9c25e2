"""Which pairs one edit can change at all, so that a proof asks these and no others.

Ends that no condition of any of the policy sets tells apart are one group and are asked once.  Of a policy
that selects the same ends and isolates as before, only the rules that were added, taken away or written
anew can change anything, and these only for the peers that they may match.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet

from msgspec import Struct

from flowdiag.diagnose.proposals.edit import AnyEdit, Edit, Labelling
from flowdiag.diagnose.wording import end_text
from flowdiag.model.endpoint import Endpoint, EndpointKind
from flowdiag.model.event import Direction
from flowdiag.model.policy import PolicyRef
from flowdiag.policy import PolicySet
from flowdiag.policy.ends import EndsBook
from flowdiag.policy.facts import Facts
from flowdiag.policy.index import Plan, View, bits_of
from flowdiag.policy.model import Outcome, Policy, Rule

__all__ = ["Group", "Groups", "Pair", "concerned", "selected_by"]


class Group(Struct, frozen=True, eq=False):
    """Ends that no policy set tells apart; `end` stands for all of them."""

    end: Endpoint
    names: tuple[str, ...]
    """How a report names them, sorted."""

    @property
    def outside(self) -> bool:
        """Whether they are outside addresses."""
        return self.end.kind is EndpointKind.EXTERNAL


Pair = tuple[Group, Group]
"""Client and server."""


class Groups:
    """The ends that a blast radius ranges over, put together as policy sets see them.

    Args:
        ends: pods and outside addresses.
    """

    def __init__(self, ends: Iterable[Endpoint]) -> None:
        self._ends = tuple((end, end_text(end)) for end in ends)
        self._known: dict[tuple[int, ...], tuple[list[EndsBook], list[Group]]] = {}

    def of(self, sets: Sequence[PolicySet]) -> list[Group]:
        """Put ends together that every one of the sets takes for alike; in the order of the first of each."""
        # Sets that ask the same of ends share what they know of them, and most edits ask nothing new.
        asked = {id(policies.ends): policies for policies in sets}
        crosses = any(policies.crosses for policies in sets)
        key = (*asked, int(crosses))
        known = self._known.get(key)
        if known is None:
            members: dict[tuple[object, ...], list[tuple[Endpoint, str]]] = {}
            for end, name in self._ends:
                classes = tuple(_facts(policies, end).class_id for policies in asked.values())
                node = end.pod.node if crosses and end.pod is not None else None
                members.setdefault((end.kind, *classes, node), []).append((end, name))
            groups = [Group(own[0][0], tuple(sorted({name for _, name in own}))) for own in members.values()]
            # The books are kept so that their identities stay their own.
            known = self._known[key] = ([policies.ends for policies in asked.values()], groups)
        return known[1]


def concerned(old: PolicySet, new: PolicySet, edit: AnyEdit, groups: Sequence[Group]) -> Iterator[Pair]:
    """Yield pairs whose open ports may differ after one edit; a pair may come twice.

    Args:
        old: the policies before.
        new: the same with the edit.
        edit: what was changed.
        groups: of ends that neither of the two tells apart.
    """
    for direction in Direction:
        if isinstance(edit, Labelling):
            found = _by_label(old, new, direction, groups)
        elif old.crosses or new.crosses:
            # What stands on the way may be refused by where pods run: nothing is left out.
            found = ((subject, peer) for subject in groups for peer in groups if not subject.outside)
        else:
            found = _by_policy(old, new, direction, edit, groups)
        for subject, peer in found:
            if not (subject.outside and peer.outside):
                yield (subject, peer) if direction is Direction.EGRESS else (peer, subject)


def selected_by(policies: PolicySet, refs: AbstractSet[PolicyRef], groups: Iterable[Group]) -> list[Group]:
    """The groups that one of the policies selects, perhaps or surely."""
    edited = _edited(policies, refs)
    return [group for group in groups if _selected(edited, policies, group)]


def _facts(policies: PolicySet, end: Endpoint) -> Facts:
    return policies.facts(end, end)[0]


# --- an edited policy ---------------------------------------------------------------------------------


def _by_policy(
    old: PolicySet, new: PolicySet, direction: Direction, edit: Edit, groups: Sequence[Group]
) -> Iterator[Pair]:
    refs = {edit.new.ref} | ({edit.old.ref} if edit.old is not None else set())
    sides = (old, new)
    before, after = (_edited(each, refs) for each in sides)
    rules = _rewritten(before, after, direction)
    every = [_bits(each.plan(direction), refs, None) for each in sides]
    rewritten = [_bits(each.plan(direction), refs, rules) for each in sides]
    broken = any(policy.broken for _, policy in (*before, *after))
    plans = [each.plan(direction) for each in sides]
    looks = [(peer, [_facts(each, peer.end) for each in sides]) for peer in groups]
    for subject in groups:
        if subject.outside:
            continue
        own = [_selected(one, each, subject) for one, each in ((before, old), (after, new))]
        if not own[0] and not own[1]:
            continue
        views = [each.view(direction, _facts(each, subject.end)) for each in sides]
        if broken or _standing(views[0]) != _standing(views[1]):
            yield from ((subject, peer) for peer in groups)
            continue
        masks = [
            bits & view.answers.maybe
            for bits, view in zip(rewritten if own[0] == own[1] else every, views, strict=True)
        ]
        for peer, facts in looks:
            if any(
                mask and plan.peer_answers(look, mask).maybe & mask
                for plan, look, mask in zip(plans, facts, masks, strict=True)
            ):
                yield subject, peer


def _edited(policies: PolicySet, refs: AbstractSet[PolicyRef]) -> list[tuple[str, Policy]]:
    """The compiled policies of these names, with the tiers they stand in."""
    return [(tier.name, one) for tier in policies.tiers for one in tier.policies if one.ref in refs]


def _rewritten(
    before: Sequence[tuple[str, Policy]], after: Sequence[tuple[str, Policy]], direction: Direction
) -> AbstractSet[object]:
    """Rules, without their paths, that only one side has; all of them where they stand in another order."""
    had, has = (
        [_text(rule) for _, one in each for rule in one.rules.get(direction, ())] for each in (before, after)
    )
    kept = set(had) & set(has)
    if [rule for rule in had if rule in kept] != [rule for rule in has if rule in kept]:
        return {*had, *has}
    return set(had) ^ set(has)


def _text(rule: Rule) -> tuple[object, ...]:
    peers = None if rule.peers is None else tuple(peer.matchers for peer in rule.peers)
    return (rule.action, peers, rule.subject, rule.traffic, rule.note)


def _bits(plan: Plan, refs: AbstractSet[PolicyRef], rules: AbstractSet[object] | None) -> int:
    """Bits of the rules of these policies, or of those among them that are in `rules`."""
    bits = 0
    for place, policy in enumerate(plan.policies):
        if policy.ref not in refs:
            continue
        for position in bits_of(plan.rule_bits[place]):
            if rules is None or _text(plan.rules[position]) in rules:
                bits |= 1 << position
    return bits


def _selected(
    policies: Sequence[tuple[str, Policy]], held: PolicySet, subject: Group
) -> list[tuple[object, ...]]:
    """By which of the policies the end is selected, how surely, and where they stand."""
    facts = _facts(held, subject.end)
    return [
        (outcome, tier, policy.rank, policy.isolates, policy.directions)
        for tier, policy in policies
        if (outcome := Plan.selects(policy, facts).outcome) is not Outcome.MISS
    ]


def _standing(view: View) -> tuple[object, ...]:
    return ([bool(places) for places in view.isolating], view.maybe_isolating)


# --- a labelled namespace -----------------------------------------------------------------------------


def _by_label(
    old: PolicySet, new: PolicySet, direction: Direction, groups: Sequence[Group]
) -> Iterator[Pair]:
    """The policies stand as they did, rule by rule: what differs is how ends look to them."""
    plans = [each.plan(direction) for each in (old, new)]
    every = (1 << len(plans[0].rules)) - 1
    looks = {}
    for peer in groups:
        answers = [
            plan.peer_answers(_facts(each, peer.end), every)
            for plan, each in zip(plans, (old, new), strict=True)
        ]
        looks[peer] = (answers[0].sure ^ answers[1].sure) | (answers[0].maybe ^ answers[1].maybe)
    for subject in groups:
        if subject.outside:
            continue
        views = [each.view(direction, _facts(each, subject.end)) for each in (old, new)]
        same = _seen(views[0]) == _seen(views[1])
        wanted = views[0].answers.maybe
        yield from ((subject, peer) for peer in groups if not same or looks[peer] & wanted)


def _seen(view: View) -> tuple[object, ...]:
    maybe = [[place for place, _ in places] for places in view.maybe_selecting]
    return (view.selecting, maybe, view.answers.sure, view.answers.maybe, *_standing(view))
