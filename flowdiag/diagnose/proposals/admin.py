"""Edits of AdminNetworkPolicy, BaselineAdminNetworkPolicy and ClusterNetworkPolicy.

Format: network-policy-api v1alpha1 and v1alpha2.  Only rules that accept are ever changed: what such a policy
denies was denied on purpose.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator
from typing import Any

from flowdiag.diagnose.case import Case
from flowdiag.diagnose.proposals.edit import Edit, changed_policy
from flowdiag.diagnose.proposals.selectors import pod_labels, single_range
from flowdiag.diagnose.spec import policy_now
from flowdiag.diagnose.wording import end_text, policy_text, rule_text
from flowdiag.model.endpoint import Endpoint
from flowdiag.model.event import Direction
from flowdiag.model.objects import NAME_LABEL
from flowdiag.model.policy import PEER_WORDS, Condition, NearestRule

__all__ = ["GROUP", "admin_edits"]

GROUP = "policy.networking.k8s.io"
_STEPS = re.compile(r"(ingress|egress)\[(\d{1,4})\](?:\.(?:from|to)\[(\d{1,4})\])?")
# "ingress[0].from[1]": the path of a rule of these kinds.
_MOST = {"AdminNetworkPolicy": 100, "BaselineAdminNetworkPolicy": 100, "ClusterNetworkPolicy": 25}
"""Rules of a direction, and peers and ports of a rule, that the API takes."""


def admin_peer(end: Endpoint, direction: Direction) -> dict[str, Any] | None:
    """Write an end as an entry of ``from`` or ``to``; ranges stand under ``to`` alone."""
    outside = single_range(end) if direction is Direction.EGRESS else None
    if outside is not None:
        return {"networks": [outside]}
    if end.pod is None or end.pod.host_network:
        return None
    labels = pod_labels(end.pod)
    if labels is None:
        return None
    return {
        "pods": {
            "namespaceSelector": {"matchLabels": {NAME_LABEL: end.pod.namespace}},
            "podSelector": {"matchLabels": labels},
        }
    }


def admin_edits(
    case: Case, direction: Direction, rule: NearestRule, condition: Condition, peer: Endpoint
) -> Iterator[Edit]:
    """Yield edits of one rule that missed in one condition, smallest first."""
    policy = policy_now(case, rule.policy)
    step = _STEPS.fullmatch(rule.rule)
    if policy is None or step is None:
        return
    index, item = int(step[2]), None if step[3] is None else int(step[3])
    spec = copy.deepcopy(policy.spec)
    target = spec[direction.value][index]
    if target.get("action") not in ("Allow", "Accept"):
        return
    if condition in (Condition.PORT, Condition.PROTOCOL):
        word, entry = _port(case, rule)
        target[word] = [*(target.get(word) or []), entry]
        text = f"Allow {case.port}/{case.protocol} in {rule_text(rule)}"
        if _fits(spec, direction, rule.policy.kind):
            yield Edit(text, direction, policy, changed_policy(policy, spec))
        return
    written = admin_peer(peer, direction)
    if written is None:
        return
    word = PEER_WORDS[direction]
    if item is not None and "pods" in written and condition in (Condition.POD, Condition.NAMESPACE):
        entries = list(target[word])
        entries[item] = written
        target[word] = entries
        text = f"Correct {rule_text(rule)} so that it means {end_text(peer)}"
        yield Edit(text, direction, policy, changed_policy(policy, spec), instead=True)
        spec = copy.deepcopy(policy.spec)
        target = spec[direction.value][index]
    text = f"Admit {end_text(peer)} in {policy_text(rule.policy)} {direction}[{index}]"
    listed = target.get("ports") or target.get("protocols")
    if listed and not ("networks" in written and any(_by_name(each) for each in listed)):
        target[word] = [*target[word], written]
    else:
        # That others may use every port is no reason to open all ports to this peer; and ranges have no ports by name.
        port_word, entry = _port(case, rule)
        own = {"action": target["action"], word: [written], port_word: [entry]}
        spec[direction.value].insert(index + 1, own)
        text = (
            f"Admit {end_text(peer)} on {case.port}/{case.protocol} in {policy_text(rule.policy)} "
            f"by a rule behind {direction}[{index}]"
        )
    if _fits(spec, direction, rule.policy.kind):
        yield Edit(text, direction, policy, changed_policy(policy, spec))


def _by_name(port: Any) -> bool:
    return isinstance(port, dict) and ("namedPort" in port or "destinationNamedPort" in port)


def _fits(spec: dict[str, Any], direction: Direction, kind: str) -> bool:
    """Whether the API takes lists of this length."""
    rules = spec[direction.value]
    lists = [rules, *(each for rule in rules for each in rule.values() if isinstance(each, list))]
    return all(len(each) <= _MOST[kind] for each in lists)


def _port(case: Case, rule: NearestRule) -> tuple[str, dict[str, Any]]:
    """The refused port as (field, entry) of a rule of this kind."""
    if rule.policy.kind == "ClusterNetworkPolicy":
        return "protocols", {(case.protocol or "").lower(): {"destinationPort": {"number": case.port}}}
    return "ports", {"portNumber": {"protocol": case.protocol, "port": case.port}}
