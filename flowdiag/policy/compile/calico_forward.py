"""Policies with ``applyOnForward``: what host endpoints do to traffic that their nodes forward.

Source: projectcalico/calico ``felix/rules/static.go`` and ``felix/rules/endpoints.go``, v3.31: such policies of a
host endpoint are asked about what enters or leaves by its interface and is for somebody else (a pod of the node, or
of another node that kube-proxy sent a NodePort's client to).  Here a host endpoint's policies are evaluated for the
host's own traffic only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from flowdiag.model.event import Direction
from flowdiag.model.objects import PolicyObject, Snapshot
from flowdiag.model.policy import PolicyRef
from flowdiag.policy.calico_labels import CalicoLabels, labels_of, spec_of
from flowdiag.policy.compile.calico import directions_of
from flowdiag.policy.compile.calico_hosts import selects_host
from flowdiag.policy.compile.context import PolicyError
from flowdiag.policy.dataplane import OnTheWay
from flowdiag.policy.facts import Facts

__all__ = ["crossing", "forward_loggers"]


def crossing(snapshot: Snapshot, labels: CalicoLabels) -> OnTheWay | None:
    """Say where policies with ``applyOnForward`` may refuse pod traffic at a host endpoint on its way.

    Such a policy is held against what a node forwards between its host endpoint and its pods.  Here it is
    evaluated for the host's own traffic only, so what it might do to pods' traffic is unknown.  Those before conntrack
    and NAT must apply on forward, and close nothing but what they deny.

    Returns:
        A function of the direction and both ends, or ``None`` where no such policy selects a host endpoint.
    """
    found: dict[tuple[Direction, str], PolicyRef] = {}
    for policy, node in _on_forward(snapshot, labels):
        spec = policy.spec
        early = bool(spec.get("preDNAT") or spec.get("doNotTrack"))
        for direction in _directions(policy):
            if early and not _has(spec, direction, "deny"):
                continue
            found.setdefault((direction, node), policy.ref)
    if not found:
        return None

    def why(direction: Direction, subject: Facts, peer: Facts) -> str | None:
        if subject.kind != "pod" or (subject.node is not None and subject.node == peer.node):
            return None
        if subject.node is None:
            ref = next((ref for (way, _), ref in sorted(found.items()) if way is direction), None)
        else:
            ref = found.get((direction, subject.node))
        if ref is None:
            return None
        return (
            f"GlobalNetworkPolicy {ref.name} applies to what the node's host endpoint forwards "
            "(applyOnForward), which is not evaluated for pods"
        )

    return why


def forward_loggers(
    snapshot: Snapshot, labels: CalicoLabels
) -> Callable[[str | None], PolicyRef | None] | None:
    """Say which policy may have logged, on a node, a packet that the node forwards.

    Returns:
        A function of the node's name (``None``: any node), or ``None`` where no policy on forward has a Log rule.
    """
    found: dict[str, PolicyRef] = {}
    for policy, node in _on_forward(snapshot, labels):
        if any(_has(policy.spec, direction, "log") for direction in Direction):
            found.setdefault(node, policy.ref)
    if not found:
        return None
    first = found[min(found)]
    return lambda node: first if node is None else found.get(node)


def _on_forward(snapshot: Snapshot, labels: CalicoLabels) -> Iterator[tuple[PolicyObject, str]]:
    """Policies with ``applyOnForward``, each with the nodes of the host endpoints that it selects."""
    for policy in snapshot.policies:
        if policy.ref.kind != "GlobalNetworkPolicy" or not policy.spec.get("applyOnForward"):
            continue
        for each in labels.host_endpoints:
            node = spec_of(each).get("node")
            if isinstance(node, str) and selects_host(policy.spec, labels_of(each)):
                yield policy, node


def _has(spec: dict[str, Any], direction: Direction, action: str) -> bool:
    rules = spec.get(direction.value)
    return isinstance(rules, list) and any(
        isinstance(rule, dict) and str(rule.get("action")).lower() == action for rule in rules
    )


def _directions(policy: PolicyObject) -> frozenset[Direction]:
    try:
        return directions_of(policy)
    except PolicyError:
        return frozenset(Direction)  # the policy comes out as broken elsewhere; nothing is ruled out here
