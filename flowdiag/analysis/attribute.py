"""Distinct flows to refusals: ends resolved, held against the policies of their time, diagnosed."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from itertools import chain

from msgspec import Struct
from msgspec.structs import replace

from flowdiag.analysis.intervals import interval_lengths
from flowdiag.analysis.logged import Judged, Replayed, judge_logged
from flowdiag.analysis.moments import Moments
from flowdiag.analysis.options import Selection
from flowdiag.analysis.replay import changes_of, replay, replay_undated
from flowdiag.analysis.select import selected_verdict
from flowdiag.analysis.state import State
from flowdiag.analysis.written_later import WrittenLater
from flowdiag.diagnose import Case, Context, leading_finding
from flowdiag.diagnose.fd6_state.stale_record import STALE, STALE_MEANING
from flowdiag.diagnose.isolated_later import (
    asks_for_isolation,
    with_later_isolation,
    with_refusal_before,
)
from flowdiag.diagnose.mended import mended_since
from flowdiag.diagnose.proposals import attach
from flowdiag.diagnose.relabelled import as_now
from flowdiag.model.endpoint import Endpoint, EndpointKind
from flowdiag.model.event import Direction, Verdict
from flowdiag.model.finding import Finding
from flowdiag.model.flow import Flow
from flowdiag.model.policy import ConnectionDecision, IpBlockPods, PolicyRef
from flowdiag.model.reasons import meaning_of
from flowdiag.model.time import NS
from flowdiag.policy import PolicySet
from flowdiag.timeline import Mend, Refusal

__all__ = ["Attributed", "attribute", "judged", "meaning"]


class Attributed(Struct, frozen=True, kw_only=True):
    """What diagnosis says of the refused flows."""

    refusals: list[Refusal]
    unattributed: list[Flow]
    """Those that no rule could say anything about."""
    mend: Mend
    """Proposes what mends some of the refusals: their findings again, with proposals that are proved."""
    intervals: dict[str, int]
    """`interval_lengths` of the refused flows."""


def judged(logged: Sequence[Flow], state: State | None, selection: Selection) -> Judged:
    """What became of flows that were only logged, as far as the policies of their time tell.

    A verdict that was asked for may be the recorded one (``logged``) or the inferred one.
    """
    moments = Moments(state.snapshot if state is not None else None)
    all_of_them = judge_logged(logged, state, moments, replayable=[_replayable(flow) for flow in logged])

    def asked(verdict: Verdict) -> bool:
        return selected_verdict(selection, Verdict.LOGGED, verdict)

    return Judged(
        refused=all_of_them.refused if asked(Verdict.DENIED) else [],
        allowed=all_of_them.allowed if asked(Verdict.ALLOWED) else [],
        unknown=all_of_them.unknown if asked(Verdict.LOGGED) else [],
        left_out=0 if asked(Verdict.LOGGED) else sum(flow.count for flow, _, _ in all_of_them.unknown),
    )


def attribute(
    flows: Sequence[Flow],
    state: State | None,
    context: Context,
    ip_block_pods: IpBlockPods,
    replayed: Sequence[Replayed] = (),
) -> Attributed:
    """Diagnose every refused flow.

    Args:
        flows: refused flows.
        state: the policies.
        context: the run-wide indexes.
        ip_block_pods: as the policies were compiled.
        replayed: flows that were held against the policies before (those that were only logged).
    """
    moments = Moments(state.snapshot if state is not None else None)
    changed = state is not None and _changed_since(state)
    versions = state.snapshot.policies if state is not None else ()
    ends = sorted({one.valid_until for one in versions if one.valid_until is not None})
    refusals: list[Refusal] = []
    cases: dict[int, Case] = {}
    unattributed: list[Flow] = []
    made = changes_of(state.snapshot.policies) if state is not None else {}
    later = WrittenLater(state.snapshot, state.policies, ip_block_pods) if state is not None else None
    lengths = interval_lengths(flows) if moments else {}
    parts = chain.from_iterable(
        _parts(flow, state, moments, made, later, lengths.get(flow.distinct.parser, 0)) for flow in flows
    )
    for part, decision, at in chain(parts, replayed):
        if _nowhere(part.src) and _nowhere(part.dst):
            # Neither address nor name: there is nobody to blame, and nothing to be done about it.
            unattributed.append(part)
            continue
        case = Case(context, part, decision, at)
        finding = leading_finding(case)
        if finding is not None:
            now = as_now(case)
            if state is not None and (changed or now is not case or _before(at, moments.of_policies)):
                finding = _mended(finding, now, state)
            if state is not None and case.direction is not None and asks_for_isolation(case):
                isolating = state.policies.isolating(case.enforcer, case.direction)
                finding = with_later_isolation(case, finding, isolating)
            if state is not None and finding.code == "FD806":
                ended = _refused_until(case, state, ends)
                finding = finding if ended is None else with_refusal_before(case, finding, *ended)
            refusals.append(Refusal(part, finding))
            cases[id(part)] = case
        else:
            unattributed.append(part)

    def mend(
        leads: Sequence[Refusal], counts: Sequence[int], others: Sequence[Sequence[Sequence[Refusal]]]
    ) -> list[Finding]:
        if state is None:
            return [lead.finding for lead in leads]
        return attach(
            [(cases[id(lead.flow)], lead.finding) for lead in leads],
            state.policies,
            ip_block_pods=ip_block_pods,
            counts=counts,
            others=[[[cases[id(one.flow)] for one in each] for each in parts] for parts in others],
            beside=(end for refusal in refusals for end in (refusal.flow.src, refusal.flow.dst)),
        )

    return Attributed(refusals=refusals, unattributed=unattributed, mend=mend, intervals=lengths)


def _parts(
    flow: Flow,
    state: State | None,
    moments: Moments,
    made: Mapping[PolicyRef, Sequence[int]],
    later: WrittenLater | None,
    interval: int,
) -> Sequence[tuple[Flow, ConnectionDecision | None, int | None]]:
    if state is None or later is None or not state.snapshot.policies_read or not _replayable(flow):
        return [(flow, None, None)]
    shape = flow.distinct
    policies = _policies(flow, state)

    # A rule that came near at the end that allows it explains nothing.
    nearest = flow.direction or True

    def ask(policies: PolicySet, at: int | None) -> ConnectionDecision:
        return policies.evaluate(
            flow.src,
            flow.dst,
            shape.protocol,
            shape.port,
            icmp=shape.icmp,
            l7=shape.l7,
            at=at,
            nearest=nearest,
        )

    def evaluate(at: int | None) -> ConnectionDecision:
        return later.settled(flow, ask(policies, at), at, ask)

    if flow.first is None:
        return [replay_undated(flow, made, evaluate)]
    return replay(flow, moments.of(flow), evaluate, interval)


def _policies(flow: Flow, state: State) -> PolicySet:
    """Give the policies to ask: for what a staged policy would deny, those with the staged ones in force."""
    staged = state.staged if flow.distinct.verdict is Verdict.AUDITED else None
    return staged or state.policies


_BEFORE_NS = 12 * 3600 * NS
"""How far ahead a clock may be that was set wrong by hand or by its zone."""
_MOST_ENDS = 8


def _refused_until(case: Case, state: State, ends: Sequence[int]) -> tuple[int, tuple[PolicyRef, ...]] | None:
    """Find the last moment before the refusals up to which policies held that would refuse the same, and those policies."""
    flow, shape, at = case.flow, case.flow.distinct, case.at
    if flow.direction is None or at is None:
        return None
    versions = state.snapshot.policies
    near = ends[bisect_left(ends, at - _BEFORE_NS) : bisect_right(ends, at)]
    for until in reversed(near[-_MOST_ENDS:]):
        decision = state.policies.evaluate(
            flow.src, flow.dst, shape.protocol, shape.port, icmp=shape.icmp, at=until - 1, nearest=False
        )
        end = decision.egress if flow.direction is Direction.EGRESS else decision.ingress
        if end is None or end.allowed is not False:
            continue
        refused = {*end.isolated_by, *((end.decided_by.policy,) if end.decided_by is not None else ())}
        refs = {one.ref for one in versions if one.valid_until == until and one.ref in refused}
        if refs:
            return until, tuple(sorted(refs))
    return None


def _before(at: int | None, boundaries: Sequence[int]) -> bool:
    """Whether policies changed after the moment of those that a flow was held against."""
    return at is not None and bool(boundaries) and at < boundaries[-1]


def _mended(finding: Finding, case: Case, state: State) -> Finding:
    """Say what lets a refused flow pass by now, where policies were changed or added since."""
    if case.decision is None or case.decision.allowed is None:
        return finding
    flow, shape = case.flow, case.flow.distinct
    now = _policies(flow, state).evaluate(
        flow.src, flow.dst, shape.protocol, shape.port, icmp=shape.icmp, l7=shape.l7, nearest=False
    )
    return replace(finding, mended=mended_since(case, now))


def _changed_since(state: State) -> bool:
    snapshot = state.snapshot
    return (
        bool(snapshot.earlier)
        or any(policy.valid_until is not None for policy in snapshot.policies)
        or any(one.labels_before for one in snapshot.namespaces.values())
        or any(pod.labels_before for pod in snapshot.pods)
    )


def meaning(flow: Flow) -> str:
    """One line on a refusal that no policy made."""
    if flow.distinct.reason == STALE:
        return STALE_MEANING
    word = flow.distinct.reason_raw or flow.distinct.reason or "no reason"
    return meaning_of(flow.distinct.reason) or f"{word} (the record says no more)"


_OUTSIDE = (EndpointKind.EXTERNAL, EndpointKind.UNKNOWN)


def _replayable(flow: Flow) -> bool:
    """Policies decide where at least one end is a known pod or node."""
    if flow.distinct.protocol is None:
        return False
    return not (_outside(flow.src) and _outside(flow.dst))


def _nowhere(end: Endpoint) -> bool:
    return end.kind is EndpointKind.UNKNOWN and not (end.name or end.ip or end.namespace)


def _outside(end: Endpoint) -> bool:
    if end.kind is EndpointKind.ENTITY:
        return (end.entity or "").startswith("world") or end.entity in ("unknown", None)
    return end.kind in _OUTSIDE
