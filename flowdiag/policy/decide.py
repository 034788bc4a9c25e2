"""How the tiers combine: from matching rules to a verdict, which may be unknown.

A condition that is unknown is followed both ways, as if it held and as if it did not.  There is a verdict only if all
ways end alike.  So a policy that has nothing to do with an unknown condition cannot turn it into allow or deny, and an
unknown condition does not hide a verdict that holds either way.
"""

from __future__ import annotations

from msgspec import Struct

from flowdiag.model.event import PORT_PROTOCOLS
from flowdiag.policy.index import Plan, TierPlan
from flowdiag.policy.model import Order, Outcome, Traffic
from flowdiag.policy.selecting import View

__all__ = ["End", "TierStep", "Verdict", "decide"]


class End:
    """Ways in which a tier can end, as bits of an integer (an enum's arithmetic is too slow here)."""

    ALLOW = 1
    DENY = 2
    NEXT = 4


class TierStep(Struct, frozen=True):
    """How one tier ended."""

    tier: int
    ends: int
    """Bits of `End`."""
    rule: int | None
    """Position of the rule that ended it for sure; ``None`` where its default did, or nothing is sure."""


class Verdict(Struct, frozen=True):
    """What the tiers say together."""

    allowed: bool | None
    rule: int | None
    """Position of the deciding rule; ``None`` for a default."""
    steps: tuple[TierStep, ...]
    doubtful: int
    """Bits of the rules on whose unknown conditions the verdict depends."""
    broken: tuple[int, ...]
    """Places of policies that cannot be evaluated and on which the verdict depends."""
    tied: tuple[int, ...] = ()
    """Positions of rules that would decide differently, of policies with the same priority."""
    others: bool = False
    """The verdict depends on whether isolation closes this protocol, in which enforcers differ."""


def decide(plan: Plan, view: View, sure: int, maybe: int, traffic: Traffic) -> Verdict:
    """Walk the tiers.

    Args:
        plan: the direction.
        view: what the policies are to the policed end.
        sure: rules that match for sure.
        maybe: rules that may match, `sure` included.
        traffic: for what isolation means to protocols without ports.
    """
    ends = 0
    doubtful = 0
    broken: list[int] = []
    tied: list[int] = []
    others = False
    steps: list[TierStep] = []
    rule: int | None = None
    for index, tier in enumerate(plan.tiers):
        if tier.tier.apart:
            continue
        if not view.selecting[index] and not view.maybe_selecting[index] and not tier.tier.always:
            continue
        here: int
        if tier.tier.order is Order.ADDITIVE:
            here, rule, doubts, open_protocol = _additive(index, tier, view, sure, maybe, traffic)
            others |= open_protocol
        else:
            here, rule, doubts, ties = _ordered(index, tier, view, sure, maybe)
            tied.extend(ties)
        steps.append(TierStep(index, here, rule))
        ends |= here & ~End.NEXT
        doubtful |= doubts
        broken.extend(view.broken[index])
        if not here & End.NEXT:
            break
    else:
        ends |= End.ALLOW
        rule = None
    if ends == End.ALLOW and plan.apart:
        # What was in doubt does not matter any more.
        doubtful, others = 0, False
        broken.clear()
        tied.clear()
    for index in plan.apart if ends & End.ALLOW else ():
        if not view.selecting[index] and not view.maybe_selecting[index]:
            continue
        here, own, doubts, ties = _ordered(index, plan.tiers[index], view, sure, maybe)
        steps.append(TierStep(index, here, own))
        doubtful |= doubts
        broken.extend(view.broken[index])
        tied.extend(ties)
        ends |= here & End.DENY
        if here == End.DENY:
            ends = End.DENY
            rule = own
        elif rule is None:
            rule = own
    settled = ends in {End.ALLOW, End.DENY}
    return Verdict(
        allowed=ends == End.ALLOW if settled else None,
        rule=rule if settled else None,
        steps=tuple(steps),
        doubtful=0 if settled else doubtful,
        broken=() if settled else tuple(broken),
        tied=() if settled else tuple(tied),
        others=others and not settled,
    )


def _lowest(mask: int) -> int | None:
    return (mask & -mask).bit_length() - 1 if mask else None


def _default(index: int, tier: TierPlan, view: View) -> int:
    """Say how a tier may end in which no rule decides, as bits of `End`."""
    always = view.maybe_isolating[index] and bool(tier.tier.always)
    if view.isolating[index] or always:
        return End.DENY
    return End.DENY | End.NEXT if view.maybe_isolating[index] else End.NEXT


def _additive(
    index: int, tier: TierPlan, view: View, sure: int, maybe: int, traffic: Traffic
) -> tuple[int, int | None, int, bool]:
    sure &= tier.mask
    maybe &= tier.mask
    denied = sure & tier.deny
    if denied:
        return End.DENY, _lowest(denied), 0, False
    ends = 0
    doubts = maybe & tier.deny
    others = False
    if view.broken[index]:
        ends |= End.ALLOW | End.DENY
    if doubts:
        ends |= End.DENY
    admitted = sure & tier.allow
    if admitted:
        ends |= End.ALLOW
    else:
        possible = maybe & tier.allow
        doubts |= possible
        if possible:
            ends |= End.ALLOW
        default = _default(index, tier, view)
        if (
            default & End.DENY
            and tier.tier.others is Outcome.UNKNOWN
            and traffic.protocol not in PORT_PROTOCOLS
        ):
            others = True
            default |= End.ALLOW
        ends |= default
        if view.broken[index] and default & End.NEXT:
            ends |= End.NEXT
    return ends, _lowest(admitted), doubts, others


def _ordered(
    index: int, tier: TierPlan, view: View, sure: int, maybe: int
) -> tuple[int, int | None, int, list[int]]:
    ends = End.ALLOW | End.DENY if view.broken[index] else 0
    doubts = 0
    contradicting: list[int] = []
    left = maybe & tier.actions
    while left:
        bit = left & -left
        group = next((group for group in tier.tie_groups if any(bits & bit for bits in group)), None)
        if group is not None:
            reached = [bits & maybe & tier.actions for bits in group]
            if sum(1 for bits in reached if bits) > 1:
                here, settled, unsure, told = _tied(tier, reached, sure)
                ends |= here
                doubts |= unsure
                for bits in reached:
                    left &= ~bits
                contradicting.extend(told)
                if settled:
                    return ends, None if told else _lowest(bit), doubts, contradicting
                continue
        ends |= _end_of(tier, bit)
        if bit & sure:
            return ends, _lowest(bit), doubts, contradicting
        doubts |= bit
        left ^= bit
    return ends | _default(index, tier, view), None, doubts, contradicting


def _end_of(tier: TierPlan, bit: int) -> int:
    if bit & tier.allow:
        return End.ALLOW
    return End.DENY if bit & tier.deny else End.NEXT


def _tied(tier: TierPlan, reached: list[int], sure: int) -> tuple[int, bool, int, list[int]]:
    """Policies of one priority: whichever comes first may decide.

    Returns:
        The ways it can end, whether one of them decides for sure, the rules in doubt, and the rules that
        contradict each other (empty where all agree).
    """
    ends = 0
    settled = False
    doubts = 0
    firsts: list[int] = []
    for rules in reached:
        left = rules
        while left:
            bit = left & -left
            ends |= _end_of(tier, bit)
            firsts.append(bit.bit_length() - 1)
            if bit & sure:
                settled = True
                break
            doubts |= bit
            left ^= bit
    contradict = len({_end_of(tier, 1 << first) for first in firsts}) > 1
    return ends, settled, doubts, firsts if contradict else []
