"""Objects that count for nothing here and may matter all the same: what is to be said of them."""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from flowdiag.cluster.meta import as_map, as_text
from flowdiag.cluster.wanted import KUSTOMIZATION, is_policy_like

__all__ = ["FOREIGN_POLICY", "Aside", "aside_of", "unrendered"]

FOREIGN_POLICY = "unknown-policy-kind"
"""`Aside.code` of policies by name that are of no kind that is read."""

_CHANGING = frozenset(
    {
        *("commonLabels", "components", "helmCharts", "labels", "namePrefix", "nameSuffix", "namespace"),
        *("patches", "patchesJson6902", "patchesStrategicMerge", "replacements", "transformers"),
    }
)
"""Fields of a kustomization that make other objects of what its resources hold."""


class Aside(Struct, frozen=True):
    """A remark on an object that is not read: its code as a `StateProblem` has it, and the words."""

    code: str
    message: str


def aside_of(group: str, kind: str, api: str, body: dict[str, Any]) -> Aside | None:
    """What is to be said of an object of a kind that is not read; ``None`` for most."""
    if (group, kind) == KUSTOMIZATION:
        # The manifests beside it were read as they stand.
        changes = sorted(key for key in _CHANGING & body.keys() if body[key])
        return Aside("not-built", _unbuilt(changes)) if changes else None
    if is_policy_like(kind):
        # What it refuses is in no verdict.
        name = as_text(as_map(body.get("metadata")).get("name")) or "without a name"
        return Aside(
            FOREIGN_POLICY, f"{kind} {name} ({api}) is of no kind that is known here, and counts for nothing"
        )
    return None


def _unbuilt(changes: list[str]) -> str:
    return (
        f"a kustomization changes its resources ({', '.join(changes)}), and they are read as they stand: "
        "bring what kubectl kustomize makes of them"
    )


def unrendered(what: str, namespace: str) -> str:
    """What is to be said of an object whose namespace is ``${NAMESPACE}`` or the like: whatever puts one there has not run."""
    return f"{what}: {namespace} is no namespace but a place for one: bring the object as it is applied"
