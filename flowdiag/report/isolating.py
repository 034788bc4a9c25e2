"""Which of the policies that isolate an end has closed it: the oldest, since later ones found it closed.

An allow policy isolates, too, so it is among them, but it is not the cause of a refusal.
"""

from __future__ import annotations

from collections.abc import Mapping

from msgspec.structs import replace

from flowdiag.model.finding import BY_RULE
from flowdiag.model.policy import PolicyRef
from flowdiag.model.report import PolicyView, Problem, ProblemChange, Report

__all__ = ["closing_first", "denied_by", "leading_change"]

_Place = tuple[str, str | None, str | None, str | None]


def closing_first(report: Report) -> Report:
    """The report as people read it: of what isolates an end, what closed it stands first."""
    known: dict[_Place, PolicyView] = {(p.kind, p.group, p.namespace, p.name): p for p in report.policies}
    return replace(
        report,
        problems=tuple(
            replace(problem, isolating=_oldest_first(known, problem))
            if len(problem.isolating) > 1
            else problem
            for problem in report.problems
        ),
    )


def _oldest_first(known: Mapping[_Place, PolicyView], problem: Problem) -> tuple[PolicyRef, ...]:
    """The policies that isolate, those whose age is not known last; of one age those without a rule in that direction."""

    def age(ref: PolicyRef) -> tuple[bool, str, bool]:
        policy = known.get((ref.kind, ref.group, ref.namespace, ref.name))
        moment = policy.created if policy is not None else None
        rules = policy.rules if policy is not None else None
        opens = rules is None or (rules.egress if problem.direction == "egress" else rules.ingress) > 0
        return (moment is None, moment or "", opens)

    return tuple(sorted(problem.isolating, key=age))


def leading_change(problem: Problem) -> ProblemChange | None:
    """The change that stands for the problem where one is shown: the nearest, but none that found the end closed."""
    if not problem.changes:
        return None
    denying = denied_by(problem) if problem.code in BY_RULE else None
    if denying is not None:
        # Where a rule denied, policies that isolate the end did not refuse it.
        place = (denying.kind, denying.group, denying.namespace, denying.name)
        own = [change for change in problem.changes if _object(change) == place]
        return own[0] if own else problem.changes[0]
    # Of policies of one moment, too, the one that people read first.
    closing: dict[_Place, int] = {
        (ref.kind, ref.group, ref.namespace, ref.name): number for number, ref in enumerate(problem.isolating)
    }
    made = [change for change in problem.changes if change.kind == "created" and _object(change) in closing]
    nearest = problem.changes[0]
    if nearest not in made:
        return nearest
    return min(made, key=lambda change: (change.at, closing[_object(change)]))


def denied_by(problem: Problem) -> PolicyRef | None:
    """The policy whose rule denied, as the replay found it."""
    by = problem.decided_by
    return (
        PolicyRef(by.kind, by.group, by.namespace, by.name)
        if by is not None and by.action == "deny"
        else None
    )


def _object(change: ProblemChange) -> _Place:
    return change.object.kind, change.object.group, change.object.namespace, change.object.name
