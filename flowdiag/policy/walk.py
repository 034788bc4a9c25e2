"""The walk through the policies of one end, told line by line as a person would tell it."""

from __future__ import annotations

from flowdiag.model.event import Direction
from flowdiag.model.policy import CONDITION_WORDS, PolicyRef, WalkStep
from flowdiag.model.words import object_text
from flowdiag.policy.bitsets import bits_of
from flowdiag.policy.decide import End, TierStep, Verdict
from flowdiag.policy.facts import NOT_MEANT, Facts
from flowdiag.policy.index import Plan
from flowdiag.policy.model import Action, Check, Order, Outcome, Policy, Traffic
from flowdiag.policy.nearest import Candidate, candidates, closest_label
from flowdiag.policy.selecting import View

__all__ = ["tell"]

_MAX_WALKED = 200
"""Policies of a tier that are told."""


def tell(
    plan: Plan,
    view: View,
    verdict: Verdict,
    ends: tuple[Facts, Facts],
    traffic: Traffic,
) -> tuple[WalkStep, ...]:
    """Tell one end's decision.

    Args:
        plan: the direction.
        view: what the policies are to the policed end.
        verdict: what `flowdiag.policy.decide` made of it.
        ends: the policed end, and its peer.
        traffic: what was asked.
    """
    subject = ends[0]
    word = "ingress at the destination" if plan.direction is Direction.INGRESS else "egress at the source"
    steps = [WalkStep(tier=None, policy=None, rule=None, outcome="end", text=f"{word}: {subject.text}")]
    for step in verdict.steps:
        steps.extend(_tier(plan, view, step, ends, traffic))
    allowed = {True: "allow", False: "deny", None: "unknown"}[verdict.allowed]
    closing = {
        "allow": "allowed" if verdict.steps else "allowed: no policy selects it in this direction",
        "deny": "denied",
        "unknown": "cannot be told",
    }[allowed]
    steps.append(_step(None, None, None, allowed, f"{plan.direction}: {closing}"))
    return tuple(steps)


def _tier(
    plan: Plan, view: View, step: TierStep, ends: tuple[Facts, Facts], traffic: Traffic
) -> list[WalkStep]:
    """Tell what one tier made of the connection: its policies that select the end, then how it ended."""
    subject, peer = ends
    tier = plan.tiers[step.tier]
    destination = subject if plan.direction is Direction.INGRESS else peer
    measured: dict[int, list[Candidate]] = {}
    for each in candidates(plan, view.answers.known & tier.mask, subject, peer, traffic, destination):
        measured.setdefault(each.position, []).append(each)
    selecting: list[tuple[int, Check | None]] = [(place, None) for place in view.selecting[step.tier]]
    selecting += view.maybe_selecting[step.tier]
    selecting.sort(key=lambda each: each[0])
    steps = []
    for place, doubt in selecting[:_MAX_WALKED]:
        policy = plan.policies[place]
        if policy.implicit and (step.rule is None or plan.policy_of[step.rule] != place):
            continue
        steps.append(_selecting(tier.tier.name, policy, subject, doubt))
        if policy.broken:
            text = f"{object_text(policy.ref)} cannot be evaluated: {policy.broken}"
            steps.append(_step(tier.tier.name, policy.ref, None, "unknown", text))
            continue
        steps.extend(_rules(plan, place, tier.tier.name, measured, peer))
        effect = _effect(plan, place, measured)
        if effect == "no-match" and not (tier.tier.closes and plan.direction in policy.isolates):
            effect = "no-rule"
        text = f"{object_text(policy.ref)}: {_EFFECTS[effect]}"
        steps.append(_step(tier.tier.name, policy.ref, None, effect, text))
        if tier.tier.order is Order.ORDERED and doubt is None and effect in ("allow", "deny", "pass"):
            # The policies behind it are not asked any more.
            break
    implicit = all(plan.policies[place].implicit for place, _ in selecting)
    return [*steps, _ended(plan, step, tier.tier.name, implicit=implicit)]


def _selecting(tier: str, policy: Policy, subject: Facts, doubt: Check | None) -> WalkStep:
    """Tell that a policy selects the end, or that it may."""
    what = object_text(policy.ref)
    if doubt is not None:
        text = f"{what} may select {subject.text}: {', '.join(doubt.unknown)}"
        return _step(tier, policy.ref, None, "unknown", text)
    text = f"{what} selects {subject.text}{_why(policy.applies_to, policy.namespace)}"
    return _step(tier, policy.ref, None, "selects", text)


def _ended(plan: Plan, step: TierStep, tier: str, *, implicit: bool) -> WalkStep:
    """Tell how a tier ended; `implicit` says that no object selects the end, only what an agent's settings come to."""
    ways = [word for word, end in _WAYS if end & step.ends]
    outcome = ways[0] if len(ways) == 1 else "unknown"
    by = None if step.rule is None else plan.policies[plan.policy_of[step.rule]].ref
    rule = None if step.rule is None else plan.rules[step.rule].path
    text = _tier_text(outcome, rule, by)
    if outcome == "next" and plan.tiers[step.tier].tier.apart:
        text = "none of its rules denies this"
    if outcome == "deny" and rule is None and implicit:
        text = (
            f"denied: no policy selects it, and {plan.tiers[step.tier].tier.why_always or 'that closes it'}"
        )
    return _step(tier, by, rule, f"tier-{outcome}", f"tier {tier}: {text}")


_WAYS = (("allow", End.ALLOW), ("deny", End.DENY), ("next", End.NEXT))
"""Ways in which a tier can end, and the bit of each in `TierStep.ends`."""

_EFFECTS = {
    "allow": "allows this",
    "deny": "denies this",
    "pass": "passes this on to the next tier",
    "log": "only logs this",
    "unknown": "whether it decides this is not known",
    "no-match": "isolates it, and no rule admits this",
    "no-rule": "no rule matches this, and it isolates nothing",
}


def _step(tier: str | None, ref: PolicyRef | None, rule: str | None, outcome: str, text: str) -> WalkStep:
    return WalkStep(tier=tier, policy=ref, rule=rule, outcome=outcome, text=text)


def _why(applies_to: tuple[object, ...], namespace: str | None) -> str:
    texts = []
    for matcher in applies_to:
        selector = getattr(matcher, "selector", None)
        text = getattr(selector, "text", "")
        if text:
            texts.append(str(text))
    if texts:
        return f" (its labels meet {' and '.join(texts)})"
    return f" (every pod of {namespace})" if namespace is not None else " (every pod)"


def _rules(
    plan: Plan, place: int, tier: str, measured: dict[int, list[Candidate]], peer: Facts
) -> list[WalkStep]:
    steps = []
    ref = plan.policies[place].ref
    labels = [f"{key}={value}" for key, value in sorted((peer.labels or {}).items())]
    positions = list(bits_of(plan.rule_bits[place]))
    # A rule that means each namespace's own pods is compiled once for each: told is the one that is about this end.
    about = {
        plan.rules[position].path
        for position in positions
        for each in measured.get(position, ())
        if each.own.outcome is not Outcome.MISS
    }
    for position in positions:
        rule = plan.rules[position]
        for each in measured.get(position, ()):
            if rule.path in about and each.own.outcome is Outcome.MISS:
                continue
            outcome, text = _told(each.check, labels)
            note = f" ({rule.note})" if rule.note and outcome == "match" else ""
            steps.append(_step(tier, ref, each.path, outcome, f"{each.path} ({rule.action}): {text}{note}"))
    return steps


def _told(check: Check, labels: list[str]) -> tuple[str, str]:
    if check.outcome is Outcome.MATCH:
        return "match", "matches"
    if check.outcome is Outcome.UNKNOWN:
        return "unknown", "not known: " + "; ".join(check.unknown)
    parts = []
    for miss in check.misses:
        found = "none" if miss.found is None else miss.found
        if found.startswith("\0"):
            kind = next((kind for kind, place in NOT_MEANT.items() if place == found), None)
            found = "another address" if kind is None else f"a {kind}'s address"
        text = f"{CONDITION_WORDS[miss.condition]}: wants {miss.wanted}, found {found}"
        near = closest_label(miss.wanted, labels) if miss.condition == "pod" else None
        parts.append(text + (f" (closest label: {near})" if near is not None else ""))
    return "miss", "; ".join(parts) or "names no peer"


def _effect(plan: Plan, place: int, measured: dict[int, list[Candidate]]) -> str:
    logged = False
    for position in bits_of(plan.rule_bits[place]):
        checks = [each.check.outcome for each in measured.get(position, ())]
        if not checks or max(checks) is Outcome.MISS:
            continue
        if max(checks) is Outcome.UNKNOWN:
            return "unknown"
        action = plan.rules[position].action
        if action is Action.LOG:
            logged = True
            continue
        return action.value
    return "log" if logged else "no-match"


def _tier_text(outcome: str, rule: str | None, ref: PolicyRef | None) -> str:
    by = f" by {rule} of {object_text(ref)}" if rule is not None and ref is not None else ""
    return {
        "allow": f"allowed{by}",
        "deny": f"denied{by}" if by else "denied: selected, and no rule admits it",
        "next": f"passed on{by}" if by else "no rule decides; the next tier is tried",
    }.get(outcome, "cannot be told")
