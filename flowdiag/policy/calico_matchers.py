"""Conditions of Calico rules: which endpoints a policy selects, and entity rules over known endpoints.

A selector in a rule means *known* endpoints: pods, and the addresses of host endpoints, NetworkSets and
GlobalNetworkSets whose labels fit (``felix/calc`` and ``updateprocessors/rules.go``, v3.31).  ``all()``
is therefore not "anything"; a rule without selectors and nets is.
"""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from flowdiag.model.policy import Condition, Miss
from flowdiag.policy.addresses import parse_address
from flowdiag.policy.calico_labels import ACCOUNT_PREFIX, HOST_MARK, NAME_LABEL
from flowdiag.policy.calico_selector import CalicoSelector, Node
from flowdiag.policy.demands import NEVER, Demand
from flowdiag.policy.facts import Facts
from flowdiag.policy.matchers import DomainNames
from flowdiag.policy.model import MATCH, Check, Matcher, Outcome, all_of, miss, unknown

__all__ = [
    "EndpointSelected",
    "IpVersion",
    "KnownEndpoint",
    "Negated",
    "Part",
    "ProfileListed",
    "Scope",
    "namespace_mapping",
    "with_all_as",
]


def namespace_mapping(name: str, labels: Mapping[str, str]) -> dict[str, str]:
    """Labels that a namespaceSelector sees."""
    return {**labels, NAME_LABEL: name}


class Scope(Struct, frozen=True):
    """Which namespaces count: one by name, those that a selector meets, or all and none."""

    namespace: str | None = None
    selector: CalicoSelector | None = None
    """As `Scope.of` makes it of a namespaceSelector."""
    without: bool = True
    """Whether what has no namespace counts."""

    @classmethod
    def of(cls, selector: CalicoSelector) -> Scope:
        """Make a scope of a namespaceSelector.

        There ``all()`` means what has a namespace and ``global()`` what has none, also inside a larger
        selector; Calico puts tests of a label that only namespaced things have in their place.
        What has no namespace has no label of one, and so is met by tests that ask for the absence of one
        (``!=``, ``not in``, ``!has``): ``rules.go`` knows no other difference.  Where one of the two words stands,
        the selector says itself who is meant: what has none counts where ``global()`` is all of it, or an
        alternative (of other uses np-guard makes something else than Felix does).
        """
        root = with_all_as(selector.root, NAME_LABEL)
        if root == selector.root:
            without = root.outcome({}, True, "") is Outcome.MATCH
        else:
            alternatives = selector.root.parts if selector.root.kind == "or" else (selector.root,)
            without = any(part.kind == "global" for part in alternatives)
        return cls(selector=CalicoSelector(root), without=without)

    @property
    def keys(self) -> frozenset[str]:
        """Keys of namespace labels that it asks for."""
        return self.selector.keys if self.selector is not None else frozenset()

    def demands(self) -> tuple[Demand, ...]:
        """What a pod must show; see `Demanding.demands`."""
        return (frozenset({("in", self.namespace)}),) if self.namespace is not None else ()

    def check(
        self, namespace: str | None, labels: Mapping[str, str] | None, *, complete: bool = True
    ) -> Check:
        """Answer for an endpoint's namespace; ``None`` is an endpoint that has none."""
        if self.namespace is not None:
            if namespace == self.namespace:
                return MATCH
            found = None if namespace is None else f"{NAME_LABEL}={namespace}"
            return miss(Miss(Condition.NAMESPACE, f"{NAME_LABEL}={self.namespace}", found))
        if self.selector is None:
            return MATCH
        if namespace is None:
            return MATCH if self.without else miss(Miss(Condition.NAMESPACE, self.selector.text, None))
        mapping = None if labels is None else namespace_mapping(namespace, labels)
        return self.selector.check(
            mapping, Condition.NAMESPACE, complete=complete, what="the labels of its namespace are"
        )


def with_all_as(node: Node, label: str) -> Node:
    """The selector with a test of a label in the place of ``all()``, and of its absence in that of ``global()``."""
    if node.kind == "all":
        return Node("has", label)
    if node.kind == "global":
        return Node("not", parts=(Node("has", label),))
    return Node(node.kind, node.key, node.values, tuple(with_all_as(part, label) for part in node.parts))


class Part(Struct, frozen=True):
    """A selector over effective labels."""

    selector: CalicoSelector
    accounts_known: bool = False

    def check(self, facts: Facts) -> Check:
        """Answer for a pod or a host endpoint."""
        return self.selector.check(
            facts.extra,
            Condition.POD,
            complete=(facts.labels is not None and facts.labels_complete) or HOST_MARK in facts.extra,
            doubtful="" if self.accounts_known or HOST_MARK in facts.extra else ACCOUNT_PREFIX,
        )


def _demands(scope: Scope, parts: tuple[Part, ...]) -> tuple[Demand, ...]:
    own = (demand for part in parts for demand in part.selector.demands("extra", ACCOUNT_PREFIX))
    return (*scope.demands(), *own)


class KnownEndpoint(Struct, frozen=True):
    """A known endpoint that meets the scope and every selector, or an address of such a network set or host endpoint."""

    scope: Scope
    parts: tuple[Part, ...]
    set_bits: int = 0
    """Address ranges of the network sets and host endpoints that meet it."""
    domains: tuple[str, ...] = ()
    """Names in such sets, whose addresses only DNS knows."""
    range_pods: Outcome = Outcome.MATCH
    range_nodes: Outcome = Outcome.MATCH

    @property
    def keys(self) -> frozenset[str]:
        """See `Matcher.keys`."""
        own = {f"extra/{key}" for part in self.parts for key in part.selector.keys}
        return frozenset(
            own
            | {f"namespace/{key}" for key in self.scope.keys}
            | ({"dns"} if self.domains else set())
            | {f"extra/{HOST_MARK}"}
        )

    def demands(self, kind: str, /) -> tuple[Demand, ...]:
        """See `Demanding.demands`; an address in a network set needs no labels."""
        if self.set_bits or self.domains:
            return ()
        return _demands(self.scope, self.parts) if kind == "pod" else (NEVER,)

    def check(self, facts: Facts, /) -> Check:
        """See `Matcher.check`."""
        own = self._own(facts)
        if own.outcome is Outcome.MATCH:
            return own
        in_set = self._in_set(facts)
        if in_set.outcome is Outcome.MISS:
            return own
        return in_set if own.outcome is Outcome.MISS or in_set.outcome is Outcome.MATCH else own

    def _own(self, facts: Facts) -> Check:
        if facts.kind == "pod":
            return all_of(
                [
                    self.scope.check(
                        facts.namespace, facts.namespace_labels, complete=facts.namespace_complete
                    ),
                    *(part.check(facts) for part in self.parts),
                ]
            )
        if facts.kind in ("outside", "node"):
            wanted = [part.selector for part in self.parts if not part.selector.everything]
            if not wanted:
                return miss(Miss(Condition.POD, "an endpoint that Calico knows", None))
            return miss(*(Miss(Condition.POD, selector.text, None) for selector in wanted))
        return unknown(facts.why_unknown or "who the end is, is not known")

    def _in_set(self, facts: Facts) -> Check:
        counts = {"pod": self.range_pods, "node": self.range_nodes}.get(facts.kind, Outcome.MATCH)
        if self.set_bits and counts is not Outcome.MISS:
            if facts.hits.sure & self.set_bits:
                if counts is Outcome.MATCH:
                    return MATCH
                return unknown("whether a network set matches the address of a pod differs")
            if facts.hits.maybe & self.set_bits and facts.kind != "pod":
                return unknown("whether its address is of a network set or host endpoint is not known")
        if self.domains and facts.kind == "outside":
            return DomainNames(self.domains).check(facts)
        return miss()


class EndpointSelected(Struct, frozen=True):
    """What a policy's own selectors ask of the endpoint that it is applied to."""

    parts: tuple[Part, ...]
    scope: Scope = Scope()
    of_hosts: tuple[Part, ...] = ()
    """The same as a host endpoint has to meet them, where it may be selected."""

    @property
    def selector(self) -> CalicoSelector:
        """The selector that a person would look at first."""
        return self.parts[0].selector

    @property
    def keys(self) -> frozenset[str]:
        """See `Matcher.keys`."""
        own = {f"extra/{key}" for part in (*self.parts, *self.of_hosts) for key in part.selector.keys}
        return frozenset(own | {f"namespace/{key}" for key in self.scope.keys} | {f"extra/{HOST_MARK}"})

    def demands(self, kind: str, /) -> tuple[Demand, ...]:
        """See `Demanding.demands`."""
        return _demands(self.scope, self.parts) if kind == "pod" else ()

    def check(self, facts: Facts, /) -> Check:
        """See `Matcher.check`."""
        if facts.kind == "node":
            if HOST_MARK not in facts.extra:
                return miss(Miss(Condition.NODE, "a host endpoint", None))
            if facts.why_unknown:
                return unknown(facts.why_unknown)
            return all_of([self.scope.check(None, None), *(part.check(facts) for part in self.of_hosts)])
        namespace = facts.namespace if facts.kind == "pod" else None
        return all_of(
            [
                self.scope.check(namespace, facts.namespace_labels, complete=facts.namespace_complete),
                *(part.check(facts) for part in self.parts),
            ]
        )


class Negated(Struct, frozen=True):
    """The opposite of another condition; an unknown stays one."""

    inner: Matcher
    condition: Condition
    wanted: str
    found: str | None

    @property
    def keys(self) -> frozenset[str]:
        """See `Matcher.keys`."""
        return self.inner.keys

    def check(self, facts: Facts, /) -> Check:
        """See `Matcher.check`."""
        answer = self.inner.check(facts)
        if answer.outcome is Outcome.UNKNOWN:
            return answer
        if answer.outcome is Outcome.MISS:
            return MATCH
        return miss(Miss(self.condition, self.wanted, self.found))


class ProfileListed(Struct, frozen=True):
    """The workload endpoint lists this profile."""

    name: str

    @property
    def keys(self) -> frozenset[str]:
        """See `Matcher.keys`."""
        return frozenset({"profiles"})

    def check(self, facts: Facts, /) -> Check:
        """See `Matcher.check`."""
        return MATCH if self.name in facts.profiles else miss(Miss(Condition.POD, self.name, None))


class IpVersion(Struct, frozen=True):
    """The end's address is of this family."""

    version: int

    @property
    def keys(self) -> frozenset[str]:
        """See `Matcher.keys`; the family is told by the address itself."""
        return frozenset({"families"})

    def check(self, facts: Facts, /) -> Check:
        """See `Matcher.check`."""
        versions = {address.version for address in map(parse_address, facts.addresses) if address is not None}
        if versions == {self.version}:
            return MATCH
        if versions and self.version not in versions:
            return miss(Miss(Condition.IP, f"IPv{self.version}", f"IPv{min(versions)}"))
        return unknown(f"whether the connection is IPv{self.version} is not known")
