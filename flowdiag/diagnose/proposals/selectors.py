"""Selectors that mean one workload and no more."""

from __future__ import annotations

from ipaddress import ip_address
from typing import Any

from flowdiag.model.endpoint import Endpoint, EndpointKind
from flowdiag.model.objects import Pod

__all__ = ["NAME_LABEL", "peer_of", "pod_labels"]

NAME_LABEL = "kubernetes.io/metadata.name"

# Sets of keys by which workloads are told apart, best first.
_IDENTITY = (
    ("app.kubernetes.io/name", "app.kubernetes.io/instance", "app.kubernetes.io/component"),
    ("app.kubernetes.io/name", "app.kubernetes.io/instance"),
    ("app.kubernetes.io/name",),
    ("k8s-app",),
    ("app",),
    ("name",),
)
# Labels that controllers put on pods of one revision or one replica.
_PASSING = (
    "pod-template-hash",
    "controller-revision-hash",
    "pod-template-generation",
    "statefulset.kubernetes.io/pod-name",
    "apps.kubernetes.io/pod-index",
    "batch.kubernetes.io/job-name",
    "batch.kubernetes.io/controller-uid",
    "controller-uid",
    "job-name",
)


def pod_labels(pod: Pod) -> dict[str, str] | None:
    """Labels that select the pod's workload; ``None`` where it has none that last."""
    for keys in _IDENTITY:
        if all(key in pod.labels for key in keys):
            return {key: pod.labels[key] for key in keys}
    lasting = {key: value for key, value in sorted(pod.labels.items()) if key not in _PASSING}
    return lasting or None


def peer_of(end: Endpoint, namespace: str) -> dict[str, Any] | None:
    """Write an end as one entry of ``from`` or ``to`` in a policy of `namespace`; ``None`` if that cannot be."""
    if end.kind is EndpointKind.EXTERNAL and end.ip is not None:
        try:
            address = ip_address(end.ip)
        except ValueError:
            return None
        return {"ipBlock": {"cidr": f"{address}/{address.max_prefixlen}"}}
    if end.pod is None or end.pod.host_network:
        return None
    labels = pod_labels(end.pod)
    if labels is None:
        return None
    peer: dict[str, Any] = {}
    if end.pod.namespace != namespace:
        peer["namespaceSelector"] = {"matchLabels": {NAME_LABEL: end.pod.namespace}}
    peer["podSelector"] = {"matchLabels": labels}
    return peer
