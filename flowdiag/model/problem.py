"""One problem of a report: refused connections with one cause, what shows them and what mends them.

Part of the schema ``flowdiag.report/1``; reporters take these names from `flowdiag.model.report`, which has them all.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from msgspec import UNSET, Struct, UnsetType

from flowdiag.model.event import ObjectRef, WorkloadRef
from flowdiag.model.policy import Miss, PolicyRef

__all__ = [
    "BlastRadius",
    "Confidence",
    "Connection",
    "Counterfactual",
    "DecidingRule",
    "EvidenceLine",
    "JoinedChange",
    "NearestRuleView",
    "Problem",
    "ProblemChange",
    "Reason",
    "RecordedPolicy",
    "RefusedOtherwise",
    "ReportEndpoint",
    "Severity",
    "Status",
    "problem_without_refusals",
    "report_order",
]


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
    cluster: str | UnsetType = UNSET
    """The other cluster of a mesh that a pod is of; left out for the cluster's own."""


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


class DecidingRule(Struct, frozen=True, kw_only=True):
    """The rule that decided by replay: a policy, the rule's path and its action, ``allow``, ``deny`` or ``pass``."""

    kind: str
    group: str
    namespace: str | None
    name: str
    rule: str
    action: str


class RefusedOtherwise(Struct, frozen=True, kw_only=True):
    """A part of a problem's refusals with another cause: earlier ones, or those of other pods."""

    count: int
    last: str | None
    code: str
    direction: str | None
    policies: tuple[PolicyRef, ...]
    """The policies that isolated the end then, and the one whose rule denied."""
    misses: tuple[Miss, ...] | UnsetType = UNSET
    """What the nearest rule missed; there only where code, direction and policies are the problem's own."""


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
    """Whether, by replay, every connection of the problem passes with it and nothing that is open closes."""
    allows_denied: bool
    """Whether every connection of the problem passes with it; a change that is not proved may mend some of them."""
    also_allows: tuple[BlastRadius, ...]
    may_allow: tuple[BlastRadius, ...] | UnsetType = UNSET
    """Ports that are surely closed without the change, and that may be open with it: policies cannot tell.  Left out
    where there are none."""
    mends: int | UnsetType = UNSET
    """How many of the problem's connections pass with it; left out where all do."""
    shared: tuple[PolicyRef, ...] | UnsetType = UNSET
    """Objects that the change for another problem writes differently: whichever manifest is applied last would undo
    the other.  Left out where there are none."""


class JoinedChange(Counterfactual, frozen=True, kw_only=True):
    """One change in place of those for several problems, which write the same object; proved for all their connections."""

    objects: tuple[PolicyRef, ...]
    """The objects in which they meet."""
    problems: tuple[str, ...] = ()
    """Ids of the problems that it mends."""


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
    """An alternative to `counterfactual`: it takes back the policy change that came before, where a log holds the old object."""
    decided_by: DecidingRule | None = None
    """The rule that decided in the replay, where a rule did; for a connection that a rule denied, that rule."""
    otherwise: tuple[RefusedOtherwise, ...] = ()
    """Parts of `count` with another cause, the largest first; `notes` says the same in sentences."""
    joined: JoinedChange | UnsetType = UNSET
    """What to apply instead of `counterfactual` to mend other problems as well, whose changes write the same object.
    Left out where there is none."""
    connections_left: int | UnsetType = UNSET
    """How many connections are not in `connections`, on a page that was too large.  Left out where all are there."""

    @property
    def connection_count(self) -> int:
        """How many connections it has, here or not."""
        return len(self.connections) + (self.connections_left or 0)


_SEVERITIES = list(Severity)


def report_order(problem: Problem) -> tuple[bool, int, int, str]:
    """Sort key of a report's problems: consequences of others last, then the gravest, then those of most denials."""
    folded = problem.explained_by is not None
    return (folded, _SEVERITIES.index(problem.severity), -problem.count, problem.id)


def problem_without_refusals(**told: Any) -> Problem:
    """Make a problem behind which there is no connection, policy or record; fields that are not `told` are empty.

    Args:
        told: fields of `Problem`; its identity, code, words and severity must be among them.
    """
    nobody = ReportEndpoint(kind="unknown")
    blank: dict[str, Any] = {
        **dict.fromkeys(("status", "first", "last", "ongoing", "direction", "protocol", "port", "icmp")),
        **dict.fromkeys(("counterfactual", "explained_by")),
        **dict.fromkeys(("connections", "recorded", "isolating", "nearest", "changes"), ()),
        **dict.fromkeys(("explains", "evidence", "verify", "references"), ()),
        "count": 0,
        "reason": Reason(None, None, None),
        "source": nobody,
        "destination": nobody,
    }
    return Problem(**(blank | told))
