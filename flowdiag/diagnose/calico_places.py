"""In which order Calico asks the policies of one tier."""

from __future__ import annotations

import math

from flowdiag.diagnose.context import Context
from flowdiag.model.policy import CALICO_GROUPS, PolicyRef
from flowdiag.policy.compile.calico_tiers import KUBERNETES_ORDER

__all__ = ["order_of", "stands_before"]


def stands_before(context: Context, ref: PolicyRef, other: PolicyRef) -> bool:
    """Whether a policy is surely asked before another of its tier, in whatever version of the two."""
    one, two = _places(context, ref), _places(context, other)
    return bool(one and two) and all(
        mine[0] == theirs[0] and mine[1:] < theirs[1:] for mine in one for theirs in two
    )


def order_of(order: object) -> float:
    """A policy's ``order``; one without stands behind all that have one."""
    return float(order) if isinstance(order, int | float) and not isinstance(order, bool) else math.inf


def _places(context: Context, ref: PolicyRef) -> list[tuple[str, float, str]]:
    """Tier, order and name of every version; of one tier policies are asked in this order."""
    name = f"{ref.namespace or ''}/{ref.name}"
    if ref.group == "networking.k8s.io":
        return [("default", KUBERNETES_ORDER, name)]
    if ref.group not in CALICO_GROUPS:
        return []
    specs = [policy.spec for policy in context.policy(ref)]
    return [(str(spec.get("tier") or "default"), order_of(spec.get("order")), name) for spec in specs]
