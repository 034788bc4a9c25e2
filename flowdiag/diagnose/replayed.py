"""What the replay's answer for one end comes to, whichever refusals meet it."""

from __future__ import annotations

import re

from msgspec import Struct

from flowdiag.diagnose.caching import cached_per_run
from flowdiag.diagnose.calico_places import stands_before
from flowdiag.diagnose.context import Context
from flowdiag.diagnose.signs import MISSING, Sign
from flowdiag.model.policy import CALICO_GROUPS, Condition, DecidedBy, EndDecision, NearestRule, PolicyRef
from flowdiag.policy.baseline import is_behind

__all__ = ["Answer", "answer_of", "behind_all", "closing", "denying_the_rest", "is_deny", "misses_socket"]

_RULE = re.compile(r"(ingress|egress)\[(\d{1,6})\]")
# "ingress[2]": the path of a Calico rule.
_SAYS_NOTHING = {"action", "metadata"}
"""Fields of a Calico rule that are no condition."""


def denying_the_rest(context: Context, end: EndDecision | None) -> DecidedBy | None:
    """The rule that decided, where it is a Calico policy's Deny without a condition that only says what is left.

    That is so where one of its policy's own rules before it came near, and where every other policy of the end was
    asked before its policy (a catch-all that logs what it refuses).  Written out so or left to the tier's end, it says
    the same: what no rule allows is refused.  What is wrong is then the rule that nearly matched, or that there is none,
    and the mend goes before that Deny.
    """
    decided = end.decided_by if end is not None and is_deny(end) else None
    step = _RULE.fullmatch(decided.rule) if decided is not None else None
    if end is None or decided is None or step is None or decided.policy.group not in CALICO_GROUPS:
        return None
    section, index = step[1], int(step[2])
    near = [_RULE.fullmatch(rule.rule) for rule in end.nearest if rule.policy == decided.policy]
    own = any(one is not None and one[1] == section and int(one[2]) < index for one in near)
    others = [ref for ref in end.isolated_by if ref != decided.policy]
    if not own and not all(stands_before(context, ref, decided.policy) for ref in others):
        return None
    for policy in context.policy(decided.policy):
        rules = policy.spec.get(section)
        rule = rules[index] if isinstance(rules, list) and index < len(rules) else None
        if not isinstance(rule, dict) or {key for key, value in rule.items() if value} - _SAYS_NOTHING:
            return None
    return decided


def behind_all(context: Context, end: EndDecision | None) -> DecidedBy | None:
    """The rule that decided, where it is a Deny of a policy that is asked only where no NetworkPolicy selects the end.

    It is what holds as long as nobody wrote a policy, as a default is.
    """
    decided = end.decided_by if end is not None and is_deny(end) else None
    if decided is None:
        return None
    behind = any(is_behind(policy) for policy in context.policy(decided.policy))
    return decided if behind else None


def is_deny(end: EndDecision | None) -> bool:
    """Whether a rule that says deny decided."""
    return end is not None and end.decided_by is not None and end.decided_by.action.lower() == "deny"


def closing(end: EndDecision | None) -> tuple[PolicyRef, ...]:
    """Policies that isolate an end; by default deny only those that it may be put down to."""
    return () if end is None else end.closed_by or end.isolated_by


class Answer(Struct, frozen=True):
    """What hangs on the replay's answer for one end alone, which many cases share."""

    singles: tuple[tuple[int, NearestRule, Condition], ...]
    missing: int
    """Signs of conditions that rules miss in alone."""
    isolation: int
    """Signs of the isolating policies."""


def misses_socket(rule: NearestRule) -> bool:
    """Whether a rule misses on address and port, and on nothing else."""
    return not rule.unknown and {miss.condition for miss in rule.misses} == {Condition.IP, Condition.PORT}


@cached_per_run
def answer_of(context: Context, end: EndDecision) -> Answer:
    """`Answer`, worked out once a run."""
    del context
    singles = []
    for rank, rule in enumerate(end.nearest if end.allowed is not True else ()):
        if rule.misses and not rule.unknown:
            condition = rule.misses[0].condition
            if all(miss.condition is condition for miss in rule.misses):
                singles.append((rank, rule, condition))
    missing = 0
    for _, _, condition in singles:
        missing |= MISSING.get(condition, 0)
    if end.allowed is not True and any(map(misses_socket, end.nearest)):
        missing |= Sign.MISSES_SOCKET
    isolating = closing(end)
    calico = isolating and all(ref.group in CALICO_GROUPS for ref in isolating)
    return Answer(tuple(singles), missing, Sign.CALICO if calico else 0)
