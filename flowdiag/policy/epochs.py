"""Which policies are in force at a time.  Between two moments at which a policy changes, they are the same."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable

from flowdiag.model.event import Direction
from flowdiag.policy.facts import Facts
from flowdiag.policy.index import Plan
from flowdiag.policy.model import Policy
from flowdiag.policy.selecting import View

__all__ = ["Epochs"]


class Epochs:
    """The spans of time that a policy set tells apart.

    Args:
        policies: all of them.
    """

    def __init__(self, policies: Iterable[Policy]) -> None:
        self._times = sorted(
            {
                moment
                for policy in policies
                for moment in (
                    policy.validity.created,
                    policy.validity.valid_from,
                    policy.validity.until,
                )
                if moment is not None
            }
        )
        self._active: dict[tuple[Direction, int], int] = {}

    def of(self, at: int | None) -> int:
        """Number the span of a moment; -1 is now."""
        return -1 if at is None else bisect_right(self._times, at)

    def view(self, plan: Plan, facts: Facts, at: int | None) -> View:
        """Tell which of the policies in force at a moment select an end; see `Plan.view`."""
        epoch = self.of(at)
        active = self._active.get((plan.direction, epoch))
        if active is None:
            active = 0
            for place, policy in enumerate(plan.policies):
                if _in_force(policy, at):
                    active |= 1 << place
            self._active[plan.direction, epoch] = active
        return plan.view(facts, epoch, active)


def _in_force(policy: Policy, at: int | None) -> bool:
    validity = policy.validity
    if at is None:
        return validity.until is None
    return (validity.created is None or validity.created <= at) and (
        validity.until is None or at < validity.until
    )
