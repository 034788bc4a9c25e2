"""Which kinds of policy an enforcer may decide by, and which of them the state says nothing of."""

from __future__ import annotations

from flowdiag.diagnose.context import Context
from flowdiag.model.policy import Dialect

__all__ = ["kinds_not_read"]

_KINDS: dict[Dialect, tuple[tuple[str, str], ...]] = {
    Dialect.CILIUM: (
        ("networking.k8s.io", "NetworkPolicy"),
        ("cilium.io", "CiliumNetworkPolicy"),
        ("cilium.io", "CiliumClusterwideNetworkPolicy"),
    ),
    Dialect.CALICO: (("networking.k8s.io", "NetworkPolicy"), ("projectcalico.org", "GlobalNetworkPolicy")),
}
_ALWAYS = (("networking.k8s.io", "NetworkPolicy"),)


def kinds_not_read(context: Context) -> tuple[str, ...]:
    """Kinds of policy of this CNI that were not among what was read, sorted: the policies are not complete."""
    read = context.snapshot.kinds_seen
    have = {kind for _, kind in read} | {policy.ref.kind for policy in context.snapshot.policies}
    wanted = _ALWAYS if context.dialect is None else _KINDS.get(context.dialect, _ALWAYS)
    return tuple(sorted(kind for _, kind in wanted if kind not in have))
