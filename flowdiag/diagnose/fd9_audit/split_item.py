"""FD203 without a refusal."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from msgspec import Struct

from flowdiag.diagnose.check import Check, Concern, Scene
from flowdiag.diagnose.written_peers import selector_holds
from flowdiag.model.objects import Pod, PolicyObject
from flowdiag.model.policy import KUBERNETES_GROUPS
from flowdiag.model.report import ReportEndpoint, Severity
from flowdiag.model.words import object_text, plural
from flowdiag.policy.selectors import LabelSelector, SelectorError, read_selector

__all__ = ["SplitListItem"]

_WORDS = (("ingress", "from"), ("egress", "to"))


class SplitListItem(Check):
    """Two list items, which mean OR, where one item that asks for both (AND) was probably meant.

    Signature:
        A rule of a NetworkPolicy has a list item with a namespaceSelector alone and one with a podSelector
        alone; no pod of the policy's own namespace, which the second means, has those labels, and pods of
        the first's namespaces have.

    Advice:
        Join the two: one dash less, before podSelector.  As written every pod of those namespaces is let in.

    Guard:
        Silent where the podSelector takes a pod of the policy's own namespace, where the namespaces have no
        pod with the labels or no other pod, and where pods or namespaces were not read.

    References:
        https://kubernetes.io/docs/concepts/services-networking/network-policies/#behavior-of-to-and-from-selectors
        https://github.com/kubernetes/website/issues/1285
    """

    code = "FD203"
    slug = "split-list-item"
    severity = Severity.MEDIUM

    def look(self, scene: Scene) -> Iterator[Concern]:
        """See `Check.look`."""
        snapshot = scene.snapshot
        pods: dict[str, list[Pod]] = defaultdict(list)
        for pod in snapshot.pods:
            if pod.live and not pod.host_network:
                pods[pod.namespace].append(pod)
        labels = {name: one.labels for name, one in snapshot.namespaces.items() if one.declared}
        told = set()
        for policy in snapshot.policies:
            own = policy.ref.namespace
            if policy.ref.kind != "NetworkPolicy" or policy.ref.group not in KUBERNETES_GROUPS or own is None:
                continue
            if policy.ref in told or own not in pods or (scene.namespaces and own not in scene.namespaces):
                continue
            told.add(policy.ref)
            for pair in _pairs(policy):
                let_in = [
                    pod
                    for name in pods
                    if name in labels and selector_holds(pair.namespaces, labels[name])
                    for pod in pods[name]
                ]
                meant = [pod for pod in let_in if selector_holds(pair.pods, pod.labels)]
                if meant and len(meant) < len(let_in) and not _any(pair.pods, pods[own]):
                    yield _concern(policy, pair, len(meant), len(let_in))


class _Pair(Struct, frozen=True):
    """A namespaceSelector alone and a podSelector alone in one rule."""

    path: str
    """``ingress[0].from[0]``, of the first."""
    other: int
    """The place of the podSelector's item in the same list."""
    namespaces: LabelSelector
    pods: LabelSelector


def _pairs(policy: PolicyObject) -> Iterator[_Pair]:
    for direction, word in _WORDS:
        rules = policy.spec.get(direction)
        for number, rule in enumerate(rules if isinstance(rules, list) else ()):
            items = rule.get(word) if isinstance(rule, Mapping) else None
            if isinstance(items, list):
                yield from _of_rule(f"{direction}[{number}].{word}", items)


def _of_rule(path: str, items: Sequence[Any]) -> Iterator[_Pair]:
    spaces = [(at, one) for at, item in enumerate(items) if (one := _alone(item, "namespaceSelector"))]
    pods = [(at, one) for at, item in enumerate(items) if (one := _alone(item, "podSelector"))]
    # Of more than one of a kind nobody can tell which were one item.
    if len(spaces) == len(pods) == 1:
        yield _Pair(f"{path}[{spaces[0][0]}]", pods[0][0], spaces[0][1], pods[0][1])


def _alone(item: Any, word: str) -> LabelSelector | None:
    """The selector of an item that has no other and asks for something."""
    if not isinstance(item, Mapping) or [key for key, value in item.items() if value is not None] != [word]:
        return None
    try:
        found = read_selector(item[word])
    except SelectorError:
        return None
    return found if found.requirements else None


def _any(selector: LabelSelector, pods: Sequence[Pod]) -> bool:
    return any(selector_holds(selector, pod.labels) for pod in pods)


def _concern(policy: PolicyObject, pair: _Pair, meant: int, let_in: int) -> Concern:
    name = object_text(policy.ref)
    return Concern(
        key=(policy.ref.kind, policy.ref.group, policy.ref.namespace or "", policy.ref.name, pair.path),
        title=f"{name} takes two list items where one was probably meant",
        summary=(
            f"{pair.path} of {name} means every pod of namespaces {pair.namespaces.text} ({plural(let_in, 'pod')}), and "
            f"[{pair.other}] beside it pods {pair.pods.text} of {policy.ref.namespace}, which has none; "
            f"{meant} of the former have those labels."
        ),
        advice=(
            f"{pair.path} means every pod of namespaces {pair.namespaces.text}. If those with {pair.pods.text} were "
            "meant, write one list item with both selectors: podSelector below namespaceSelector, without a dash of its own."
        ),
        destination=ReportEndpoint(kind="unknown", namespace=policy.ref.namespace, name=policy.ref.name),
    )
