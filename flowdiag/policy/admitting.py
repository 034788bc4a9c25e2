"""Which allow rules a connection uses on one end, down to the entry among a rule's peers.

Where policies add up, every rule that matches counts: taking one of them away changes nothing, but each is
in use.  Where the first match decides, it alone counts.
"""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct

from flowdiag.model.endpoint import Endpoint
from flowdiag.model.event import Direction, Icmp
from flowdiag.model.policy import PolicyRef
from flowdiag.policy.bitsets import bits_of
from flowdiag.policy.decide import decide
from flowdiag.policy.evaluate import PolicySet
from flowdiag.policy.facts import NOT_EVALUATED, Facts
from flowdiag.policy.index import Plan
from flowdiag.policy.model import Action, Order, Outcome, Traffic

__all__ = ["AllowRule", "Use", "admitting_rules", "allow_rules"]


class AllowRule(Struct, frozen=True, order=True):
    """A rule that admits, or one entry of its peers."""

    policy: PolicyRef
    direction: Direction
    path: str
    """``ingress[0]``, or ``ingress[0].from[1]`` for one entry of several."""


class Use(Struct, frozen=True):
    """What one connection uses on one end."""

    sure: frozenset[AllowRule] = frozenset()
    maybe: frozenset[AllowRule] = frozenset()
    """Rules that it may use besides: a condition of theirs, or of what stands before them, is unknown."""
    refused: bool = False
    """No rule of the policies, as they stand, lets it pass."""


def allow_rules(policies: PolicySet) -> Iterator[tuple[AllowRule, tuple[AllowRule, ...]]]:
    """Yield every allow rule of the policies in force now, each with its peers if it names several.

    What an enforcer's settings open (Calico's failsafe ports) is in no policy object, and is left out.
    """
    written = {policy.ref for policy in policies.snapshot.policies}
    for policy in (policy for tier in policies.tiers for policy in tier.policies):
        if policy.ref not in written or policy.broken or policy.validity.until is not None:
            continue
        for direction, rules in policy.rules.items():
            for rule in rules:
                if rule.action is not Action.ALLOW:
                    continue
                peers = rule.peers if rule.peers is not None and len(rule.peers) > 1 else ()
                yield (
                    AllowRule(policy.ref, direction, rule.path),
                    tuple(AllowRule(policy.ref, direction, rule.path + peer.path) for peer in peers),
                )


def admitting_rules(
    policies: PolicySet,
    direction: Direction,
    src: Endpoint,
    dst: Endpoint,
    protocol: str,
    port: int | None,
    *,
    icmp: Icmp | None,
) -> Use:
    """Say which rules let a connection pass one end, by the policies of now.

    Args:
        policies: the compiled policies.
        direction: which end: egress of `src` or ingress of `dst`.
        src: the client.
        dst: the server, behind any Service.
        protocol: transport protocol.
        port: destination port.
        icmp: type and code.
    """
    source, destination = policies.facts(src, dst)
    subject, peer = (source, destination) if direction is Direction.EGRESS else (destination, source)
    if subject.kind in NOT_EVALUATED:
        return Use()
    plan, view = policies.plan(direction), policies.view(direction, subject)
    traffic = Traffic(protocol, port, icmp)
    sure, maybe = plan.matching(view, peer, traffic, destination)
    verdict = decide(plan, view, sure, maybe, traffic)
    if verdict.allowed is False:
        return Use(refused=True)
    used = possible = 0
    for step in verdict.steps:
        tier = plan.tiers[step.tier]
        if tier.tier.order is Order.ADDITIVE:
            used |= sure & tier.allow
            possible |= maybe & tier.allow
            continue
        decided = 0 if step.rule is None else 1 << step.rule
        used |= decided & tier.allow
        possible |= maybe & tier.allow & ((decided << 1) - 1 if decided else -1)
    return Use(
        sure=frozenset(_paths(plan, used, peer, direction, Outcome.MATCH)),
        maybe=frozenset(_paths(plan, possible, peer, direction, Outcome.UNKNOWN)),
    )


def _paths(plan: Plan, rules: int, peer: Facts, direction: Direction, least: Outcome) -> Iterator[AllowRule]:
    for position in bits_of(rules):
        policy = plan.policies[plan.policy_of[position]]
        if policy.implicit:
            continue
        yield AllowRule(policy.ref, direction, plan.rules[position].path)
        for path, alternative in plan.peers.alternatives(position) or ():
            if alternative.outcome(peer) >= least:
                yield AllowRule(policy.ref, direction, path)
