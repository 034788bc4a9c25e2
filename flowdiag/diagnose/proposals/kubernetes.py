"""Edits of Kubernetes' NetworkPolicy."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from flowdiag.diagnose.case import Case
from flowdiag.diagnose.labels import choice, split_label
from flowdiag.diagnose.proposals.edit import Edit, changed_policy
from flowdiag.diagnose.proposals.namespaces import means_a_namespace
from flowdiag.diagnose.proposals.ports import ports_text, protocols
from flowdiag.diagnose.proposals.selectors import (
    corrected,
    pod_labels,
    renamed,
    respelt,
    single_range,
    with_key,
)
from flowdiag.diagnose.spec import policy_now
from flowdiag.diagnose.wording import end_text, policy_text, rule_text
from flowdiag.model.endpoint import Endpoint
from flowdiag.model.event import Direction
from flowdiag.model.objects import NAME_LABEL, PolicyObject
from flowdiag.model.policy import PEER_WORDS, Condition, NearestRule
from flowdiag.policy.selectors import Requirement

__all__ = ["GROUP", "kubernetes_edits", "kubernetes_peer"]

GROUP = "networking.k8s.io"
_STEPS = re.compile(r"(ingress|egress)\[(\d{1,4})\](?:\.(?:from|to)\[(\d{1,4})\])?")
# "egress[0].to[1]": the path of a NetworkPolicy's rule.


def kubernetes_peer(end: Endpoint, namespace: str) -> dict[str, Any] | None:
    """Write an end as one entry of ``from`` or ``to`` in a policy of `namespace`; ``None`` if that cannot be."""
    outside = single_range(end)
    if outside is not None:
        return {"ipBlock": {"cidr": outside}}
    if end.pod is None or end.pod.host_network:
        return None
    # A Service's own address is meant by what its selector has.
    labels = pod_labels(end.pod) if end.service is None else end.service.selector
    if not labels:
        return None
    peer: dict[str, Any] = {}
    if end.pod.namespace != namespace:
        peer["namespaceSelector"] = {"matchLabels": {NAME_LABEL: end.pod.namespace}}
    peer["podSelector"] = {"matchLabels": labels}
    return peer


def kubernetes_ports(
    case: Case, direction: Direction, condition: Condition | None = None
) -> list[dict[str, Any]]:
    """Write the refused port as entries of ``ports``; `condition` is as for `protocols`."""
    return [
        {"protocol": protocol, "port": case.port_behind} for protocol in protocols(case, direction, condition)
    ]


def kubernetes_edits(
    case: Case, direction: Direction, rule: NearestRule, condition: Condition, peer: Endpoint
) -> Iterator[Edit]:
    """Yield edits of one rule that missed in one condition, smallest first."""
    policy = policy_now(case, rule.policy)
    step = _STEPS.fullmatch(rule.rule)
    if policy is None or step is None or rule.policy.namespace is None:
        return
    index, item = int(step[2]), None if step[3] is None else int(step[3])
    word = PEER_WORDS[direction]
    if condition in (Condition.PORT, Condition.PROTOCOL):
        spec, target = _copied(policy, direction, index)
        target["ports"] = [*(target.get("ports") or []), *kubernetes_ports(case, direction, condition)]
        text = f"Allow {ports_text(case, direction, condition)} in {rule_text(rule)}"
        yield Edit(text, direction, policy, changed_policy(policy, spec))
        return
    entry = kubernetes_peer(peer, rule.policy.namespace)
    if entry is None:
        return
    spec, target = _copied(policy, direction, index)
    old = target[word][item] if item is not None else {}
    meant = "namespaceSelector" in old and means_a_namespace(case, rule)
    # A selector is not a misspelt address: a peer that is known by its address only gets an entry of its own.
    by_labels = (
        item is not None and condition in (Condition.NAMESPACE, Condition.POD) and "ipBlock" not in entry
    )
    labels = peer.pod.labels if peer.pod is not None else {}
    better = _corrected(old, entry, condition, rule, labels) if by_labels and not meant else None
    if better is not None:
        # Where the written selector admits somebody today, the proof finds that taking it away closes
        # something, and the entry is added beside it instead.
        target[word][item] = better
        text = f"Correct {rule_text(rule)}: {_becomes(condition, better, old, rule)}"
        yield Edit(text, direction, policy, changed_policy(policy, spec), instead=True)
    spec, target = _copied(policy, direction, index)
    if any("port" in each for each in target.get("ports") or ()):
        target[word] = [*(target.get(word) or []), entry]
        text = f"Admit {end_text(peer)} in {policy_text(rule.policy)} {direction}[{index}]"
    else:
        # That others may use every port is no reason to open all ports to this peer.
        spec[direction.value].append({word: [entry], "ports": kubernetes_ports(case, direction)})
        text = (
            f"Admit {end_text(peer)} on {ports_text(case, direction)} in {policy_text(rule.policy)} "
            f"by a rule beside {direction}[{index}]"
        )
    yield Edit(text, direction, policy, changed_policy(policy, spec))


def _corrected(
    old: dict[str, Any],
    entry: dict[str, Any],
    condition: Condition,
    rule: NearestRule,
    labels: Mapping[str, str],
) -> dict[str, Any] | None:
    """The entry of a rule that nearly matched with nothing changed but what missed; ``None`` where that is not told.

    Args:
        old: as it is.
        entry: what means the peer and no other.
        condition: what missed, by labels.
        rule: the rule.
        labels: of the peer's pod.
    """
    if condition is Condition.POD:
        selector = corrected(old.get("podSelector"), rule)
        if selector is None and (other := respelt(rule, labels)) is not None:
            selector = with_key(old.get("podSelector"), (other[0],), *other[1:])
        if selector is None and all(split_label(miss.wanted)[1] is not None for miss in rule.misses):
            selector = entry["podSelector"]
        # What the rule says of namespaces holds.
        return None if selector is None else {**old, "podSelector": selector}
    if "namespaceSelector" not in entry:
        return None
    name = entry["namespaceSelector"]["matchLabels"][NAME_LABEL]
    written = old.get("namespaceSelector")
    space = renamed(written, rule, NAME_LABEL, name)
    if space is None and any(choice(miss.wanted)[0] == NAME_LABEL for miss in rule.misses):
        space = corrected(written, rule)
    if space is None:
        if written is not None and any(split_label(miss.wanted)[1] is None for miss in rule.misses):
            return None
        space = entry["namespaceSelector"]
    return {
        "namespaceSelector": space,
        **({"podSelector": old["podSelector"]} if "podSelector" in old else {}),
    }


def _becomes(condition: Condition, entry: dict[str, Any], old: dict[str, Any], rule: NearestRule) -> str:
    """Say the change in words, since it is hard to find in a long rule: ``app=frontend becomes app=front-end``."""
    word = "podSelector" if condition is Condition.POD else "namespaceSelector"
    labels, were = ((each.get(word) or {}).get("matchLabels") or {} for each in (entry, old))
    now = ", ".join(f"{key}={value}" for key, value in labels.items() if were.get(key) != value)
    now = now or _choices(entry.get(word) or {}, old.get(word) or {})
    if now and word not in old:
        return f"add {word} {now}"
    wanted = ", ".join(miss.wanted for miss in rule.misses)
    return f"{wanted} becomes {now}" if now else f"{wanted} is dropped"


def _choices(selector: dict[str, Any], old: dict[str, Any]) -> str:
    """The choices of labels that are new in a selector."""
    before = old.get("matchExpressions") or ()
    return ", ".join(
        Requirement(each["key"], "In", tuple(sorted(map(str, each["values"])))).wanted
        for each in selector.get("matchExpressions") or ()
        if each not in before
    )


def _copied(policy: PolicyObject, direction: Direction, index: int) -> tuple[dict[str, Any], dict[str, Any]]:
    """Copy a spec as far as the rule that is to be changed; give both.  Entries of the rule's lists are not copied."""
    rules = list(policy.spec[direction.value])
    rule = rules[index] = {
        key: list(value) if isinstance(value, list) else value for key, value in (rules[index] or {}).items()
    }
    return {**policy.spec, direction.value: rules}, rule
