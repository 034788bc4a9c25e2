"""Everything that a report is made of, as the run found it out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from msgspec import Struct

from flowdiag.model.finding import Finding
from flowdiag.model.flow import Flow
from flowdiag.model.objects import PolicyObject
from flowdiag.model.policy import PolicyRef
from flowdiag.model.report import ClockSkew, Cluster, Generator, ReportWarning, SnapshotInfo
from flowdiag.model.tally import Bucket, InputSummary
from flowdiag.timeline.drafts import Refusal
from flowdiag.timeline.marks import ChangeMark, GapMark, SignalMark

__all__ = ["Material", "Mend"]

Mend = Callable[[Sequence[Refusal], Sequence[int], Sequence[Sequence[Sequence[Refusal]]]], Sequence[Finding]]
"""Refusals that speak for a problem each, how many records it has, and what else of it is refused by connection (its own
one first), to their findings with proposals where one is proved."""


class Material(Struct, kw_only=True):
    """All that a report is made of.  Times are nanoseconds."""

    generator: Generator
    created: int
    complete: bool
    cluster: Cluster
    inputs: Sequence[InputSummary]
    records: int
    flows: int
    refusals: Sequence[Refusal]
    """Denied and audited flows with their findings."""
    passed: Sequence[Refusal] = ()
    """Traffic that was let through though the policies refuse it, with its findings."""
    refused_now: Callable[[Flow], bool | None] = lambda _: None
    """Whether the policies at the end of the evidence refuse a flow; ``None`` where that is not known."""
    intervals: Mapping[str, int] = {}
    """How long the intervals are that records stand for, nanoseconds by parser; none for records of packets."""
    mend: Mend | None = None
    """Proposes what mends a problem, asked for the refusal that speaks for it."""
    unattributed: Sequence[Flow]
    """Denied flows that no diagnosis could place."""
    not_policy: Sequence[tuple[Flow, str]]
    """Denied flows that no policy refused, with one line of meaning."""
    allowed: Sequence[Flow]
    """Allowed flows that matter beside the refused ones (same ends), resolved."""
    calls: Sequence[Flow] = ()
    """Other allowed flows of clients whose DNS lookups were refused, resolved."""
    allowed_buckets: Sequence[Bucket] | None
    """Counts of all allowed flows; ``None`` where allowed traffic was not read."""
    since: int | None
    until: int | None
    changes: Sequence[ChangeMark]
    signals: Sequence[SignalMark]
    gaps: Sequence[GapMark]
    clock_skew: Sequence[ClockSkew]
    snapshot: SnapshotInfo
    policies: Callable[[PolicyRef], PolicyObject | None]
    """The object as the state has it."""
    selects: Callable[[PolicyRef], int | None]
    """How many live pods a policy selects, ``None`` if it is not in the state."""
    warnings: Sequence[ReportWarning]
