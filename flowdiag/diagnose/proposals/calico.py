"""Edits of Calico's NetworkPolicy and GlobalNetworkPolicy.

Format: projectcalico.org/v3, v3.31.  A rule names one peer, so admitting another one takes a rule of its own; it
stands right behind the one that nearly matched, as the first match decides.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator
from typing import Any

from flowdiag.diagnose.case import Case
from flowdiag.diagnose.labels import choice
from flowdiag.diagnose.proposals.edit import Edit, changed_policy
from flowdiag.diagnose.proposals.namespaces import means_a_namespace
from flowdiag.diagnose.proposals.ports import ports_text, protocols
from flowdiag.diagnose.proposals.selectors import pod_labels, respelt, single_range
from flowdiag.diagnose.spec import policy_now
from flowdiag.diagnose.wording import end_text, policy_text, rule_text
from flowdiag.model.endpoint import Endpoint
from flowdiag.model.event import Direction
from flowdiag.model.policy import Condition, NearestRule
from flowdiag.policy.calico_labels import labels_of
from flowdiag.policy.calico_selector import SelectorSyntaxError, parse_selector

__all__ = ["calico_edits", "calico_peer", "calico_selector"]

_SIDES = {Direction.INGRESS: "source", Direction.EGRESS: "destination"}
_STEPS = re.compile(r"(ingress|egress)\[(\d{1,4})\]")
# "ingress[0]": the path of a Calico rule, which has no list of peers.
_PEER_FIELDS = (
    "selector",
    "notSelector",
    "namespaceSelector",
    "serviceAccounts",
    "nets",
    "notNets",
    "services",
)
_OF_ICMP = frozenset({"icmp", "notICMP"})
"""Fields that Calico takes beside no other protocol."""
_NO_PODS = frozenset({"NetworkSet", "GlobalNetworkSet", "HostEndpoint"})
"""What selectors mean besides pods."""
_PLAIN = re.compile(r"[A-Za-z0-9._/-]{1,316}")
# Keys and values of labels, which need no quoting beyond single quotes in Calico's selectors.


def calico_selector(labels: dict[str, str]) -> str | None:
    """Write labels as a Calico selector: ``app == 'web' && tier == 'front'``."""
    if not all(
        _PLAIN.fullmatch(key) and (not value or _PLAIN.fullmatch(value)) for key, value in labels.items()
    ):
        return None
    return " && ".join(f"{key} == '{value}'" for key, value in sorted(labels.items()))


def calico_peer(end: Endpoint, namespace: str | None) -> dict[str, Any] | None:
    """Write an end as a rule's ``source`` or ``destination`` in a policy of `namespace` (``None``: global)."""
    outside = single_range(end)
    if outside is not None:
        return {"nets": [outside]}
    if end.pod is None or end.pod.host_network:
        return None
    labels = pod_labels(end.pod)
    selector = calico_selector(labels) if labels is not None else None
    if selector is None:
        return None
    peer: dict[str, Any] = {"selector": selector}
    if end.pod.namespace != namespace:
        peer["namespaceSelector"] = f"projectcalico.org/name == '{end.pod.namespace}'"
    return peer


def _means_more(case: Case, selector: Any) -> bool:
    """Whether a rule's selector also means network sets or host endpoints, in whatever scope."""
    try:
        parsed = parse_selector(selector or "")
    except (SelectorSyntaxError, TypeError):
        return True
    return any(
        each.kind in _NO_PODS and parsed.matches(labels_of(each)) for each in case.context.snapshot.others
    )


def _by_their_names(selector: str, rule: NearestRule, peer: Endpoint) -> str | None:
    """A choice of namespaces by a label that the peer's lacks, as one by their names; ``None`` for any other selector."""
    names = choice(rule.misses[0].wanted)[1] if len(rule.misses) == 1 else ()
    if len(names) < 2 or peer.namespace not in names or not all(map(_PLAIN.fullmatch, names)):
        return None
    try:
        whole = parse_selector(selector).text == rule.misses[0].wanted
    except SelectorSyntaxError:
        return None
    return f"projectcalico.org/name in {{{', '.join(map(repr, names))}}}" if whole else None


def calico_edits(
    case: Case, direction: Direction, rule: NearestRule, condition: Condition, peer: Endpoint
) -> Iterator[Edit]:
    """Yield edits of one rule that missed in one condition, smallest first."""
    policy = policy_now(case, rule.policy)
    step = _STEPS.fullmatch(rule.rule)
    if policy is None or step is None:
        return
    index = int(step[2])
    if condition in (Condition.PORT, Condition.PROTOCOL):
        spec = copy.deepcopy(policy.spec)
        rules = spec[direction.value]
        if condition is Condition.PORT:
            side = rules[index].get("destination") or {}
            side["ports"] = [*(side.get("ports") or []), case.port]
            rules[index]["destination"] = side
        else:
            other = {key: value for key, value in copy.deepcopy(rules[index]).items() if key not in _OF_ICMP}
            other["protocol"] = case.protocol
            other["destination"] = {**(other.get("destination") or {}), "ports": [case.port]}
            rules.insert(index + 1, other)
        text = f"Allow {case.port}/{case.protocol} in {rule_text(rule)}"
        yield Edit(text, direction, policy, changed_policy(policy, spec))
        return
    written = calico_peer(peer, rule.policy.namespace)
    if written is None:
        return
    side = _SIDES[direction]
    spec = copy.deepcopy(policy.spec)
    entity = spec[direction.value][index].get(side) or {}
    # The proof covers pods only, so a selector that also means other things is left as it is.
    meant = _means_more(case, entity.get("selector")) or (
        "namespaceSelector" in entity and means_a_namespace(case, rule)
    )
    for key, entry in () if meant else written.items():
        if condition is Condition.POD and key == "selector" and "notSelector" not in entity:
            was = entity.get(key)
            if was is not None and len(rule.misses) == 1:
                entry = _respelt(was, rule, peer) or entry  # noqa: PLW2901
                entity[key] = entry
                spec[direction.value][index][side] = entity
                text = f"Correct {rule_text(rule)}: {was} becomes {entry}"
                yield Edit(text, direction, policy, changed_policy(policy, spec), instead=True)
        elif condition is Condition.NAMESPACE and key == "namespaceSelector":
            was = entity.get(key, "its own namespace")
            # Of a choice of namespaces the others are meant, too.
            entry = _by_their_names(was, rule, peer) or entry  # noqa: PLW2901
            entity[key] = entry
            spec[direction.value][index][side] = entity
            text = f"Correct {rule_text(rule)}: {was} becomes {entry}"
            yield Edit(text, direction, policy, changed_policy(policy, spec), instead=True)
    spec = copy.deepcopy(policy.spec)
    other = copy.deepcopy(spec[direction.value][index])
    kept = {key: value for key, value in (other.get(side) or {}).items() if key not in _PEER_FIELDS}
    other[side] = {**written, **kept}
    target = other.get("destination") or {}
    on = ""
    if not target.get("ports") and not target.get("notPorts"):
        # That others may use every port is no reason to open all ports to this peer.
        other["protocol"], other["destination"] = case.protocol, {**target, "ports": [case.port]}
        on = f" on {ports_text(case, direction)}"
    each = protocols(case, direction)
    others = [{**other, "protocol": one} for one in each] if other.get("protocol") in each else [other]
    spec[direction.value][index + 1 : index + 1] = others
    text = f"Admit {end_text(peer)}{on} in {policy_text(rule.policy)} by a rule behind {direction}[{index}]"
    yield Edit(text, direction, policy, changed_policy(policy, spec))


def _respelt(selector: Any, rule: NearestRule, peer: Endpoint) -> str | None:
    """A selector with the missed label's key as the peer's pods write it; ``None`` where that is not the mistake."""
    other = respelt(rule, peer.pod.labels) if peer.pod is not None else None
    if other is None:
        return None
    key, now, value = other
    asked = re.compile(rf"(?<![A-Za-z0-9_./-]){re.escape(key)}(\s*==\s*(?P<q>['\"]){re.escape(value)}(?P=q))")
    text, number = asked.subn(lambda found: f"{now}{found[1]}", str(selector))
    return text if number == 1 else None
