"""Cilium's endpoint selectors, and the label parts of NetworkPolicy, over identity labels.

Sources: Cilium v1.19 ``pkg/k8s/apis/cilium.io/utils`` (which namespace a selector means),
``pkg/policy/api/selector.go`` and ``pkg/labels`` (label sources), ``pkg/k8s/network_policy.go``.
"""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from flowdiag.model.objects import NAME_LABEL
from flowdiag.model.policy import Condition, Miss
from flowdiag.policy.compile.cilium_identity import (
    ANY_SOURCES,
    CLUSTER,
    LOCAL,
    NAMESPACE,
    NAMESPACE_LABELS,
    Seen,
    look,
    open_key,
)
from flowdiag.policy.demands import Demand, Token
from flowdiag.policy.facts import Facts
from flowdiag.policy.model import MATCH, Check, Outcome, all_of, miss, unknown
from flowdiag.policy.selectors import LabelSelector, Requirement, read_selector

__all__ = [
    "IdentitySelected",
    "IdentitySelector",
    "Unmet",
    "Want",
    "namespace_labels",
    "namespace_named",
    "peer_selector",
    "pod_labels",
    "subject_selector",
]

_KNOWN_SOURCES = frozenset(
    {"k8s", "reserved", "any", "cidr", "cidrgroup", "fqdn", "node", "container", "unspec"}
)


class Want(Struct, frozen=True):
    """One requirement on an identity's labels, and how a reader knows it."""

    source: str
    key: str
    need: Requirement
    """The requirement under the key that a person reads, ``app`` for ``k8s:app``."""
    condition: Condition = Condition.POD

    @property
    def keys(self) -> frozenset[str]:
        """See `Matcher.keys`."""
        sources = ANY_SOURCES if self.source == "any" else (self.source,)
        labels = {f"extra/{each}:{self.key}" for each in sources}
        return frozenset(labels | {f"extra/{open_key(each)}" for each in sources})

    @property
    def demand(self) -> Demand | None:
        """What an identity must show for it to hold; ``None`` where it may hold without.

        A label that is marked, and a source of which not all labels are known, may turn out to be anything.
        """
        if self.need.operator not in ("In", "Exists"):
            return None
        found: set[Token] = set()
        for source in ANY_SOURCES if self.source == "any" else (self.source,):
            key = f"{source}:{self.key}"
            found |= {("extra", open_key(source)), ("marked", key)}
            if self.need.operator == "Exists":
                found.add(("extra", key))
            found.update(("extra", key, value) for value in self.need.values)
        return frozenset(found)

    def check(self, facts: Facts) -> Check:
        """Answer for one end."""
        seen = look(facts.extra, self.source, self.key)
        held = self._held(seen)
        if held is None:
            return unknown(f"{seen.why} ({self.need.wanted})")
        if held:
            return MATCH
        found = None if seen.value is None or seen.anything else f"{self.need.key}={seen.value}"
        return miss(Miss(self.condition, self.need.wanted, found))

    def _held(self, seen: Seen) -> bool | None:
        need = self.need
        if not seen.why:
            return need.holds({} if seen.value is None else {need.key: seen.value})
        if seen.anything:
            if seen.value is not None and need.operator in ("Exists", "DoesNotExist"):
                return need.operator == "Exists"
            return None
        there = need.holds({need.key: seen.value or ""})
        return there if there == need.holds({}) else None


class IdentitySelector(Struct, frozen=True):
    """Requirements that must all hold."""

    wants: tuple[Want, ...]

    @property
    def text(self) -> str:
        """The selector as one line."""
        return ",".join(each.need.wanted for each in self.wants)


class IdentitySelected(Struct, frozen=True):
    """The end's identity has these labels.

    `local` says whether a selector that names no cluster means this one (``policy-default-local-cluster``);
    `Outcome.UNKNOWN` where nobody says and versions differ, `Outcome.MISS` where it means any.  The agent then adds
    the cluster to what the selector asks for, so that it means pods alone: outside addresses and nodes, which
    ``NotIn`` and ``DoesNotExist`` would match, have no cluster.
    """

    selector: IdentitySelector
    local: Outcome = Outcome.MISS
    cluster: str | None = None

    @property
    def keys(self) -> frozenset[str]:
        """See `Matcher.keys`."""
        found = {f"extra/{LOCAL}", f"extra/{open_key('k8s')}"}
        for each in self.selector.wants:
            found |= each.keys
        return frozenset(found)

    def demands(self, _kind: str, /) -> tuple[Demand, ...]:
        """See `Demanding.demands`."""
        demands = (each.demand for each in self.selector.wants)
        return tuple(each for each in demands if each is not None)

    def check(self, facts: Facts, /) -> Check:
        """See `Matcher.check`."""
        checks = [each.check(facts) for each in self.selector.wants]
        answer = all_of(checks)
        local = facts.extra.get(LOCAL)
        if self.local is Outcome.MISS or local == "1":
            return answer
        if local is None and answer.outcome is Outcome.MISS:
            # What has no cluster is kept out by the labels that people write, and need not be told of this one.
            return answer
        return all_of([*checks, self._of_cluster(facts, local)])

    def _of_cluster(self, facts: Facts, local: str | None) -> Check:
        label = look(facts.extra, "k8s", CLUSTER)
        if local is None:
            if label.why or self.local is Outcome.UNKNOWN:
                return unknown(
                    label.why or "whether the selector means more than pods of the cluster is not known"
                )
            return miss(Miss(Condition.POD, f"{CLUSTER}={self.cluster}", None))
        if self.local is Outcome.UNKNOWN or local == "?":
            return unknown(f"whether the selector means pods of the cluster {label.value} too is not known")
        return miss(Miss(Condition.POD, f"{CLUSTER}={self.cluster}", f"{CLUSTER}={label.value}"))


class Unmet(Struct, frozen=True):
    """Requirements (``fromRequires``) are not all met: unknown then, as only releases before 1.19 enforce them.

    Source: Cilium v1.5 to v1.18 ``pkg/policy/rule.go`` (every entry of every rule that selects the endpoint is added to each
    selector of ``fromEndpoints``); removed by cilium#42615.
    """

    inner: tuple[IdentitySelected, ...]
    field: str

    @property
    def keys(self) -> frozenset[str]:
        """See `Matcher.keys`."""
        return frozenset().union(*(each.keys for each in self.inner))

    def check(self, facts: Facts, /) -> Check:
        """See `Matcher.check`."""
        if all_of([each.check(facts) for each in self.inner]).outcome is Outcome.MATCH:
            return miss(Miss(Condition.POD, f"{self.field} not met", "met"))
        return unknown(f"whether {self.field} is enforced depends on the release (removed in Cilium 1.19)")


def names_key(selector: LabelSelector, *, source: str = "", prefix: str = "") -> bool:
    """Whether a requirement asks for that source, or for a k8s key that starts so."""
    for each in selector.requirements:
        its, key = _split(each.key)
        if source:
            if its == source:
                return True
        elif its in ("k8s", "any") and key.startswith(prefix):
            return True
    return False


def peer_selector(raw: Any, namespace: str | None, *, subject_init: bool) -> IdentitySelector:
    """Compile an entry of ``fromEndpoints`` or ``toEndpoints``.

    Args:
        raw: the selector.
        namespace: the policy's, ``None`` for the cluster-wide kind.
        subject_init: the policy's own selector names ``reserved:init``.

    Raises:
        SelectorError: what the API server would refuse.
    """
    selector = read_selector(raw)
    wants = [_want(each) for each in selector.requirements]
    if namespace is not None:
        if in_its_own_namespace(selector):
            wants.insert(0, namespace_named(namespace))
    elif not subject_init and not _names_an_end(selector):
        wants.insert(0, _has_namespace())
    return IdentitySelector(tuple(wants))


def in_its_own_namespace(selector: LabelSelector) -> bool:
    """Whether a namespaced policy's peer means the policy's own namespace, as it names neither one nor an entity."""
    return not _names_an_end(selector) and not names_key(selector, prefix=NAMESPACE_LABELS)


def _names_an_end(selector: LabelSelector) -> bool:
    return names_key(selector, source="reserved") or any(
        _split(each.key)[1] == NAMESPACE for each in selector.requirements
    )


def subject_selector(raw: Any, namespace: str | None) -> IdentitySelector:
    """Compile ``endpointSelector``: a namespaced policy's stays in its namespace, whatever it says.

    Raises:
        SelectorError: what the API server would refuse.
    """
    wants = [_want(each) for each in read_selector(raw).requirements]
    if namespace is not None:
        wants = [each for each in wants if each.key != NAMESPACE or each.source not in ("k8s", "any")]
    return IdentitySelector(tuple(wants))


def pod_labels(selector: LabelSelector) -> IdentitySelector:
    """Compile a podSelector of NetworkPolicy."""
    return IdentitySelector(tuple(Want("k8s", each.key, each) for each in selector.requirements))


def namespace_labels(selector: LabelSelector) -> IdentitySelector:
    """Compile a namespaceSelector of NetworkPolicy; empty is every pod that has a namespace."""
    if not selector.requirements:
        return IdentitySelector((_has_namespace(),))
    return IdentitySelector(
        tuple(
            Want("k8s", NAMESPACE_LABELS + each.key, each, Condition.NAMESPACE)
            for each in selector.requirements
        )
    )


def namespace_named(name: str) -> Want:
    """Build the requirement that a pod is in a namespace."""
    return Want("k8s", NAMESPACE, Requirement(NAME_LABEL, "In", (name,)), Condition.NAMESPACE)


def _has_namespace() -> Want:
    return Want("k8s", NAMESPACE, Requirement(NAMESPACE, "Exists"), Condition.NAMESPACE)


def _split(text: str) -> tuple[str, str]:
    """Part a key into its source and itself: ``k8s:app``, ``reserved:host``, ``app``.

    A dot is part of the key, as in ``k8s.example.com/team``: only ``reserved.host`` is told by one (``pkg/labels``,
    ``ParseSource``).
    """
    if text.startswith("$"):
        return "reserved", text[1:]
    source, colon, key = text.partition(":")
    if colon and source in _KNOWN_SOURCES:
        return source, key
    source, dot, key = text.partition(".")
    return (source, key) if dot and source == "reserved" else ("any", text)


def _want(each: Requirement) -> Want:
    source, key = _split(each.key)
    shown = key if source in ("k8s", "any") else f"{source}:{key}"
    condition = Condition.POD
    if source == "reserved":
        condition = Condition.ENTITY
    elif source == "node":
        condition = Condition.NODE
    elif source in ("cidr", "cidrgroup"):
        condition = Condition.IP
    elif source == "fqdn":
        condition = Condition.FQDN
    elif key == NAMESPACE or key.startswith(NAMESPACE_LABELS):
        condition = Condition.NAMESPACE
        if key != NAMESPACE:
            shown = key.removeprefix(NAMESPACE_LABELS)
    return Want(source, key, Requirement(shown, each.operator, each.values), condition)
