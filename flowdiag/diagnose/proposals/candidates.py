"""Edits that may mend a refusal, smallest first: the nearest rule's missed condition, then a policy of its own.

Nothing here is trusted: every candidate goes through the proof.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Iterator
from collections.abc import Set as AbstractSet
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from flowdiag.diagnose.case import Case
from flowdiag.diagnose.dns import is_dns_server
from flowdiag.diagnose.proposals.admin import GROUP as ADMIN_GROUP
from flowdiag.diagnose.proposals.admin import admin_edits
from flowdiag.diagnose.proposals.calico import calico_edits, calico_peer, calico_selector
from flowdiag.diagnose.proposals.cilium import KINDS as CILIUM_KINDS
from flowdiag.diagnose.proposals.cilium import cilium_edits, cilium_peer
from flowdiag.diagnose.proposals.edit import AnyEdit, Edit, changed_policy
from flowdiag.diagnose.proposals.misplaced import misplaced
from flowdiag.diagnose.proposals.namespaces import labelling, means_a_namespace
from flowdiag.diagnose.proposals.selectors import peer_of, pod_labels
from flowdiag.diagnose.spec import policy_at
from flowdiag.diagnose.wording import end_text, policy_text, rule_text
from flowdiag.model.endpoint import Endpoint, EndpointKind
from flowdiag.model.event import Direction
from flowdiag.model.objects import Pod, PolicyObject
from flowdiag.model.policy import CALICO_GROUPS, Condition, Dialect, EndDecision, NearestRule, PolicyRef

__all__ = ["candidates"]

_GROUP = "networking.k8s.io"
_PEERS = {Direction.INGRESS: "from", Direction.EGRESS: "to"}
_STEPS = re.compile(r"(ingress|egress)\[(\d{1,4})\](?:\.(?:from|to)\[(\d{1,4})\])?")
# "egress[0].to[1]": the path of a NetworkPolicy's rule.
_NAME = re.compile(r"[^a-z0-9-]+")
_MAX_NAME = 63
_WHO = {Condition.NAMESPACE, Condition.POD}
"""What a rule misses that means another workload."""


def candidates(
    case: Case,
    direction: Direction,
    decision: EndDecision,
    lead: NearestRule | None = None,
    *,
    widening: bool = False,
    given: AbstractSet[PolicyRef] = frozenset(),
) -> Iterator[AnyEdit]:
    """Yield edits for one end, those of the diagnosed rule first, then by how near the rules come.

    Args:
        case: the refused flow.
        direction: the end.
        decision: what the policies of now say of that end.
        lead: the rule that the diagnosis is about.
        widening: another peer may be let in by a rule that means none of the kind.
        given: names that new policies of other problems have.
    """
    if not decision.isolated_by:
        return
    src, dst = (_with_a_pod(case, end) for end in (case.flow.src, case.flow.dst))
    enforcer, peer = (src, dst) if direction is Direction.EGRESS else (dst, src)
    if enforcer.kind is EndpointKind.ENTITY:
        # What selects the Ingress proxy or the like selects pods too: a rule there would open them all.
        return
    led = (lead.policy, lead.rule) if lead is not None else None
    for rule in sorted(decision.nearest, key=lambda each: (each.policy, each.rule) != led):
        conditions = {miss.condition for miss in rule.misses}
        if widening and conditions == _WHO:
            conditions = {Condition.POD}
        if len(conditions) == 1 and not rule.unknown:
            edits = _editor(rule.policy)
            label = labelling(case, direction, rule)
            if label is not None and label[1]:
                # The rule means a group of namespaces, and this one lacks the group's label.
                yield label[0]
            if edits is not None:
                yield from edits(case, direction, rule, conditions.pop(), peer)
            if label is not None and not label[1]:
                yield label[0]
    if enforcer.pod is not None and not enforcer.pod.host_network:
        yield from (edit for edit in misplaced(case, direction, enforcer.pod) if edit.new.ref not in given)
    if enforcer.pod is None:
        return
    usual, narrow = pod_labels(enforcer.pod), _as_isolated(case, decision, enforcer.pod)
    # Where a policy means some pods of a workload, one for all of it would isolate the others, too.
    for labels in [usual] if usual is None or narrow.items() <= usual.items() else [usual, usual | narrow]:
        new = _own_policy(case, direction, decision, enforcer, peer, labels, given)
        if new is not None:
            yield new


def _with_a_pod(case: Case, end: Endpoint) -> Endpoint:
    """A workload of which the record names no pod (flow logs that aggregate): one of its pods, if they are alike."""
    if end.pod is not None or end.workload is None or end.namespace is None:
        return end
    pods = [pod for pod in case.context.index.by_workload.get((end.namespace, end.workload), ()) if pod.live]
    alike = {tuple(sorted((pod_labels(pod) or {}).items())) for pod in pods}
    return replace(end, pod=pods[0]) if len(alike) == 1 else end


Editor = Callable[[Case, Direction, NearestRule, Condition, Endpoint], Iterator[Edit]]


def _editor(ref: PolicyRef) -> Editor | None:
    """Who writes edits in the language of that policy."""
    if ref.group == _GROUP and ref.kind == "NetworkPolicy":
        return _in_rule
    if ref.group == "cilium.io" and ref.kind in CILIUM_KINDS:
        return cilium_edits
    if ref.group in CALICO_GROUPS:
        return calico_edits
    return admin_edits if ref.group == ADMIN_GROUP else None


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
    spec, target = _copied(policy, direction, index)
    old = target[word][item] if item is not None else {}
    meant = "namespaceSelector" in old and means_a_namespace(case, rule)
    # A selector is no misspelt address: what is known by its address alone is let in beside whom the rule means.
    by_labels = item is not None and condition in _WHO and "ipBlock" not in entry
    if by_labels and not meant:
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
        text = f"Correct {rule_text(rule)}: {_becomes(condition, entry, old, rule)}"
        yield Edit(text, direction, policy, changed_policy(policy, spec))
    spec, target = _copied(policy, direction, index)
    if any("port" in each for each in target.get("ports") or ()):
        target[word] = [*(target.get(word) or []), entry]
        text = f"Admit {end_text(peer)} in {policy_text(rule.policy)} {direction}[{index}]"
    else:
        # That others may come in by every port is no reason to open them all to this one.
        ports = [{"protocol": case.protocol, "port": case.port}]
        spec[direction.value].append({word: [entry], "ports": ports})
        text = (
            f"Admit {end_text(peer)} on {case.port}/{case.protocol} in {policy_text(rule.policy)} "
            f"beside {direction}[{index}]"
        )
    yield Edit(text, direction, policy, changed_policy(policy, spec))


def _becomes(condition: Condition, entry: dict[str, Any], old: dict[str, Any], rule: NearestRule) -> str:
    """The change in words: ``app=frontend becomes app=front-end``; nobody finds in a rule what it means unsaid."""
    word = "podSelector" if condition is Condition.POD else "namespaceSelector"
    labels = (entry.get(word) or {}).get("matchLabels") or {}
    now = ", ".join(f"{key}={value}" for key, value in labels.items())
    if now and word not in old:
        return f"add {word} {now}"
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
    """A spec, and the rule in it that is to be changed: its lists are its own, and what stands in them is as it was."""
    rules = list(policy.spec[direction.value])
    rule = rules[index] = {
        key: list(value) if isinstance(value, list) else value for key, value in (rules[index] or {}).items()
    }
    return {**policy.spec, direction.value: rules}, rule


def _own_policy(
    case: Case,
    direction: Direction,
    decision: EndDecision,
    enforcer: Endpoint,
    peer: Endpoint,
    labels: dict[str, str] | None,
    given: AbstractSet[PolicyRef],
) -> Edit | None:
    """A small policy that only opens this connection; DNS for everybody whom the isolating policy selects.

    In the language of the policies that isolate; NetworkPolicy where one of them is written in it.
    """
    pod = enforcer.pod
    if pod is None or pod.host_network or not labels:
        return None
    isolating = _spoken(decision)
    opening = _Opening(
        name=f"allow-{_plain(enforcer)}-{'to' if direction is Direction.EGRESS else 'from'}-{_plain(peer)}",
        what=(
            f"let {end_text(enforcer)} {'reach' if direction is Direction.EGRESS else 'be reached by'} "
            f"{end_text(peer)}"
        ),
        namespace=pod.namespace,
        direction=direction,
        labels=labels,
        protocols=(case.protocol or "",),
        port=case.port or 0,
    )
    subject = None
    if direction is Direction.EGRESS and is_dns_server(case):
        opening = replace(opening, protocols=("UDP", "TCP"))
        written = policy_at(case, isolating) if isolating is not None else None
        if written is not None and written.ref.namespace is not None:
            subject = written.spec
            opening = replace(
                opening, name="allow-dns", what=f"allow DNS to all that {policy_text(written.ref)} isolates"
            )
    if isolating is not None and isolating.kind in CILIUM_KINDS:
        found = _cilium_policy(opening, subject, cilium_peer(peer, pod.namespace))
    elif isolating is not None and isolating.group in CALICO_GROUPS:
        found = _calico_policy(opening, subject, calico_peer(peer, pod.namespace), isolating, case)
    else:
        found = _kubernetes_policy(opening, subject, peer_of(peer, pod.namespace))
        if found is None and case.context.dialect is Dialect.CILIUM:
            # NetworkPolicy has no word for the API server or the Ingress proxy.
            found = _cilium_policy(opening, None, cilium_peer(peer, pod.namespace))
    if found is None:
        return None
    there = (policy.ref for policy in case.context.snapshot.policies)
    taken = {ref.name for ref in (*there, *given) if ref.namespace == pod.namespace}
    found = replace(found, ref=replace(found.ref, name=_free(found.ref.name, taken)))
    return Edit(f"Add {policy_text(found.ref)} to {opening.what}", direction, None, found)


def _as_isolated(case: Case, decision: EndDecision, pod: Pod) -> dict[str, str]:
    """Labels of the pod by which the policies that isolate it select it."""
    keys: set[str] = set()
    for ref in decision.isolated_by:
        policy = policy_at(case, ref)
        selector = policy.spec.get("podSelector") if policy is not None and ref.group == _GROUP else None
        wanted = selector.get("matchLabels") if isinstance(selector, dict) else None
        if isinstance(wanted, dict):
            keys.update(map(str, wanted))
    return {key: value for key, value in sorted(pod.labels.items()) if key in keys}


class _Opening(Struct, frozen=True, kw_only=True):
    """What a policy of its own is to open, in no language yet."""

    name: str
    what: str
    namespace: str
    direction: Direction
    labels: dict[str, str]
    protocols: tuple[str, ...]
    port: int


def _spoken(decision: EndDecision) -> PolicyRef | None:
    """The isolating policy whose language a new one is written in."""
    closing = decision.closed_by or decision.isolated_by
    plain = next((ref for ref in closing if ref.group == _GROUP), None)
    others = [ref for ref in closing if ref.group == "cilium.io" or ref.group in CALICO_GROUPS]
    # A namespace's own policy first: those of the platform stand in tiers that only pass on.
    own = next((ref for ref in others if ref.namespace is not None), None)
    return plain or own or next(iter(others), None)


def _kubernetes_policy(
    opening: _Opening, subject: dict[str, Any] | None, entry: dict[str, Any] | None
) -> PolicyObject | None:
    if entry is None:
        return None
    ref = PolicyRef("NetworkPolicy", _GROUP, opening.namespace, opening.name)
    selector = {"matchLabels": opening.labels}
    if subject is not None:
        selector = copy.deepcopy(subject.get("podSelector") or {})
    ports = [{"protocol": protocol, "port": opening.port} for protocol in opening.protocols]
    spec = {
        "podSelector": selector,
        "policyTypes": [opening.direction.value.title()],
        opening.direction.value: [{_PEERS[opening.direction]: [entry], "ports": ports}],
    }
    return PolicyObject(ref=ref, api_version="networking.k8s.io/v1", spec=spec)


def _cilium_policy(
    opening: _Opening, subject: dict[str, Any] | None, entry: tuple[str, Any] | None
) -> PolicyObject | None:
    if entry is None:
        return None
    ref = PolicyRef("CiliumNetworkPolicy", "cilium.io", opening.namespace, opening.name)
    selector = {"matchLabels": opening.labels}
    if subject is not None:
        selector = copy.deepcopy(subject.get("endpointSelector") or {})
    ports = [{"port": str(opening.port), "protocol": protocol} for protocol in opening.protocols]
    rule = {f"{_PEERS[opening.direction]}{entry[0]}": [entry[1]], "toPorts": [{"ports": ports}]}
    spec = {"endpointSelector": selector, opening.direction.value: [rule]}
    return PolicyObject(ref=ref, api_version="cilium.io/v2", spec=spec)


def _calico_policy(
    opening: _Opening,
    subject: dict[str, Any] | None,
    entry: dict[str, Any] | None,
    isolating: PolicyRef,
    case: Case,
) -> PolicyObject | None:
    """It stands in the tier of the policy that isolates: the ends of earlier tiers deny what it would allow."""
    written = policy_at(case, isolating)
    selector = calico_selector(opening.labels) if subject is None else str(subject.get("selector") or "all()")
    if entry is None or selector is None or written is None:
        return None
    tier = written.spec.get("tier") or "default"
    # Up to v3.31 objects are called TIER.NAME, those of the default tier too.
    prefixed = tier != "default" or isolating.name.startswith("default.")
    name = f"{tier}.{opening.name}" if prefixed else opening.name
    ref = PolicyRef("NetworkPolicy", isolating.group, opening.namespace, name)
    inward = opening.direction is Direction.INGRESS
    rules = []
    for protocol in opening.protocols:
        rule: dict[str, Any] = {"action": "Allow", "protocol": protocol}
        rule["source" if inward else "destination"] = dict(entry)
        rule["destination"] = {**rule.get("destination", {}), "ports": [opening.port]}
        rules.append(rule)
    spec = {
        "tier": tier,
        "selector": selector,
        "types": [opening.direction.value.title()],
        opening.direction.value: rules,
    }
    return PolicyObject(ref=ref, api_version=written.api_version, spec=spec)


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
