"""Kinds of policy that nothing here can evaluate: what they may concern has no verdict, and nothing else is touched.

Sources: OpenShift's documentation of EgressFirewall (it limits which external hosts pods reach; where another enforcer is
said to be at work nobody knows who minds it), GKE's of FQDNNetworkPolicy (egress alone, likewise), Antrea's
``crd.antrea.io`` types and AWS's ClusterNetworkPolicy (nothing is isolated without a rule).
"""

from __future__ import annotations

from typing import ClassVar

from msgspec import Struct

from flowdiag.model.event import Direction
from flowdiag.model.objects import PolicyObject
from flowdiag.model.policy import Condition, Miss
from flowdiag.policy.compile.context import validity_of
from flowdiag.policy.compile.selected import applied_to, selected_pods, subject_of
from flowdiag.policy.facts import Facts
from flowdiag.policy.model import MATCH, Action, Check, Matcher, Peer, Policy, Rule, miss
from flowdiag.policy.traffic import UndecidableTraffic

__all__ = ["NoPod", "unsupported"]

_FIREWALL = ("k8s.ovn.org", "EgressFirewall")
_EGRESS_ALONE = frozenset({_FIREWALL, ("networking.gke.io", "FQDNNetworkPolicy")})
_OF_SUBJECTS = ("networking.k8s.aws", "ClusterNetworkPolicy")
_ANTREA = ("crd.antrea.io", "security.antrea.tanzu.vmware.com")


class NoPod(Struct, frozen=True):
    """The end is no pod with an address of its own."""

    keys: ClassVar[frozenset[str]] = frozenset()
    """The kind of an end is part of every class."""

    def check(self, facts: Facts, /) -> Check:
        """See `Matcher.check`."""
        return (
            miss(Miss(Condition.IP, "an address outside the pods' networks", None))
            if facts.kind == "pod"
            else MATCH
        )


def unsupported(policy: PolicyObject) -> Policy:
    """Compile a kind that nothing here can evaluate."""
    ref = policy.ref
    why = f"{ref.kind} ({ref.group}) is not supported"
    rules: dict[Direction, tuple[Rule, ...]] = {}
    if (ref.group, ref.kind) == _FIREWALL:
        # It decides of what leaves the cluster, so that pods reach each other whatever it says.
        rule = Rule(
            path="egress",
            action=Action.DENY,
            peers=(Peer("", (NoPod(),)),),
            traffic=(UndecidableTraffic(why),),
        )
        rules, why = {Direction.EGRESS: (rule,)}, ""
    return Policy(
        ref=ref,
        namespace=ref.namespace,
        applies_to=_selected(policy),
        directions=_directions(policy),
        isolates=frozenset(),
        rules=rules,
        validity=validity_of(policy),
        broken=why,
    )


def _selected(policy: PolicyObject) -> tuple[Matcher, ...]:
    if policy.ref.group in _ANTREA:
        return applied_to(policy.spec)
    if (policy.ref.group, policy.ref.kind) == _OF_SUBJECTS:
        return subject_of(policy.spec)
    return selected_pods(policy.spec)


def _directions(policy: PolicyObject) -> frozenset[Direction]:
    if (policy.ref.group, policy.ref.kind) in _EGRESS_ALONE:
        return frozenset({Direction.EGRESS})
    if policy.ref.group in _ANTREA or (policy.ref.group, policy.ref.kind) == _OF_SUBJECTS:
        return frozenset(direction for direction in Direction if policy.spec.get(direction.value))
    return frozenset(Direction)
