"""Words of Cilium's that its records, its objects and its policies share.

Sources: Cilium v1.19 ``pkg/identity/numericidentity.go`` and ``pkg/identity/reserved.go``.
"""

from __future__ import annotations

__all__ = [
    "CLUSTER_LABEL",
    "NODE_ENTITIES",
    "POLICY_GROUPS",
    "POLICY_KINDS",
    "RESERVED_IDENTITIES",
    "WORLD_ENTITIES",
    "of_range",
]

RESERVED_IDENTITIES = {
    1: "host",
    2: "world",
    3: "unmanaged",
    4: "health",
    5: "init",
    6: "remote-node",
    7: "kube-apiserver",
    8: "ingress",
    9: "world-ipv4",
    10: "world-ipv6",
}
"""What numbers below 256 stand for, the same in every cluster; 0, ``unknown``, is no identity."""

CLUSTER_LABEL = "io.cilium.k8s.policy.cluster"
"""The label of a pod's identity with its cluster's name."""

NODE_ENTITIES = frozenset({"host", "remote-node", "kube-apiserver"})
"""Reserved words of what is, or may be, a node."""

WORLD_ENTITIES = frozenset({"world", "world-ipv4", "world-ipv6"})
"""Reserved words of what is outside of the cluster."""

POLICY_GROUPS = {
    "NetworkPolicy": "networking.k8s.io",
    "CiliumNetworkPolicy": "cilium.io",
    "CiliumClusterwideNetworkPolicy": "cilium.io",
    "ClusterNetworkPolicy": "policy.networking.k8s.io",
}
"""API groups of the kinds of policy that Cilium enforces; its records and labels name the kind alone."""

POLICY_KINDS = frozenset({"CiliumNetworkPolicy", "CiliumClusterwideNetworkPolicy"})
"""Those of them that are Cilium's own."""

_OF_RANGES, _OF_NODES = 1 << 24, 2 << 24
"""Where a node's own numbers begin: of ranges and names outside; behind them, of nodes that a range holds."""


def of_range(identity: int | None) -> bool:
    """Whether a number is what one agent calls a range of addresses, or a name's addresses (``cidr:``, ``fqdn:``)."""
    return identity is not None and _OF_RANGES <= identity < _OF_NODES
