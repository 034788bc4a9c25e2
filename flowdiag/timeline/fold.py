"""Consequences under their causes.

Folding only ever moves a problem out of the headline; nothing is taken out of the report.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from flowdiag.model.report import ClockSkew
from flowdiag.timeline.drafts import ProblemDraft
from flowdiag.timeline.ends import EndKey
from flowdiag.timeline.fold_agent import under_agents
from flowdiag.timeline.fold_change import WorkedBefore, under_changes
from flowdiag.timeline.folded import Folded, overlap
from flowdiag.timeline.marks import ChangeMark
from flowdiag.timeline.ports import DNS_PORTS

__all__ = ["fold"]

_DNS = "FD401"


def fold(
    drafts: Sequence[ProblemDraft],
    *,
    changes: Sequence[ChangeMark],
    skews: Sequence[ClockSkew],
    worked_before: WorkedBefore,
) -> dict[int, Folded]:
    """Index of a consequence to its cause; no chains, no cycles.

    Args:
        drafts: problems of refused traffic.
        changes: all changes of the run.
        skews: pairs of nodes whose clocks disagree.
        worked_before: whether all connections of a problem were seen to pass before an instant.
    """
    folded: dict[int, Folded] = {}
    retries = _dns_retries(drafts)
    agents = under_agents(drafts)
    triggered = under_changes(drafts, changes, skews, worked_before)
    for found in (retries, agents, triggered):
        for index, one in found.items():
            folded.setdefault(index, one)
    return {index: _to_root(index, one, folded) for index, one in folded.items()}


def _to_root(index: int, one: Folded, folded: dict[int, Folded]) -> Folded:
    """Follow causes to the one that is not a consequence itself: a retry of lookups may be explained by a change."""
    seen = {index}
    cause = one.cause
    while cause in folded and cause not in seen:
        seen.add(cause)
        cause = folded[cause].cause
    return replace(one, cause=cause)


def _dns_retries(drafts: Sequence[ProblemDraft]) -> dict[int, Folded]:
    folded: dict[int, Folded] = {}
    for cause_index, cause in enumerate(drafts):
        if cause.finding.code != _DNS:
            continue
        sources = {draft.source for draft in cause.connections}
        for index, other in enumerate(drafts):
            if index not in folded and other.finding.code != _DNS and _dns_retry(other, sources, cause):
                folded[index] = Folded(cause_index, None)
    return folded


def _dns_retry(other: ProblemDraft, sources: set[EndKey], cause: ProblemDraft) -> bool:
    """Lookups that the same workloads tried elsewhere (another port, TCP, another server) meanwhile."""
    if not all(draft.port in DNS_PORTS and draft.source in sources for draft in other.connections):
        return False
    return overlap(other, cause)
