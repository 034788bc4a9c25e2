"""What means one workload, or one address, and no more."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from ipaddress import ip_address
from typing import Any

from flowdiag.model.endpoint import Endpoint, EndpointKind
from flowdiag.model.objects import Pod
from flowdiag.model.policy import NearestRule

__all__ = ["corrected", "pod_labels", "single_range"]

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


def single_range(end: Endpoint) -> str | None:
    """The address of an end outside as a range of it alone: ``192.0.2.7/32``; ``None`` for any other end."""
    if end.kind is not EndpointKind.EXTERNAL or end.ip is None:
        return None
    try:
        address = ip_address(end.ip)
    except ValueError:
        return None
    return f"{address}/{address.max_prefixlen}"


def corrected(
    selector: Any, rule: NearestRule, spellings: Callable[[str], Sequence[str]] = lambda key: (key,)
) -> dict[str, Any] | None:
    """A selector with the values of the missed labels as they were found.

    ``None`` where a label is absent, or is asked for otherwise than by its value.

    Args:
        selector: as the policy has it, with ``matchLabels``.
        rule: what missed.
        spellings: how the policy's language may write a label's key.
    """
    labels = selector.get("matchLabels") if isinstance(selector, dict) else None
    if not isinstance(labels, dict):
        return None
    changed = dict(labels)
    for miss in rule.misses:
        key, _, value = miss.wanted.partition("=")
        found_key, _, found = (miss.found or "").partition("=")
        written = next((each for each in spellings(key) if labels.get(each) == value), None)
        if written is None or found_key != key:
            return None
        changed[written] = found
    return {**selector, "matchLabels": changed}
