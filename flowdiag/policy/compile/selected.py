"""Whom policies select that nothing here can evaluate: all others keep their verdict.

Sources: Antrea's ``crd.antrea.io/v1beta1`` types (``AppliedTo``: alternatives, of a policy or of each rule; a podSelector
alone means the pods of every namespace in a ClusterNetworkPolicy, of its own in a NetworkPolicy) and AWS's
``networking.k8s.aws/v1alpha1`` ClusterNetworkPolicy (``subject``, as in network-policy-api).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from msgspec import Struct

from flowdiag.model.event import Direction
from flowdiag.policy.facts import Facts
from flowdiag.policy.matchers import (
    AddressRange,
    NamespaceNamed,
    NamespaceSelected,
    PodSelected,
    RunsAs,
    Undecidable,
)
from flowdiag.policy.model import MATCH, Check, Matcher, Outcome, all_of, miss
from flowdiag.policy.selectors import LabelSelector, Requirement, SelectorError, read_selector

__all__ = ["applied_to", "of_account", "selected_pods", "subject_of"]


class AnyOf(Struct, frozen=True):
    """At least one of several alternatives holds; each is a set of conditions that must all hold."""

    alternatives: tuple[tuple[Matcher, ...], ...]

    @property
    def keys(self) -> frozenset[str]:
        """See `Matcher.keys`."""
        return frozenset().union(*(each.keys for one in self.alternatives for each in one))

    def check(self, facts: Facts, /) -> Check:
        """See `Matcher.check`."""
        answers = [all_of([each.check(facts) for each in one]) for one in self.alternatives]
        if any(answer.outcome is Outcome.MATCH for answer in answers):
            return MATCH
        open_ones = [answer for answer in answers if answer.outcome is Outcome.UNKNOWN]
        return open_ones[0] if open_ones else miss(*(one for answer in answers for one in answer.misses))


def selected_pods(spec: dict[str, Any]) -> tuple[Matcher, ...]:
    """The pods that a policy's ``endpointSelector`` or ``podSelector`` means.

    Where the selector has labels that are not the pods' own there is no condition, so that everybody is meant.
    """
    raw = spec.get("endpointSelector") or spec.get("podSelector")
    try:
        selector = read_selector(raw)
    except SelectorError:
        return ()
    own = tuple(_own_label(each) for each in selector.requirements)
    if any(each is None for each in own):
        return ()
    return (PodSelected(LabelSelector(tuple(each for each in own if each is not None))),)


def _own_label(each: Requirement) -> Requirement | None:
    """A requirement on a pod's own label, without Cilium's source; ``None`` for what is no pod label."""
    source, colon, key = each.key.partition(":")
    if not colon:
        source, key = "k8s", each.key
    if source not in ("k8s", "any") or key.startswith("io."):
        return None
    return Requirement(key, each.operator, each.values)


def applied_to(
    spec: dict[str, Any], members: Callable[[Any], Iterable[tuple[Matcher, ...]]] | None = None
) -> tuple[Matcher, ...]:
    """Whom Antrea's ``appliedTo`` of the policy means, or of its rules if the policy has none; without any, everybody.

    Args:
        spec: the policy's.
        members: looks a group up by its name; without it who belongs to one is unknown.
    """
    parts = _listed(spec.get("appliedTo"))
    if not parts:
        rules = [rule for direction in Direction for rule in _listed(spec.get(direction.value))]
        parts = [part for rule in rules if isinstance(rule, dict) for part in _listed(rule.get("appliedTo"))]
    if not parts:
        return ()
    # A policy of nodes, or of Services where they are entered from outside, is none of pods.
    pods = [
        part
        for part in parts
        if not (isinstance(part, dict) and set(part) in ({"nodeSelector"}, {"service"}))
    ]
    return (AnyOf(tuple(one for part in pods for one in _alternatives(part, members))),)


def _alternatives(
    part: Any, members: Callable[[Any], Iterable[tuple[Matcher, ...]]] | None
) -> Iterator[tuple[Matcher, ...]]:
    if members is not None and isinstance(part, dict) and set(part) == {"group"}:
        # Ranges of a group are nobody that a policy could be applied to.
        yield from (one for one in members(part["group"]) if not isinstance(one[0], AddressRange))
    else:
        yield _part(part)


def _listed(raw: Any) -> list[Any]:
    return raw if isinstance(raw, list) else []


_SELECTORS = {"namespaceSelector": NamespaceSelected, "podSelector": PodSelected}


def _part(raw: Any) -> tuple[Matcher, ...]:
    given = {key: value for key, value in raw.items() if value is not None} if isinstance(raw, dict) else {}
    if given.keys() == {"serviceAccount"} and (running := of_account(given["serviceAccount"])) is not None:
        return running
    if not given or not given.keys() <= _SELECTORS.keys():
        # A group, a Service, a node or a machine outside: who belongs to it is not in the objects read here.
        return (
            Undecidable(
                f"whom appliedTo means by {', '.join(sorted(map(str, given))) or 'nothing'} is not known"
            ),
        )
    return _conditions(given)


def of_account(raw: Any) -> tuple[Matcher, ...] | None:
    """The pods that run as a service account, by its name and namespace; ``None`` where it is not named in full."""
    name, namespace = (raw.get("name"), raw.get("namespace")) if isinstance(raw, dict) else (None, None)
    if not (isinstance(name, str) and name and isinstance(namespace, str) and namespace):
        return None
    return NamespaceNamed(namespace), RunsAs(name)


def subject_of(spec: dict[str, Any]) -> tuple[Matcher, ...]:
    """Whom ``subject`` means: all pods of the selected namespaces, or the selected ones among them."""
    raw = spec.get("subject")
    if not isinstance(raw, dict) or len(raw) != 1:
        return ()
    if "namespaces" in raw:
        return _conditions({"namespaceSelector": raw["namespaces"]})
    pods = raw.get("pods")
    return _conditions(pods) if isinstance(pods, dict) and pods.keys() <= _SELECTORS.keys() else ()


def _conditions(given: dict[str, Any]) -> tuple[Matcher, ...]:
    try:
        return tuple(_SELECTORS[key](read_selector(value)) for key, value in sorted(given.items()))
    except SelectorError as error:
        return (Undecidable(str(error)),)
