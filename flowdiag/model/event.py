"""What one record of a log or flow export says: nothing inferred, nothing joined.

These are the values that parsers yield.  The JSON form (``flowdiag.event/1``) is in
`flowdiag.report.events`.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from msgspec import Struct

__all__ = [
    "L7",
    "NOT_POLICY",
    "PASSED",
    "PORT_PROTOCOLS",
    "Cause",
    "ChangeEvent",
    "Direction",
    "Event",
    "FlowEvent",
    "GapEvent",
    "Icmp",
    "LogEvent",
    "ObjectRef",
    "ParseWarning",
    "Peer",
    "PolicyHit",
    "TimeSource",
    "Verdict",
    "Witness",
    "WorkloadRef",
]


class Verdict(StrEnum):
    """What became of the traffic, in the contract's words."""

    DENIED = "denied"
    ALLOWED = "allowed"
    AUDITED = "audited"
    """It would have been denied, but was let through: audit mode."""
    REDIRECTED = "redirected"
    """Sent to an L7 proxy: allowed so far."""
    ERROR = "error"
    LOGGED = "logged"
    """The record only says that a rule logged it."""
    UNKNOWN = "unknown"


PASSED = (Verdict.ALLOWED, Verdict.REDIRECTED)
"""Verdicts of traffic that went on, and that no policy would refuse."""


class Cause(StrEnum):
    """Why a denied record was denied; ``None`` where it was not denied or nobody can tell."""

    POLICY = "policy"
    CONFIGURATION = "configuration"
    FAULT = "fault"
    NOISE = "noise"


NOT_POLICY = (Cause.CONFIGURATION, Cause.FAULT, Cause.NOISE)
"""Causes of what something other than a policy refused."""

PORT_PROTOCOLS = ("TCP", "UDP", "SCTP")
"""Transport protocols that have ports."""


class Direction(StrEnum):
    """Seen from the endpoint that enforces."""

    INGRESS = "ingress"
    EGRESS = "egress"


class TimeSource(StrEnum):
    """Where an event's time comes from."""

    RECORD = "record"
    ENVELOPE = "envelope"
    INFERRED_YEAR = "inferred-year"
    NONE = "none"


class Witness(StrEnum):
    """Which of the two records this is that one refused packet can leave; by it such a pair is counted once."""

    DROP = "drop"
    VERDICT = "verdict"


class WorkloadRef(Struct, frozen=True):
    """An owner of pods.  `kind` is ``None`` where the record gives only a name."""

    kind: str | None
    name: str


class Peer(Struct, frozen=True, kw_only=True):
    """One end of a flow, as recorded; what the record does not say is ``None``.

    Hashable: labels are sorted ``(key, value)`` pairs with their prefixes as recorded
    (``k8s:app`` stays ``k8s:app``; a label without ``=`` has the value ``""``).
    """

    ip: str | None = None
    """Canonical text (IPv4-mapped IPv6 as IPv4); verbatim if it is not an address."""
    port: int | None = None
    mac: str | None = None
    namespace: str | None = None
    pod: str | None = None
    """Verbatim; aggregated names such as ``web-574f-*`` too."""
    node: str | None = None
    service: str | None = None
    """``namespace/name``."""
    workload: WorkloadRef | None = None
    entity: str | None = None
    """A reserved identity's word: ``world``, ``host``, ``remote-node``, ``kube-apiserver`` ..."""
    identity: int | None = None
    labels: tuple[tuple[str, str], ...] | None = None
    dns_names: tuple[str, ...] | None = None


class Icmp(Struct, frozen=True):
    """ICMP or ICMPv6 type and code."""

    type: int | None
    code: int | None


class L7(Struct, frozen=True, kw_only=True):
    """What an L7 proxy recorded; one of the groups is filled, the rest is ``None``."""

    kind: str
    """``http``, ``dns``, ``kafka`` or the vendor's word."""
    type: str | None = None
    """``request``, ``response`` or ``sample``."""
    latency_ns: int | None = None
    method: str | None = None
    url: str | None = None
    protocol: str | None = None
    code: int | None = None
    """HTTP status."""
    query: str | None = None
    """DNS question without the trailing dot."""
    qtypes: tuple[str, ...] | None = None
    rcode: int | None = None
    ips: tuple[str, ...] | None = None
    ttl: int | None = None
    cnames: tuple[str, ...] | None = None
    summary: str | None = None
    """Free text where the record has no parts."""


class PolicyHit(Struct, frozen=True, kw_only=True):
    """A policy that the record itself names."""

    kind: str | None = None
    group: str | None = None
    namespace: str | None = None
    name: str | None = None
    tier: str | None = None
    rule: str | None = None
    effect: str | None = None
    """``allow``, ``deny``, ``pass``, ``log``, ``no-match`` or ``None``."""
    raw: str | None = None
    """The vendor's own spelling, where it is one string."""


class ObjectRef(Struct, frozen=True):
    """A Kubernetes object of any kind; `namespace` is ``None`` for cluster-wide ones."""

    kind: str
    group: str | None
    namespace: str | None
    name: str | None


class FlowEvent(Struct, frozen=True, kw_only=True):
    """One record about a packet or a connection.  The vendor's words stand beside the normal ones."""

    line: int
    """Line in the original file from 1; the element's index from 1 inside a JSON array or document."""
    at: int | None = None
    time_source: TimeSource = TimeSource.NONE
    node: str | None = None
    raw: str | None = None
    """The record verbatim, only where `ParseContext.keep_raw` asks for it."""
    src: Peer
    dst: Peer
    protocol: str | None = None
    """``TCP``, ``UDP``, ``SCTP``, ``ICMP``, ``ICMPv6`` or as recorded."""
    direction: Direction | None = None
    verdict: Verdict
    verdict_raw: str | None = None
    cause: Cause | None = None
    reason: str | None = None
    """Normalised reason: for Cilium the enum name (``POLICY_DENIED``), else a kebab-case word."""
    reason_code: int | None = None
    reason_raw: str | None = None
    is_reply: bool | None = None
    tcp_flags: tuple[str, ...] | None = None
    icmp: Icmp | None = None
    l7: L7 | None = None
    policies: tuple[PolicyHit, ...] = ()
    interface_in: str | None = None
    interface_out: str | None = None
    count: int = 1
    """How many records or connections this one stands for."""
    witness: Witness | None = None


class LogEvent(Struct, frozen=True, kw_only=True):
    """One message of a component; `signal` is a stable code where it matters to diagnosis."""

    line: int
    at: int | None = None
    time_source: TimeSource = TimeSource.NONE
    node: str | None = None
    raw: str | None = None
    level: str | None = None
    component: str | None = None
    message: str
    fields: dict[str, str] = {}
    signal: str | None = None


class ChangeEvent(Struct, frozen=True, kw_only=True):
    """Something in the cluster changed."""

    line: int
    at: int | None = None
    time_source: TimeSource = TimeSource.NONE
    node: str | None = None
    raw: str | None = None
    object: ObjectRef
    change: str
    """``created``, ``updated`` or ``deleted``."""
    by: str | None = None
    before: dict[str, Any] | None = None
    after: dict[str, Any] | None = None
    """The whole object before and after, where the source has it."""
    written: dict[str, Any] | None = None
    """The merge patch that was sent, where the object before it is not known; it says something of single fields only."""


class GapEvent(Struct, frozen=True, kw_only=True):
    """Evidence that is missing, as the source itself says."""

    line: int
    at: int | None = None
    time_source: TimeSource = TimeSource.NONE
    node: str | None = None
    raw: str | None = None
    kind: str
    """``lost-events``, ``rate-limited``, ``node-unavailable`` ..."""
    lost: int | None = None
    """How many records, if known."""
    until: int | None = None
    message: str | None = None


class ParseWarning(Struct, frozen=True, kw_only=True):
    """What could not be read, and why; a malformed record never stops a file."""

    line: int
    code: str
    message: str
    at: int | None = None
    time_source: TimeSource = TimeSource.NONE
    node: str | None = None
    raw: str | None = None


Event = FlowEvent | LogEvent | ChangeEvent | GapEvent | ParseWarning
