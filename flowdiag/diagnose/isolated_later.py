"""Refusals at a time at which no known policy refused, although one that came later, or ended before, would.

A policy that was deleted and applied again has the time of the second creation, and a node whose clock is behind dates
refusals before the policy was there.  A clock that is ahead, or an agent that lags, dates them after it was gone.  All of
this looks as if a policy were missing in the dump.
"""

from __future__ import annotations

from collections.abc import Iterable

from msgspec.structs import replace

from flowdiag.diagnose.case import Case
from flowdiag.diagnose.wording import end_text, policies_text
from flowdiag.model.finding import Finding
from flowdiag.model.policy import PolicyRef
from flowdiag.model.time import moment_text

__all__ = ["asks_for_isolation", "with_later_isolation", "with_refusal_before"]


def asks_for_isolation(case: Case) -> bool:
    """Whether a side refused by policy, as recorded, that no policy isolated then as far as is known."""
    return (
        case.flow.direction is not None
        and case.refused_by_policy
        and case.at is not None
        and case.end is not None
        and case.end.allowed is True
        and not case.end.isolated_by
    )


def with_later_isolation(case: Case, finding: Finding, isolating: Iterable[PolicyRef]) -> Finding:
    """Give the finding with a sentence on policies that isolate the end now and came later, if there are any.

    Args:
        case: as `asks_for_isolation` wants it.
        finding: what is said of it.
        isolating: the policies that isolate the end by the policies of now.
    """
    at = case.at if case.at is not None else 0
    made: dict[PolicyRef, int] = {}
    for ref in isolating:
        created = min((one.created for one in case.context.policy(ref) if one.created is not None), default=0)
        if created > at:
            made[ref] = created
    if not made:
        return finding
    refs = sorted(made, key=lambda ref: (made[ref], ref))
    moment = moment_text(made[refs[0]])
    verb, when, what = (
        ("isolates", f"was created at {moment}", "it was")
        if len(refs) == 1
        else ("isolate", f"were created from {moment} on", "one was")
    )
    text = (
        f"{policies_text(refs, most=3)} {verb} {end_text(case.enforcer)} for {case.direction} and {when}, after these "
        f"refusals: {what} created again then, or a clock is wrong."
    )
    return replace(finding, limits=(text, *finding.limits))


def with_refusal_before(case: Case, finding: Finding, until: int, refs: Iterable[PolicyRef]) -> Finding:
    """Give the finding with a sentence on policies that refuse the same connection and ended before it was refused.

    Args:
        case: a refusal by policy that the policies of its time allow.
        finding: what is said of it.
        until: when the policies that refuse ended, nanoseconds.
        refs: those of them that ended then.
    """
    named = sorted(refs)
    gone = all(
        one.valid_until is not None and one.valid_until <= until
        for ref in named
        for one in case.context.policy(ref)
    )
    verb, was = ("refuses", "was") if len(named) == 1 else ("refuse", "were")
    text = (
        f"{policies_text(named, most=3)} {verb} this on the {case.direction} side of {end_text(case.enforcer)}, and {was} "
        f"{'deleted' if gone else 'changed'} at {moment_text(until)}, before these refusals: an agent lags behind, or a "
        "clock is wrong."
    )
    return replace(finding, limits=(text, *finding.limits))
