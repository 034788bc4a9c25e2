"""What an evaluation of policies says: per end, decided by what, nearest to what, and why.

The shapes are those of ``explain`` and ``verify``, which programs read.
Hundreds of thousands of them live at once and none can be part of a cycle, so the garbage collector is
told to leave them alone.
"""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct

from flowdiag.model.event import Direction

__all__ = [
    "CALICO_GROUPS",
    "CILIUM_DIALECTS",
    "CONDITION_WORDS",
    "KUBERNETES_GROUPS",
    "PEER_WORDS",
    "Condition",
    "ConnectionDecision",
    "DecidedBy",
    "Dialect",
    "EndDecision",
    "IpBlockPods",
    "Miss",
    "NearestRule",
    "PolicyRef",
    "WalkStep",
]


class PolicyRef(Struct, frozen=True, order=True, gc=False, cache_hash=True):
    """A policy object; `namespace` is ``None`` for cluster-wide kinds."""

    kind: str
    group: str
    namespace: str | None
    name: str


CALICO_GROUPS = ("projectcalico.org", "crd.projectcalico.org")
"""The two API groups of a Calico object: that of Calico's own API server, and that of the custom resource behind it."""

KUBERNETES_GROUPS = ("networking.k8s.io", "extensions")
"""API groups of NetworkPolicy; the second until Kubernetes 1.16."""

PEER_WORDS = {Direction.INGRESS: "from", Direction.EGRESS: "to"}
"""The field under which a rule of NetworkPolicy lists its peers; the fields of Cilium's rules begin with the same word."""


class Dialect(StrEnum):
    """Who enforces, and so how kinds combine and what an ipBlock matches."""

    KUBERNETES = "kubernetes"
    CALICO = "calico"
    CILIUM = "cilium"
    AWS = "aws"
    OVN = "ovn"
    ANTREA = "antrea"
    GKE = "gke"


CILIUM_DIALECTS = frozenset({Dialect.CILIUM, Dialect.GKE})
"""Enforcers that are Cilium: GKE's Dataplane V2 as well."""


class IpBlockPods(StrEnum):
    """Do ipBlock, Calico ``nets`` and admin ``networks`` match pod addresses?"""

    AUTO = "auto"
    """As the dialect documents; unknown for `Dialect.KUBERNETES`."""
    MATCH = "match"
    NO_MATCH = "no-match"


class Condition(StrEnum):
    """What a rule can ask of a connection."""

    NAMESPACE = "namespace"
    POD = "pod"
    IP = "ip"
    ENTITY = "entity"
    FQDN = "fqdn"
    SERVICE = "service"
    NODE = "node"
    PORT = "port"
    PROTOCOL = "protocol"
    ICMP = "icmp"
    L7 = "l7"


CONDITION_WORDS = {
    Condition.NAMESPACE: "namespace label",
    Condition.POD: "pod label",
    Condition.IP: "address",
    Condition.ENTITY: "entity",
    Condition.FQDN: "DNS name",
    Condition.SERVICE: "Service",
    Condition.NODE: "node",
    Condition.PORT: "port",
    Condition.PROTOCOL: "protocol",
    Condition.ICMP: "ICMP",
    Condition.L7: "request",
}
"""What people call them, in findings and in reports."""


class Miss(Struct, frozen=True, gc=False):
    """One condition that a rule asked for and the connection did not have.

    For labels both are ``key=value``; `found` is ``None`` where the key is absent.
    """

    condition: Condition
    wanted: str
    found: str | None


class NearestRule(Struct, frozen=True, kw_only=True, gc=False):
    """A rule that could have allowed the connection, and what kept it from doing so."""

    policy: PolicyRef
    rule: str
    """A path: ``egress[0]`` or ``egress[0].to[1]``."""
    misses: tuple[Miss, ...]
    unknown: tuple[str, ...] = ()
    """Conditions that could not be decided, in words."""


class DecidedBy(Struct, frozen=True, gc=False):
    """The rule that decided, with its action: ``allow``, ``deny`` or ``pass``."""

    policy: PolicyRef
    rule: str
    action: str

    @property
    def place(self) -> NearestRule:
        """Where it stands, as what reads rules takes it; it misses nothing."""
        return NearestRule(policy=self.policy, rule=self.rule, misses=())


class WalkStep(Struct, frozen=True, kw_only=True, gc=False):
    """One line of the walk through the policies, as a person would tell it."""

    tier: str | None
    policy: PolicyRef | None
    rule: str | None
    outcome: str
    """``selects``, ``match``, ``miss``, ``unknown``, ``pass``, ``allow``, ``deny``, ``not-selected`` ..."""
    text: str


class EndDecision(Struct, frozen=True, kw_only=True, gc=False):
    """What the policies on one end (egress of the source, ingress of the destination) say."""

    allowed: bool | None
    isolated_by: tuple[PolicyRef, ...] = ()
    """Every policy that isolates the endpoint in this direction, sorted."""
    closed_by: tuple[PolicyRef, ...] = ()
    """Those of `isolated_by` that may be the reason of a default deny.  Where there are tiers, these are the policies
    of tiers that may have ended in a default deny; a tier that passed the connection on, or was never asked, refused
    nothing.  Empty where a rule decided."""
    decided_by: DecidedBy | None = None
    """``None`` when nothing isolates, or when isolation denies by default."""
    nearest: tuple[NearestRule, ...] = ()
    """Nearest first; empty when the policies allow."""
    unknown: tuple[str, ...] = ()
    """Why `allowed` is ``None``, in words."""
    walk: tuple[WalkStep, ...] = ()
    """Filled only where the caller asks for it."""
    uncertain: tuple[PolicyRef, ...] = ()
    """Policies that select the end and whose spec is not known to have held then (FD804)."""
    left_out: tuple[PolicyRef, ...] = ()
    """Policies that were written after the refusal and, as they read now, would have allowed it: the decision leaves them out."""
    read_as: tuple[tuple[PolicyRef, str], ...] = ()
    """Policies that, as they read now, would have allowed what was refused; the decision takes an older version
    instead, and the text says where that stands (``a.json:12``)."""
    notes: tuple[str, ...] = ()
    """What an allowed connection still depends on (the L7 rules of a proxy that it is redirected to), or why it
    passes although the policies refuse it (audit mode)."""


class ConnectionDecision(Struct, frozen=True, kw_only=True, gc=False):
    """Both ends; an end outside the cluster is ``None``.  Both must allow."""

    allowed: bool | None
    egress: EndDecision | None
    ingress: EndDecision | None
    nowhere: str | None = None
    """Says so in words where the port was asked for by a name that the destination is not known to declare.  The
    verdict then holds for every port."""
