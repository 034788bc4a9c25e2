"""Ends, policies and misses in words that people use, for summaries and advice."""

from __future__ import annotations

from collections.abc import Sequence

from flowdiag.diagnose.caching import cached_per_run
from flowdiag.diagnose.case import Case
from flowdiag.diagnose.context import Context
from flowdiag.model.endpoint import Endpoint, EndpointKind
from flowdiag.model.event import Direction
from flowdiag.model.policy import (
    CALICO_GROUPS,
    CONDITION_WORDS,
    EndDecision,
    Miss,
    NearestRule,
    PolicyRef,
)
from flowdiag.model.words import object_text as policy_text
from flowdiag.model.words import protocol_text

__all__ = [
    "a_list",
    "end_text",
    "isolating_text",
    "known_end_text",
    "miss_text",
    "pods_by_labels",
    "policies_text",
    "policy_text",
    "port_text",
    "refused_text",
    "rule_text",
    "seconds",
]

_LISTED = 4


def end_text(end: Endpoint) -> str:
    """Name an end at the level people speak of: ``shop/checkout``, ``node node-a``, an address, an entity."""
    workload = end.workload or (end.pod.workload if end.pod else None)
    if end.kind in (EndpointKind.POD, EndpointKind.WORKLOAD):
        name = workload.name if workload is not None else end.name
        there = f" of cluster {end.cluster}" if end.cluster is not None else ""
        return (
            f"{end.namespace}/{name or '?'}{there}" if end.namespace else name or end.ip or "an unknown pod"
        )
    if end.kind is EndpointKind.NODE:
        return f"node {end.name or end.ip or '?'}"
    if end.kind is EndpointKind.SERVICE:
        return f"Service {end.namespace}/{end.name}"
    if end.kind is EndpointKind.ENTITY and end.entity:
        return f"{end.entity} ({end.ip})" if end.ip else end.entity
    if end.dns_names and end.ip:
        return f"{end.dns_names[0]} ({end.ip})"
    return end.ip or end.cidr or end.name or "an unknown end"


@cached_per_run
def known_end_text(context: Context, end: Endpoint) -> str:
    """`end_text`, written once a run."""
    del context
    return end_text(end)


def refused_text(case: Case) -> str:
    """Whom a rule denied, and at which end where that is known: ``shop/web at data/redis``."""
    if case.direction is None:
        return f"{end_text(case.flow.src)} to {end_text(case.flow.dst)}"
    return f"{end_text(case.peer)} at {end_text(case.enforcer)}"


def rule_text(rule: NearestRule) -> str:
    """``NetworkPolicy frontend/allow-dns egress[0]``."""
    return f"{policy_text(rule.policy)} {rule.rule}"


def miss_text(miss: Miss) -> str:
    """``namespace label name=kube-system (found none)``; ``ICMP type 8 (found ICMPv6)``, whose rule names the kind."""
    found = f"found {miss.found}" if miss.found is not None else "found none"
    word = CONDITION_WORDS[miss.condition]
    wanted = miss.wanted if miss.wanted.startswith(f"{word} ") else f"{word} {miss.wanted}"
    return f"{wanted} ({found})"


def pods_by_labels(rule: NearestRule) -> str:
    """What selects pods by their labels in the language of a rule: ``namespaceSelector and podSelector``."""
    if rule.policy.group == "cilium.io":
        word = "toEndpoints" if "egress" in rule.rule else "fromEndpoints"
        return f"{word} (another namespace's by k8s:io.kubernetes.pod.namespace)"
    if rule.policy.group in CALICO_GROUPS:
        return "selector and namespaceSelector"
    return "namespaceSelector and podSelector"


def port_text(case: Case) -> str:
    """``8080/TCP``, ``TCP``, ``ICMP type 3 code 4`` or ``any port``."""
    icmp = case.flow.distinct.icmp
    protocol = case.protocol
    if icmp is not None and icmp.type is not None:
        code = "" if icmp.code is None else f" code {icmp.code}"
        return f"{protocol or 'ICMP'} type {icmp.type}{code}"
    if case.port is None:
        return protocol_text(protocol) if protocol else "any port"
    return f"{case.port}/{protocol}" if protocol else str(case.port)


def a_list(texts: list[str] | tuple[str, ...], *, most: int = _LISTED, of: int | None = None) -> str:
    """``a``, ``a and b``, ``a, b and 7 more``.

    Args:
        texts: what is listed.
        most: how many are shown.
        of: how many there are, where `texts` holds only the first.
    """
    shown = list(texts[:most])
    count = len(texts) if of is None else of
    if count > most:
        return f"{', '.join(shown)} and {count - most} more"
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} and {shown[-1]}" if shown else ""


def policies_text(refs: Sequence[PolicyRef], *, most: int = _LISTED) -> str:
    """`a_list` of policies; of thousands only those that are shown are written."""
    return a_list([policy_text(ref) for ref in refs[:most]], most=most, of=len(refs))


def isolating_text(case: Case) -> str:
    """`Case.isolating` as sentences name it: what closed the end stands first, as where people read lists of it."""
    return _isolating_text(case.context, case.end, case.direction) if case.end is not None else ""


@cached_per_run
def _isolating_text(context: Context, end: EndDecision, direction: Direction | None) -> str:
    """The oldest first, and of one age those without a rule: an allow policy isolates as well, and found the end closed."""

    def age(ref: PolicyRef) -> tuple[bool, int, bool]:
        known = context.policy(ref)
        created = min((one.created for one in known if one.created is not None), default=None)
        opens = not known or any(one.spec.get(str(direction)) for one in known)
        return (created is None, created or 0, opens)

    refs = end.closed_by or end.isolated_by
    return policies_text(sorted(refs, key=age) if len(refs) > 1 else refs)


def seconds(nanoseconds: int) -> str:
    """A distance in time for people: ``0.8 s``, ``5 s``, ``3 min``."""
    value = abs(nanoseconds) / 1_000_000_000
    if value < 10:
        return f"{value:.1f} s"
    return f"{value:.0f} s" if value < 120 else f"{value / 60:.0f} min"
