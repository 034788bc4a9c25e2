"""Calico policies, tiers and profiles (projectcalico.org/v3, crd.projectcalico.org/v1).

Source: projectcalico/calico ``felix/calc/policy_sorter.go``, ``felix/rules/endpoints.go`` and
``api/pkg/apis/projectcalico/v3/tier.go``, v3.29 to v3.32.  Tiers are tried by order; in a tier the policies
that select the endpoint, by order, rule by rule; the first allow, deny or pass decides.  A tier whose
policies select the endpoint and decide nothing ends with its default action, so a policy with nothing but
``Log`` denies.  Behind the last tier stand the profiles, which allow for pods.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

from msgspec import structs

from flowdiag.model.event import Direction
from flowdiag.model.objects import PolicyObject, RawObject, Snapshot
from flowdiag.model.policy import CALICO_GROUPS, PolicyRef
from flowdiag.policy.calico_labels import CalicoLabels, spec_of
from flowdiag.policy.calico_matchers import EndpointSelected, Part, ProfileListed
from flowdiag.policy.compile.calico_rules import compile_rules
from flowdiag.policy.compile.calico_scopes import account_part, host_selection, read_calico_selector
from flowdiag.policy.compile.context import CompileContext, PolicyError, entries, unknown_field, validity_of
from flowdiag.policy.model import Matcher, Order, Policy, Rule, Tier

__all__ = [
    "CalicoTiers",
    "compile_calico_policy",
    "directions_of",
    "is_calico",
    "staged_note",
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
# Profiles that Calico makes for each namespace and service account ("kns.shop", "ksa.shop.default").
_OWN_PROFILES = ("kns.", "ksa.")
_DIRECTIONS = {"ingress": Direction.INGRESS, "egress": Direction.EGRESS}

KUBERNETES_ORDER = 1000.0
"""Where Kubernetes NetworkPolicies stand in the default tier."""

ADMIN_TIER, BASELINE_TIER, DEFAULT_TIER = "kube-admin", "kube-baseline", "default"
_OLD_ADMIN_TIER, _OLD_BASELINE_TIER = "adminnetworkpolicy", "baselineadminnetworkpolicy"
_DEFAULT_ORDERS = {ADMIN_TIER: 1000.0, DEFAULT_TIER: 1_000_000.0, BASELINE_TIER: 10_000_000.0}


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


class CalicoTiers:
    """The tiers of a snapshot, filled policy by policy.

    Args:
        snapshot: its Tier and Profile objects are read.
        labels: Calico's view of labels, with the profiles.
    """

    def __init__(self, snapshot: Snapshot, labels: CalicoLabels) -> None:
        self._labels = labels
        self._objects = {
            each.name: each for each in snapshot.others if each.kind == "Tier" and each.group in CALICO_GROUPS
        }
        names = [policy.ref.name for policy in snapshot.policies if is_calico(policy)]
        old_tier = _OLD_ADMIN_TIER in self._objects
        prefixed = bool(names) and all("." in name for name in names)
        self.old = ADMIN_TIER not in self._objects and (old_tier or prefixed)
        """v3.31 or before: tiers and ties by the old names."""
        self._filled: dict[str, list[Policy]] = {}
        self._untracked: list[Policy] = []
        self._before_nat: list[Policy] = []

    def admin(self, policy: Policy, *, baseline: bool) -> None:
        """Put an admin or baseline policy in its tier; ties stand by name here."""
        tier = BASELINE_TIER if baseline else ADMIN_TIER
        placed = structs.replace(policy, rank=(*policy.rank, policy.ref.name), tie=None)
        self._filled.setdefault(tier, []).append(placed)

    def kubernetes(self, policy: Policy) -> None:
        """Put a NetworkPolicy at its place in the default tier."""
        ref = policy.ref
        tie = (
            f"{ref.namespace}/knp.default.{ref.name}"
            if self.old
            else f"{ref.name}/{ref.namespace}/KubernetesNetworkPolicy"
        )
        self._filled.setdefault(DEFAULT_TIER, []).append(
            structs.replace(policy, rank=(KUBERNETES_ORDER, tie))
        )

    def calico(self, policy: PolicyObject, compiled: Policy) -> None:
        """Put a Calico policy in its tier, or among those of host endpoints before conntrack and NAT."""
        if policy.spec.get("doNotTrack"):
            self._untracked.append(compiled)
        elif policy.spec.get("preDNAT"):
            self._before_nat.append(compiled)
        else:
            self._filled.setdefault(tier_of(policy), []).append(compiled)

    def unsupported(self, policy: Policy) -> None:
        """Put a policy that cannot be evaluated where it is asked first."""
        self._filled.setdefault(DEFAULT_TIER, []).append(policy)

    def build(
        self, context: CompileContext, host_tiers: tuple[Tier, ...], forwarded: Tier, host_profile: Tier
    ) -> tuple[Tier, ...]:
        """Sort the tiers; the profiles come last.

        Args:
            context: what profiles' rules look at.
            host_tiers: what host endpoints are asked before any policy (failsafe ports).
            forwarded: what goes past the policies of the host itself.
            host_profile: what ends traffic of host endpoints that no policy decided.
        """
        tiers = [
            Tier(
                name=name,
                order=Order.ORDERED,
                policies=tuple(self._filled[name]),
                closes=self._closes(name),
            )
            for name in sorted(self._filled, key=self._tier_key)
        ]
        before = [
            Tier(name=name, order=Order.ORDERED, policies=tuple(policies), closes=False)
            for name, policies in (("untracked", self._untracked), ("preDNAT", self._before_nat))
            if policies
        ]
        profiles = Tier(name="profile", order=Order.ORDERED, policies=self._profiles(context))
        return (*host_tiers, *before, forwarded, *tiers, profiles, host_profile)

    def _object(self, name: str) -> RawObject | None:
        old = {ADMIN_TIER: _OLD_ADMIN_TIER, BASELINE_TIER: _OLD_BASELINE_TIER}.get(name)
        return self._objects.get(name) or (self._objects.get(old) if old is not None else None)

    def _tier_key(self, name: str) -> tuple[bool, float, str]:
        """Tiers without an object stand last, those of Calico's own at their documented order."""
        found = self._object(name)
        if found is None:
            return (name not in _DEFAULT_ORDERS, _DEFAULT_ORDERS.get(name, math.inf), name)
        order = spec_of(found).get("order")
        valid = isinstance(order, int | float) and not isinstance(order, bool)
        return (False, float(order) if valid and order is not None else math.inf, name)

    def _closes(self, name: str) -> bool:
        found = self._object(name)
        default = None if found is None else spec_of(found).get("defaultAction")
        if default is None:
            return name not in (ADMIN_TIER, BASELINE_TIER)
        return str(default).lower() != "pass"

    def _profiles(self, context: CompileContext) -> tuple[Policy, ...]:
        """Profiles as policies of the endpoints that list them: a rule decides, or else it is dropped.

        Those of namespaces and service accounts are Calico's own work under Kubernetes: between them they
        always allow, whatever an exported object says.
        """
        found = []
        for name, profile in sorted(self._labels.profiles.items()):
            if name.startswith(_OWN_PROFILES):
                continue
            spec = spec_of(profile)
            rules: dict[Direction, tuple[Rule, ...]] = {}
            broken = ""
            try:
                rules = {
                    direction: compile_rules(spec.get(direction.value), direction, None, context)
                    for direction in Direction
                }
            except PolicyError as error:
                broken = str(error)
            found.append(
                Policy(
                    ref=PolicyRef("Profile", profile.group, None, name),
                    applies_to=(ProfileListed(name),),
                    directions=frozenset(Direction),
                    isolates=frozenset(Direction),
                    rules=rules,
                    broken=broken,
                    rank=(0.0, name),
                )
            )
        return tuple(found)
