"""Policies that were written for the refusing pod and select no pod, since a label of their selector is mistyped.

Such a policy says all that is needed and does nothing: ``kubevirt.io/vm: db`` for pods that carry ``vm.kubevirt.io/name: db``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from flowdiag.diagnose.case import Case
from flowdiag.diagnose.labels import alike
from flowdiag.diagnose.proposals.edit import Edit, changed_policy
from flowdiag.diagnose.wording import end_text, policy_text
from flowdiag.model.event import Direction
from flowdiag.model.objects import Pod, PolicyObject
from flowdiag.policy.selectors import LabelSelector, SelectorError, read_selector

__all__ = ["mistyped"]

_SUBJECTS = {
    ("networking.k8s.io", "NetworkPolicy"): "podSelector",
    ("cilium.io", "CiliumNetworkPolicy"): "endpointSelector",
}
_MOST_LETTERS = 2
"""A value that goes on for longer than this is another workload's (``redis`` and ``redis-sentinel``)."""


def mistyped(case: Case, direction: Direction, pod: Pod) -> Iterator[Edit]:
    """Yield policies of the pod's namespace that select no pod, with the label corrected in which this pod misses them.

    Args:
        case: the refused flow.
        direction: the end that refuses.
        pod: that end's.
    """
    for policy in case.context.snapshot.policies:
        if policy.ref.namespace != pod.namespace:
            continue
        found = _written(policy, direction)
        if found is None:
            continue
        word, labels = found
        missed = {key: value for key, value in labels.items() if pod.labels.get(key) != value}
        if len(missed) != 1:
            continue
        key, value = next(iter(missed.items()))
        resembling = _resembling(key, value, pod)
        there = case.context.index.by_namespace.get(pod.namespace, ())
        if resembling is None or any(labels.items() <= one.labels.items() for one in there):
            continue
        own, _, has = resembling.partition("=")
        written: dict[str, Any] = policy.spec[word]["matchLabels"]
        corrected = {
            (own if _bare(each) == key else each): (has if _bare(each) == key else text)
            for each, text in written.items()
        }
        spec = {**policy.spec, word: {"matchLabels": corrected}}
        who = end_text(case.flow.src if direction is Direction.EGRESS else case.flow.dst)
        text = f"Let {policy_text(policy.ref)} select {who} by {resembling}: it asks for {key}={value}, and selects no pod"
        yield Edit(text, direction, policy, changed_policy(policy, spec))


def _bare(key: str) -> str:
    """A label's key without the source that Cilium's selectors may name."""
    return key.removeprefix("k8s:").removeprefix("any:")


def _written(policy: PolicyObject, direction: Direction) -> tuple[str, Mapping[str, str]] | None:
    """The field that selects a policy's pods and the labels there, where it asks for labels alone and has rules for the direction."""
    word = _SUBJECTS.get((policy.ref.group, policy.ref.kind))
    if word is None or policy.valid_until is not None or policy.problems or policy.spec_index is not None:
        return None
    raw = policy.spec.get(word)
    if not policy.spec.get(direction.value) or not isinstance(raw, dict) or raw.get("matchExpressions"):
        return None
    labels = raw.get("matchLabels")
    if (
        not isinstance(labels, dict)
        or not labels
        or not all(isinstance(each, str) for each in labels.values())
    ):
        return None
    return word, {_bare(key): value for key, value in labels.items()}


def _resembling(key: str, value: str, pod: Pod) -> str | None:
    """The pod's label that was probably meant."""
    try:
        wanted: LabelSelector = read_selector({"matchLabels": {key: value}})
    except SelectorError:
        return None
    found = alike(wanted, pod.labels)
    if found is None:
        return None
    longer = abs(len(found.partition("=")[2]) - len(value))
    return found if longer <= _MOST_LETTERS else None
