"""The report: one immutable value with all that a renderer needs, schema ``flowdiag.report/1``.

Field names and meanings are the outside contract; times are RFC 3339 UTC strings with nanoseconds,
unknown is ``None``, and the JSON Schema is generated from these types.
"""

from __future__ import annotations

from msgspec import UNSET, Struct, UnsetType

from flowdiag.model.event import ObjectRef
from flowdiag.model.problem import (
    BlastRadius,
    Confidence,
    Connection,
    Counterfactual,
    DecidingRule,
    EvidenceLine,
    JoinedChange,
    NearestRuleView,
    Problem,
    ProblemChange,
    Reason,
    RecordedPolicy,
    RefusedOtherwise,
    ReportEndpoint,
    Severity,
    Status,
)

__all__ = [
    "SCHEMA",
    "BlastRadius",
    "BucketCounts",
    "Buckets",
    "Change",
    "ClockSkew",
    "Cluster",
    "Confidence",
    "Connection",
    "Counterfactual",
    "DecidingRule",
    "DroppedPair",
    "Evidence",
    "EvidenceGap",
    "EvidenceLine",
    "Generator",
    "Input",
    "JoinedChange",
    "NearestRuleView",
    "NotPolicy",
    "Outside",
    "ParserInfo",
    "Plot",
    "PolicyView",
    "Problem",
    "ProblemChange",
    "Reason",
    "RecordedPolicy",
    "RefusedOtherwise",
    "Report",
    "ReportEndpoint",
    "ReportWarning",
    "RuleCounts",
    "Severity",
    "SnapshotInfo",
    "Status",
    "TimelineEntry",
    "Totals",
    "Window",
    "general_warning",
]

SCHEMA = "flowdiag.report/1"


class ParserInfo(Struct, frozen=True):
    """A plugin that took part."""

    name: str
    distribution: str | None
    version: str | None


class Generator(Struct, frozen=True):
    """What made the report."""

    name: str
    version: str
    parsers: tuple[ParserInfo, ...]
    command: str | None = None
    """The command line, as far as the report's contents follow from it; ``None`` where a program made it."""


class Window(Struct, frozen=True):
    """The time the evidence covers."""

    since: str | None
    until: str | None


class Cluster(Struct, frozen=True):
    """What is known of the cluster; `cni` are the CNIs that the evidence shows."""

    name: str | None
    cni: tuple[str, ...]
    dialect: str | None


class Input(Struct, frozen=True, kw_only=True):
    """One file that was read."""

    path: str
    parser: str | None
    bytes: int
    sha256: str | None
    records: int
    flows: int
    warnings: int
    first: str | None
    last: str | None
    year_inferred: bool


class EvidenceGap(Struct, frozen=True, rename={"since": "from"}, kw_only=True):
    """A span in which evidence is known to be missing."""

    node: str | None
    since: str | None
    to: str | None
    kind: str
    lost: int | None


class SnapshotInfo(Struct, frozen=True):
    """When the cluster objects were taken and where from."""

    taken: str | None
    source: str | None


class ClockSkew(Struct, frozen=True):
    """Two nodes whose clocks disagree, by the records of one connection."""

    node: str
    reference: str
    offset_s: float


class Evidence(Struct, frozen=True):
    """What the evidence can and cannot show."""

    gaps: tuple[EvidenceGap, ...]
    snapshot: SnapshotInfo
    clock_skew: tuple[ClockSkew, ...]


class Totals(Struct, frozen=True, kw_only=True):
    """`denied` is the sum over the denied problems plus `unattributed`; audited and not_policy stand apart.

    `records` and `flows` (records of flows) are all that was read; the others count what was selected
    (``--since``, ``--namespace`` ...).

    Lines that a Log rule wrote hold no verdict.  They count as denied where the policies of their time prove that the
    packet was refused (FD807 is then in the problem's notes), and as allowed where these let it pass.  The others are
    counted in `records` only, and stand in problems with the verdict ``logged``.
    """

    records: int
    flows: int
    denied: int
    audited: int
    allowed: int | None
    not_policy: int
    unattributed: int


class TimelineEntry(Struct, frozen=True):
    """One mark on the time axis: first-denial, last-denial, change, signal or gap."""

    at: str
    kind: str
    problem: str | None
    text: str


class BucketCounts(Struct, frozen=True):
    """Counts, one per bucket in each row; `by_problem` is keyed by problem id."""

    denied: tuple[int, ...]
    allowed: tuple[int, ...] | None
    by_problem: dict[str, tuple[int, ...]]
    by_node: dict[str, tuple[int, ...]] = {}
    """Denials by the node that recorded them, of the nodes with the most; records that name no node are in no row."""


class Buckets(Struct, frozen=True):
    """Equal spans from `start`, `width_s` seconds each; `start` is ``None`` where no record has a time."""

    start: str | None
    width_s: float | None
    counts: BucketCounts


class Outside(Struct, frozen=True, kw_only=True):
    """Records that lie far from all others: when the first and the last of them begin, and how many there are."""

    first: str
    last: str
    count: int


class Plot(Struct, frozen=True, kw_only=True):
    """What plots show instead of `Report.buckets`, where a few stray records would squeeze the incident into one bar."""

    buckets: Buckets
    """The part where the denials are."""
    outside: tuple[Outside, ...]
    """Records before and after that part."""


class Change(Struct, frozen=True, kw_only=True):
    """Something that changed in the cluster."""

    at: str
    kind: str
    object: ObjectRef
    by: str | None
    text: str


class RuleCounts(Struct, frozen=True, kw_only=True):
    """Rules of a policy by direction; what only denies (``ingressDeny``) is not counted."""

    ingress: int
    egress: int


class PolicyView(Struct, frozen=True, kw_only=True):
    """A policy involved: since when, how many live pods it selects, how many denials it had a part in."""

    kind: str
    group: str
    namespace: str | None
    name: str
    created: str | None
    selects: int | None
    denials: int
    path: str | None = None
    """File that the policy was read from, where it was one; with `line`, the first line of its object."""
    line: int | None = None
    manifest: str | None = None
    """The policy as YAML text, as it was when the state was taken, without what only the API server writes."""
    rules: RuleCounts | None = None
    """How many rules it has; a policy that isolates in a direction without any admits nobody there."""


class DroppedPair(Struct, frozen=True, kw_only=True):
    """Two ends between whom packets were refused by no policy."""

    src: str
    dst: str
    protocol: str | None
    port: int | None
    count: int


class NotPolicy(Struct, frozen=True):
    """Refusals that no policy made, folded by reason."""

    reason: str
    cause: str | None
    count: int
    text: str
    largest: tuple[DroppedPair, ...] | UnsetType = UNSET
    """Between whom most of them were, largest first; of noise nobody asks."""


class ReportWarning(Struct, frozen=True, kw_only=True):
    """Something the reader must know about inputs, plugins or limits."""

    code: str
    message: str
    input: str | None
    line: int | None


def general_warning(code: str, message: str) -> ReportWarning:
    """A warning of the run as a whole, and of no place in an input."""
    return ReportWarning(code=code, message=message, input=None, line=None)


class Report(Struct, frozen=True, kw_only=True):
    """A whole report."""

    schema: str = SCHEMA
    generator: Generator
    created: str
    complete: bool
    window: Window
    cluster: Cluster
    inputs: tuple[Input, ...]
    evidence: Evidence
    totals: Totals
    problems: tuple[Problem, ...]
    timeline: tuple[TimelineEntry, ...]
    buckets: Buckets
    changes: tuple[Change, ...]
    policies: tuple[PolicyView, ...]
    not_policy: tuple[NotPolicy, ...]
    warnings: tuple[ReportWarning, ...]
    plot: Plot | UnsetType = UNSET
    """Left out where `buckets` is what plots show."""
