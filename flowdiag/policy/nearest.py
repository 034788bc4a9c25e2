"""Which rule came nearest to allowing a connection, and what it missed.

The misses are the ones that the rule's own conditions tell; this module only ranks them.
Method: fewest misses first, then fewest unknowns, then the rule of which most conditions did hold, then
the policies' order, so that the ranking never depends on the order of files.
Where there are many rules, the
most promising are measured first: how near a rule can be at best follows from demands and from the conditions on the
traffic, without asking its conditions on the peer (`Plan.distances`).
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from typing import NamedTuple

from flowdiag.model.policy import Miss, NearestRule
from flowdiag.policy.bitsets import bits_of
from flowdiag.policy.facts import ADDRESS, NOT_MEANT, SUBJECT_ADDRESS, Facts
from flowdiag.policy.index import Plan
from flowdiag.policy.model import MATCH, Check, Outcome, Traffic, all_of
from flowdiag.policy.traffic_answers import Distance

__all__ = [
    "MAX_NEAREST",
    "Candidate",
    "candidates",
    "closest_label",
    "holds_address",
    "named",
    "nearest_rules",
]

MAX_NEAREST = 5
"""Rules kept per end; a reader looks at one or two."""

_FEW = 16
"""So many rules are measured one by one."""

_PLACES = frozenset({ADDRESS, SUBJECT_ADDRESS, *NOT_MEANT.values()})
_MAX_DISTANCE = 3
_MAX_LABELS = 512
_MAX_LABEL_LENGTH = 128


class Candidate(NamedTuple):
    """One alternative of a rule (a rule with one of its peers) and how far it was from matching.

    The fields stand in the order of ranking: candidates sort nearest first.
    """

    misses: int
    unknowns: int
    not_held: int
    """Minus the number of its conditions that did hold."""
    position: int
    place: int
    """Which of the rule's peers; with `position` it is unique, so that sorting looks no further."""
    path: str
    own: Check
    peer: Check
    passing: Check

    @property
    def check(self) -> Check:
        """The rule's answer with this peer."""
        if self.own is MATCH and self.passing is MATCH:
            return self.peer
        return all_of([self.own, self.peer, self.passing])


_NO_PEER = Check(Outcome.MISS)


def candidates(
    plan: Plan, rules: int, subject: Facts, peer: Facts, traffic: Traffic, destination: Facts
) -> list[Candidate]:
    """Measure the rules in the bit set `rules`, in their order.

    Of a rule's peers the one that matches stays alone and with the rule's own path; where none does, those
    with the fewest misses stay.
    """
    found: list[Candidate] = []
    for position in bits_of(rules):
        rule = plan.rules[position]
        own = all_of([each.check(subject) for each in rule.subject]) if rule.subject else MATCH
        passing = plan.traffic.check(position, traffic, destination)
        if own is MATCH and passing is MATCH:
            misses, unknowns, held = 0, 0, 2
        else:
            misses = len(own.misses) + len(passing.misses)
            unknowns = len(own.unknown) + len(passing.unknown)
            held = (own.outcome is Outcome.MATCH) + (passing.outcome is Outcome.MATCH)
        alternatives = plan.peers.alternatives(position)
        if not alternatives:
            check = MATCH if alternatives is None else _NO_PEER
            found.append(Candidate(misses, unknowns, -held, position, 0, rule.path, own, check, passing))
            continue
        fewest = len(found)
        for index, (path, alternative) in enumerate(alternatives):
            check, more = alternative.of(peer)
            missed = misses + len(check.misses)
            matched = check.outcome is Outcome.MATCH
            if matched or (len(found) > fewest and missed < found[fewest].misses):
                del found[fewest:]
            elif len(found) > fewest and missed > found[fewest].misses:
                continue
            found.append(
                Candidate(
                    missed,
                    unknowns + len(check.unknown),
                    -held - more,
                    position,
                    index,
                    rule.path if matched else path,
                    own,
                    check,
                    passing,
                )
            )
            if matched:
                break
    return found


def nearest_rules(
    plan: Plan, rules: int, subject: Facts, peer: Facts, traffic: Traffic, destination: Facts
) -> tuple[NearestRule, ...]:
    """Rank the rules in the bit set `rules`, and keep the nearest of those that do not match."""
    levels = None if rules.bit_count() <= _FEW else plan.distances(rules, peer, traffic, destination)
    if levels is None:
        nearest = _ranked(candidates(plan, rules, subject, peer, traffic, destination))
    else:
        nearest = _searched(plan, levels, subject, peer, traffic, destination)
    return tuple(
        NearestRule(
            policy=plan.policies[plan.policy_of[each.position]].ref,
            rule=each.path,
            misses=check.misses,
            unknown=check.unknown,
        )
        for each in nearest
        for check in (each.check,)
    )


def _ranked(measured: list[Candidate]) -> list[Candidate]:
    measured.sort()
    missing = (each for each in measured if each.check.outcome is not Outcome.MATCH)
    return list(islice(missing, MAX_NEAREST))


def _searched(
    plan: Plan,
    levels: list[tuple[Distance, int]],
    subject: Facts,
    peer: Facts,
    traffic: Traffic,
    destination: Facts,
) -> list[Candidate]:
    """Measure rules by their least possible distances, until none that is left can come among the nearest."""
    peers = plan.peers.list
    nearest: list[Candidate] = []
    done = 0
    for distance, level in levels:
        left = level & ~done
        while left:
            position = peers.rule_of[(left & -left).bit_length() - 1]
            # Peers are in the order of the rules, so that none behind this one at the same distance ranks before it.
            if len(nearest) == MAX_NEAREST and (*distance, position) > nearest[-1][:4]:
                break
            done |= peers.of_rules((position,))
            left &= ~done
            measured = candidates(plan, 1 << position, subject, peer, traffic, destination)
            nearest = _ranked(nearest + measured)
    return nearest


def holds_address(rules: tuple[NearestRule, ...]) -> bool:
    """Whether an answer for a class of ends has a placeholder for an end's own address (`ADDRESS`)."""
    return any(miss.found in _PLACES for rule in rules for miss in rule.misses)


def named(rules: tuple[NearestRule, ...], subject: Facts, peer: Facts) -> tuple[NearestRule, ...]:
    """Replace the placeholders in an answer for a class by the ends' own addresses."""
    own = peer.address_text
    texts = {
        ADDRESS: own,
        SUBJECT_ADDRESS: subject.address_text,
        **{place: f"{own}, which is a {kind}'s" for kind, place in NOT_MEANT.items()},
    }
    return tuple(
        NearestRule(
            policy=rule.policy,
            rule=rule.rule,
            misses=tuple(
                Miss(miss.condition, miss.wanted, texts[miss.found]) if miss.found in texts else miss
                for miss in rule.misses
            ),
            unknown=rule.unknown,
        )
        for rule in rules
    )


def closest_label(wanted: str, labels: Iterable[str]) -> str | None:
    """Find the label that somebody may have meant.

    Args:
        wanted: ``key=value`` as a rule asks for it.
        labels: ``key=value`` of labels that exist (on the end itself, or anywhere in the cluster).

    Returns:
        The label with the same letters in another case, else the one at the smallest edit distance, up
        to 3 edits and never more than a third of the text, or the one with the same value under another
        key; ``None`` where nothing is near.  Deterministic; `wanted` itself is never returned.
    """
    if "=" not in wanted or len(wanted) > _MAX_LABEL_LENGTH:
        return None
    near: tuple[int, str] | None = None
    key, _, value = wanted.partition("=")
    for label in sorted({each for each in labels if len(each) <= _MAX_LABEL_LENGTH})[:_MAX_LABELS]:
        if label == wanted:
            continue
        if label.lower() == wanted.lower():
            return label
        other_key, _, other_value = label.partition("=")
        if value and value == other_value:
            distance = 1
        elif key == other_key:
            distance = _distance(value, other_value, min(_MAX_DISTANCE, max(1, len(value) // 3)))
        else:
            distance = _distance(wanted, label, min(_MAX_DISTANCE, len(wanted) // 3))
        if distance <= _MAX_DISTANCE and (near is None or (distance, label) < near):
            near = (distance, label)
    return near[1] if near is not None else None


def _distance(left: str, right: str, bound: int) -> int:
    """Edit distance, or more than `_MAX_DISTANCE` where it passes `bound`."""
    too_far = _MAX_DISTANCE + 1
    if abs(len(left) - len(right)) > bound:
        return too_far
    previous = list(range(len(right) + 1))
    for row, letter in enumerate(left, 1):
        current = [row]
        for column, other in enumerate(right, 1):
            current.append(
                min(
                    previous[column] + 1,
                    current[column - 1] + 1,
                    previous[column - 1] + (letter != other),
                )
            )
        if min(current) > bound:
            return too_far
        previous = current
    return previous[-1] if previous[-1] <= bound else too_far
