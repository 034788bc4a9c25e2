"""Distinct flows to refusals: ends resolved, held against the policies of their time, diagnosed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from itertools import chain

from msgspec import Struct
from msgspec.structs import replace

from flowdiag.analysis.logged import Judged, Replayed, judge_logged
from flowdiag.analysis.options import Selection
from flowdiag.analysis.replay import epochs, replay
from flowdiag.analysis.select import selected_distinct, selected_flow, selected_verdict
from flowdiag.analysis.state import State
from flowdiag.cluster.resolve import Resolver
from flowdiag.diagnose import Case, Context, diagnose
from flowdiag.diagnose.fd6_state.stale_record import STALE, STALE_MEANING
from flowdiag.diagnose.proposals import attach
from flowdiag.model.endpoint import Endpoint, EndpointKind
from flowdiag.model.event import Cause, Verdict
from flowdiag.model.finding import Finding
from flowdiag.model.flow import Flow
from flowdiag.model.policy import ConnectionDecision, IpBlockPods
from flowdiag.model.reasons import meaning_of
from flowdiag.model.tally import Bucket, DistinctFlow
from flowdiag.timeline import Mend, Refusal

__all__ = ["Attributed", "Sorted", "attribute", "judged", "meaning", "sort_flows"]

_REFUSED = (Verdict.DENIED, Verdict.AUDITED)
_NOT_POLICY = (Cause.CONFIGURATION, Cause.FAULT, Cause.NOISE)
_ALLOWED = (Verdict.ALLOWED, Verdict.REDIRECTED)

MENDED = "It was changed since: the policies and labels of now let this pass."


class Sorted(Struct, kw_only=True):
    """The flows of a run by what became of them, ends resolved."""

    refused: list[Flow]
    not_policy: list[Flow]
    allowed: list[Flow]
    """Only those that share an end with a refused one: nobody asks for the others."""
    allowed_buckets: list[Bucket]
    """Counts of every allowed flow."""
    logged: list[Flow]
    """Flows that a rule only logged: `flowdiag.analysis.logged` says what became of them."""


class Attributed(Struct, frozen=True, kw_only=True):
    """What diagnosis says of the refused flows."""

    refusals: list[Refusal]
    unattributed: list[Flow]
    """Those that no rule could say anything about."""
    mend: Mend
    """Proposes what mends some of the refusals: their findings again, with proposals that are proved."""


def sort_flows(
    flows: Iterable[DistinctFlow], resolver: Resolver, selection: Selection, *, all_allowed: bool = False
) -> Sorted:
    """Resolve and select.

    Allowed flows are resolved only where they matter beside a refused one, or all where the caller asks.
    """
    refused: list[Flow] = []
    not_policy: list[Flow] = []
    logged: list[Flow] = []
    waiting: list[DistinctFlow] = []
    for whole in flows:
        distinct = selected_distinct(whole, selection)
        if distinct is None:
            continue
        if distinct.verdict in _ALLOWED:
            waiting.append(distinct)
            continue
        if distinct.verdict not in (*_REFUSED, Verdict.LOGGED):
            continue
        parts = [flow for flow in resolver.resolve(distinct) if selected_flow(flow, selection)]
        if distinct.verdict is Verdict.LOGGED:
            logged.extend(parts)
            continue
        # A reason that no policy gives needs no diagnosis of policies; an audit is always a policy's.
        other = distinct.cause in _NOT_POLICY and distinct.verdict is Verdict.DENIED
        (not_policy if other else refused).extend(parts)
    beside = {mark for flow in chain(refused, logged) for mark in _marks(flow.src) | _marks(flow.dst)}
    by_ends = all_allowed or bool(selection.namespaces or selection.from_pod or selection.to_pod)
    allowed: list[Flow] = []
    buckets: dict[tuple[int | None, int], int] = defaultdict(int)
    for distinct in waiting:
        near = by_ends or _near(distinct, beside)
        if near:
            parts = [flow for flow in resolver.resolve(distinct) if selected_flow(flow, selection)]
            allowed.extend(parts)
            counted = [bucket for flow in parts for bucket in flow.buckets]
        else:
            counted = list(distinct.buckets)
        for bucket in counted:
            buckets[(bucket.start, bucket.width)] += bucket.count
    refused, not_policy, allowed, logged = _named(refused, not_policy, allowed, logged)
    return Sorted(
        refused=refused,
        not_policy=not_policy,
        allowed=allowed,
        allowed_buckets=[
            Bucket(start, width, count)
            for (start, width), count in sorted(
                buckets.items(), key=lambda item: (item[0][0] or -1, item[0][1])
            )
        ],
        logged=logged,
    )


def _named(*groups: list[Flow]) -> list[list[Flow]]:
    """Give an outside address the same names in all flows: not every record carries them."""
    names: dict[str, set[str]] = defaultdict(set)
    for flow in chain(*groups):
        for end in (flow.src, flow.dst):
            if end.ip is not None and end.dns_names:
                names[end.ip].update(end.dns_names)

    def named(end: Endpoint) -> Endpoint:
        own = names.get(end.ip or "")
        if not own or end.pod is not None or len(own) == len(end.dns_names):
            return end
        return replace(end, dns_names=tuple(sorted(own)))

    if not names:
        return list(groups)
    return [[replace(flow, src=named(flow.src), dst=named(flow.dst)) for flow in group] for group in groups]


def judged(logged: Sequence[Flow], state: State | None, selection: Selection) -> Judged:
    """What became of flows that were only logged, as far as the policies of their time tell.

    A verdict that was asked for may be the recorded one (``logged``) or the inferred one.
    """
    boundaries = epochs(state.snapshot.policies) if state is not None else ()
    all_of_them = judge_logged(logged, state, boundaries, replayable=[_replayable(flow) for flow in logged])

    def asked(verdict: Verdict) -> bool:
        return selected_verdict(selection, Verdict.LOGGED, verdict)

    return Judged(
        refused=all_of_them.refused if asked(Verdict.DENIED) else [],
        allowed=all_of_them.allowed if asked(Verdict.ALLOWED) else [],
        unknown=all_of_them.unknown if asked(Verdict.LOGGED) else [],
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
    boundaries = epochs(state.snapshot.policies) if state is not None else ()
    refusals: list[Refusal] = []
    cases: dict[int, Case] = {}
    unattributed: list[Flow] = []
    parts = chain.from_iterable(_parts(flow, state, boundaries) for flow in flows)
    for part, decision, at in chain(parts, replayed):
        if _nowhere(part.src) and _nowhere(part.dst):
            # Neither address nor name: nobody is accused, and nobody can act on it.
            unattributed.append(part)
            continue
        case = Case(context, part, decision, at)
        findings = diagnose(case)
        if findings:
            refusals.append(Refusal(part, _mended(findings[0], part, decision, state)))
            cases[id(part)] = case
        else:
            unattributed.append(part)

    def mend(leads: Sequence[Refusal], counts: Sequence[int]) -> list[Finding]:
        if state is None:
            return [lead.finding for lead in leads]
        return attach(
            [(cases[id(lead.flow)], lead.finding) for lead in leads],
            state.policies,
            ip_block_pods=ip_block_pods,
            counts=counts,
            beside=(end for refusal in refusals for end in (refusal.flow.src, refusal.flow.dst)),
        )

    return Attributed(refusals=refusals, unattributed=unattributed, mend=mend)


def _parts(
    flow: Flow, state: State | None, boundaries: Sequence[int]
) -> Sequence[tuple[Flow, ConnectionDecision | None, int | None]]:
    if state is None or not state.knows_policies or not _replayable(flow):
        return [(flow, None, None)]
    shape = flow.distinct
    # What a staged policy would deny is held against the policies with the staged ones in force.
    policies = state.staged if shape.verdict is Verdict.AUDITED and state.staged else state.policies

    def evaluate(at: int | None) -> ConnectionDecision:
        return policies.evaluate(
            flow.src, flow.dst, shape.protocol, shape.port, icmp=shape.icmp, l7=shape.l7, at=at
        )

    return replay(flow, boundaries, evaluate)


def _mended(
    finding: Finding, flow: Flow, decision: ConnectionDecision | None, state: State | None
) -> Finding:
    """Say so where what refused it was changed or deleted since, as far as policies tell."""
    if state is None or decision is None or decision.allowed is not False or not _changed_since(state):
        return finding
    shape = flow.distinct
    now = state.policies.evaluate(
        flow.src, flow.dst, shape.protocol, shape.port, icmp=shape.icmp, l7=shape.l7
    )
    return replace(finding, limits=(*finding.limits, MENDED)) if now.allowed is True else finding


def _changed_since(state: State) -> bool:
    snapshot = state.snapshot
    return (
        any(policy.valid_until is not None for policy in snapshot.policies)
        or any(one.labels_before for one in snapshot.namespaces.values())
        or any(pod.labels_before for pod in snapshot.pods)
    )


def meaning(flow: Flow) -> str:
    """One line on a refusal that no policy made."""
    if flow.distinct.reason == STALE:
        return STALE_MEANING
    return meaning_of(flow.distinct.reason) or "the CNI gives no more than this reason"


_OUTSIDE = (EndpointKind.EXTERNAL, EndpointKind.UNKNOWN)


def _replayable(flow: Flow) -> bool:
    """Policies decide where at least one end is a known pod or node."""
    if all(_outside(end) for end in (flow.src, flow.dst)):
        return False
    return flow.distinct.protocol is not None


def _nowhere(end: Endpoint) -> bool:
    return end.kind is EndpointKind.UNKNOWN and not (end.name or end.ip or end.namespace)


def _outside(end: Endpoint) -> bool:
    if end.kind is EndpointKind.ENTITY:
        return (end.entity or "").startswith("world") or end.entity in ("unknown", None)
    return end.kind in _OUTSIDE


def _marks(end: Endpoint) -> set[tuple[str, str]]:
    """What an allowed flow's raw ends are compared with: pod names, workloads, addresses."""
    marks: set[tuple[str, str]] = set()
    namespace = end.namespace or (end.pod.namespace if end.pod else None)
    workload = end.workload or (end.pod.workload if end.pod else None)
    if namespace is not None and workload is not None:
        marks.add((namespace, workload.name))
    if namespace is not None and end.name:
        marks.add((namespace, end.name))
    if end.pod is not None:
        marks.update(("", ip) for ip in end.pod.ips)
    if end.ip:
        marks.add(("", end.ip))
    return marks


def _near(distinct: DistinctFlow, beside: set[tuple[str, str]]) -> bool:
    for peer in (distinct.src, distinct.dst):
        if peer.ip is not None and ("", peer.ip) in beside:
            return True
        if peer.namespace is not None:
            if peer.pod is not None and (peer.namespace, peer.pod) in beside:
                return True
            if peer.workload is not None and (peer.namespace, peer.workload.name) in beside:
                return True
    return False
