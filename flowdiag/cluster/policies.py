"""Policy objects of every kind as read: what they are called, since when they hold, whether they are sound."""

from __future__ import annotations

from typing import Any

from flowdiag.cluster.meta import Meta, as_list
from flowdiag.cluster.validity import policy_problems
from flowdiag.cluster.wanted import CLUSTER_KINDS
from flowdiag.model.objects import ManagedWrite, Origin, PolicyObject
from flowdiag.model.policy import PolicyRef

__all__ = ["last_spec_write", "read_policy"]


def read_policy(
    body: dict[str, Any],
    group: str,
    kind: str,
    api_version: str,
    meta: Meta,
    origin: Origin,
) -> list[PolicyObject]:
    """One policy object, or one for each of the ``specs`` of a Cilium kind."""
    # extensions/v1beta1 served the same objects until Kubernetes 1.15.
    group = "networking.k8s.io" if group == "extensions" else group
    specs: list[tuple[int | None, Any]] = [(None, body.get("spec"))]
    if group == "cilium.io" and isinstance(body.get("specs"), list):
        several = list(enumerate(as_list(body.get("specs"))))
        specs = [*([(None, body["spec"])] if body.get("spec") is not None else []), *several]
    ref = PolicyRef(
        kind, group, None if kind in CLUSTER_KINDS else meta.namespace or "default", meta.name or ""
    )
    return [
        PolicyObject(
            ref=ref,
            api_version=api_version,
            spec=spec if isinstance(spec, dict) else {},
            spec_index=index,
            labels=meta.labels,
            annotations=meta.annotations,
            uid=meta.uid,
            created=meta.created,
            generation=meta.generation,
            deleted=meta.deleted,
            managed=meta.managed,
            valid_from=valid_since(meta.created, meta.generation, meta.managed),
            origin=origin,
            problems=policy_problems(group, kind, spec),
        )
        for index, spec in specs
    ]


def valid_since(created: int | None, generation: int | None, managed: tuple[ManagedWrite, ...]) -> int | None:
    """Since when this spec is known to hold; None where a change at an unknown time is possible."""
    if generation == 1:
        return created
    return last_spec_write(managed)


def last_spec_write(managed: tuple[ManagedWrite, ...]) -> int | None:
    """The newest write of the spec that managedFields remember."""
    times = [
        write.at
        for write in managed
        if write.at is not None and "spec" in write.fields and not write.subresource
    ]
    return max(times, default=None)
