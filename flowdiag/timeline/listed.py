"""What a report lists beside its problems: the policies in them, and refusals that are no policy's."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence

from msgspec import UNSET, UnsetType

from flowdiag.model.event import Cause, Verdict
from flowdiag.model.finding import BY_RULE
from flowdiag.model.flow import Flow
from flowdiag.model.objects import PolicyObject
from flowdiag.model.policy import PolicyRef
from flowdiag.model.report import DroppedPair, NotPolicy, PolicyView, RuleCounts
from flowdiag.model.time import rfc3339_or_none
from flowdiag.policy.manifest import manifest
from flowdiag.timeline.drafts import ProblemDraft
from flowdiag.timeline.ends import EndKey, end_key, end_name
from flowdiag.timeline.material import Material

__all__ = ["NOT_DENIED", "not_policy", "policy_views"]

NOT_DENIED = (Verdict.AUDITED, Verdict.LOGGED, Verdict.ALLOWED, Verdict.REDIRECTED)
"""Verdicts of problems that are no denials: let through, or known only to have been logged."""

_LARGEST = 3
"""Pairs that are listed of each reason why no policy refused."""


def policy_views(material: Material, drafts: Sequence[ProblemDraft]) -> tuple[PolicyView, ...]:
    """The policies that stand in problems, those of most denials first."""
    denials: Counter[PolicyRef] = Counter()
    for draft in drafts:
        for connection in draft.connections:
            other = connection.refusals[0].flow.distinct.verdict in NOT_DENIED
            for refusal in connection.refusals:
                finding = refusal.finding
                refs = set(finding.isolating)
                took_part = set() if finding.code in BY_RULE else refs
                if finding.decided_by is not None:
                    took_part = took_part | {finding.decided_by.policy}
                # A connection may be refused by other policies at other times.
                for ref in refs | took_part:
                    denials[ref] += 0 if other or ref not in took_part else refusal.flow.count
            for rule in connection.finding.nearest:
                denials[rule.policy] += 0
    ordered = sorted(denials.items(), key=lambda item: (-item[1], repr(item[0])))
    return tuple(_policy(material, ref, count) for ref, count in ordered)


def _policy(material: Material, ref: PolicyRef, count: int) -> PolicyView:
    known = material.policies(ref)
    origin = known.origin if known is not None else None
    return PolicyView(
        kind=ref.kind,
        group=ref.group,
        namespace=ref.namespace,
        name=ref.name,
        created=rfc3339_or_none(known.created if known is not None else None),
        selects=material.selects(ref),
        denials=count,
        path=origin.input if origin is not None else None,
        line=origin.line if origin is not None else None,
        manifest=manifest(known) if known is not None else None,
        rules=_rules(known) if known is not None else None,
    )


def _rules(policy: PolicyObject) -> RuleCounts:
    """As every language writes them; what is no list the API server refuses."""
    found = {side: policy.spec.get(side) for side in ("ingress", "egress")}
    return RuleCounts(**{side: len(rules) if isinstance(rules, list) else 0 for side, rules in found.items()})


def not_policy(flows: Sequence[tuple[Flow, str]]) -> tuple[NotPolicy, ...]:
    """Refusals that no policy made, by reason."""
    counts: Counter[_Kind] = Counter()
    pairs: defaultdict[_Kind, Counter[_Pair]] = defaultdict(Counter)
    for flow, text in flows:
        distinct = flow.distinct
        reason = distinct.reason or distinct.reason_raw or "unknown"
        kind = (reason, str(distinct.cause) if distinct.cause else None, text)
        counts[kind] += flow.count
        if distinct.cause is not Cause.NOISE:
            pairs[kind][end_key(flow.src), end_key(flow.dst), distinct.protocol, distinct.port] += flow.count
    ordered = sorted(counts.items(), key=lambda item: (-item[1], repr(item[0])))
    return tuple(NotPolicy(*kind[:2], count, kind[2], _largest(pairs[kind])) for kind, count in ordered)


_Kind = tuple[str, str | None, str]
"""Reason, cause, and what it means."""
_Pair = tuple[EndKey, EndKey, str | None, int | None]


def _largest(pairs: Counter[_Pair]) -> tuple[DroppedPair, ...] | UnsetType:
    ordered = sorted(pairs.items(), key=lambda item: (-item[1], repr(item[0])))
    return (
        tuple(
            DroppedPair(src=end_name(src), dst=end_name(dst), protocol=protocol, port=port, count=count)
            for (src, dst, protocol, port), count in ordered[:_LARGEST]
        )
        or UNSET
    )
