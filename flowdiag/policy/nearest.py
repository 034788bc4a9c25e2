"""Which rule came nearest to allowing a connection, and what it missed.

The misses are the ones that the rule's own conditions tell; this module only ranks them.
Method: fewest misses first, then fewest unknowns, then the rule of which most conditions did hold, then
the policies' order, so that the ranking never depends on the order of files.
"""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct

from flowdiag.model.policy import Miss, NearestRule
from flowdiag.policy.facts import ADDRESS, SUBJECT_ADDRESS, Facts
from flowdiag.policy.index import Plan, bits_of
from flowdiag.policy.model import Check, Outcome, Peer, Rule, Traffic, all_of

__all__ = ["MAX_NEAREST", "Candidate", "candidates", "closest_label", "named", "nearest_rules"]

MAX_NEAREST = 5
"""Rules kept per end; a reader looks at one or two."""

_MAX_DISTANCE = 3
_MAX_LABELS = 512
_MAX_LABEL_LENGTH = 128


class Candidate(Struct, frozen=True):
    """One alternative of a rule (a rule with one of its peers) and how far it was from matching."""

    position: int
    path: str
    check: Check
    held: int
    """How many of its conditions did hold."""


def candidates(
    plan: Plan, rules: int, subject: Facts, peer: Facts, traffic: Traffic, destination: Facts
) -> list[Candidate]:
    """Measure the rules in the bit set `rules`; of a rule's peers those with the fewest misses stay."""
    found = []
    for position in bits_of(rules):
        rule = plan.rules[position]
        own = all_of([each.check(subject) for each in rule.subject])
        passing = plan.traffic_check(rule, traffic, destination)
        held = (own.outcome is Outcome.MATCH) + (passing.outcome is Outcome.MATCH)
        for path, check, peers_held in _peers(rule, peer):
            whole = all_of([own, check, passing])
            found.append(Candidate(position, path, whole, held + peers_held))
    return found


def _peers(rule: Rule, facts: Facts) -> list[tuple[str, Check, int]]:
    if rule.peers is None:
        return [(rule.path, all_of([]), 1)]
    measured: list[tuple[str, Check, int]] = []
    for peer in rule.peers:
        check, held = _peer(peer, facts)
        if check.outcome is Outcome.MATCH:
            return [(rule.path, check, held)]
        measured.append((rule.path + peer.path, check, held))
    if not measured:
        return [(rule.path, Check(Outcome.MISS), 0)]
    fewest = min(len(check.misses) for _, check, _ in measured)
    return [each for each in measured if len(each[1].misses) == fewest][:MAX_NEAREST]


def _peer(peer: Peer, facts: Facts) -> tuple[Check, int]:
    checks = [matcher.check(facts) for matcher in peer.matchers]
    return all_of(checks), sum(1 for check in checks if check.outcome is Outcome.MATCH)


def nearest_rules(
    plan: Plan, measured: Iterable[Candidate], *, matching: bool = False
) -> tuple[NearestRule, ...]:
    """Rank candidates and keep the nearest.

    Args:
        plan: the direction.
        measured: what `candidates` found.
        matching: keep rules that match too (they stood behind the rule that decided).
    """
    ranked = sorted(
        (each for each in measured if matching or each.check.outcome is not Outcome.MATCH),
        key=lambda each: (
            len(each.check.misses),
            len(each.check.unknown),
            -each.held,
            each.position,
            each.path,
        ),
    )
    return tuple(
        NearestRule(
            policy=plan.policies[plan.policy_of[each.position]].ref,
            rule=each.path,
            misses=each.check.misses,
            unknown=each.check.unknown,
        )
        for each in ranked[:MAX_NEAREST]
    )


def named(rules: tuple[NearestRule, ...], subject: Facts, peer: Facts) -> tuple[NearestRule, ...]:
    """Put the ends' own addresses where answers for a whole class hold a place for them."""
    if not any(miss.found in (ADDRESS, SUBJECT_ADDRESS) for rule in rules for miss in rule.misses):
        return rules
    texts = {ADDRESS: peer.address_text, SUBJECT_ADDRESS: subject.address_text}
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
