"""The selectors of a rule's peers as its policy writes them, and whom they mean today."""

from __future__ import annotations

from msgspec import Struct

from flowdiag.diagnose.case import Case
from flowdiag.diagnose.spec import once, peer_entries
from flowdiag.model.policy import NearestRule
from flowdiag.policy.selectors import LabelSelector, SelectorError, read_selector

__all__ = ["PeerText", "admits_a_pod", "peers", "selector_holds"]


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
