"""AWS's strict mode: the agent closes every pod that no policy selects, in both directions.

Source: aws/aws-network-policy-agent ``controllers/policyendpoints_controller.go`` and ``pkg/rpc/rpc_handler.go``, v1.1 to
v1.4: a pod that no NetworkPolicy selects in either direction gets the state ``DEFAULT_DENY``; one that a policy selects
in one direction is open in the other, as elsewhere.  ClusterNetworkPolicies are asked before that state
(aws/aws-network-policy-agent#635).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from msgspec.structs import replace

from flowdiag.model.event import Direction
from flowdiag.model.policy import Dialect
from flowdiag.policy.model import Action, Order, Policy, Rule, Tier

__all__ = ["SETTING", "is_strict", "strict_tier"]

SETTING = "aws.network-policy-enforcing-mode"
"""``NETWORK_POLICY_ENFORCING_MODE`` of the DaemonSet aws-node, in `Snapshot.config`."""

_OPEN = Rule(
    path="other-direction",
    action=Action.ALLOW,
    note="a policy selects it in the other direction alone: strict mode closes pods that none selects",
)


def is_strict(dialect: Dialect | None, config: Mapping[str, str]) -> bool:
    """Whether AWS's agent closes pods without policies."""
    return dialect is Dialect.AWS and config.get(SETTING, "").lower() == "strict"


def strict_tier(policies: Iterable[Policy]) -> Tier:
    """What becomes of a connection that neither a NetworkPolicy nor the administrators' policies decided.

    Args:
        policies: the compiled NetworkPolicies and ApplicationNetworkPolicies.
    """
    return Tier(
        name="strict mode",
        order=Order.ADDITIVE,
        policies=tuple(_opening(each) for each in policies),
        always=frozenset(Direction),
        why_always=f"the agent's mode is strict ({SETTING.removeprefix('aws.').replace('-', '_').upper()})",
    )


def _opening(policy: Policy) -> Policy:
    """What a policy does to the direction that no policy closes; where one does, this tier is not reached."""
    return replace(
        policy,
        ref=replace(policy.ref, kind="implicit rule"),
        directions=frozenset(Direction),
        isolates=frozenset(),
        rules=dict.fromkeys(Direction, (_OPEN,)),
        implicit=True,
    )
