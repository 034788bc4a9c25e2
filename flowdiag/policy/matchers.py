"""Conditions on one end that several policy languages share: selectors, address ranges, nodes, names."""

from __future__ import annotations

from typing import ClassVar

from msgspec import Struct

from flowdiag.model.policy import Condition, Miss
from flowdiag.policy.addresses import Network, Places, RangeTable
from flowdiag.policy.demands import NEVER, Demand, range_tokens
from flowdiag.policy.facts import ADDRESS, NOT_MEANT, Facts
from flowdiag.policy.model import MATCH, Check, Outcome, miss, unknown
from flowdiag.policy.selectors import LabelSelector

__all__ = [
    "AddressRange",
    "DomainNames",
    "NamespaceNamed",
    "NamespaceSelected",
    "NodeSelected",
    "Nothing",
    "PodSelected",
    "RunsAs",
    "Undecidable",
]


def outside_or_unknown(facts: Facts, condition: Condition, wanted: str) -> Check | None:
    """Answer a condition on pods for an end that is none; ``None`` where it is a pod."""
    if facts.kind == "pod":
        return None
    if facts.kind in ("outside", "node"):
        return miss(Miss(condition, wanted, None))
    return unknown(facts.why_unknown or "the end is not known")


class NamespaceNamed(Struct, frozen=True):
    """The pod is in this namespace."""

    namespace: str

    keys: ClassVar[frozenset[str]] = frozenset()
    """The namespace itself is part of every class."""

    def demands(self, kind: str, /) -> tuple[Demand, ...]:
        """See `Demanding.demands`."""
        return (frozenset({("in", self.namespace)}) if kind == "pod" else NEVER,)

    def check(self, facts: Facts, /) -> Check:
        """See `Matcher.check`."""
        if facts.kind == "pod" and facts.namespace == self.namespace:
            return MATCH
        wanted = f"kubernetes.io/metadata.name={self.namespace}"
        if facts.kind in ("pod", "unknown", "entity") and facts.namespace is not None:
            if facts.namespace == self.namespace:
                return unknown(facts.why_unknown)
            found = f"kubernetes.io/metadata.name={facts.namespace}"
            return miss(Miss(Condition.NAMESPACE, wanted, found))
        return outside_or_unknown(facts, Condition.NAMESPACE, wanted) or unknown("its namespace is not known")


class RunsAs(Struct, frozen=True):
    """The pod runs as this service account of its namespace."""

    account: str

    keys: ClassVar[frozenset[str]] = frozenset({"account"})

    def check(self, facts: Facts, /) -> Check:
        """See `Matcher.check`."""
        # Not as a label is told, which somebody might then put on the pod.
        wanted = f"service account {self.account}"
        other = outside_or_unknown(facts, Condition.POD, wanted)
        if other is not None:
            return other
        # The API server writes "default" where a pod names none.
        account = facts.service_account or ("default" if facts.labels_complete else None)
        if account is None:
            return unknown(f"which service account it runs as is not known ({wanted})")
        if account == self.account:
            return MATCH
        return miss(Miss(Condition.POD, wanted, f"service account {account}"))


class NamespaceSelected(Struct, frozen=True):
    """The pod is in a namespace with these labels."""

    selector: LabelSelector
    nodes_unknown: bool = False
    """The enforcer puts host network traffic into a namespace of its own (OVN in OpenShift)."""

    @property
    def keys(self) -> frozenset[str]:
        """See `Matcher.keys`."""
        return frozenset(f"namespace/{key}" for key in self.selector.keys)

    def demands(self, kind: str, /) -> tuple[Demand, ...]:
        """See `Demanding.demands`."""
        return self.selector.demands("namespace") if kind == "pod" else (NEVER,)

    def check(self, facts: Facts, /) -> Check:
        """See `Matcher.check`."""
        if facts.kind == "node" and self.nodes_unknown:
            return unknown("host network traffic may count as of a namespace here")
        if facts.kind == "unknown" and facts.namespace_labels is not None:
            answer = self.selector.check(
                facts.namespace_labels, Condition.NAMESPACE, complete=facts.namespace_complete
            )
            return answer if answer.outcome is Outcome.MISS else unknown(facts.why_unknown)
        if facts.kind != "pod":
            other = outside_or_unknown(facts, Condition.NAMESPACE, self.selector.text or "any namespace")
            if other is not None:
                return other
        return self.selector.check(
            facts.namespace_labels,
            Condition.NAMESPACE,
            complete=facts.namespace_complete,
            what="the labels of its namespace are",
        )


class PodSelected(Struct, frozen=True):
    """The pod has these labels."""

    selector: LabelSelector

    @property
    def keys(self) -> frozenset[str]:
        """See `Matcher.keys`."""
        return frozenset(f"pod/{key}" for key in self.selector.keys)

    def demands(self, kind: str, /) -> tuple[Demand, ...]:
        """See `Demanding.demands`."""
        return self.selector.demands("pod") if kind == "pod" else (NEVER,)

    def check(self, facts: Facts, /) -> Check:
        """See `Matcher.check`."""
        if facts.kind != "pod":
            other = outside_or_unknown(facts, Condition.POD, self.selector.text or "any pod")
            if other is not None:
                return other
        return self.selector.check(
            facts.labels, Condition.POD, complete=facts.labels_complete, what="its labels are"
        )


class AddressRange(Struct, frozen=True):
    """The address is in one of the ranges and in none of the exceptions.

    Whether pod and node addresses count at all differs between enforcers: `pods` and `nodes` say so;
    `Outcome.UNKNOWN` leaves it open, and then only an address that is inside is unknown.
    """

    inside: Places
    excepted: Places
    text: str
    pods: Outcome = Outcome.MATCH
    nodes: Outcome = Outcome.MATCH
    found: str = ADDRESS
    condition: Condition = Condition.IP
    whole: bool = False
    """It is ``0.0.0.0/0`` without exceptions, so every IPv4 end is inside, whatever its address."""

    @classmethod
    def build(
        cls,
        table: RangeTable,
        networks: tuple[Network, ...],
        exceptions: tuple[Network, ...] = (),
        *,
        pods: Outcome = Outcome.MATCH,
        nodes: Outcome = Outcome.MATCH,
        found: str = ADDRESS,
    ) -> AddressRange:
        """Enter the ranges into the set's table."""
        text = _shown(networks)
        if exceptions:
            text += " except " + _shown(exceptions)
        return cls(
            table.places(networks),
            table.places(exceptions),
            text,
            pods=pods,
            nodes=nodes,
            found=found,
            whole=not exceptions and any(each.version == 4 and each.prefixlen == 0 for each in networks),
        )

    keys: ClassVar[frozenset[str]] = frozenset()
    """Range hits are part of every class."""

    def demands(self, kind: str, /) -> tuple[Demand, ...]:
        """See `Demanding.demands`."""
        if kind == "pod" and self.pods is Outcome.MISS:
            return (NEVER,)
        return (range_tokens(self.inside.bits, self.inside.first),)

    def check(self, facts: Facts, /) -> Check:
        """See `Matcher.check`."""
        counts = Outcome.MATCH
        if facts.kind == "pod":
            counts = self.pods
        elif facts.kind == "node":
            counts = self.nodes
        hits = facts.hits
        inside = _three(self.inside.among(hits.sure), self.inside.among(hits.maybe))
        excepted = _three(self.excepted.among(hits.sure), self.excepted.among(hits.maybe))
        outcome = min(inside, _OPPOSITE[excepted])
        if counts is Outcome.MISS:
            # "wants 10.0.0.0/8, found 10.0.1.7" would tell nobody why it misses.
            found = (
                NOT_MEANT[facts.kind] if outcome is Outcome.MATCH and self.found == ADDRESS else self.found
            )
            return miss(Miss(self.condition, self.text, found))
        # Ranges are meant for addresses outside: a pod whose address is not known (a workload's template) is not taken to be in one where it is open whether pods count at all.
        nowhere = counts is Outcome.UNKNOWN and not facts.addresses
        if outcome is Outcome.MISS or (nowhere and outcome is Outcome.UNKNOWN):
            return miss(Miss(self.condition, self.text, self.found))
        if facts.kind == "unknown" and self.pods is not Outcome.MATCH:
            return unknown(f"whether {self.text} counts for this end is not known")
        if counts is Outcome.UNKNOWN:
            return unknown(
                f"whether {self.text} matches the address of a {facts.kind} differs between enforcers"
            )
        if outcome is Outcome.UNKNOWN:
            if self.whole and not facts.addresses and facts.entity != "world-ipv6":
                return MATCH
            return unknown(
                f"the range asked about is only partly in {self.text}"
                if facts.kind == "outside" and facts.addresses
                else f"its address is not known ({self.text})"
            )
        return MATCH


_SHOWN = 8


def _shown(networks: tuple[Network, ...]) -> str:
    """Ranges as one line; a set of thousands is cut."""
    more = ",..." if len(networks) > _SHOWN else ""
    return ",".join(str(each) for each in networks[:_SHOWN]) + more


_OPPOSITE = (Outcome.MATCH, Outcome.UNKNOWN, Outcome.MISS)


def _three(sure: int, maybe: int) -> Outcome:
    if sure:
        return Outcome.MATCH
    return Outcome.UNKNOWN if maybe else Outcome.MISS


class NodeSelected(Struct, frozen=True):
    """The end is a node with these labels."""

    selector: LabelSelector

    @property
    def keys(self) -> frozenset[str]:
        """See `Matcher.keys`."""
        return frozenset(f"node/{key}" for key in self.selector.keys)

    def check(self, facts: Facts, /) -> Check:
        """See `Matcher.check`."""
        wanted = self.selector.text or "any node"
        if facts.kind in ("pod", "outside"):
            return miss(Miss(Condition.NODE, wanted, None))
        if facts.kind != "node":
            return unknown(facts.why_unknown or "the end is not known")
        return self.selector.check(facts.node_labels, Condition.NODE, what="the node's labels are")


class DomainNames(Struct, frozen=True):
    """The address is one that DNS gave for one of these names; ``*.`` stands for one or more labels."""

    names: tuple[str, ...]
    one_label: bool = False
    """``*.`` stands for one label, and no more."""

    @property
    def keys(self) -> frozenset[str]:
        """See `Matcher.keys`."""
        return frozenset({"dns"})

    def check(self, facts: Facts, /) -> Check:
        """See `Matcher.check`."""
        wanted = ",".join(self.names)
        if facts.kind in ("pod", "node"):
            return miss(Miss(Condition.FQDN, wanted, None))
        if any(
            _named(name, pattern, one_label=self.one_label)
            for name in facts.dns_names
            for pattern in self.names
        ):
            return MATCH
        # Other names may stand for the address too, so names seen never make a miss.
        return unknown(f"whether the address belongs to {wanted} is not known: no DNS answer was seen for it")


def _named(name: str, pattern: str, *, one_label: bool) -> bool:
    name, pattern = name.rstrip(".").lower(), pattern.rstrip(".").lower()
    if pattern.startswith("*."):
        first = name.removesuffix(pattern[1:])
        return first not in ("", name) and not (one_label and "." in first)
    return name == pattern


class Undecidable(Struct, frozen=True):
    """A condition that cannot be evaluated; `why` names the field."""

    why: str

    keys: ClassVar[frozenset[str]] = frozenset()

    def check(self, _facts: Facts, /) -> Check:
        """See `Matcher.check`."""
        return unknown(self.why)


class Nothing(Struct, frozen=True):
    """A condition that nothing meets; `wanted` says what was asked for."""

    condition: Condition
    wanted: str

    keys: ClassVar[frozenset[str]] = frozenset()

    def check(self, _facts: Facts, /) -> Check:
        """See `Matcher.check`."""
        return miss(Miss(self.condition, self.wanted, None))
