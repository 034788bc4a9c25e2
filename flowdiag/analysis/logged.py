"""Verdicts for what a Log rule noted: inferred from the rules behind it, and labelled so.

A line of a Log rule (Calico's ``calico-packet``) says that a packet got as far as the rule; the same line is
written for packets that are let through later and for those that are refused.  Held against the policies
of its time a verdict can be worked out, provided that one of their Log rules would have written the line:
policies without such a rule are not those that were in force, and say nothing of this packet.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from msgspec import Struct
from msgspec.structs import replace

from flowdiag.analysis.moments import Moments
from flowdiag.analysis.replay import cut
from flowdiag.analysis.state import State
from flowdiag.model.event import PORT_PROTOCOLS, Cause, Direction, PolicyHit, Verdict
from flowdiag.model.flow import Flow
from flowdiag.model.policy import ConnectionDecision, DecidedBy, EndDecision
from flowdiag.model.reasons import logged_meaning
from flowdiag.model.tally import DistinctFlow
from flowdiag.policy import PolicySet, log_rules

__all__ = ["INFERRED", "Judged", "Replayed", "judge_logged", "logged_verdict"]

INFERRED = "inferred-from-policies"
"""The normalised reason of a refusal that was inferred, and is in no record."""

Replayed = tuple[Flow, ConnectionDecision | None, int | None]
"""A flow, its replay, and the instant of the policies that it was held against."""

_NOT_READ = "no policies were read, so what became of it cannot be worked out"
_NO_RULE = "none of the policies at hand has a Log rule that would have written this line"
_LAG = "policies changed just before, and it is not known which of them logged it"


class Judged(Struct, kw_only=True):
    """Logged flows by what the policies make of them."""

    refused: list[Replayed]
    allowed: list[Flow]
    unknown: list[Replayed]
    """Still `Verdict.LOGGED`; `Flow.basis` says why."""
    left_out: int = 0
    """Records of the same kind that a verdict that was asked for leaves out."""


class _Answer(Struct, frozen=True):
    allowed: bool | None
    side: Direction | None
    """The end that refuses, or whose rule logged."""
    basis: str
    decision: ConnectionDecision | None
    at: int | None


def judge_logged(
    flows: Iterable[Flow], state: State | None, moments: Moments, *, replayable: Iterable[bool]
) -> Judged:
    """Work out what became of logged flows.

    Args:
        flows: flows with the verdict ``logged``, ends resolved.
        state: the policies; ``None`` where none were read.
        moments: when what decides about them changed.
        replayable: per flow, whether policies decide about its ends at all.
    """
    judged = Judged(refused=[], allowed=[], unknown=[])
    for flow, able in zip(flows, replayable, strict=True):
        known = logged_meaning(flow.distinct.reason)
        if known is not None:
            judged.unknown.append(_doubtful(flow, known, state if able else None))
            continue
        if state is None:
            judged.unknown.append((replace(flow, basis=_NOT_READ), None, None))
            continue
        if not able:
            judged.unknown.append((replace(flow, basis="neither end is a known pod or node"), None, None))
            continue
        for part, moment, before in cut(flow, moments.of(flow)):
            _sort_in(judged, part, _answered(part, state, moment, before))
    return judged


def _doubtful(flow: Flow, known: str, state: State | None) -> Replayed:
    """Say why there is no verdict, for a line whose rule no policy has: what such lines mean, and what the policies say."""
    if state is None or not state.snapshot.policies_read:
        return replace(flow, basis=known), None, None
    shape = flow.distinct
    at = flow.first
    decision = state.policies.evaluate(flow.src, flow.dst, shape.protocol, shape.port, icmp=shape.icmp, at=at)
    words = {
        True: "the policies at hand let it pass",
        False: "the policies at hand refuse it",
        None: "the policies at hand do not decide it",
    }
    return replace(flow, basis=f"{known}; {words[decision.allowed]}"), decision, at


def _sort_in(judged: Judged, part: Flow, answer: _Answer) -> None:
    if answer.allowed is None:
        judged.unknown.append((replace(part, basis=answer.basis), answer.decision, answer.at))
        return
    prefix = part.distinct.verdict_raw
    if answer.allowed:
        distinct = replace(part.distinct, verdict=Verdict.ALLOWED)
        judged.allowed.append(replace(part, distinct=distinct, basis=answer.basis))
        return
    distinct = replace(
        part.distinct, verdict=Verdict.DENIED, cause=Cause.POLICY, reason=INFERRED, reason_raw=prefix
    )
    part = replace(part, distinct=distinct, direction=answer.side, basis=answer.basis)
    judged.refused.append((part, answer.decision, answer.at))


def _answered(flow: Flow, state: State, moment: int | None, before: int | None) -> _Answer:
    """Give the verdict of the policies that held, and of those before them where the dataplane may still have followed these."""
    now = _one(flow, state.policies, moment)
    if before is None:
        return now
    then = _one(flow, state.policies, before)
    if now.basis == _NO_RULE:
        return then
    if then.basis == _NO_RULE or then.allowed is now.allowed:
        return now
    return _Answer(None, now.side, _LAG, now.decision, moment)


def logged_verdict(flow: Flow, policies: PolicySet) -> bool | None:
    """Whether a flow that a rule of these policies logged passes them; ``None`` where they do not tell."""
    if logged_meaning(flow.distinct.reason) is not None:
        return None
    return _one(flow, policies, None).allowed


def _one(flow: Flow, policies: PolicySet, at: int | None) -> _Answer:
    shape = flow.distinct
    protocol = shape.protocol or ""
    decision = policies.evaluate(flow.src, flow.dst, shape.protocol, shape.port, icmp=shape.icmp, at=at)
    sides = (flow.direction,) if flow.direction is not None else (Direction.EGRESS, Direction.INGRESS)
    doubts: list[str] = []
    for side in sides:
        end = _end(decision, side)
        if end is None:
            continue
        if not (end.isolated_by or end.decided_by):
            doubts.extend(end.unknown)
            continue
        rules = log_rules(policies, side, flow.src, flow.dst, protocol, shape.port, icmp=shape.icmp, at=at)
        written = _named(rules, shape.policies)
        if written:
            return _behind(side, end, decision, written[0], at, told=_told(shape))
        doubts.extend(end.unknown)
    if doubts:
        # A policy that cannot be evaluated may have this rule.
        return _Answer(None, None, f"which rule wrote this line is not known: {doubts[0]}", decision, at)
    return _Answer(None, None, _on_forward(flow, policies) or _NO_RULE, decision, at)


def _on_forward(flow: Flow, policies: PolicySet) -> str | None:
    """Name the host endpoint's policy that may have logged a packet which its node forwarded."""
    logger, node = policies.dataplane.forward_logger, flow.distinct.node
    ref = logger(node) if logger is not None else None
    if ref is None:
        return None
    return (
        f"GlobalNetworkPolicy {ref.name} applies to what the host endpoint of {f'node {node}' if node else 'a node'} forwards "
        "(applyOnForward) and has a Log rule that may have written this line; what stands behind it there is not evaluated"
    )


def _told(shape: DistinctFlow) -> str:
    """What the line leaves out that rules may ask for: the kernel prints no ports of SCTP."""
    portless = shape.port is None and shape.protocol in PORT_PROTOCOLS
    return "the line holds no port, and " if portless else ""


def _behind(
    side: Direction,
    end: EndDecision,
    decision: ConnectionDecision,
    log: DecidedBy,
    at: int | None,
    *,
    told: str,
) -> _Answer:
    """Say what the rules behind the Log rule decide; and, if these let the packet pass, the policies of the other end.

    `told` stands before what is not known.
    """
    text = f"{_rule(log)}, then {_outcome(end)}"
    if end.allowed is False:
        return _Answer(False, side, text, decision, at)
    if end.allowed is None:
        why = "; ".join(end.unknown[:2]) or "a condition is not known"
        return _Answer(None, side, f"what follows {_rule(log)} cannot be decided: {told}{why}", decision, at)
    other = decision.ingress if side is Direction.EGRESS else None
    if other is None or other.allowed is True:
        return _Answer(True, side, text, decision, at)
    if other.allowed is False:
        return _Answer(
            False, Direction.INGRESS, f"{text} on the way out, then {_outcome(other)}", decision, at
        )
    why = "; ".join(other.unknown[:2]) or "a condition is not known"
    return _Answer(
        None, side, f"{text}; what the destination makes of it is not known: {told}{why}", decision, at
    )


def _end(decision: ConnectionDecision, side: Direction) -> EndDecision | None:
    return decision.egress if side is Direction.EGRESS else decision.ingress


def _named(rules: Sequence[DecidedBy], hits: Sequence[PolicyHit]) -> list[DecidedBy]:
    """Give the rules that may have written the line's prefix: by a template, it may hold the policy's name."""
    names = {(hit.namespace, _bare(hit.name, hit.tier)) for hit in hits if hit.effect == "log" and hit.name}
    if not names:
        return list(rules)
    return [rule for rule in rules if (rule.policy.namespace, _bare(rule.policy.name, None)) in names]


def _bare(name: str | None, tier: str | None) -> str:
    """A policy's name without its tier, which stands before it in Calico up to v3.31."""
    return (name or "").removeprefix(f"{tier}." if tier else "default.").removeprefix("default.")


def _rule(rule: DecidedBy) -> str:
    ref = rule.policy
    place = f"{ref.namespace}/{ref.name}" if ref.namespace else ref.name
    return f"{ref.kind} {place} {rule.rule} ({rule.action})"


def _outcome(end: EndDecision) -> str:
    if end.decided_by is not None:
        return _rule(end.decided_by)
    return "the end of the tier (deny)" if end.allowed is False else "what stands behind the tiers (allow)"
