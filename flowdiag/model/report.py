"""The report: one immutable value with all that a renderer needs, schema ``flowdiag.report/1``.

Field names and meanings are the outside contract; times are RFC 3339 UTC strings with nanoseconds,
unknown is ``None``, and the JSON Schema is generated from these types.
"""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct

from flowdiag.model.event import ObjectRef, WorkloadRef
from flowdiag.model.policy import Miss, PolicyRef

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
    "Evidence",
    "EvidenceGap",
    "EvidenceLine",
    "Generator",
    "Input",
    "NearestRuleView",
    "NotPolicy",
    "ParserInfo",
    "PolicyView",
    "Problem",
    "ProblemChange",
    "Reason",
    "RecordedPolicy",
    "Report",
    "ReportEndpoint",
    "ReportWarning",
    "Severity",
    "SnapshotInfo",
    "Status",
    "TimelineEntry",
    "Totals",
    "Window",
]

SCHEMA = "flowdiag.report/1"


class Severity(StrEnum):
    """How much it matters, worst first."""

    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"
    INFO = "info"


class Confidence(StrEnum):
    """How sure a finding is, surest first."""

    RECORDED = "recorded"
    DERIVED = "derived"
    LIKELY = "likely"
    POSSIBLE = "possible"


class Status(StrEnum):
    """A problem's place in the history of audits."""

    NEW = "new"
    KNOWN = "known"
    GONE = "gone"
    ACCEPTED = "accepted"


class ReportEndpoint(Struct, frozen=True, kw_only=True):
    """An end of a refused connection, as one of pod, node, service, external, entity or unknown."""

    kind: str
    namespace: str | None = None
    name: str | None = None
    """Workload name for pods, node name, Service name, CIDR or address, entity word."""
    pods: tuple[str, ...] = ()
    workload: WorkloadRef | None = None
    """The topmost owner; a bare pod is ``{kind: Pod}``."""
    ips: tuple[str, ...] = ()
    labels: dict[str, str] | None = None
    identity: int | None = None
    dns_names: tuple[str, ...] = ()
    known_by: str | None = None
    """``record``, ``snapshot``, ``identity``, ``name`` ... how the end was resolved."""


class Connection(Struct, frozen=True, kw_only=True):
    """One refused connection: workload to workload, service or folded range, by protocol and port."""

    source: ReportEndpoint
    destination: ReportEndpoint
    protocol: str | None
    port: int | None
    count: int
    first: str | None
    last: str | None


class Reason(Struct, frozen=True):
    """Why the CNI says it refused; `raw` is the record's own spelling."""

    code: int | None
    name: str | None
    raw: str | None


class RecordedPolicy(Struct, frozen=True, kw_only=True):
    """A policy that the records name, with the rule and effect they give."""

    kind: str | None
    group: str | None
    namespace: str | None
    name: str | None
    rule: str | None
    effect: str | None


class NearestRuleView(Struct, frozen=True, kw_only=True):
    """The rule that came nearest to allowing it, and what it missed."""

    kind: str
    group: str
    namespace: str | None
    name: str
    rule: str
    misses: tuple[Miss, ...]


class BlastRadius(Struct, frozen=True, kw_only=True):
    """A pair that a change would newly open."""

    src: str
    dst: str
    protocol: str
    ports: tuple[str, ...]


class Counterfactual(Struct, frozen=True, kw_only=True):
    """The smallest change that would have let the connection pass, with its proof."""

    summary: str
    manifests: tuple[str, ...]
    patch: str | None
    proved: bool
    allows_denied: bool
    also_allows: tuple[BlastRadius, ...]


class ProblemChange(Struct, frozen=True, kw_only=True):
    """A change near the first denial; `delta_s` is the change minus the first denial, in seconds.

    `what` is old and new in words, where a log of changes has both.
    """

    at: str
    kind: str
    object: ObjectRef
    delta_s: float
    what: str | None = None


class EvidenceLine(Struct, frozen=True):
    """A record that shows the problem, verbatim."""

    input: str
    line: int
    raw: str


class Problem(Struct, frozen=True, kw_only=True):
    """Refused connections with one cause."""

    id: str
    fingerprint: str
    code: str
    slug: str
    title: str
    severity: Severity
    confidence: Confidence
    status: Status | None
    first: str | None
    last: str | None
    ongoing: bool | None
    count: int
    direction: str | None
    verdict: str
    reason: Reason
    source: ReportEndpoint
    destination: ReportEndpoint
    protocol: str | None
    port: int | None
    icmp: str | None
    connections: tuple[Connection, ...]
    recorded: tuple[RecordedPolicy, ...]
    isolating: tuple[PolicyRef, ...]
    nearest: tuple[NearestRuleView, ...]
    counterfactual: Counterfactual | None
    changes: tuple[ProblemChange, ...]
    explains: tuple[str, ...]
    explained_by: str | None
    evidence: tuple[EvidenceLine, ...]
    advice: str
    verify: tuple[str, ...]
    references: tuple[str, ...]
    summary: str = ""
    """What is wrong here, in a sentence or two, with names, values and what was found instead."""
    notes: tuple[str, ...] = ()
    """Sentences: what was seen beside the refusals, and what kept the confidence down."""
    pod_ages_s: tuple[float, ...] = ()
    """Ages of pods at their first refusals in seconds, ascending, where the diagnosis is about them (FD601)."""
    revert: Counterfactual | None = None
    """Beside `counterfactual`: the policy change that came before taken back, where a log holds the old object."""


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

    Lines of a Log rule hold no verdict: those whose refusal the policies of their time prove count as denied
    (FD807 stands in their notes), those that the policies let pass as allowed; the others stand in
    `records` alone, and in problems with the verdict ``logged``.
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
    """Counts per bucket, in step with the buckets; `by_problem` is keyed by problem id."""

    denied: tuple[int, ...]
    allowed: tuple[int, ...] | None
    by_problem: dict[str, tuple[int, ...]]
    by_node: dict[str, tuple[int, ...]] = {}
    """Denials by the node that recorded them, the nodes with the most; records that name none are in no row."""


class Buckets(Struct, frozen=True):
    """Equal spans from `start`, `width_s` seconds each; `start` is ``None`` where no record has a time."""

    start: str | None
    width_s: float | None
    counts: BucketCounts


class Change(Struct, frozen=True, kw_only=True):
    """Something that changed in the cluster."""

    at: str
    kind: str
    object: ObjectRef
    by: str | None
    text: str


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


class NotPolicy(Struct, frozen=True):
    """Refusals that no policy made, folded by reason."""

    reason: str
    cause: str | None
    count: int
    text: str


class ReportWarning(Struct, frozen=True, kw_only=True):
    """Something the reader must know about inputs, plugins or limits."""

    code: str
    message: str
    input: str | None
    line: int | None


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
