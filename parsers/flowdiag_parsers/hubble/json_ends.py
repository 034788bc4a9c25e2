"""Ends of a Hubble flow: ``source`` and ``destination`` with what stands beside them in the record.

Sample (Cilium 1.16): ``{"ID":1238,"identity":24009,"cluster_name":"default","namespace":"shop","labels":
["k8s:app=web","k8s:io.kubernetes.pod.namespace=shop"],"pod_name":"web-1","workloads":[{"name":"web",
"kind":"Deployment"}]}``.  ``ID`` is local to the recording node and never names an end.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from flowdiag.parserkit import RESERVED_IDENTITIES, Peer, WorkloadRef, canonical_ip
from flowdiag_parsers.hubble.json_fields import integer, objects, text, texts

__all__ = ["read_end", "service_name"]

_MAX_LABELS = 256

# An end can carry two: an apiserver outside has reserved:kube-apiserver and reserved:world; the first
# of these that is there says most.  Number 0 is left out of the JSON, so that its label alone tells of it.
_BY_MEANING = (
    "kube-apiserver",
    "ingress",
    "health",
    "host",
    "remote-node",
    "init",
    "unmanaged",
    "world",
    "world-ipv4",
    "world-ipv6",
    "unknown",
)


@lru_cache(maxsize=4096)
def _read_labels(
    found: tuple[str, ...] | None,
) -> tuple[tuple[tuple[str, str], ...] | None, str | None]:
    """``k8s:app=web`` as ``("k8s:app", "web")``, sorted, and the reserved word among them that says most.

    ``reserved:world`` has the value ``""``.  Remembered: the pods of a workload share their labels, which are most of
    what is known of an end.
    """
    if not found:
        return None, None
    labels = tuple(
        sorted({(key, value) for key, _, value in (label.partition("=") for label in found[:_MAX_LABELS])})
    )
    words = {key[9:] for key, _ in labels if key.startswith("reserved:")}
    return labels, next((word for word in _BY_MEANING if word in words), None)


def service_name(service: dict[str, Any] | None) -> str | None:
    """``{"name":"user-api","namespace":"backend"}`` as ``backend/user-api``."""
    if service is None:
        return None
    name, namespace = text(service, "name"), text(service, "namespace")
    if name is None:
        return None
    return f"{namespace}/{name}" if namespace is not None else name


def read_end(
    end: dict[str, Any],
    *,
    ip: str | None,
    port: int | None = None,
    mac: str | None = None,
    service: str | None = None,
    names: tuple[str, ...] | None = None,
) -> Peer:
    """One end of a flow; `end` may be empty (field masks, frames without IP)."""
    labels, word = _read_labels(texts(end, "labels"))
    identity = integer(end, "identity") or None
    workload = next(
        (
            WorkloadRef(text(item, "kind"), name)
            for item in objects(end, "workloads")
            if (name := text(item, "name")) is not None
        ),
        None,
    )
    return Peer(
        ip=canonical_ip(ip) if ip is not None else None,
        port=port,
        mac=mac,
        namespace=text(end, "namespace"),
        pod=text(end, "pod_name"),
        service=service,
        workload=workload,
        entity=word if word is not None or identity is None else RESERVED_IDENTITIES.get(identity),
        identity=identity,
        labels=labels,
        dns_names=tuple(name.rstrip(".") or name for name in names) if names else None,
    )
