"""Ends that Cilium's records know by a reserved word alone, and that may be pods whose identity was lost on the way.

A pod whose address the refusing agent does not know is ``world`` there, or ``remote-node`` where it has only the node's entry:
no rule is wrong then, and one for that word would open far more than the pod (cilium#32060, #20243, #33822).  That explains
a refusal only if a rule would have admitted some pod on that port.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from flowdiag.cluster.addresses import INSIDE, in_any
from flowdiag.diagnose.case import Case
from flowdiag.diagnose.spec import objects, policy_at
from flowdiag.diagnose.wording import rule_text
from flowdiag.diagnose.written_ports import admits_port
from flowdiag.model.cilium import CLUSTER_LABEL, WORLD_ENTITIES
from flowdiag.model.endpoint import Endpoint
from flowdiag.model.event import Direction
from flowdiag.model.policy import Dialect, NearestRule
from flowdiag.policy.addresses import parse_address

__all__ = ["perhaps_lost", "perhaps_lost_in_mesh"]

_PEERS = ("toEndpoints", "fromEndpoints")
_NO_MESH = (None, "", "0")
"""Values of ``cluster-id`` in ``cilium-config`` with which a cluster joins no mesh."""


def perhaps_lost(case: Case) -> str | None:
    """What to look at before a rule is written for an end that may well be a pod; ``None`` for any other."""
    ip = case.peer.ip
    if _node_unknown(case, case.peer):
        return (
            f"See cilium-dbg bpf ipcache get {ip} on the refusing node: no node of the state has that address. It may be a "
            "pod whose identity was lost, and then no rule is wrong; else a router address (CiliumInternalIP) or a node of "
            "another cluster, for which to allow remote-node if the call is meant."
        )
    found = _elsewhere(case)
    if found is None:
        return None
    place, theirs = found
    return (
        f"{rule_text(place)} means pods of cluster {theirs} on this port. If {ip} is one, the refusing node has lost its "
        f"identity and no rule is wrong: see cilium-dbg bpf ipcache get {ip} there. If not, and the call is meant, allow "
        "the address."
    )


def perhaps_lost_in_mesh(case: Case) -> str | None:
    """Say that an end outside may be a pod of another cluster, where the cluster is of a mesh and some rule admits pods."""
    if not _outside(case) or case.context.snapshot.config.get("cilium.cluster-id") in _NO_MESH:
        return None
    if not any(_pods(rule) and admits_port(case, place) for place, rule in _rules(case)):
        return None
    return (
        f"Or {case.peer.ip} is a pod of another cluster of the mesh: one whose identity the refusing node has lost is "
        f"world there, and no rule is wrong (cilium-dbg bpf ipcache get {case.peer.ip})."
    )


def _node_unknown(case: Case, end: Endpoint) -> bool:
    """Whether a record calls an end a node, at an address that no node of the state has."""
    context = case.context
    return (
        context.dialect is Dialect.CILIUM
        and end.entity == "remote-node"
        and end.ip is not None
        and bool(context.snapshot.nodes)
        and end.ip not in context.node_ips
        and end.ip not in context.api_addresses
    )


def _elsewhere(case: Case) -> tuple[NearestRule, str] | None:
    """The rule that admits another cluster's pods on this port, and that cluster, where the peer is outside in a private range."""
    if not _outside(case):
        return None
    ours = case.context.snapshot.config.get("cilium.cluster-name")
    for place, rule in _rules(case):
        theirs = next((one for one in _clusters(rule) if one != ours), None)
        if theirs is not None and admits_port(case, place):
            return place, theirs
    return None


def _outside(case: Case) -> bool:
    end = case.peer
    return (
        case.context.dialect is Dialect.CILIUM
        and case.default_denied
        and end.entity in WORLD_ENTITIES
        and end.ip is not None
        and parse_address(end.ip) is not None
        and in_any(end.ip, INSIDE) is not None
    )


def _rules(case: Case) -> Iterator[tuple[NearestRule, dict[str, Any]]]:
    """The rules of the policies that isolate the refusing end, in the direction that was refused."""
    word = "egress" if case.direction is Direction.EGRESS else "ingress"
    for ref in case.isolating:
        policy = policy_at(case, ref)
        rules = policy.spec.get(word) if policy is not None else None
        for index, rule in enumerate(rules if isinstance(rules, list) else ()):
            if isinstance(rule, dict):
                yield NearestRule(policy=ref, rule=f"{word}[{index}]", misses=()), rule


def _pods(rule: dict[str, Any]) -> bool:
    """Whether a rule has a selector of pods among its peers."""
    peers = (peer for word in ("to", "from") for peer in objects(rule.get(word)))
    return any(rule.get(word) for word in _PEERS) or any(
        "podSelector" in peer or "namespaceSelector" in peer for peer in peers
    )


def _clusters(rule: dict[str, Any]) -> Iterator[str]:
    """Clusters that a rule's selectors name."""
    for selector in (each for word in _PEERS for each in objects(rule.get(word))):
        labels = selector.get("matchLabels")
        for key, value in labels.items() if isinstance(labels, dict) else ():
            if _is_cluster(key) and isinstance(value, str):
                yield value
        for one in objects(selector.get("matchExpressions")):
            values = one.get("values")
            if _is_cluster(one.get("key")) and one.get("operator") == "In" and isinstance(values, list):
                yield from (value for value in values if isinstance(value, str))


def _is_cluster(key: object) -> bool:
    return isinstance(key, str) and key.removeprefix("k8s:").removeprefix("any:") == CLUSTER_LABEL
