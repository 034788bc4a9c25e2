"""Calico policies, those that are in force and staged ones (projectcalico.org/v3, crd.projectcalico.org/v1).

Source: projectcalico/calico ``api/pkg/apis/projectcalico/v3/{networkpolicy,stagednetworkpolicy}.go`` and
``felix/calc/policy_sorter.go``, v3.29 to v3.32.  `flowdiag.policy.compile.calico_tiers` puts them in their order.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

from msgspec import structs

from flowdiag.model.event import Direction
from flowdiag.model.objects import PolicyObject
from flowdiag.model.policy import CALICO_GROUPS, PolicyRef
from flowdiag.policy.calico_matchers import EndpointSelected, Part
from flowdiag.policy.compile.calico_rules import compile_rules
from flowdiag.policy.compile.calico_scopes import account_part, host_selection, read_calico_selector
from flowdiag.policy.compile.context import CompileContext, PolicyError, entries, unknown_field, validity_of
from flowdiag.policy.model import Matcher, Policy, Rule

__all__ = [
    "DEFAULT_TIER",
    "compile_calico_policy",
    "directions_of",
    "is_calico",
    "staged_note",
    "tier_of",
    "with_staged",
]

_KINDS = frozenset({"NetworkPolicy", "GlobalNetworkPolicy"})
_STAGED_AS = {
    "StagedNetworkPolicy": ("NetworkPolicy", None),
    "StagedGlobalNetworkPolicy": ("GlobalNetworkPolicy", None),
    "StagedKubernetesNetworkPolicy": ("NetworkPolicy", "networking.k8s.io"),
}
"""What each staged kind is in force; the group is the object's own where none is given."""
# Read-only images of Kubernetes kinds in calicoctl's output, v3.29 to v3.31.
_KUBERNETES_IMAGE = "knp.default."
_IMAGES = (_KUBERNETES_IMAGE, "kanp.", "kbanp.")
_SPEC_FIELDS = frozenset(
    {
        "tier",
        "order",
        "selector",
        "types",
        "ingress",
        "egress",
        "serviceAccountSelector",
        "namespaceSelector",
        "doNotTrack",
        "preDNAT",
        "applyOnForward",
        "performanceHints",
    }
)
_DIRECTIONS = {"ingress": Direction.INGRESS, "egress": Direction.EGRESS}

DEFAULT_TIER = "default"
"""Where a policy stands that names no tier."""


def is_calico(policy: PolicyObject) -> bool:
    """Whether it is one of Calico's enforced kinds."""
    return policy.ref.group in CALICO_GROUPS and policy.ref.kind in _KINDS


def staged_note(policy: PolicyObject, *, images: bool = False) -> str | None:
    """Why a Calico object is no policy in force; ``None`` where it is one.

    Args:
        policy: the object.
        images: no NetworkPolicies were read, so that Calico's images of them stand for them:
            ``calicoctl get`` prints images alone.
    """
    if policy.ref.group not in CALICO_GROUPS:
        return None
    if policy.ref.kind in _STAGED_AS:
        return "staged: pending, not enforced"
    if images and policy.ref.name.startswith(_KUBERNETES_IMAGE):
        return None
    if policy.ref.name.startswith(_IMAGES):
        return "a read-only image of a Kubernetes policy"
    return None


def with_staged(policies: Iterable[PolicyObject]) -> tuple[list[PolicyObject], dict[PolicyRef, PolicyRef]]:
    """Put staged policies in force: each in the place of the real one of its name, or beside the others.

    ``stagedAction`` Delete takes the real one away; Ignore, and what Calico only learned, changes nothing.

    Returns:
        The policies, and what each is to be called: a staged one keeps its own name.
    """
    known = {policy.ref: policy for policy in policies}
    named = {ref: ref for ref in known}
    for ref, policy in sorted(known.items()):
        target = _STAGED_AS.get(ref.kind) if ref.group in CALICO_GROUPS else None
        if target is None:
            continue
        known.pop(ref)
        action = str(policy.spec.get("stagedAction") or "Set").lower()
        if action in ("ignore", "learn"):
            continue
        kind, group = target
        enforced = PolicyRef(kind, group or ref.group, ref.namespace, ref.name)
        known.pop(enforced, None)
        if action == "delete":
            continue
        spec = {key: value for key, value in policy.spec.items() if key != "stagedAction"}
        known[enforced] = structs.replace(policy, ref=enforced, spec=spec)
        named[enforced] = ref
    return list(known.values()), named


def tier_of(policy: PolicyObject) -> str:
    """Name the tier that a policy stands in."""
    tier = policy.spec.get("tier")
    return tier if isinstance(tier, str) and tier else DEFAULT_TIER


def compile_calico_policy(policy: PolicyObject, context: CompileContext, *, old_names: bool) -> Policy:
    """Compile a NetworkPolicy or GlobalNetworkPolicy; what Calico refuses comes out `Policy.broken`.

    Args:
        policy: the object.
        context: what else is looked at.
        old_names: policies of one order stand by their tier-prefixed backend names (up to v3.31).
    """
    spec = policy.spec
    namespace = policy.ref.namespace if policy.ref.kind == "NetworkPolicy" else None
    applies_to: tuple[Matcher, ...] = ()
    directions = frozenset(Direction)
    rules: dict[Direction, tuple[Rule, ...]] = {}
    rank: tuple[float | str, ...] = (math.inf, policy.ref.name)
    broken = ""
    try:
        applies_to = (_endpoints(spec, namespace, context),)
        broken = unknown_field(spec, _SPEC_FIELDS, "spec") or ""
        rank = (_order(spec), _tie_name(policy, old_names=old_names))
        directions = directions_of(policy)
        rules = {
            direction: compile_rules(spec.get(direction.value), direction, namespace, context)
            for direction in Direction
            if direction in directions
        }
    except PolicyError as error:
        broken = str(error)
    return Policy(
        ref=policy.ref,
        namespace=namespace,
        applies_to=applies_to,
        directions=directions,
        isolates=directions,
        rules=rules,
        validity=validity_of(policy),
        broken=broken,
        rank=rank,
        subjects=_subjects(spec, namespace),
    )


def _endpoints(spec: dict[str, Any], namespace: str | None, context: CompileContext) -> EndpointSelected:
    known = context.calico is not None and context.calico.accounts_known
    parts = [
        Part(read_calico_selector(spec.get("selector"), "spec.selector"), known),
        *account_part(spec.get("serviceAccountSelector"), "spec.serviceAccountSelector", context),
    ]
    if namespace is not None:
        return EndpointSelected(tuple(parts))
    scope, of_hosts = host_selection(spec)
    return EndpointSelected(tuple(parts), scope, of_hosts)


def _subjects(spec: dict[str, Any], namespace: str | None) -> frozenset[str]:
    if spec.get("doNotTrack") or spec.get("preDNAT"):
        return frozenset({"node"})
    return frozenset({"pod"} if namespace is not None else {"pod", "node"})


def _order(spec: dict[str, Any]) -> float:
    order = spec.get("order")
    if order is None:
        return math.inf
    if isinstance(order, bool) or not isinstance(order, int | float):
        raise PolicyError("spec.order is not a number")
    return float(order)


def _tie_name(policy: PolicyObject, *, old_names: bool) -> str:
    ref = policy.ref
    if not old_names:
        return f"{ref.name}/{ref.namespace or ''}/{ref.kind}"
    prefix = f"{tier_of(policy)}."
    name = ref.name if ref.name.startswith(prefix) else prefix + ref.name
    return f"{ref.namespace}/{name}" if ref.namespace is not None else name


def directions_of(policy: PolicyObject) -> frozenset[Direction]:
    """The directions that a policy is for.

    Raises:
        PolicyError: a type is neither Ingress nor Egress.
    """
    spec = policy.spec
    types = [str(each).lower() for each in entries(spec.get("types"), "spec.types")]
    strange = [each for each in types if each not in _DIRECTIONS]
    if strange:
        raise PolicyError(f"spec.types: {strange[0]!r} is neither Ingress nor Egress")
    if types:
        return frozenset(_DIRECTIONS[each] for each in types)
    if policy.ref.group == "crd.projectcalico.org":
        # Nobody filled the default in: Felix takes both.
        return frozenset(Direction)
    if not spec.get("egress"):
        return frozenset({Direction.INGRESS})
    return frozenset(Direction) if spec.get("ingress") else frozenset({Direction.EGRESS})
