"""A group of refused connections as the report's `Problem`."""

from __future__ import annotations

import hashlib
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from itertools import chain, groupby, islice

from flowdiag.model.event import Cause, ObjectRef, PolicyHit
from flowdiag.model.policy import NearestRule, PolicyRef
from flowdiag.model.report import (
    Connection,
    EvidenceLine,
    NearestRuleView,
    Problem,
    ProblemChange,
    Reason,
    RecordedPolicy,
    Severity,
)
from flowdiag.model.time import NS, moment_text, rfc3339
from flowdiag.model.words import plural
from flowdiag.timeline.commands import confirm_commands
from flowdiag.timeline.ends import EndKey, EndViews, end_name, end_namespace
from flowdiag.timeline.group import ConnectionDraft, ProblemDraft, Refusal
from flowdiag.timeline.marks import ChangeMark, in_time, near_changes
from flowdiag.timeline.mended import ended
from flowdiag.timeline.ports import count_ports

__all__ = ["fingerprint", "make_problem"]

_TITLE_MARK = re.compile(r"\{source\}|\{destination\}|\{port\}")
"""Marks in a rule's title: ``DNS is blocked for {source}``."""

_MAX_EVIDENCE = 5
_MAX_AGES = 1000
_MAX_NEAREST = 5
_MAX_OTHERWISE = 3
_MAX_NAMED = 3
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
) -> Problem:
    """Everything but the folding, which needs all problems (`explains`, `explained_by`).

    Args:
        draft: the connections with one cause.
        changes: all of the run.
        until: the end of the evidence.
        allowed_since: when the connections were seen to pass again.
        notes: sentences that stand before the problem's own.
        ends: the views of ends that the run's problems share.
    """
    known = ends if ends is not None else EndViews()
    finding = draft.finding
    mark = fingerprint(draft)
    first, last = draft.span
    flows = draft.flows
    lead = draft.connections[0]
    since = ended(draft, seen=allowed_since is not None)
    views = [_connection(connection, known) for connection in draft.connections]
    source, destination = views[0].source, views[0].destination
    return Problem(
        id=f"p-{mark[:8]}",
        fingerprint=mark,
        code=finding.code,
        slug=finding.slug,
        title=_title(draft),
        severity=Severity.LOW if _scan(draft) else finding.severity,
        confidence=finding.confidence,
        status=None,
        first=None if first is None else rfc3339(first),
        last=None if last is None else rfc3339(last),
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
        changes=_changes(draft, changes, first, last),
        explains=(),
        explained_by=None,
        evidence=_evidence(draft),
        pod_ages_s=_ages(draft),
        summary=finding.summary,
        advice=since.advice or finding.advice,
        verify=confirm_commands(
            source, destination, lead.protocol, lead.port, finding.isolating, address=_asked(lead)
        ),
        references=finding.references,
        notes=(
            *notes,
            *since.notes,
            *_otherwise(draft),
            *_attempts(draft),
            *_scan(draft),
            *_distinct_limits(draft),
        ),
    )


def _asked(lead: ConnectionDraft) -> str | None:
    """An address that the records have for the destination: of a Service, which pod stood behind it is not known."""
    known = {refusal.flow.via.ip for refusal in lead.refusals if refusal.flow.via is not None}
    return min((ip for ip in known if ip is not None), default=None)


def _ages(draft: ProblemDraft) -> tuple[float, ...]:
    """How old pods were at their first refusals, where the finding is about that."""
    ages = [r.finding.age_s for connection in draft.connections for r in connection.refusals]
    return tuple(sorted(age for age in ages if age is not None)[:_MAX_AGES])


def _scan(draft: ProblemDraft) -> tuple[str, ...]:
    """Strangers who try many ports: the policies do their work, and nobody's call is broken."""
    if not all(c.source[0] == "external" and c.port is None and c.ports.most > 1 for c in draft.connections):
        return ()
    addresses = {flow.src.ip for flow in draft.flows}
    ports = count_ports(flow.distinct for flow in draft.flows)
    strangers = plural(len(addresses), "outside address", "outside addresses")
    return (f"looks like a scan: {strangers} tried {ports} ports",)


def _attempts(draft: ProblemDraft) -> tuple[str, ...]:
    """Packets that are the same connection tried again, where only packets were logged.

    A refused SYN is sent again from the same port after 1, 3 and 7 seconds, and each is a line.
    """
    flows = draft.flows
    if not all(flow.basis is not None and flow.distinct.protocol == "TCP" for flow in flows):
        return ()
    packets = draft.count
    tried = {
        (flow.distinct.src.ip, flow.distinct.dst.ip, flow.distinct.port, port)
        for flow in flows
        for port in flow.distinct.source_ports
    }
    if not 0 < len(tried) < packets:
        return ()
    return (
        f"{plural(packets, 'packet')} of {len(tried):,} or more connections: a SYN without an answer is sent again",
    )


def _otherwise(draft: ProblemDraft) -> tuple[str, ...]:
    """What else refused the same connections, which the problem does not speak of: before it, or other pods' packets."""
    found: dict[tuple[object, ...], list[Refusal]] = defaultdict(list)
    for connection in draft.connections:
        for key, refusals in connection.said_otherwise.items():
            found[key].extend(refusals)
    said = []
    for refusals in found.values():
        flows, finding = [one.flow for one in refusals], refusals[0].finding
        times = [flow.last for flow in flows if flow.last is not None]
        count = sum(flow.count for flow in flows)
        side = f" on {finding.direction}" if finding.direction is not None else ""
        names = [_called(ref) for ref in finding.isolating]
        if finding.decided_by is not None and finding.decided_by.policy not in finding.isolating:
            names.append(_called(finding.decided_by.policy))
        by = f" by {' and '.join(names[:_MAX_NAMED])}" if names else ""
        more = f" and {len(names) - _MAX_NAMED} more" if len(names) > _MAX_NAMED else ""
        until = f", the last at {moment_text(max(times))}" if times else ""
        said.append(
            (
                -count,
                f"{count:,} of them {'was' if count == 1 else 'were'} refused otherwise{until} ({finding.code}{side}{by}{more})",
            )
        )
    said.sort()
    rest = (
        (f"and otherwise in {plural(len(said) - _MAX_OTHERWISE, 'more way')}",)
        if len(said) > _MAX_OTHERWISE
        else ()
    )
    return (*(text for _, text in said[:_MAX_OTHERWISE]), *rest)


def _called(ref: PolicyRef) -> str:
    return f"{ref.kind} {ref.name}" if ref.namespace is None else f"{ref.kind} {ref.namespace}/{ref.name}"


def _distinct_limits(draft: ProblemDraft) -> tuple[str, ...]:
    seen: dict[str, None] = {}
    for connection in draft.connections:
        for limit in (*connection.finding.limits, *connection.limits):
            seen.setdefault(limit)
    return tuple(seen)[:8]


def _connection(draft: ConnectionDraft, ends: EndViews) -> Connection:
    first, last = draft.first, draft.last
    return Connection(
        source=ends.of(draft.source, (r.flow.src for r in draft.refusals)),
        destination=ends.of(draft.destination, (r.flow.dst for r in draft.refusals)),
        protocol=draft.protocol,
        port=draft.port,
        count=draft.count,
        first=None if first is None else rfc3339(first),
        last=None if last is None else rfc3339(last),
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
    """The name, else the vendor's own words; the default deny of a whole namespace is no one policy's."""
    isolation = hit.rule == "default-deny" and hit.namespace is not None
    return hit.name or (None if isolation else hit.raw)


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
    # Of many flows only some keep their records' texts: those are what a reader wants.
    texts = sorted([one for one in examples if one.text])
    places = () if len(texts) == len(examples) else sorted([one for one in examples if not one.text])
    chosen = sorted(one for one, _ in islice(groupby(chain(texts, places)), _MAX_EVIDENCE))
    return tuple(EvidenceLine(one.input, one.line, one.raw) for one in chosen)


def _changes(
    draft: ProblemDraft, changes: Sequence[ChangeMark], first: int | None, last: int | None
) -> tuple[ProblemChange, ...]:
    timely = in_time(changes, first, last)
    if not timely:
        return ()
    return near_changes(
        timely, _objects(draft), _namespaces(draft), first, last, isolated=_isolation_known(draft)
    )


def _objects(draft: ProblemDraft) -> set[ObjectRef]:
    """Objects whose changes matter to the problem: its policies, the ends' namespaces and workloads."""
    objects: set[ObjectRef] = set()
    for connection in draft.connections:
        finding = connection.finding
        refs: list[PolicyRef] = [*finding.isolating, *(rule.policy for rule in finding.nearest)]
        if finding.decided_by is not None:
            refs.append(finding.decided_by.policy)
        objects.update(ObjectRef(ref.kind, ref.group, ref.namespace, ref.name) for ref in refs)
        for key in (connection.source, connection.destination):
            namespace = end_namespace(key)
            if namespace is not None:
                objects.add(ObjectRef("Namespace", "", None, namespace))
            if key[0] == "pod" and key[2]:
                groups = ("apps", "batch", "")
                objects.update(ObjectRef(key[2], group, namespace, key[3]) for group in groups)
    return objects


def _isolation_known(draft: ProblemDraft) -> bool:
    """Whether it is known which policies refused; not the policies' matter counts as known."""
    return all(
        connection.finding.isolating
        or connection.finding.decided_by is not None
        or connection.refusals[0].flow.distinct.cause is not Cause.POLICY
        for connection in draft.connections
    )


def _namespaces(draft: ProblemDraft) -> set[str]:
    ends = [key for c in draft.connections for key in (c.source, c.destination)]
    return {namespace for key in ends if (namespace := end_namespace(key)) is not None}


def _title(draft: ProblemDraft) -> str:
    sources = sorted({c.source for c in draft.connections})
    destinations = sorted({c.destination for c in draft.connections})
    services = sorted({(c.port, c.protocol or "", c.icmp or "") for c in draft.connections}, key=repr)
    replaced = {
        "{source}": _names(sources, draft.connections[0].source),
        "{destination}": _names(destinations, draft.connections[0].destination),
        "{port}": _ports(services, draft.connections),
    }
    # One pass over the rule's template: a name that holds a mark itself stays a name.
    return _TITLE_MARK.sub(lambda mark: replaced[mark[0]], draft.finding.title)


def _names(keys: list[EndKey], lead: EndKey) -> str:
    if len(keys) == 1:
        return end_name(keys[0])
    namespaces = sorted({key[1] for key in keys if key[1]})
    kinds = {key[0] for key in keys}
    word = "workloads" if kinds == {"pod"} else "outside ranges" if kinds <= {"external"} else "ends"
    if kinds == {"node"} and all(key[3] for key in keys):
        return f"nodes {keys[0][3]} and {keys[1][3]}" if len(keys) == 2 else f"{len(keys)} nodes"
    if len(keys) == 2:
        other = next(key for key in keys if key != lead)
        return f"{end_name(lead)} and {end_name(other)}"
    where = (
        f" in {namespaces[0]}"
        if len(namespaces) == 1
        else f" in {len(namespaces)} namespaces"
        if namespaces
        else ""
    )
    return f"{len(keys)} {word}{where}"


def _ports(services: list[tuple[int | None, str, str]], connections: list[ConnectionDraft]) -> str:
    if len(services) > 3:
        return f"{len(services)} ports"
    texts = []
    for port, protocol, icmp in services:
        if port is not None:
            texts.append(f"{port}/{protocol}" if protocol else str(port))
        elif icmp:
            texts.append(f"{protocol or 'ICMP'} {icmp}")
        else:
            ports = count_ports(
                refusal.flow.distinct
                for connection in connections
                if connection.port is None and (connection.protocol or "") == protocol
                for refusal in connection.refusals
            )
            texts.append(
                f"{ports} {protocol} ports"
                if ports.most > 1 and protocol
                else f"{ports} ports"
                if ports.most > 1
                else protocol or "any port"
            )
    return ", ".join(texts)
