"""Antrea's ClusterGroup and Group: names for pods and ranges that its policies refer to.

Source: antrea-io/antrea ``pkg/apis/crd/v1beta1/types.go``, v2.2.  A group has selectors, ranges, a Service's pods or other
groups; a Group is of a namespace, and its selector of pods alone means the pods there.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from flowdiag.model.event import Direction
from flowdiag.model.objects import NAME_LABEL, Pod, PolicyObject
from flowdiag.model.policy import Condition
from flowdiag.policy.compile.context import CompileContext, PolicyError, entries, network, unknown_field
from flowdiag.policy.facts import Facts
from flowdiag.policy.matchers import (
    AddressRange,
    NamespaceNamed,
    NamespaceSelected,
    Nothing,
    PodSelected,
    Undecidable,
)
from flowdiag.policy.model import Matcher, Outcome
from flowdiag.policy.selectors import LabelSelector, Requirement, SelectorError, read_selector

__all__ = ["ANTREA_GROUPS", "Alternatives", "Groups", "range_of", "unrealized"]

ANTREA_GROUPS = frozenset({"crd.antrea.io", "security.antrea.tanzu.vmware.com"})
Alternatives = tuple[tuple[Matcher, ...], ...]
"""Sets of conditions of which one has to hold."""

_SELECTORS = frozenset({"namespaceSelector", "podSelector"})
_MOST_NESTED = 3


class Groups:
    """The groups that a policy may refer to.

    Args:
        policy: says whether they are of a namespace.
        context: where they are looked up.
    """

    def __init__(self, policy: PolicyObject, context: CompileContext) -> None:
        self._namespace = policy.ref.namespace
        self._context = context
        kind = "ClusterGroup" if self._namespace is None else "Group"
        self._known = {
            each.name: each.body.get("spec")
            for each in context.snapshot.others
            if each.kind == kind and each.group in ANTREA_GROUPS and each.namespace == self._namespace
        }
        self._all = any((group, kind) in context.snapshot.kinds_seen for group in ANTREA_GROUPS)

    def of(self, name: Any, *, nested: int = 0) -> Alternatives:
        """Whom a group means; nobody where there is none of that name.

        Raises:
            PolicyError: it cannot be read.
            SelectorError: nor can a selector of it.
        """
        if not isinstance(name, str) or name not in self._known or nested > _MOST_NESTED:
            if self._all and isinstance(name, str) and nested <= _MOST_NESTED:
                return ((Nothing(Condition.POD, f"a member of a group {name}, which does not exist"),),)
            return ((Undecidable(f"who belongs to the group {name} is not known"),),)
        spec = self._known[name]
        if not isinstance(spec, dict):
            return ((Undecidable(f"the group {name} has no spec"),),)
        return tuple(self._members(name, {str(k): v for k, v in spec.items() if v is not None}, nested))

    def has(self, name: str, pod: Pod) -> bool:
        """Whether a pod surely is a member now, by its labels; nobody is of a group that cannot be read."""
        space = self._context.snapshot.namespaces.get(pod.namespace)
        facts = Facts(
            kind="pod",
            namespace=pod.namespace,
            labels=pod.labels,
            namespace_labels={NAME_LABEL: pod.namespace, **(space.labels if space is not None else {})},
            namespace_complete=space is not None,
        )
        try:
            every = self.of(name)
        except (PolicyError, SelectorError):
            return False
        return any(
            all(each.check(facts).outcome is Outcome.MATCH for each in one)
            for one in every
            if not isinstance(one[0], AddressRange)
        )

    def _members(self, name: str, spec: dict[str, Any], nested: int) -> Iterator[tuple[Matcher, ...]]:
        keys = spec.keys()
        if keys and keys <= _SELECTORS:
            yield self._pods(spec)
        elif keys and keys <= {"ipBlock", "ipBlocks"}:
            blocks = [
                *entries(spec.get("ipBlocks"), "ipBlocks"),
                *([spec["ipBlock"]] if "ipBlock" in spec else ()),
            ]
            for each in blocks:
                yield (range_of(each, f"the group {name}: ipBlocks", self._context),)
        elif keys == {"childGroups"}:
            for child in entries(spec["childGroups"], "childGroups"):
                yield from self.of(child, nested=nested + 1)
        elif keys == {"serviceReference"}:
            yield self._behind(name, spec["serviceReference"])
        else:
            yield (Undecidable(f"who belongs to the group {name} is not looked up"),)

    def _pods(self, spec: dict[str, Any]) -> tuple[Matcher, ...]:
        spaces: Matcher = NamespaceSelected(read_selector(spec.get("namespaceSelector")))
        if "namespaceSelector" not in spec and self._namespace is not None:
            spaces = NamespaceNamed(self._namespace)
        pods = read_selector(spec.get("podSelector"))
        return (spaces, PodSelected(pods)) if pods.requirements else (spaces,)

    def _behind(self, name: str, raw: Any) -> tuple[Matcher, ...]:
        """The pods that a Service selects."""
        wanted = (raw.get("namespace"), raw.get("name")) if isinstance(raw, dict) else (None, None)
        for service in self._context.snapshot.services:
            if (service.namespace, service.name) == wanted and service.selector:
                needs = tuple(
                    Requirement(key, "In", (value,)) for key, value in sorted(service.selector.items())
                )
                return NamespaceNamed(service.namespace), PodSelected(LabelSelector(needs))
        return (Undecidable(f"which pods are behind the Service of the group {name} is not known"),)


def unrealized(policy: PolicyObject, context: CompileContext) -> str | None:
    """Why Antrea enforces nothing of a policy of a namespace; ``None`` where it does.

    The group that it is applied to may have pods of that namespace alone: with one of another the whole policy has the
    status ``Realizable=False`` and no node gets it (``networkpolicy_controller.go``, ``getInternalGroupWorkloads``).
    Pods of the host's network, which no policy is applied to, are left out only behind that check.
    """
    rules = [rule for way in Direction for rule in _listed(policy.spec.get(way.value))]
    parts = [part for one in (policy.spec, *rules) for part in _listed(one.get("appliedTo"))]
    named = [part["group"] for part in parts if isinstance(part.get("group"), str)]
    if policy.ref.namespace is None or not named:
        return None
    groups = Groups(policy, context)
    others = [pod for pod in context.snapshot.pods if pod.live and pod.namespace != policy.ref.namespace]
    for name in dict.fromkeys(named):
        found = next((pod for pod in others if groups.has(name, pod)), None)
        if found is not None:
            return (
                f"not realized: it is applied to the group {name}, which has pods of other namespaces "
                f"({found.namespace}/{found.name})"
            )
    return None


def _listed(raw: Any) -> list[dict[str, Any]]:
    return [each for each in raw if isinstance(each, dict)] if isinstance(raw, list) else []


def range_of(raw: Any, path: str, context: CompileContext) -> Matcher:
    """Compile an ``ipBlock``.

    Raises:
        PolicyError: it is none.
    """
    if not isinstance(raw, dict):
        raise PolicyError(f"{path} is not an object")
    strange = unknown_field(raw, ("cidr", "except"), path)
    if strange is not None:
        return Undecidable(strange)
    return AddressRange.build(
        context.ranges,
        (network(raw.get("cidr"), f"{path}.cidr"),),
        tuple(network(each, f"{path}.except") for each in entries(raw.get("except"), f"{path}.except")),
        pods=context.traits.range_pods,
        nodes=context.traits.range_nodes,
    )
