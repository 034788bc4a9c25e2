"""A group of refused connections as the report's `Problem`."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import chain, groupby, islice

from flowdiag.cluster.index import target_ports
from flowdiag.model.event import L7, PolicyHit
from flowdiag.model.finding import Finding
from flowdiag.model.masking import masked
from flowdiag.model.policy import DecidedBy, NearestRule, PolicyRef
from flowdiag.model.report import (
    Connection,
    DecidingRule,
    EvidenceLine,
    NearestRuleView,
    Problem,
    Reason,
    RecordedPolicy,
    Severity,
)
from flowdiag.model.time import NS, rfc3339_or_none
from flowdiag.timeline.as_now import NOBODY, as_now
from flowdiag.timeline.commands import confirm_commands
from flowdiag.timeline.drafts import ConnectionDraft, ProblemDraft
from flowdiag.timeline.ends import EndViews
from flowdiag.timeline.marks import ChangeMark
from flowdiag.timeline.mended import ended
from flowdiag.timeline.nearby import changes_of
from flowdiag.timeline.own_notes import (
    advice_for_all,
    is_scan,
    own_notes,
    refused_otherwise,
    scan_advice,
)
from flowdiag.timeline.titles import title_of

__all__ = ["fingerprint", "make_problem"]

_ANSWERS = frozenset({"FD602", "FD606"})
"""Codes of replies and of the last packets of connections."""
_EPHEMERAL = 32768
"""The first port that Linux gives to clients of itself."""

_MAX_EVIDENCE = 5
_MAX_AGES = 1000
_MAX_NEAREST = 5
_ONGOING_S = 60
"""A refusal in the last minute of the evidence is still happening, as far as anybody can see."""


def fingerprint(draft: ProblemDraft) -> str:
    """What stays the same when the same problem is met again: no pod names, addresses, counts or times."""
    finding = draft.finding
    sources = sorted({c.source for c in draft.connections})
    destinations = sorted({c.destination for c in draft.connections})
    # A problem grows by connections: what they all share names it, else the first of them by name.
    shared: list[object] = []
    shared.append(sources[0] if len(sources) == 1 or len(destinations) > 1 else None)
    shared.append(destinations[0] if len(destinations) == 1 or len(sources) > 1 else None)
    shared.append(min({(c.protocol, c.port, c.icmp) for c in draft.connections}, key=repr))
    parts = [finding.code, finding.direction, finding.isolating, finding.cause_key, shared]
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:16]


def make_problem(
    draft: ProblemDraft,
    *,
    changes: Sequence[ChangeMark],
    until: int | None,
    allowed_since: int | None,
    notes: Iterable[str],
    ends: EndViews | None = None,
    interval: int = 0,
) -> Problem:
    """Make a problem of a draft; `explains` and `explained_by` stay empty, since folding needs all problems.

    Args:
        draft: the connections with one cause.
        changes: all of the run.
        until: the end of the evidence.
        allowed_since: when the connections were seen to pass again.
        notes: sentences that stand before the problem's own.
        ends: the views of ends that the run's problems share.
        interval: how long after its moment what a record counts may be, nanoseconds.
    """
    known = ends if ends is not None else EndViews()
    finding = draft.finding
    mark = fingerprint(draft)
    first, last = draft.span
    flows = draft.flows
    lead = draft.connections[0]
    since = ended(draft, seen=allowed_since is not None)
    otherwise = refused_otherwise(draft)
    views = [_connection(connection, known) for connection in draft.connections]
    source, destination = views[0].source, views[0].destination
    return Problem(
        id=f"p-{mark[:8]}",
        fingerprint=mark,
        code=finding.code,
        slug=finding.slug,
        title=title_of(draft),
        severity=Severity.LOW if is_scan(draft) else finding.severity,
        confidence=finding.confidence,
        status=None,
        first=rfc3339_or_none(first),
        last=rfc3339_or_none(last),
        ongoing=False if since.over and until is not None else _ongoing(last, until, allowed_since),
        count=draft.count,
        direction=finding.direction,
        verdict=str(lead.refusals[0].flow.distinct.verdict),
        reason=_reason(lead),
        source=source,
        destination=destination,
        protocol=lead.protocol,
        port=lead.port,
        icmp=lead.icmp,
        connections=tuple(views),
        recorded=_recorded(hit for flow in flows for hit in flow.distinct.policies),
        isolating=finding.isolating,
        nearest=tuple(_nearest(rule) for rule in finding.nearest[:_MAX_NEAREST]),
        counterfactual=finding.counterfactual,
        revert=finding.revert,
        decided_by=None if finding.decided_by is None else _decided(finding.decided_by),
        otherwise=otherwise,
        changes=changes_of(draft, changes, first, last, interval),
        explains=(),
        explained_by=None,
        evidence=_evidence(draft),
        pod_ages_s=_ages(draft),
        summary=finding.summary,
        advice=since.advice or scan_advice(draft) or advice_for_all(draft) or finding.advice,
        verify=confirm_commands(
            as_now(source, ((r.flow.src, r.flow.last) for r in lead.refusals))
            if not _is_answer(lead)
            else NOBODY,
            as_now(destination, ((r.flow.dst, r.flow.last) for r in lead.refusals)),
            lead.protocol,
            lead.port,
            _to_look_at(finding),
            address=_asked(lead),
            service=_untranslated(lead),
            l7=_request(lead, finding),
        ),
        references=finding.references,
        notes=(
            *notes,
            *since.notes,
            *own_notes(draft, otherwise),
        ),
    )


def _is_answer(lead: ConnectionDraft) -> bool:
    """Whether the packets belong to a connection that the other end opened, so that trying their port would prove nothing."""
    return lead.finding.code in _ANSWERS and lead.port is not None and lead.port >= _EPHEMERAL


def _untranslated(lead: ConnectionDraft) -> str | None:
    """The Service whose port the connection has, where no pod behind it listens on that: one asks it by its name."""
    found = set[str]()
    for refusal in lead.refusals:
        via, pod = refusal.flow.via, refusal.flow.dst.pod
        service = via.service if via is not None else None
        if service is None or pod is None or lead.port is None:
            return None
        targets = target_ports(pod, service, lead.port, lead.protocol)
        if not targets or lead.port in targets:
            return None
        found.add(f"{service.name}.{service.namespace}")
    return min(found, default=None)


def _request(lead: ConnectionDraft, finding: Finding) -> L7 | None:
    """What a proxy refused; of several requests the one that the finding speaks of."""
    found = [(r.finding.summary, r.flow.distinct.l7) for r in lead.refusals if r.flow.distinct.l7 is not None]
    return next((l7 for said, l7 in found if said == finding.summary), found[0][1] if found else None)


def _asked(lead: ConnectionDraft) -> str | None:
    """An address that the records have for the destination: of a Service, which pod stood behind it is not known."""
    known = {refusal.flow.via.ip for refusal in lead.refusals if refusal.flow.via is not None}
    return min((ip for ip in known if ip is not None), default=None)


def _ages(draft: ProblemDraft) -> tuple[float, ...]:
    """How old pods were at their first refusals, where the finding is about that."""
    ages = [r.finding.age_s for connection in draft.connections for r in connection.refusals]
    return tuple(sorted(age for age in ages if age is not None)[:_MAX_AGES])


def _connection(draft: ConnectionDraft, ends: EndViews) -> Connection:
    first, last = draft.first, draft.last
    return Connection(
        source=ends.of(draft.source, (r.flow.src for r in draft.refusals)),
        destination=ends.of(draft.destination, (r.flow.dst for r in draft.refusals)),
        protocol=draft.protocol,
        port=draft.port,
        count=draft.count,
        first=rfc3339_or_none(first),
        last=rfc3339_or_none(last),
    )


def _ongoing(last: int | None, until: int | None, allowed_since: int | None) -> bool | None:
    if last is None or until is None:
        return None
    if allowed_since is not None and allowed_since > last:
        return False
    return until - last <= _ONGOING_S * NS


def _reason(draft: ConnectionDraft) -> Reason:
    weights: Counter[tuple[int | None, str | None, str | None]] = Counter()
    for refusal in draft.refusals:
        distinct = refusal.flow.distinct
        weights[(distinct.reason_code, distinct.reason, distinct.reason_raw)] += refusal.flow.count
    code, name, raw = max(weights, key=lambda item: (weights[item], repr(item)))
    return Reason(code, name, raw)


def _recorded(hits: Iterable[PolicyHit]) -> tuple[RecordedPolicy, ...]:
    found = {(hit.kind, hit.group, hit.namespace, _named(hit), hit.rule, hit.effect) for hit in hits}
    return tuple(
        RecordedPolicy(kind=kind, group=group, namespace=ns, name=name, rule=rule, effect=effect)
        for kind, group, ns, name, rule, effect in sorted(found, key=repr)
    )


def _named(hit: PolicyHit) -> str | None:
    """The name, else the vendor's own words; the default deny of a whole namespace is no one policy's.

    An EgressFirewall must be called ``default`` (OVN-Kubernetes), so that logs name its namespace alone.
    """
    if hit.kind == "EgressFirewall" and hit.namespace is not None:
        return hit.name or "default"
    isolation = hit.rule == "default-deny" and hit.namespace is not None
    return hit.name or (None if isolation else hit.raw)


def _decided(by: DecidedBy) -> DecidingRule:
    ref = by.policy
    return DecidingRule(
        kind=ref.kind,
        group=ref.group,
        namespace=ref.namespace,
        name=ref.name,
        rule=by.rule,
        action=by.action.lower(),
    )


def _nearest(rule: NearestRule) -> NearestRuleView:
    ref = rule.policy
    return NearestRuleView(
        kind=ref.kind,
        group=ref.group,
        namespace=ref.namespace,
        name=ref.name,
        rule=rule.rule,
        misses=rule.misses,
    )


def _evidence(draft: ProblemDraft) -> tuple[EvidenceLine, ...]:
    examples = [
        example
        for connection in draft.connections
        for refusal in connection.refusals
        for example in refusal.flow.distinct.examples
    ]
    # Where there are many flows, only some keep their records' texts; these are shown first.
    texts = sorted([one for one in examples if one.text])
    places = () if len(texts) == len(examples) else sorted([one for one in examples if not one.text])
    chosen = sorted(one for one, _ in islice(groupby(chain(texts, places)), _MAX_EVIDENCE))
    return tuple(EvidenceLine(one.input, one.line, masked(one.raw)) for one in chosen)


def _to_look_at(finding: Finding) -> tuple[PolicyRef, ...]:
    """The policies that isolate, behind the one whose rule denies where that is none of them."""
    decided = finding.decided_by
    if decided is None or decided.action.lower() != "deny" or decided.policy in finding.isolating:
        return finding.isolating
    return (decided.policy, *finding.isolating)
