"""From a verdict to its explanation: what isolates, what decided, which rules came near, and what is in doubt."""

from __future__ import annotations

from flowdiag.model.event import Direction
from flowdiag.model.policy import DecidedBy, EndDecision, NearestRule, PolicyRef
from flowdiag.model.words import object_text
from flowdiag.policy.bitsets import bits_of
from flowdiag.policy.decide import End, Verdict, decide
from flowdiag.policy.facts import Facts
from flowdiag.policy.index import Plan
from flowdiag.policy.model import Order, Traffic
from flowdiag.policy.nearest import candidates, nearest_rules
from flowdiag.policy.selecting import View
from flowdiag.policy.walk import tell

__all__ = ["explained"]


def explained(
    plan: Plan,
    view: View,
    subject: Facts,
    peer: Facts,
    traffic: Traffic,
    *,
    at: int | None = None,
    walk: bool = False,
    nearest: bool = True,
) -> EndDecision:
    """Decide one end, with what explains it.

    Args:
        plan: the direction.
        view: what the policies are to the policed end.
        subject: that end.
        peer: the other one.
        traffic: what is asked of the connection besides its ends.
        at: when, in nanoseconds; ``None`` is now.
        walk: tell the walk too.
        nearest: look for the nearest rules where it is not allowed.
    """
    destination = subject if plan.direction is Direction.INGRESS else peer
    sure, maybe = plan.matching(view, peer, traffic, destination)
    verdict = decide(plan, view, sure, maybe, traffic)
    decided_by = None
    if verdict.rule is not None:
        rule = plan.rules[verdict.rule]
        policy = plan.policies[plan.policy_of[verdict.rule]]
        if not policy.implicit:
            decided_by = DecidedBy(policy.ref, rule.path, rule.action.value)
    near: tuple[NearestRule, ...] = ()
    if nearest and verdict.allowed is not True:
        wanted = _openers(plan, view, verdict) & ~plan.implicit
        near = nearest_rules(plan, wanted, subject, peer, traffic, destination)
    isolated_by = view.isolated_by
    if plan.remainders and verdict.rule is not None and verdict.allowed is False:
        # A rule denied it before the remainder was reached.
        isolated_by = tuple(ref for ref in isolated_by if ref not in plan.remainders)
    return EndDecision(
        allowed=verdict.allowed,
        isolated_by=isolated_by,
        closed_by=_closing(plan, view, verdict),
        decided_by=decided_by,
        nearest=near,
        unknown=_doubts(plan, verdict, subject, peer, traffic, view) if verdict.allowed is None else (),
        walk=tell(plan, view, verdict, (subject, peer), traffic) if walk else (),
        uncertain=_uncertain(view, at),
        notes=_notes(plan, verdict, sure),
    )


def _closing(plan: Plan, view: View, verdict: Verdict) -> tuple[PolicyRef, ...]:
    """Policies at the end of whose tier the connection was refused, or may have been."""
    if verdict.allowed is True or verdict.rule is not None:
        return ()
    closing = {step.tier for step in verdict.steps if step.ends & End.DENY and step.rule is None}
    if all(tier in closing for tier, places in enumerate(view.isolating) if places):
        return view.isolated_by
    policies = [plan.policies[place] for tier in closing for place in view.isolating[tier]]
    return tuple(sorted({policy.ref for policy in policies if not policy.implicit}))


def _doubts(
    plan: Plan, verdict: Verdict, subject: Facts, peer: Facts, traffic: Traffic, view: View
) -> tuple[str, ...]:
    words = [
        f"{object_text(plan.policies[place].ref)} cannot be evaluated: {plan.policies[place].broken}"
        for place in verdict.broken
    ]
    if verdict.tied:
        refs = sorted({plan.policies[plan.policy_of[position]].ref for position in verdict.tied})
        names = " and ".join(object_text(ref) for ref in refs)
        words.append(f"{names} have the same priority and decide differently")
    for step in verdict.steps:
        words.extend(
            f"{object_text(plan.policies[place].ref)}: {word}"
            for place, doubt in view.maybe_selecting[step.tier]
            for word in doubt.unknown
        )
    destination = subject if plan.direction is Direction.INGRESS else peer
    for each in candidates(plan, verdict.doubtful, subject, peer, traffic, destination):
        ref = plan.policies[plan.policy_of[each.position]].ref
        words.extend(f"{object_text(ref)} {each.path}: {word}" for word in each.check.unknown)
    if verdict.others:
        words.append(f"whether isolation closes {traffic.protocol} differs between enforcers")
    return tuple(dict.fromkeys(words))


def _notes(plan: Plan, verdict: Verdict, sure: int) -> tuple[str, ...]:
    """Notes of the rules that allow, if all of them have one: with a rule that has none, the allow depends on nothing more."""
    if not verdict.allowed or verdict.rule is None:
        return ()
    tier = next(step.tier for step in verdict.steps if step.rule == verdict.rule)
    rules = [plan.rules[each] for each in bits_of(sure & plan.tiers[tier].allow)]
    if not all(rule.note for rule in rules):
        return ()
    return tuple(dict.fromkeys(rule.note for rule in rules))


def _uncertain(view: View, at: int | None) -> tuple[PolicyRef, ...]:
    if at is None:
        return ()
    return tuple(sorted({ref for since, ref in view.dated if at < since}))


def _openers(plan: Plan, view: View, verdict: Verdict) -> int:
    """Rules that would have allowed had they matched: of every tier up to the one that decided."""
    wanted = 0
    for step in verdict.steps:
        tier = plan.tiers[step.tier]
        allow = tier.allow & view.answers.maybe
        if step.rule is not None and verdict.allowed is False:
            if tier.tier.order is Order.ADDITIVE:
                allow = 0
            else:
                # Behind the rule that denied, no rule is asked.
                allow &= (1 << step.rule) - 1
        wanted |= allow
    return wanted
