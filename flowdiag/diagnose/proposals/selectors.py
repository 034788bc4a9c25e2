"""What means one workload, or one address, and no more."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from ipaddress import ip_address
from typing import Any

from flowdiag.diagnose.labels import choice, split_label, typo
from flowdiag.model.endpoint import Endpoint, EndpointKind
from flowdiag.model.objects import Pod
from flowdiag.model.policy import NearestRule

__all__ = ["corrected", "pod_labels", "renamed", "respelt", "single_range", "with_key"]

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
    "batch.kubernetes.io/job-completion-index",
    # cert-manager's solver of one challenge (pkg/issuer/acme/http/pod.go): its domain and token as numbers
    "acme.cert-manager.io/http-domain",
    "acme.cert-manager.io/http-token",
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
    """A selector with the values of the missed labels as they were found; beside others where it gives a choice.

    ``None`` where a label is absent, or is asked for otherwise than by its value.

    Args:
        selector: as the policy has it, with ``matchLabels`` or ``matchExpressions``.
        rule: what missed.
        spellings: how the policy's language may write a label's key.
    """
    if not isinstance(selector, dict):
        return None
    changed = dict(selector)
    for miss in rule.misses:
        key, values = choice(miss.wanted)
        found_key, _, found = (miss.found or "").partition("=")
        if found_key != key or not values or not _put(changed, spellings(key), values, found):
            return None
    return changed


def respelt(rule: NearestRule, labels: Mapping[str, str]) -> tuple[str, str, str] | None:
    """The key that a rule asks for, as the peer's pods write it, and the value: ``tier``, ``Tier``, ``web``.

    ``None`` where more is missing, or the pods carry the value under no key that is like it, or under several.
    """
    if len(rule.misses) != 1 or rule.misses[0].found is not None:
        return None
    key, value = split_label(rule.misses[0].wanted)
    like = [each for each, found in labels.items() if found == value and typo(each, key)]
    return (key, like[0], value) if value and len(like) == 1 else None


def with_key(selector: Any, keys: Sequence[str], key: str, value: str) -> dict[str, Any] | None:
    """A selector that asks for a value of ``matchLabels`` by `key` in place of one of `keys`; ``None`` if it asks by none."""
    labels = selector.get("matchLabels") if isinstance(selector, dict) else None
    written = (
        next((each for each in keys if labels.get(each) == value), None) if isinstance(labels, dict) else None
    )
    if labels is None or written is None:
        return None
    kept = {each: found for each, found in labels.items() if each != written}
    return {**selector, "matchLabels": {key: value, **kept}}


def renamed(selector: Any, rule: NearestRule, key: str, name: str) -> dict[str, Any] | None:
    """A selector that asks for the missed values by another key: that by which every object has its name.

    ``None`` where it asks for another name, or for more that is missing.
    """
    if len(rule.misses) != 1 or not isinstance(selector, dict) or rule.misses[0].found is not None:
        return None
    was, values = choice(rule.misses[0].wanted)
    if name not in values or was == key:
        return None
    labels, asked = selector.get("matchLabels"), selector.get("matchExpressions")
    if isinstance(labels, dict) and len(values) == 1 and labels.get(was) == values[0]:
        kept = {each: value for each, value in labels.items() if each != was}
        return {**selector, "matchLabels": {key: name, **kept}}
    entries = list(asked) if isinstance(asked, list) else []
    place = _asks(entries, (was,), values)
    if place is None:
        return None
    entries[place] = {**entries[place], "key": key}
    return {**selector, "matchExpressions": entries}


def _put(selector: dict[str, Any], keys: Sequence[str], values: tuple[str, ...], found: str) -> bool:
    """Let a selector admit a value where it asks for others; tell whether it does so by them."""
    labels, asked = selector.get("matchLabels"), selector.get("matchExpressions")
    written = (
        next((key for key in keys if labels.get(key) == values[0]), None)
        if isinstance(labels, dict) and len(values) == 1
        else None
    )
    if written is not None:
        selector["matchLabels"] = {**(labels or {}), written: found}
        return True
    entries = list(asked) if isinstance(asked, list) else []
    place = _asks(entries, keys, values)
    if place is None:
        return False
    # Of a choice nobody knows which was mistyped, so that nothing is taken out of it.
    others = entries[place]["values"] if len(values) > 1 else []
    entries[place] = {**entries[place], "values": [*others, found]}
    selector["matchExpressions"] = entries
    return True


def _asks(entries: Sequence[Any], keys: Sequence[str], values: tuple[str, ...]) -> int | None:
    """Which expression asks for one of these values."""
    return next(
        (
            place
            for place, each in enumerate(entries)
            if isinstance(each, dict) and each.get("operator") == "In" and each.get("key") in keys
            if isinstance(each.get("values"), list) and {*values} <= {*map(str, each["values"])}
        ),
        None,
    )
