"""Peers that name no namespace, and therefore mean that of the policy, in each policy language.

Format: networking.k8s.io/v1 (a ``podSelector`` alone), cilium.io/v2 (an entry of ``fromEndpoints`` or ``toEndpoints``
without a namespace's label), projectcalico.org/v3 (``selector`` of a namespaced policy without a
``namespaceSelector``).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from msgspec import Struct

from flowdiag.diagnose.case import Case
from flowdiag.diagnose.spec import rule_at
from flowdiag.diagnose.written_peers import peers, selector_holds
from flowdiag.model.policy import CALICO_GROUPS, NearestRule
from flowdiag.policy.calico_selector import SelectorSyntaxError, parse_selector
from flowdiag.policy.compile.cilium_selectors import in_its_own_namespace
from flowdiag.policy.selectors import SelectorError, read_selector

__all__ = ["OwnPeer", "own_namespace_peers"]

_SOURCE = re.compile(r"^(?:k8s|any):")
# as in: k8s:app, any:app


class OwnPeer(Struct, frozen=True):
    """A peer that asks for labels of pods and for no namespace.

    `text` is what it asks for, `without` what it lacks in its language's word, `field` what to add to it, with
    ``{}`` for the namespace; `holds` says whether labels meet it.
    """

    text: str
    without: str
    field: str
    holds: Callable[[dict[str, str]], bool]

    def meets_own_pod(self, case: Case, namespace: str | None) -> bool:
        """Whether a live pod of the policy's own namespace is meant today."""
        pods = case.context.index.by_namespace.get(namespace or "", ())
        return any(pod.live and not pod.host_network and self.holds(pod.labels) for pod in pods)


def own_namespace_peers(case: Case, rule: NearestRule) -> Iterator[OwnPeer]:
    """Yield the rule's peers that mean pods by label in the policy's own namespace.

    A peer that asks for no label (``{}``, ``all()``) says "everybody here", and one that only excludes nearly so: a pod
    without labels meets both, and they are left out.
    """
    return (peer for peer in _peers(case, rule) if not peer.holds({}))


def _peers(case: Case, rule: NearestRule) -> Iterator[OwnPeer]:
    if rule.policy.group in CALICO_GROUPS:
        yield from _calico(rule, rule_at(case, rule) or {})
    elif rule.policy.kind == "CiliumNetworkPolicy":
        yield from _cilium(rule, rule_at(case, rule) or {})
    for peer in peers(case, rule):
        if peer.namespaces is None and peer.pods is not None and peer.pods.requirements:
            yield OwnPeer(
                peer.pods.text,
                "namespaceSelector",
                "to the same list item namespaceSelector: {{matchLabels: {{kubernetes.io/metadata.name: {}}}}}",
                partial(selector_holds, peer.pods),
            )


def _cilium(rule: NearestRule, raw: dict[str, Any]) -> Iterator[OwnPeer]:
    for word in ("fromEndpoints", "toEndpoints"):
        entries = raw.get(word)
        for index, entry in enumerate(entries if isinstance(entries, list) else ()):
            if f".{word}[" in rule.rule and not rule.rule.endswith(f".{word}[{index}]"):
                continue
            try:
                written = read_selector(entry)
                plain = read_selector(_without_sources(entry))
            except SelectorError:
                continue
            if plain.requirements and in_its_own_namespace(written):
                yield OwnPeer(
                    plain.text,
                    "namespace",
                    "to the same selector the label k8s:io.kubernetes.pod.namespace: {}",
                    partial(selector_holds, plain),
                )


def _without_sources(entry: dict[str, Any]) -> dict[str, Any]:
    """The selector with plain keys, as the labels of pods have them."""
    labels = entry.get("matchLabels")
    expressions = entry.get("matchExpressions")
    return {
        "matchLabels": {_SOURCE.sub("", key): value for key, value in (labels or {}).items()},
        "matchExpressions": [{**each, "key": _SOURCE.sub("", each["key"])} for each in expressions or ()],
    }


def _calico(rule: NearestRule, raw: dict[str, Any]) -> Iterator[OwnPeer]:
    side = "source" if rule.rule.startswith("ingress") else "destination"
    peer = raw.get(side)
    if rule.policy.namespace is None or not isinstance(peer, dict) or peer.get("namespaceSelector"):
        return
    written = peer.get("selector")
    if not isinstance(written, str):
        return
    try:
        selector = parse_selector(written)
    except SelectorSyntaxError:
        return
    if not selector.everything:
        yield OwnPeer(
            written.strip(),
            "namespaceSelector",
            f"to the rule's {side} namespaceSelector: projectcalico.org/name == '{{}}'",
            selector.matches,
        )
