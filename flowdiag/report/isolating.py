"""Which of the policies that isolate an end closed it: the oldest, as those that came later found it closed.

An allow policy isolates as well as a default-deny, so it stands among them, and is nobody's cause.
"""

from __future__ import annotations

from flowdiag.model.policy import PolicyRef
from flowdiag.model.report import Problem, ProblemChange, Report
from flowdiag.report.names import policy_text

__all__ = ["BY_RULE", "denied_by", "leading_change", "oldest_first"]

BY_RULE = frozenset({"FD501", "FD502", "FD503"})
"""Diagnoses of a rule that denies, which the summary names."""


def oldest_first(report: Report, problem: Problem) -> list[PolicyRef]:
    """The policies that isolate, those whose age is not known last; of one age those without a rule that admits anybody."""
    known = {(p.kind, p.group, p.namespace, p.name): p for p in report.policies}

    def age(ref: PolicyRef) -> tuple[bool, str, bool]:
        policy = known.get((ref.kind, ref.group, ref.namespace, ref.name))
        moment = policy.created if policy is not None else None
        rules = f"\n  {problem.direction}:"
        text = policy.manifest if policy is not None and policy.manifest is not None else ""
        return (moment is None, moment or "", rules in text.replace(f"{rules} []", ""))

    return sorted(problem.isolating, key=age)


def leading_change(problem: Problem) -> ProblemChange | None:
    """The change that stands for the problem where one is shown: the nearest, but none that found the end closed."""
    if not problem.changes:
        return None
    denying = denied_by(problem) if problem.code in BY_RULE else None
    if denying is not None:
        # What isolates the end beside it refused nothing.
        place = (denying.kind, denying.group, denying.namespace, denying.name)
        own = [change for change in problem.changes if _object(change) == place]
        return own[0] if own else problem.changes[0]
    closing = {(ref.kind, ref.group, ref.namespace, ref.name) for ref in problem.isolating}
    made = [change for change in problem.changes if change.kind == "created" and _object(change) in closing]
    nearest = problem.changes[0]
    return min(made, key=lambda change: change.at) if nearest in made else nearest


def denied_by(problem: Problem) -> PolicyRef | None:
    """The policy whose rule denied, as the summary of a problem of `BY_RULE` names it among those that isolate."""
    named = [(problem.summary.find(policy_text(ref)), ref) for ref in problem.isolating]
    return min(((place, ref) for place, ref in named if place >= 0), default=(0, None))[1]


def _object(change: ProblemChange) -> tuple[str, str | None, str | None, str | None]:
    return change.object.kind, change.object.group, change.object.namespace, change.object.name
