"""Which ``Log`` rules a packet passes before something decides about it.

A Log rule decides nothing (Calico ``felix/iptables/actions.go``): its line in the kernel's log says that the
packet got as far as that rule.  So the line and the rules behind it together tell what became of the packet,
as far as the policies at hand are those that wrote it.
"""

from __future__ import annotations

from flowdiag.model.endpoint import Endpoint
from flowdiag.model.event import Direction, Icmp
from flowdiag.model.policy import DecidedBy
from flowdiag.policy.bitsets import bits_of
from flowdiag.policy.decide import decide
from flowdiag.policy.evaluate import PolicySet
from flowdiag.policy.facts import NOT_EVALUATED
from flowdiag.policy.model import Action, Traffic

__all__ = ["log_rules"]


def log_rules(
    policies: PolicySet,
    direction: Direction,
    src: Endpoint,
    dst: Endpoint,
    protocol: str,
    port: int | None,
    *,
    icmp: Icmp | None,
    at: int | None,
) -> tuple[DecidedBy, ...]:
    """Log rules on one end that match (or may) and stand before what decides, in their order.

    Args:
        policies: the compiled policies.
        direction: which end: egress of `src` or ingress of `dst`.
        src: the client.
        dst: the server.
        protocol: transport protocol.
        port: destination port.
        icmp: type and code.
        at: the time of the policies, nanoseconds.
    """
    source, destination = policies.facts(src, dst, at)
    subject, peer = (source, destination) if direction is Direction.EGRESS else (destination, source)
    if subject.kind in NOT_EVALUATED:
        return ()
    plan, view = policies.plan(direction), policies.view(direction, subject, at)
    traffic = Traffic(protocol, port, icmp)
    sure, maybe = plan.matching(view, peer, traffic, destination)
    found = []
    for step in decide(plan, view, sure, maybe, traffic).steps:
        for position in bits_of(maybe & plan.tiers[step.tier].mask):
            rule = plan.rules[position]
            if rule.action is Action.LOG and (step.rule is None or position < step.rule):
                found.append(DecidedBy(plan.policies[plan.policy_of[position]].ref, rule.path, "log"))
    return tuple(found)
