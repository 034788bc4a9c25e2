"""Calico's tiers and profiles: in which order its policies are asked, and what stands behind the last.

Source: projectcalico/calico ``felix/calc/policy_sorter.go``, ``felix/rules/endpoints.go`` and
``api/pkg/apis/projectcalico/v3/tier.go``, v3.29 to v3.32.  Tiers are tried by order; in a tier the policies
that select the endpoint, by order, rule by rule; the first allow, deny or pass decides.  A tier whose
policies select the endpoint and decide nothing ends with its default action, so a policy with nothing but
``Log`` denies.  Behind the last tier stand the profiles, which allow for pods.
"""

from __future__ import annotations

import math

from msgspec import structs

from flowdiag.model.event import Direction
from flowdiag.model.objects import PolicyObject, RawObject, Snapshot
from flowdiag.model.policy import CALICO_GROUPS, PolicyRef
from flowdiag.policy.calico_labels import CalicoLabels, spec_of
from flowdiag.policy.calico_matchers import ProfileListed
from flowdiag.policy.compile.calico import DEFAULT_TIER, is_calico, tier_of
from flowdiag.policy.compile.calico_rules import compile_rules
from flowdiag.policy.compile.context import CompileContext, PolicyError
from flowdiag.policy.model import Order, Policy, Rule, Tier

__all__ = ["KUBERNETES_ORDER", "CalicoTiers"]

# Profiles that Calico makes for each namespace and service account ("kns.shop", "ksa.shop.default").
_OWN_PROFILES = ("kns.", "ksa.")

KUBERNETES_ORDER = 1000.0
"""Where Kubernetes NetworkPolicies stand in the default tier."""

_ADMIN_TIER, _BASELINE_TIER = "kube-admin", "kube-baseline"
_OLD_ADMIN_TIER, _OLD_BASELINE_TIER = "adminnetworkpolicy", "baselineadminnetworkpolicy"
_DEFAULT_ORDERS = {_ADMIN_TIER: 1000.0, DEFAULT_TIER: 1_000_000.0, _BASELINE_TIER: 10_000_000.0}


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
        self.old = _ADMIN_TIER not in self._objects and (old_tier or prefixed)
        """v3.31 or before: tiers and ties by the old names."""
        self._filled: dict[str, list[Policy]] = {}
        self._untracked: list[Policy] = []
        self._before_nat: list[Policy] = []

    def admin(self, policy: Policy, *, baseline: bool) -> None:
        """Put an admin or baseline policy in its tier; ties stand by name here."""
        tier = _BASELINE_TIER if baseline else _ADMIN_TIER
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
        old = {_ADMIN_TIER: _OLD_ADMIN_TIER, _BASELINE_TIER: _OLD_BASELINE_TIER}.get(name)
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
            return name not in (_ADMIN_TIER, _BASELINE_TIER)
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
