"""Cilium's numeric identities and the labels they stand for.

Sources: Cilium v1.19 ``pkg/identity`` (reserved numbers), CiliumIdentity ``security-labels`` and
CiliumEndpoint ``status.identity`` objects.
"""

from __future__ import annotations

from flowdiag.cluster.meta import as_int, as_list, as_map, string_map
from flowdiag.model.cilium import RESERVED_IDENTITIES
from flowdiag.model.objects import Snapshot

__all__ = ["RESERVED", "Identities"]

RESERVED = {0: "unknown", **RESERVED_IDENTITIES}

# "k8s:io.kubernetes.pod.namespace": "shop"
_NAMESPACE = "io.kubernetes.pod.namespace"
# labels that Cilium adds and no pod carries
_ADDED = ("io.cilium.", "io.kubernetes.pod.")

Labels = tuple[tuple[str, str], ...]


class Identities:
    """Labels by identity number."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._labels: dict[int, Labels] = {}
        for one in snapshot.others:
            if one.kind == "CiliumIdentity":
                number = as_int(one.name)
                labels = string_map(one.body.get("security-labels"))
                if number is not None and labels:
                    self._labels[number] = tuple(sorted(labels.items()))
            elif one.kind == "CiliumEndpoint":
                identity = as_map(as_map(one.body.get("status")).get("identity"))
                number = as_int(identity.get("id"))
                pairs = [str(text).partition("=") for text in as_list(identity.get("labels"))]
                if number is not None and pairs:
                    self._labels.setdefault(number, tuple(sorted((key, value) for key, _, value in pairs)))

    def labels(self, identity: int | None) -> Labels | None:
        """The labels of `identity`, with their prefixes; None where nobody explains it."""
        return None if identity is None else self._labels.get(identity)

    @staticmethod
    def place(labels: Labels) -> tuple[str, dict[str, str]] | None:
        """The namespace and the pod labels that identity labels speak of; None without a namespace."""
        namespace: str | None = None
        found: dict[str, str] = {}
        for key, value in labels:
            source, colon, bare = key.partition(":")
            if not colon:
                source, bare = "k8s", key
            if source != "k8s":
                continue
            if bare == _NAMESPACE:
                namespace = value
            elif not bare.startswith(_ADDED):
                found[bare] = value
        return None if namespace is None else (namespace, found)
