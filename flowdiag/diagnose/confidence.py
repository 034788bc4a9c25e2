"""How sure a finding is, and what keeps it from being surer; all rules use the same function.

The words are the catalogue's.  ``recorded``: the CNI itself said so.  ``derived``: the replay agrees,
against policies that are known to have held then, and one rule is nearest.  ``likely``: something of that
is missing.  ``possible``: a pattern alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from enum import Enum

from flowdiag.cluster.differences import difference_text
from flowdiag.diagnose.case import Case
from flowdiag.diagnose.replies import answering_port
from flowdiag.diagnose.wording import a_list, policies_text, policy_text
from flowdiag.model.policy import PolicyRef
from flowdiag.model.report import Confidence
from flowdiag.model.time import moment_text
from flowdiag.model.uncertain import uncertain_text

__all__ = ["CONFIDENCES", "Basis", "judge", "lower", "policy_times"]

CONFIDENCES = (Confidence.RECORDED, Confidence.DERIVED, Confidence.LIKELY, Confidence.POSSIBLE)
"""Surest first."""


class Basis(Enum):
    """What a finding rests on."""

    RECORD = "record"
    """The record says it outright: a policy's name, a reason of its own, a verdict."""
    REPLAY = "replay"
    """The replay against the policies of the time."""
    STATE = "state"
    """Cluster objects and records together, without a replay."""
    PATTERN = "pattern"
    """The shape of the traffic alone."""


def lower(one: Confidence, other: Confidence) -> Confidence:
    """Give the less sure of the two."""
    if other is CONFIDENCES[0]:
        return one
    return max(one, other, key=CONFIDENCES.index)


def judge(
    case: Case,
    basis: Basis,
    *,
    candidates: int = 1,
    most: Confidence = Confidence.RECORDED,
    near: bool = False,
) -> tuple[Confidence, tuple[str, ...]]:
    """Say how sure a finding is.

    Args:
        case: what it is about.
        basis: what it rests on.
        candidates: how many explanations of this kind fit equally well.
        most: never surer than this, because of a guard of the rule.
        near: it is about one nearest rule, all of whose conditions are known.

    Returns:
        The word, and sentences on what kept it down and what would raise it.
    """
    if basis is Basis.RECORD:
        return lower(Confidence.RECORDED, most), ()
    if basis is Basis.PATTERN:
        return Confidence.POSSIBLE, ("Judged by the shape of the traffic alone.",)
    limits: list[str] = []
    word = Confidence.DERIVED
    if basis is Basis.REPLAY:
        if case.end is None or case.end.allowed is None:
            word = Confidence.LIKELY if near and case.refused_by_policy else Confidence.POSSIBLE
            limits.append("The replay cannot decide: " + _why_unknown(case))
        limits.extend(policy_times(case))
        if case.unexplained:
            limits.append(
                "The record does not say that a policy refused: the replay alone does, and something else may have "
                "dropped it."
            )
        answers = answering_port(case)
        if answers is not None:
            limits.append(
                f"These packets {'have no SYN and ' if case.protocol == 'TCP' else ''}all come from port {answers}: they may be answers of a connection that "
                "the CNI had lost, and then no rule is wrong (FD602)."
            )
    if candidates > 1:
        limits.append(f"{candidates} rules come equally near; any of them may be the one that was meant.")
    if limits:
        word = lower(word, Confidence.LIKELY)
    return lower(word, most), tuple(limits)


def _why_unknown(case: Case) -> str:
    if case.end is None:
        return "which side refused, or its policies, are not known."
    return (a_list(case.end.unknown, most=2) or "a condition of a policy is not known") + "."


def policy_times(case: Case) -> list[str]:
    """Write sentences about policies whose text at the time of the flow is not certain (FD804)."""
    if case.said_of_times is None:
        case.said_of_times = _policy_times(case)
    return list(case.said_of_times)


def _policy_times(case: Case) -> list[str]:
    first, taken = case.flow.first, case.context.snapshot.taken
    if first is None:
        return ["The records have no time, so the policies may be of another one."]
    if taken is not None and taken < first:
        moment = moment_text(taken)
        return [f"The policies were read at {moment}, before the refusals; they may have changed since."]
    at = case.at if case.at is not None else first
    loose = case.loose
    moment = moment_text(at)
    texts = []
    if loose:
        texts.append(uncertain_text(policies_text(loose, most=3), len(loose), at))
        texts.extend(_older_versions(case, loose))
    if case.end is not None:
        texts.extend(
            f"{policy_text(ref)} lets this pass as it reads now, and does not as {place} has it, which is the older "
            "version: it was changed since, and when is not known."
            for ref, place in case.end.read_as
        )
    if case.end is not None and case.end.left_out:
        names = policies_text(case.end.left_out)
        if len(case.end.left_out) == 1:
            now, left = (
                "which lets this pass as it reads now, was",
                "what it said before is not known, and it is",
            )
        else:
            now, left = (
                "which let this pass as they read now, were",
                "what they said is not known, and they are",
            )
        texts.append(f"{names}, {now} changed after {moment}: {left} left out.")
    return texts


def _older_versions(case: Case, refs: Iterable[PolicyRef]) -> Iterator[str]:
    """What other dumps have of policies whose text at the time is not certain."""
    older = {old.ref: old for old in case.context.snapshot.earlier}
    for ref in refs:
        old, now = older.get(ref), case.context.policy(ref)
        if old is None or old.origin is None or len(now) != 1:
            continue
        what = difference_text(ref.kind, {"spec": old.spec}, {"spec": now[0].spec})
        if what is not None:
            yield f"{policy_text(ref)} was changed since {old.origin.input}:{old.origin.line} was read: {what}."
