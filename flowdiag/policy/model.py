"""The one rule model that every policy language compiles into.

A `Policy` says which endpoints it applies to, whether it isolates them, and its `Rule` values; policies
stand in `Tier` values.  A rule is a conjunction of conditions, and each condition answers match, miss or
unknown *with the wanted and the found text*, so that the isolating set, the deciding rule and the nearest
missed rule are read off the same answers.

Nothing here knows YAML or any vendor's words; nothing here knows how decisions are made fast
(`flowdiag.policy.index`) or how tiers combine (`flowdiag.policy.decide`).
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum, IntEnum, StrEnum
from typing import Protocol

from msgspec import Struct

from flowdiag.model.event import L7, Direction, Icmp
from flowdiag.model.policy import Miss, PolicyRef
from flowdiag.policy.facts import Facts

__all__ = [
    "MATCH",
    "Action",
    "Check",
    "Matcher",
    "Order",
    "Outcome",
    "Peer",
    "Policy",
    "Rule",
    "Tier",
    "Traffic",
    "TrafficMatcher",
    "Validity",
    "all_of",
    "miss",
    "unknown",
]


class Outcome(IntEnum):
    """What a condition answers; the order makes ``min`` a three-valued AND and ``max`` an OR."""

    MISS = 0
    UNKNOWN = 1
    MATCH = 2


class Check(Struct, frozen=True, gc=False):
    """A condition's answer: `misses` is filled for a miss, `unknown` (in words) for an unknown."""

    outcome: Outcome
    misses: tuple[Miss, ...] = ()
    unknown: tuple[str, ...] = ()


MATCH = Check(Outcome.MATCH)
"""The answer of a condition that holds."""


def miss(*misses: Miss) -> Check:
    """Build the answer of a condition that does not hold."""
    return Check(Outcome.MISS, misses)


def unknown(*words: str) -> Check:
    """Build the answer of a condition that cannot be decided, saying what is missing."""
    return Check(Outcome.UNKNOWN, (), words)


def all_of(checks: list[Check]) -> Check:
    """Three-valued AND that keeps every miss and every unknown of its parts."""
    open_checks = [check for check in checks if check.outcome is not Outcome.MATCH]
    if not open_checks:
        return MATCH
    if len(open_checks) == 1:
        return open_checks[0]
    outcome = Outcome.UNKNOWN
    misses: tuple[Miss, ...] = ()
    words: tuple[str, ...] = ()
    for check in open_checks:
        if check.outcome is Outcome.MISS:
            outcome = Outcome.MISS
            misses += check.misses
        words += check.unknown
    return Check(outcome, misses, tuple(dict.fromkeys(words)) if words else ())


class Traffic(Struct, frozen=True, cache_hash=True):
    """What is asked of a connection besides its ends.

    `port` is the destination port on the pod after service translation; ``None`` for protocols that
    have none.  The source port is never known: it is ephemeral and not part of a distinct flow.
    """

    protocol: str
    port: int | None = None
    icmp: Icmp | None = None
    l7: L7 | None = None
    """The request, where a record or a question has one; without it rules are judged up to their port."""


class Matcher(Protocol):
    """A condition on one end: a selector, an address range, an entity, a name."""

    @property
    def keys(self) -> frozenset[str]:
        """Names of the label keys that the answer depends on, so that alike endpoints share one."""

    def check(self, facts: Facts, /) -> Check:
        """Answer for one end."""


class TrafficMatcher(Protocol):
    """A condition on protocol, port, ICMP type or L7."""

    @property
    def by_destination(self) -> bool:
        """Whether the answer depends on the destination's declared ports (named ports do)."""

    def check(self, traffic: Traffic, destination: Facts, /) -> Check:
        """Answer for one connection."""

    def edges(self, protocol: str, destination: Facts, /) -> Iterable[int]:
        """Ports from which on the answer for `protocol` may be another than for the port before; they cut the port axis."""


class Action(StrEnum):
    """What a rule does when it matches."""

    ALLOW = "allow"
    DENY = "deny"
    PASS = "pass"  # noqa: S105 - the word of the policy languages
    LOG = "log"


class Peer(Struct, frozen=True):
    """One alternative of a rule's peers; its matchers must all match."""

    path: str
    """Its part of the rule's path: ``.to[1]``, or empty where the rule has no list of peers."""
    matchers: tuple[Matcher, ...]


class Rule(Struct, frozen=True, kw_only=True):
    """One rule: peers OR-ed, everything else AND-ed."""

    path: str
    """Where it stands in the object: ``egress[0]``."""
    action: Action
    peers: tuple[Peer, ...] | None = None
    """``None`` is any peer, an empty tuple is none."""
    subject: tuple[Matcher, ...] = ()
    """What it asks of the policed end itself (Calico rules name both ends)."""
    traffic: tuple[TrafficMatcher, ...] = ()
    note: str = ""
    """What a reader must know of it: ``redirects to the L7 proxy``."""


class Validity(Struct, frozen=True):
    """When a policy's object existed, in nanoseconds; see `PolicyObject` for the fields."""

    created: int | None = None
    valid_from: int | None = None
    until: int | None = None
    """The earlier of deletion and a later spec."""


class Policy(Struct, frozen=True, kw_only=True):
    """One policy object (or one of its specs), compiled."""

    ref: PolicyRef
    applies_to: tuple[Matcher, ...]
    """All must match for the policy to select an endpoint."""
    namespace: str | None = None
    """Only endpoints of this namespace can be selected; ``None`` is any."""
    directions: frozenset[Direction]
    """Directions in which it counts as selecting."""
    isolates: frozenset[Direction]
    """Directions in which selecting closes what no rule opens (a tier's default asks for it)."""
    rules: dict[Direction, tuple[Rule, ...]]
    validity: Validity = Validity()
    broken: str = ""
    """Why it cannot be evaluated at all; then every endpoint it selects has an unknown verdict."""
    rank: tuple[float | str, ...] = ()
    """Where it stands in an ordered tier; ascending."""
    tie: int | None = None
    """Policies of one ordered tier with equal `tie` have no order between them by their API."""
    subjects: frozenset[str] = frozenset({"pod"})
    """Kinds of ends it can select: ``pod``, ``node``, ``entity``."""
    implicit: bool = False
    """No object holds it (what an enforcer adds of itself): it decides, and is never named as the cause."""
    remainder: bool = False
    """It stands for traffic that no policy decides (of an endpoint without a profile), and is named only for such."""


class Order(Enum):
    """How the policies of a tier combine."""

    ORDERED = "ordered"
    """The first matching rule decides."""
    ADDITIVE = "additive"
    """Any deny, else any allow, else denied where isolated."""


class Tier(Struct, frozen=True, kw_only=True):
    """Policies that are tried together before the next tier.

    A tier with no policy that selects the endpoint is skipped.  Where policies select it and no rule
    decides, it is denied if one of them isolates it and `closes` is set, else the next tier is tried.
    """

    name: str
    order: Order
    policies: tuple[Policy, ...]
    closes: bool = True
    always: frozenset[Direction] = frozenset()
    """Directions in which every endpoint counts as isolated (Cilium's enforcement mode ``always``)."""
    always_for: frozenset[str] = frozenset({"pod"})
    """Kinds of ends that `always` is about."""
    why_always: str = ""
    """The setting that asks for it, as a clause."""
    apart: bool = False
    """It is asked of what all others let pass, at a stage of its own, and only takes away (OVN's egress firewall)."""
    others: Outcome = Outcome.MATCH
    """Whether isolation closes ICMP and other protocols without ports; unknown where enforcers differ."""
