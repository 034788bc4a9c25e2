"""The selectors of a rule's peers as its policy writes them, and whom they mean today."""

from __future__ import annotations

from msgspec import Struct

from flowdiag.diagnose.case import Case
from flowdiag.diagnose.spec import once, peer_entries, rule_at
from flowdiag.model.objects import PolicyObject
from flowdiag.model.policy import NearestRule, PolicyRef
from flowdiag.policy.selectors import LabelSelector, SelectorError, read_selector

__all__ = ["PeerText", "admits_a_pod", "labels_asked_for", "peers", "selected_labels", "selector_holds"]


class PeerText(Struct, frozen=True):
    """One entry of ``from`` or ``to`` of a NetworkPolicy; a selector is ``None`` where it is not written."""

    path: str
    namespaces: LabelSelector | None
    pods: LabelSelector | None


@once
def peers(case: Case, rule: NearestRule) -> tuple[PeerText, ...]:
    """Read the selectors of the rule's peers (of the one that its path names, else of all)."""
    found = []
    for path, peer in peer_entries(case, rule):
        if peer.get("ipBlock") is not None:
            continue
        try:
            namespaces = peer.get("namespaceSelector")
            pods = peer.get("podSelector")
            found.append(
                PeerText(
                    path,
                    None if namespaces is None else read_selector(namespaces),
                    None if pods is None else read_selector(pods),
                )
            )
        except SelectorError:
            continue
    return tuple(found)


def selector_holds(selector: LabelSelector | None, labels: dict[str, str]) -> bool:
    """Whether complete labels meet a selector; one that is not written is met."""
    return selector is None or all(each.holds(labels) for each in selector.requirements)


def admits_a_pod(case: Case, rule: NearestRule, peer: PeerText) -> bool:
    """Whether a NetworkPolicy's peer admits any live pod of the snapshot today."""
    key = (rule.policy.namespace if peer.namespaces is None else None, (peer.namespaces, peer.pods))
    known = case.context.admitting.get(key)
    if known is None:
        known = case.context.admitting[key] = _admits(case, rule.policy.namespace, peer)
    return known


def _admits(case: Case, own: str | None, peer: PeerText) -> bool:
    namespaces = case.context.snapshot.namespaces
    by_namespace = case.context.index.by_namespace
    if peer.namespaces is None:
        spaces = [own] if own is not None and own in by_namespace else []
    else:
        spaces = [
            name
            for name in by_namespace
            if selector_holds(peer.namespaces, namespaces[name].labels if name in namespaces else {})
        ]
    return any(
        pod.live and not pod.host_network and selector_holds(peer.pods, pod.labels)
        for name in spaces
        for pod in by_namespace[name]
    )


def selected_labels(case: Case, ref: PolicyRef, path: str) -> tuple[tuple[str, str], ...]:
    """Read ``key=value`` pairs that a rule's peer selectors ask pods for (NetworkPolicy and Cilium kinds)."""
    return _selected(case, NearestRule(policy=ref, rule=path, misses=()))


def labels_asked_for(case: Case, policy: PolicyObject) -> frozenset[tuple[str, str]]:
    """All that `selected_labels` reads of any rule of a policy."""
    texts = case.context.texts
    key = (labels_asked_for, id(policy))
    if key not in texts:
        texts[key] = frozenset(
            pair
            for word, rules in policy.spec.items()
            if isinstance(rules, list)
            for index in range(len(rules))
            for pair in selected_labels(case, policy.ref, f"{word}[{index}]")
        )
    found: frozenset[tuple[str, str]] = texts[key]
    return found


@once
def _selected(case: Case, rule: NearestRule) -> tuple[tuple[str, str], ...]:
    found: dict[tuple[str, str], None] = {}
    selectors = [peer.pods for peer in peers(case, rule) if peer.pods is not None]
    raw = rule_at(case, rule) or {}
    for word in ("fromEndpoints", "toEndpoints"):
        entries = raw.get(word)
        for entry in entries if isinstance(entries, list) else ():
            try:
                selectors.append(read_selector(entry))
            except SelectorError:
                continue
    for selector in selectors:
        for each in selector.requirements:
            if each.operator == "In" and len(each.values) == 1:
                key = each.key.removeprefix("k8s:").removeprefix("any:")
                if not key.startswith("io.kubernetes.pod.") and not key.startswith("io.cilium."):
                    found[(key, each.values[0])] = None
    return tuple(found)
