"""Edits of CiliumNetworkPolicy and CiliumClusterwideNetworkPolicy.

Format: Cilium v1.20 ``pkg/policy/api``.  One element of ``ingress`` or ``egress`` names peers of one kind only,
so a peer of another kind gets an element of its own with the same ports.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator
from typing import Any

from flowdiag.diagnose.case import Case
from flowdiag.diagnose.proposals.edit import Edit, changed_policy
from flowdiag.diagnose.proposals.namespaces import means_a_namespace
from flowdiag.diagnose.proposals.ports import ports_text, protocols
from flowdiag.diagnose.proposals.selectors import corrected, pod_labels, respelt, single_range, with_key
from flowdiag.diagnose.spec import policy_now
from flowdiag.diagnose.wording import end_text, policy_text, rule_text
from flowdiag.model.cilium import CLUSTER_LABEL
from flowdiag.model.endpoint import Endpoint
from flowdiag.model.event import Direction
from flowdiag.model.objects import NAME_LABEL, PolicyObject
from flowdiag.model.policy import PEER_WORDS, Condition, NearestRule

__all__ = ["NODES", "cilium_edits", "cilium_peer"]

GROUP = "cilium.io"
_NAMESPACE = "k8s:io.kubernetes.pod.namespace"
_NAMESPACE_KEYS = (_NAMESPACE, "io.kubernetes.pod.namespace", "any:io.kubernetes.pod.namespace")
_DNS = 53
_NODE_WORDS = ["host", "remote-node"]
NODES = f"nodes ({', '.join(_NODE_WORDS)})"
"""What nodes are to Cilium's policies: a pod's own, and all others; which is which changes when the pod moves."""
_STEPS = re.compile(r"(ingress|egress)\[(\d{1,4})\](?:\.(?:from|to)([A-Za-z]{1,16})\[(\d{1,4})\])?")
# "ingress[0].fromEndpoints[1]", "egress[2]": the path of a rule; one of `specs` or of a deny list has another.


def cilium_ports(
    case: Case, direction: Direction, condition: Condition | None = None
) -> list[dict[str, Any]]:
    """Write the refused port as entries of ``toPorts[].ports``; `condition` is as for `protocols`."""
    return [
        {"port": str(case.port), "protocol": protocol} for protocol in protocols(case, direction, condition)
    ]


def cilium_peer(end: Endpoint, namespace: str | None) -> tuple[str, list[Any]] | None:
    """Write an end as (kind of list, entries) for a policy of `namespace` (``None``: of the whole cluster)."""
    if end.entity in ("ingress", "kube-apiserver"):
        return ("Entities", [end.entity])
    if end.entity == NODES:
        return ("Entities", list(_NODE_WORDS))
    outside = single_range(end)
    if outside is not None:
        return ("CIDR", [outside])
    if end.pod is None or end.pod.host_network:
        return None
    labels = pod_labels(end.pod)
    if labels is None:
        return None
    other = {} if end.pod.namespace == namespace else {_NAMESPACE: end.pod.namespace}
    return ("Endpoints", [{"matchLabels": {**other, **labels}}])


def cilium_edits(
    case: Case, direction: Direction, rule: NearestRule, condition: Condition, peer: Endpoint
) -> Iterator[Edit]:
    """Yield edits of one rule that missed in one condition, smallest first."""
    policy = policy_now(case, rule.policy)
    step = _STEPS.fullmatch(rule.rule)
    if policy is None or step is None or policy.spec_index is not None:
        return
    index, kind, item = int(step[2]), step[3], None if step[4] is None else int(step[4])
    if condition in (Condition.PORT, Condition.PROTOCOL):
        spec, changed = _copied(policy, direction, index)
        ports = cilium_ports(case, direction, condition)
        groups = [dict(group) for group in changed.get("toPorts") or ()]
        plain = next((group for group in groups if set(group) <= {"ports"}), None)
        if plain is None:
            groups.append({"ports": ports})
        else:
            plain["ports"] = [*(plain.get("ports") or []), *ports]
        changed["toPorts"] = groups
        text = f"Allow {ports_text(case, direction, condition)} in {rule_text(rule)}"
        yield Edit(text, direction, policy, changed_policy(policy, spec))
        return
    word = PEER_WORDS[direction]
    theirs = _other_cluster(rule)
    if theirs is not None and kind == "Endpoints" and item is not None:
        spec, changed = _copied(policy, direction, index)
        entries = changed[f"{word}Endpoints"] = list(changed[f"{word}Endpoints"])
        # The entry goes on to mean this cluster's.
        labels = {**(entries[item].get("matchLabels") or {}), CLUSTER_LABEL: theirs}
        entries.append({**entries[item], "matchLabels": labels})
        text = f"Admit the same pods of cluster {theirs} beside {rule_text(rule)}"
        yield Edit(text, direction, policy, changed_policy(policy, spec))
        return
    written = cilium_peer(peer, rule.policy.namespace)
    if written is None:
        return
    if kind == "Endpoints" and written[0] == "Endpoints" and item is not None:
        spec, changed = _copied(policy, direction, index)
        entries = changed[f"{word}Endpoints"] = list(changed[f"{word}Endpoints"])
        mended = None if means_a_namespace(case, rule) else corrected(entries[item], rule, _spellings)
        now = ", ".join(miss.found or "" for miss in rule.misses)
        if mended is None and peer.pod is not None and (other := respelt(rule, peer.pod.labels)) is not None:
            mended, now = with_key(entries[item], _spellings(other[0]), *other[1:]), "=".join(other[1:])
        if mended is not None:
            entries[item] = mended
            wanted = ", ".join(miss.wanted for miss in rule.misses)
            text = f"Correct {rule_text(rule)}: {wanted} becomes {now}"
            yield Edit(text, direction, policy, changed_policy(policy, spec), instead=True)
    spec, changed = _copied(policy, direction, index)
    own, kept = False, dict[str, Any]()
    rules = spec[direction.value]
    if kind is not None and kind.removesuffix("Set") == written[0] and f"{word}{written[0]}" in changed:
        changed[f"{word}{written[0]}"] = [*changed[f"{word}{written[0]}"], *written[1]]
    else:
        kept = {key: value for key, value in changed.items() if key in ("toPorts", "icmps")}
        # It becomes a rule of its own: that the other is for every port is no reason to open all ports here.
        rules.append(
            {
                f"{word}{written[0]}": written[1],
                **(copy.deepcopy(kept) or _only_port(case, direction, rule)),
            }
        )
        own = True
    text = f"Admit {end_text(peer)} in {policy_text(rule.policy)} {direction}[{index}]"
    if own:
        on = "" if kept else f" on {ports_text(case, direction)}"
        text = (
            f"Admit {end_text(peer)}{on} in {policy_text(rule.policy)} by a rule beside {direction}[{index}]"
        )
    yield Edit(text, direction, policy, changed_policy(policy, spec))


def _other_cluster(rule: NearestRule) -> str | None:
    """The cluster of the mesh that the peer is of, where a rule misses by nothing else; ``None`` where it does not."""
    if len(rule.misses) != 1:
        return None
    key, _, found = (rule.misses[0].found or "").partition("=")
    return found if key == CLUSTER_LABEL and found else None


def _copied(policy: PolicyObject, direction: Direction, index: int) -> tuple[dict[str, Any], dict[str, Any]]:
    """Copy a spec as far as the rule that is to be changed; all others stay the same objects, and are not compiled again."""
    rules = list(policy.spec[direction.value])
    rules[index] = dict(rules[index])
    return {**policy.spec, direction.value: rules}, rules[index]


def _only_port(case: Case, direction: Direction, rule: NearestRule) -> dict[str, Any]:
    """The refused port alone; lookups through the proxy where the policy has names to learn from it (``toFQDNs``)."""
    group: dict[str, Any] = {"ports": cilium_ports(case, direction)}
    if direction is Direction.EGRESS and case.port == _DNS and rule.policy in case.context.egress_by_name:
        group["rules"] = {"dns": [{"matchPattern": "*"}]}
    return {"toPorts": [group]}


def _spellings(key: str) -> tuple[str, ...]:
    """How a selector may have a label's key: with its source, or without."""
    return _NAMESPACE_KEYS if key == NAME_LABEL else (key, f"k8s:{key}", f"any:{key}")
