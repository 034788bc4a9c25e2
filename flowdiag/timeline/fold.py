"""Consequences under their causes.

Folding only ever moves a problem out of the headline; nothing is taken out of the report.
"""

from __future__ import annotations

from collections.abc import Sequence

from flowdiag.timeline.ends import EndKey
from flowdiag.timeline.group import ProblemDraft

__all__ = ["explained_by"]

_DNS = "FD401"
_DNS_PORTS = (53, 853, 5353)


def explained_by(drafts: Sequence[ProblemDraft]) -> dict[int, int]:
    """Index of a consequence to the index of its cause; no chains, no cycles."""
    folded: dict[int, int] = {}
    for cause_index, cause in enumerate(drafts):
        if cause.finding.code != _DNS:
            continue
        sources = {draft.source for draft in cause.connections}
        for index, other in enumerate(drafts):
            if index == cause_index or index in folded or cause_index in folded:
                continue
            if other.finding.code != _DNS and _dns_retry(other, sources, cause):
                folded[index] = cause_index
    return folded


def _dns_retry(other: ProblemDraft, sources: set[EndKey], cause: ProblemDraft) -> bool:
    """Lookups that the same workloads tried elsewhere (another port, TCP, another server) meanwhile."""
    if not all(draft.port in _DNS_PORTS and draft.source in sources for draft in other.connections):
        return False
    return _overlap(other, cause)


def _overlap(one: ProblemDraft, other: ProblemDraft) -> bool:
    ends = [_span(one), _span(other)]
    if None in ends:
        return False
    (a, b), (c, d) = (end for end in ends if end is not None)
    return a <= d and c <= b


def _span(draft: ProblemDraft) -> tuple[int, int] | None:
    firsts = [c.first for c in draft.connections if c.first is not None]
    lasts = [c.last for c in draft.connections if c.last is not None]
    return (min(firsts), max(lasts)) if firsts and lasts else None
