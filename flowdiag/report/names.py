"""What things are called: ends, ports, policies, conditions, reasons.

Nothing here escapes; the format does that to the whole phrase.
"""

from __future__ import annotations

from msgspec import UNSET

from flowdiag.model.otherwise import miss_text
from flowdiag.model.policy import PolicyRef
from flowdiag.model.report import (
    Connection,
    DecidingRule,
    DroppedPair,
    EvidenceLine,
    NearestRuleView,
    PolicyView,
    Problem,
    RecordedPolicy,
    ReportEndpoint,
)
from flowdiag.model.words import protocol_text

__all__ = [
    "direction_text",
    "dropped_text",
    "end_text",
    "label_texts",
    "miss_text",
    "policy_name",
    "policy_text",
    "port_text",
    "reason_text",
    "reason_word",
    "record_text",
    "recorded_text",
    "who_to_whom",
]


def end_text(end: ReportEndpoint) -> str:
    """An end at the level people speak of: ``shop/checkout``, ``node node-a``, a range, a name, an entity."""
    name = end.name
    if end.kind == "pod":
        name = (end.workload.name if end.workload else None) or name or (end.pods[0] if end.pods else None)
        if name is None:
            return f"{end.namespace}/(unknown pod)" if end.namespace else _address(end, "an unknown pod")
        there = f" of cluster {end.cluster}" if end.cluster is not UNSET else ""
        return f"{end.namespace}/{name}{there}" if end.namespace else name
    if end.kind == "node":
        return f"node {name}" if name else _address(end, "a node")
    if end.kind == "service":
        return f"Service {end.namespace}/{name}" if end.namespace else f"Service {name or '(unknown)'}"
    if end.kind == "external":
        dns = end.dns_names[0] if end.dns_names else None
        address = end.ips[0] if end.ips else None
        if dns and name in (dns, None):
            more = " and others" if len(end.ips) > 1 else ""
            return f"{dns} ({address}{more})" if address else dns
        if dns and name:
            return f"{dns} ({name})"
        return name or _address(end, "outside the cluster")
    if end.kind == "entity":
        return name or "an unknown entity"
    return name or _address(end, "an unknown end")


def _address(end: ReportEndpoint, otherwise: str) -> str:
    return end.ips[0] if end.ips else otherwise


def label_texts(labels: dict[str, str] | None) -> list[str]:
    """``app=web``, and the key alone where a label has no value: ``reserved:world``."""
    return [f"{key}={value}" if value else key for key, value in sorted((labels or {}).items())]


def port_text(protocol: str | None, port: int | None, icmp: str | None = None) -> str:
    """``8080/TCP``, ``ICMP type 3 code 4``, ``TCP``, ``protocol 4``, ``port unknown``."""
    if port is not None:
        return f"{port}/{protocol}" if protocol else str(port)
    if icmp:
        return f"{protocol or 'ICMP'} {icmp}"
    return protocol_text(protocol) if protocol else "port unknown"


def dropped_text(pair: DroppedPair) -> str:
    """``shop/web → 10.0.2.9 8080/TCP``: between whom something else than a policy refused packets."""
    return " ".join(filter(None, (f"{pair.src} → {pair.dst}", port_text(pair.protocol, pair.port))))


def who_to_whom(item: Problem | Connection) -> str:
    """``shop/checkout → kube-system/coredns 53/UDP``."""
    icmp = item.icmp if isinstance(item, Problem) else None
    ends = f"{end_text(item.source)} → {end_text(item.destination)}"
    return f"{ends} {port_text(item.protocol, item.port, icmp)}"


def direction_text(problem: Problem) -> str:
    """Which end's policies refused it."""
    if problem.direction == "egress":
        return "egress, at the source"
    if problem.direction == "ingress":
        return "ingress, at the destination"
    return "direction not recorded"


def reason_word(problem: Problem) -> str:
    """``POLICY_DENIED``."""
    return problem.reason.name or problem.reason.raw or "reason not recorded"


def reason_text(problem: Problem) -> str:
    """``POLICY_DENIED``, with the record's own word and code where they say more."""
    reason = problem.reason
    name = reason.name or reason.raw
    if name is None:
        return "reason not recorded"
    extra = [str(reason.code)] if reason.code is not None else []
    if reason.raw and reason.raw != name:
        extra.insert(0, reason.raw)
    return f"{name} ({', '.join(extra)})" if extra else name


def record_text(line: EvidenceLine) -> str:
    """The record, where its text was kept: of very many refused flows only some keep theirs."""
    return line.raw or "(only its place was kept)"


def policy_name(ref: PolicyRef | NearestRuleView | PolicyView | RecordedPolicy | DecidingRule) -> str:
    """``shop/default-deny``; the name alone for a cluster-wide one."""
    name = ref.name or "(unnamed)"
    return f"{ref.namespace}/{name}" if ref.namespace else name


def policy_text(ref: PolicyRef | NearestRuleView | PolicyView | RecordedPolicy | DecidingRule) -> str:
    """``NetworkPolicy shop/default-deny``."""
    return f"{ref.kind or 'policy'} {policy_name(ref)}"


def recorded_text(policy: RecordedPolicy) -> str:
    """What a record says of a policy: the policy, its rule and its effect."""
    # Calico's flow logs give a number, from 0 on, and no direction.
    word = "rule " if (policy.rule or "").isdecimal() else ""
    rule = f" {word}{policy.rule}" if policy.rule else ""
    effect = f": {policy.effect}" if policy.effect else ""
    if policy.name is None and policy.rule == "default-deny" and policy.namespace is not None:
        # OVN isolates a namespace as a whole ("NP:shop:Ingress").
        return f"default deny of namespace {policy.namespace}{effect}"
    return f"{policy_text(policy)}{rule}{effect}"
