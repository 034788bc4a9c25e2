"""Whether a rule's selectors would mean a pod in its node's network, if it had a network of its own.

In the words of NetworkPolicy, of Cilium and of Calico.  A selector means such a pod by a label that it has: one that only
excludes, or that any pod meets, was not written for it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from flowdiag.diagnose.case import Case
from flowdiag.diagnose.spec import rule_at
from flowdiag.diagnose.written_peers import PeerText, peers, selector_holds
from flowdiag.model.objects import NAME_LABEL, Pod
from flowdiag.model.policy import CALICO_GROUPS, Condition, Dialect, NearestRule
from flowdiag.policy.calico_labels import NAMESPACE_LABEL
from flowdiag.policy.calico_matchers import Scope
from flowdiag.policy.calico_selector import SelectorSyntaxError, parse_selector
from flowdiag.policy.compile.cilium_identity import ACCOUNT, NAMESPACE, NAMESPACE_LABELS
from flowdiag.policy.compile.cilium_selectors import Want, peer_selector
from flowdiag.policy.model import Outcome
from flowdiag.policy.selectors import Requirement, SelectorError

__all__ = ["cilium_selects", "would_mean"]

_ENTRY = re.compile(r"(?:ingress|egress)\[\d{1,4}\]\.((?:from|to)Endpoints)\[(\d{1,4})\]")
# "ingress[0].fromEndpoints[1]": the path of a peer of Cilium's.
_SELECTING = frozenset({"selector", "namespaceSelector", "ports", "notPorts"})
"""Fields of a Calico rule's end that are looked at here, or are no matter of whom it means."""


def would_mean(case: Case, rule: NearestRule, pod: Pod) -> bool:
    """Whether the rule, or the peer that its path names, selects pods with this one's labels.

    Args:
        case: what the rule was held against.
        rule: the rule.
        pod: one in its node's network.
    """
    known = case.context.snapshot.namespaces.get(pod.namespace)
    space = {NAME_LABEL: pod.namespace, **(known.labels if known is not None else {})}
    if rule.policy.group == "cilium.io":
        return _by_cilium(case, rule, pod, space)
    if rule.policy.group in CALICO_GROUPS:
        return _by_calico(case, rule, pod, space)
    return any(_by_peer(case, peer, pod, space, rule.policy.namespace) for peer in peers(case, rule))


def _by_peer(case: Case, peer: PeerText, pod: Pod, space: dict[str, str], own: str | None) -> bool:
    if peer.pods is None or not peer.pods.requirements:
        # OVN takes such a peer of the namespace that it names for hosts as the hosts.
        return (
            case.context.dialect is not Dialect.OVN
            and peer.namespaces is not None
            and _asks_for_a_label(peer.namespaces.requirements)
            and selector_holds(peer.namespaces, space)
            and _alone_there(case, pod)
        )
    return (
        _asks_for_a_label(peer.pods.requirements)
        and (peer.namespaces is not None or pod.namespace == own)
        and selector_holds(peer.namespaces, space)
        and selector_holds(peer.pods, pod.labels)
    )


def _alone_there(case: Case, pod: Pod) -> bool:
    """Whether all pods of its namespace in that node's network are of its workload: of several nobody knows which is meant."""
    there = case.context.host_pods(pod.node, None)
    return {one.workload for one in there if one.namespace == pod.namespace} == {pod.workload}


def _asks_for_a_label(requirements: Iterable[Requirement]) -> bool:
    return any(each.operator in ("In", "Exists") for each in requirements)


def _by_cilium(case: Case, rule: NearestRule, pod: Pod, space: Mapping[str, str]) -> bool:
    raw, step = rule_at(case, rule), _ENTRY.fullmatch(rule.rule)
    entries = raw.get(step[1]) if raw is not None and step is not None else None
    if step is None or not isinstance(entries, list) or int(step[2]) >= len(entries):
        return False
    try:
        wants = peer_selector(entries[int(step[2])], rule.policy.namespace, subject_init=False).wants
    except SelectorError:
        return False
    labels = _cilium_labels(pod, space)
    own = [want.need for want in wants if want.condition is Condition.POD and want.key in pod.labels]
    return _asks_for_a_label(own) and all(_meets(want, labels) for want in wants)


def _cilium_labels(pod: Pod, space: Mapping[str, str]) -> dict[str, str]:
    return {
        **pod.labels,
        **{NAMESPACE_LABELS + key: value for key, value in space.items()},
        NAMESPACE: pod.namespace,
        ACCOUNT: pod.service_account or "default",
    }


def cilium_selects(case: Case, selector: object, namespace: str | None, pod: Pod) -> bool:
    """Whether a Cilium policy's selector surely means the pod.

    Args:
        case: what the cluster is known from.
        selector: as the policy writes it (``endpointSelector``).
        namespace: the policy's; ``None`` for the cluster-wide kind.
        pod: one with a network of its own.
    """
    known = case.context.snapshot.namespaces.get(pod.namespace)
    space = {NAME_LABEL: pod.namespace, **(known.labels if known is not None else {})}
    try:
        wants = peer_selector(selector, namespace, subject_init=False).wants
    except SelectorError:
        return False
    labels = _cilium_labels(pod, space)
    return all(_meets(want, labels) for want in wants)


def _meets(want: Want, labels: Mapping[str, str]) -> bool:
    if want.source not in ("any", "k8s"):
        return False
    return want.need.holds({want.need.key: labels[want.key]} if want.key in labels else {})


def _by_calico(case: Case, rule: NearestRule, pod: Pod, space: Mapping[str, str]) -> bool:
    raw = rule_at(case, rule) or {}
    side = raw.get("source" if case.direction == "ingress" else "destination")
    if not isinstance(side, dict) or not side.get("selector") or side.keys() - _SELECTING:
        return False
    try:
        selector = parse_selector(str(side["selector"]))
        spaces = side.get("namespaceSelector")
        scope = Scope(namespace=rule.policy.namespace)
        if spaces:
            scope = Scope.of(parse_selector(str(spaces)))
    except SelectorSyntaxError:
        return False
    labels = {NAMESPACE_LABEL: pod.namespace, "projectcalico.org/orchestrator": "k8s", **pod.labels}
    return (
        scope.check(pod.namespace, space).outcome is Outcome.MATCH
        and selector.matches(labels)
        and not selector.matches({})
    )
