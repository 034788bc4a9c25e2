"""Completing names of policies that a source has cut off, where only one policy can be meant.

OVN cuts ACL names at 63 characters (``lib/acl-log.h`` of OVN 20.03), k3s keeps 48 of ``namespace/name`` in a
prefix that the kernel cuts at 64 (k3s-io/kube-router ``policy.go``).  Parsers leave out what may be cut and keep
the spelling in `PolicyHit.raw`; the policies at hand say what it began.
"""

from __future__ import annotations

from msgspec.structs import replace

from flowdiag.model.event import PolicyHit
from flowdiag.model.objects import Snapshot
from flowdiag.model.policy import PolicyRef
from flowdiag.model.tally import DistinctFlow

__all__ = ["CutNames"]


class CutNames:
    """Completes the names in records by the policies of a snapshot."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._refs = sorted({policy.ref for policy in snapshot.policies})
        self._known: dict[PolicyHit, PolicyHit] = {}

    def completed(self, distinct: DistinctFlow) -> DistinctFlow:
        """`distinct` with whole names, where there are any to complete."""
        if not self._refs or not distinct.policies or all(hit.name is not None for hit in distinct.policies):
            return distinct
        return replace(distinct, policies=tuple(dict.fromkeys(map(self._completed, distinct.policies))))

    def _completed(self, hit: PolicyHit) -> PolicyHit:
        if hit.name is not None or hit.raw is None or hit.kind is None or hit.rule == "default-deny":
            # A default deny belongs to no single policy; its name was left out, and not cut.
            return hit
        known = self._known.get(hit)
        if known is None:
            meant = [ref for ref in self._refs if _of(ref, hit) and _begins(ref, hit.raw)]
            known = hit if len(meant) != 1 else replace(hit, namespace=meant[0].namespace, name=meant[0].name)
            self._known[hit] = known
        return known


def _of(ref: PolicyRef, hit: PolicyHit) -> bool:
    return (
        (ref.kind, ref.group) == (hit.kind, hit.group or ref.group)
        and hit.namespace in (None, ref.namespace)
        and ref.name is not None
    )


def _begins(ref: PolicyRef, raw: str) -> bool:
    """Whether `raw` ends in a beginning of this policy's name, behind its namespace."""
    if ref.namespace is None:
        return any(_ends_in(raw, spelled, len(mark)) for mark in (":", "/") for spelled in [mark + ref.name])
    # "NP:shop:allow-fro", "shop_allow-fro"            OVN-Kubernetes, since 2023 and before
    if any(_ends_in(raw, ref.namespace + mark + ref.name, len(ref.namespace) + 1) for mark in ":_"):
        return True
    # "np/allow-from-front.sho"                        Kube-OVN
    if _ends_in(raw, f"/{ref.name}.{ref.namespace}", len(ref.name)):
        return True
    # "DROP by policy long-namespa/allow-fro"          k3s, both parts cut
    namespace, slash, name = raw.rpartition(" ")[2].partition("/")
    both = namespace and name and ref.namespace.startswith(namespace) and ref.name.startswith(name)
    return bool(slash and both)


def _ends_in(raw: str, spelled: str, least: int) -> bool:
    """Whether `raw` ends in a beginning of `spelled` that is longer than `least`, and begins no word in its middle."""
    for length in range(min(len(spelled), len(raw)), least, -1):
        if raw.endswith(spelled[:length]):
            before = raw[: len(raw) - length][-1:]
            return not before.isalnum() or not spelled[0].isalnum()
    return False
