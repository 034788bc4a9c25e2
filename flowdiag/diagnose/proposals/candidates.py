"""Edits that may mend a refusal, smallest first: the nearest rule's missed condition, then a policy of its own.

Nothing here is trusted: every candidate goes through the proof.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator
from typing import Any

from flowdiag.diagnose.case import Case
from flowdiag.diagnose.dns import is_dns_server
from flowdiag.diagnose.proposals.edit import Edit, changed_policy
from flowdiag.diagnose.proposals.selectors import peer_of, pod_labels
from flowdiag.diagnose.spec import policy_at
from flowdiag.diagnose.wording import end_text, policy_text, rule_text
from flowdiag.model.endpoint import Endpoint
from flowdiag.model.event import Direction
from flowdiag.model.objects import PolicyObject
from flowdiag.model.policy import Condition, EndDecision, NearestRule, PolicyRef

__all__ = ["candidates"]

_GROUP = "networking.k8s.io"
_PEERS = {Direction.INGRESS: "from", Direction.EGRESS: "to"}
_STEPS = re.compile(r"(ingress|egress)\[(\d{1,4})\](?:\.(?:from|to)\[(\d{1,4})\])?")
# "egress[0].to[1]": the path of a NetworkPolicy's rule.
_NAME = re.compile(r"[^a-z0-9-]+")
_MAX_NAME = 63


def candidates(case: Case, direction: Direction, decision: EndDecision) -> Iterator[Edit]:
    """Yield edits for one end, smallest first.

    Args:
        case: the refused flow.
        direction: the end.
        decision: what the policies of now say of that end.
    """
    if not any(ref.kind == "NetworkPolicy" and ref.group == _GROUP for ref in decision.isolated_by):
        return
    enforcer, peer = (
        (case.flow.src, case.flow.dst) if direction is Direction.EGRESS else (case.flow.dst, case.flow.src)
    )
    for rule in decision.nearest:
        conditions = {miss.condition for miss in rule.misses}
        if len(conditions) == 1 and not rule.unknown and rule.policy.group == _GROUP:
            yield from _in_rule(case, direction, rule, conditions.pop(), peer)
    new = _own_policy(case, direction, decision, enforcer, peer)
    if new is not None:
        yield new


def _in_rule(
    case: Case, direction: Direction, rule: NearestRule, condition: Condition, peer: Endpoint
) -> Iterator[Edit]:
    policy = policy_at(case, rule.policy)
    step = _STEPS.fullmatch(rule.rule)
    if policy is None or step is None or rule.policy.namespace is None:
        return
    index, item = int(step[2]), None if step[3] is None else int(step[3])
    word = _PEERS[direction]
    if condition in (Condition.PORT, Condition.PROTOCOL):
        spec, target = _copied(policy, direction, index)
        target["ports"] = [*(target.get("ports") or []), {"protocol": case.protocol, "port": case.port}]
        text = f"Allow {case.port}/{case.protocol} in {rule_text(rule)}"
        yield Edit(text, direction, policy, changed_policy(policy, spec))
        return
    entry = peer_of(peer, rule.policy.namespace)
    if entry is None:
        return
    if item is not None and condition in (Condition.NAMESPACE, Condition.POD):
        spec, target = _copied(policy, direction, index)
        old = target[word][item]
        if condition is Condition.NAMESPACE and "podSelector" in old and "namespaceSelector" in entry:
            entry = {"namespaceSelector": entry["namespaceSelector"], "podSelector": old["podSelector"]}
        elif condition is Condition.NAMESPACE and "namespaceSelector" in entry and "namespaceSelector" in old:
            entry = {"namespaceSelector": entry["namespaceSelector"]}
        elif condition is Condition.POD and "podSelector" in entry:
            # What the rule says of namespaces holds; only the labels that missed are touched.
            kept = {"namespaceSelector": old["namespaceSelector"]} if "namespaceSelector" in old else {}
            entry = {**kept, "podSelector": _corrected(old.get("podSelector"), rule) or entry["podSelector"]}
        # Where the written selector admits somebody today, the proof finds that taking it away closes
        # something, and the entry is added beside it instead.
        target[word][item] = entry
        text = f"Correct {rule_text(rule)}: {_becomes(condition, entry, rule)}"
        yield Edit(text, direction, policy, changed_policy(policy, spec))
    spec, target = _copied(policy, direction, index)
    target[word] = [*(target.get(word) or []), entry]
    text = f"Admit {end_text(peer)} in {policy_text(rule.policy)} {direction}[{index}]"
    yield Edit(text, direction, policy, changed_policy(policy, spec))


def _becomes(condition: Condition, entry: dict[str, Any], rule: NearestRule) -> str:
    """The change in words: ``app=frontend becomes app=front-end``."""
    word = "podSelector" if condition is Condition.POD else "namespaceSelector"
    labels = (entry.get(word) or {}).get("matchLabels") or {}
    now = ", ".join(f"{key}={value}" for key, value in labels.items())
    wanted = ", ".join(miss.wanted for miss in rule.misses)
    return f"{wanted} becomes {now}" if now else f"{wanted} is dropped"


def _corrected(selector: Any, rule: NearestRule) -> dict[str, Any] | None:
    """The selector with the missed labels' values as they were found; ``None`` where that cannot be said so."""
    labels = selector.get("matchLabels") if isinstance(selector, dict) else None
    if not isinstance(labels, dict):
        return None
    changed = dict(labels)
    for miss in rule.misses:
        key, _, value = miss.wanted.partition("=")
        found_key, _, found = (miss.found or "").partition("=")
        if labels.get(key) != value or found_key != key:
            return None
        changed[key] = found
    return {**selector, "matchLabels": changed}


def _copied(policy: PolicyObject, direction: Direction, index: int) -> tuple[dict[str, Any], dict[str, Any]]:
    spec = copy.deepcopy(policy.spec)
    rules = spec[direction.value]
    rules[index] = rules[index] or {}
    return spec, rules[index]


def _own_policy(
    case: Case, direction: Direction, decision: EndDecision, enforcer: Endpoint, peer: Endpoint
) -> Edit | None:
    """A small policy that only opens this connection; DNS for everybody whom the isolating policy selects."""
    pod = enforcer.pod
    if pod is None or pod.host_network:
        return None
    entry = peer_of(peer, pod.namespace)
    labels = pod_labels(pod)
    if entry is None or labels is None:
        return None
    ports = [{"protocol": case.protocol, "port": case.port}]
    selector: dict[str, Any] = {"matchLabels": labels}
    name = f"allow-{_plain(enforcer)}-{'to' if direction is Direction.EGRESS else 'from'}-{_plain(peer)}"
    what = f"let {end_text(enforcer)} {'reach' if direction is Direction.EGRESS else 'be reached by'} {end_text(peer)}"
    if direction is Direction.EGRESS and is_dns_server(case):
        ports = [{"protocol": protocol, "port": case.port} for protocol in ("UDP", "TCP")]
        isolating = next((ref for ref in decision.isolated_by if ref.group == _GROUP), None)
        written = policy_at(case, isolating) if isolating is not None else None
        if written is not None:
            selector = copy.deepcopy(written.spec.get("podSelector") or {})
            name, what = "allow-dns", f"allow DNS to all that {policy_text(written.ref)} isolates"
    taken = {
        policy.ref.name for policy in case.context.snapshot.policies if policy.ref.namespace == pod.namespace
    }
    ref = PolicyRef("NetworkPolicy", _GROUP, pod.namespace, _free(name, taken))
    spec = {
        "podSelector": selector,
        "policyTypes": [direction.value.title()],
        direction.value: [{_PEERS[direction]: [entry], "ports": ports}],
    }
    return Edit(
        f"Add {policy_text(ref)} to {what}",
        direction,
        None,
        PolicyObject(ref=ref, api_version="networking.k8s.io/v1", spec=spec),
    )


def _plain(end: Endpoint) -> str:
    workload = end.workload or (end.pod.workload if end.pod is not None else None)
    text = workload.name if workload is not None else end.name or end.ip or "peer"
    return _NAME.sub("-", text.lower()).strip("-")[:24].strip("-")


def _free(name: str, taken: set[str]) -> str:
    name = name[: _MAX_NAME - 3].strip("-")
    number = 1
    while (name if number == 1 else f"{name}-{number}") in taken:
        number += 1
    return name if number == 1 else f"{name}-{number}"
