"""Compile every policy object of a snapshot into the tiers of a dialect."""

from __future__ import annotations

from flowdiag.model.event import Direction
from flowdiag.model.objects import PolicyObject, Snapshot
from flowdiag.model.policy import Dialect, IpBlockPods, PolicyRef
from flowdiag.policy.addresses import RangeTable
from flowdiag.policy.compile import kubernetes
from flowdiag.policy.compile.context import CompileContext, validity_of
from flowdiag.policy.dialect import traits_of
from flowdiag.policy.evaluate import PolicySet
from flowdiag.policy.model import Order, Policy, Tier

__all__ = ["compile_policies"]


def compile_policies(
    snapshot: Snapshot, *, dialect: Dialect, ip_block_pods: IpBlockPods = IpBlockPods.AUTO
) -> PolicySet:
    """Compile a snapshot's policies.  Cheap enough to be done again for every what-if.

    Args:
        snapshot: its policies, pods, namespaces and what the policies refer to.
        dialect: who enforces; see `flowdiag.policy.dialect.detect_dialect`.
        ip_block_pods: whether address ranges match pod addresses; auto follows the dialect.
    """
    context = CompileContext(
        snapshot, dialect, traits_of(dialect, ip_block_pods, snapshot.config), RangeTable()
    )
    namespaced: list[Policy] = []
    notes: list[tuple[PolicyRef, str]] = []
    for policy in snapshot.policies:
        if policy.ref.kind == kubernetes.KIND and policy.ref.group in kubernetes.GROUPS:
            namespaced.append(kubernetes.compile_network_policy(policy, context))
        else:
            namespaced.append(_unsupported(policy))
    tiers = (
        Tier(
            name="NetworkPolicy",
            order=Order.ADDITIVE,
            policies=tuple(namespaced),
            others=context.traits.other_protocols,
        ),
    )
    return PolicySet(snapshot, dialect, tiers, context.ranges, notes=tuple(notes))


def _unsupported(policy: PolicyObject) -> Policy:
    """A kind that nothing here can evaluate: whatever it may select has no verdict."""
    return Policy(
        ref=policy.ref,
        namespace=policy.ref.namespace,
        applies_to=(),
        directions=frozenset(Direction),
        isolates=frozenset(),
        rules={},
        validity=validity_of(policy),
        broken=f"{policy.ref.kind} ({policy.ref.group}) is not supported",
    )
