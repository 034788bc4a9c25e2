"""A policy of its own that opens one connection, in the language of those that isolate the end."""

from __future__ import annotations

import copy
import math
import re
from collections.abc import Set as AbstractSet
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from flowdiag.diagnose.calico_places import order_of
from flowdiag.diagnose.case import Case
from flowdiag.diagnose.proposals.calico import calico_peer, calico_selector
from flowdiag.diagnose.proposals.cilium import cilium_peer
from flowdiag.diagnose.proposals.edit import Edit
from flowdiag.diagnose.proposals.kubernetes import GROUP, kubernetes_peer
from flowdiag.diagnose.proposals.merged import opening_text
from flowdiag.diagnose.proposals.ports import answers_lookups, protocols
from flowdiag.diagnose.replayed import is_deny
from flowdiag.diagnose.spec import policy_now
from flowdiag.diagnose.wording import end_text, policy_text
from flowdiag.model.cilium import POLICY_KINDS
from flowdiag.model.endpoint import Endpoint
from flowdiag.model.event import Direction
from flowdiag.model.objects import PolicyObject
from flowdiag.model.policy import CALICO_GROUPS, PEER_WORDS, Dialect, EndDecision, PolicyRef
from flowdiag.policy.compile.calico_tiers import KUBERNETES_ORDER

__all__ = ["DNS_NAME", "free_name", "languages", "own_policy"]

DNS_NAME = "allow-dns"
_NAME = re.compile(r"[^a-z0-9-]+")
_MAX_NAME = 63


def own_policy(
    case: Case,
    direction: Direction,
    decision: EndDecision,
    enforcer: Endpoint,
    peer: Endpoint,
    labels: dict[str, str] | None,
    given: AbstractSet[PolicyRef],
    isolating: PolicyRef | None,
) -> Edit | None:
    """A small policy that only opens this connection; DNS for everybody whom the isolating policy selects.

    Args:
        case: the refused flow.
        direction: the end that it opens.
        decision: what the policies say of that end.
        enforcer: the end, with a pod of it.
        peer: the other end.
        labels: what is to select the end's pods; without any nothing can be written.
        given: names that new policies of other problems have.
        isolating: one of those that isolate, in whose language it is written (`languages`); NetworkPolicy without one.
    """
    pod = enforcer.pod
    if pod is None or pod.host_network or not labels:
        return None
    opening = _Opening(
        name=f"allow-{_plain(enforcer)}-{'to' if direction is Direction.EGRESS else 'from'}-{_plain(peer)}",
        namespace=pod.namespace,
        direction=direction,
        labels=labels,
        protocols=protocols(case, direction),
        port=case.port_behind or 0,
    )
    subject = None
    if direction is Direction.EGRESS and answers_lookups(case):
        written = policy_now(case, isolating) if isolating is not None else None
        if written is not None and written.ref.namespace is not None:
            subject = written.spec
            opening = replace(opening, name=DNS_NAME)
    if isolating is not None and isolating.kind in POLICY_KINDS:
        found = _cilium_policy(opening, subject, cilium_peer(peer, pod.namespace))
    elif isolating is not None and isolating.group in CALICO_GROUPS:
        denies = is_deny(decision)
        found = _calico_policy(
            opening, subject, calico_peer(peer, pod.namespace), isolating, case, denies=denies
        )
    else:
        found = _kubernetes_policy(opening, subject, kubernetes_peer(peer, pod.namespace))
        if found is None and case.context.dialect is Dialect.CILIUM:
            # NetworkPolicy has no word for the API server or the Ingress proxy.
            found = _cilium_policy(opening, None, cilium_peer(peer, pod.namespace))
    if found is None:
        return None
    there = (policy.ref for policy in case.context.snapshot.policies)
    taken = {ref.name for ref in (*there, *given) if ref.namespace == pod.namespace}
    found = replace(found, ref=replace(found.ref, name=free_name(found.ref.name, taken)))
    if subject is not None and isolating is not None:
        text = f"Add {policy_text(found.ref)} to allow DNS to all that {policy_text(isolating)} isolates"
        return Edit(text, direction, None, found)
    who, peers = end_text(enforcer), (end_text(peer),)
    return Edit(opening_text(found.ref, direction, who, peers), direction, None, found, who=who, peers=peers)


class _Opening(Struct, frozen=True, kw_only=True):
    """What a policy of its own is to open, in no language yet."""

    name: str
    namespace: str
    direction: Direction
    labels: dict[str, str]
    protocols: tuple[str, ...]
    port: int


def languages(decision: EndDecision) -> tuple[PolicyRef | None, ...]:
    """Isolating policies in whose languages a new one may be written, best first: NetworkPolicy where one is written in it.

    Where a rule of Calico's denies, only a policy of Calico's can be told to stand before it.
    """
    spoken = _spoken(decision)
    decided = decision.decided_by if is_deny(decision) else None
    if decided is None or decided.policy.group not in CALICO_GROUPS or decided.policy == spoken:
        return (spoken,)
    return (spoken, decided.policy) if spoken is not None and spoken.group == GROUP else (decided.policy,)


def _spoken(decision: EndDecision) -> PolicyRef | None:
    """The isolating policy whose language a new one is written in."""
    closing = decision.closed_by or decision.isolated_by
    plain = next((ref for ref in closing if ref.group == GROUP), None)
    others = [ref for ref in closing if ref.group == "cilium.io" or ref.group in CALICO_GROUPS]
    # A namespace's own policy first: those of the platform stand in tiers that only pass on.
    own = next((ref for ref in others if ref.namespace is not None), None)
    return plain or own or next(iter(others), None)


def _kubernetes_policy(
    opening: _Opening, subject: dict[str, Any] | None, entry: dict[str, Any] | None
) -> PolicyObject | None:
    if entry is None:
        return None
    ref = PolicyRef("NetworkPolicy", GROUP, opening.namespace, opening.name)
    selector = {"matchLabels": opening.labels}
    if subject is not None:
        selector = copy.deepcopy(subject.get("podSelector") or {})
    ports = [{"protocol": protocol, "port": opening.port} for protocol in opening.protocols]
    spec = {
        "podSelector": selector,
        "policyTypes": [opening.direction.value.title()],
        opening.direction.value: [{PEER_WORDS[opening.direction]: [entry], "ports": ports}],
    }
    return PolicyObject(ref=ref, api_version="networking.k8s.io/v1", spec=spec)


def _cilium_policy(
    opening: _Opening, subject: dict[str, Any] | None, entry: tuple[str, list[Any]] | None
) -> PolicyObject | None:
    if entry is None:
        return None
    ref = PolicyRef("CiliumNetworkPolicy", "cilium.io", opening.namespace, opening.name)
    selector = {"matchLabels": opening.labels}
    if subject is not None:
        selector = copy.deepcopy(subject.get("endpointSelector") or {})
    ports = [{"port": str(opening.port), "protocol": protocol} for protocol in opening.protocols]
    rule = {f"{PEER_WORDS[opening.direction]}{entry[0]}": entry[1], "toPorts": [{"ports": ports}]}
    spec = {"endpointSelector": selector, opening.direction.value: [rule]}
    return PolicyObject(ref=ref, api_version="cilium.io/v2", spec=spec)


def _calico_policy(
    opening: _Opening,
    subject: dict[str, Any] | None,
    entry: dict[str, Any] | None,
    isolating: PolicyRef,
    case: Case,
    *,
    denies: bool,
) -> PolicyObject | None:
    """It stands in the tier of the policy that isolates: the ends of earlier tiers deny what it would allow.

    Where that has a rule that denies, it stands before it.
    """
    written = policy_now(case, isolating)
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
        **({"order": _before(written.spec.get("order"))} if denies else {}),
        "selector": selector,
        "types": [opening.direction.value.title()],
        opening.direction.value: rules,
    }
    return PolicyObject(ref=ref, api_version=written.api_version, spec=spec)


def _before(order: object) -> int | float:
    """An order that is asked just before another."""
    number = order_of(order)
    if math.isinf(number):
        return int(KUBERNETES_ORDER)
    before = number / 2 if 0 < number <= 1 else number - 1
    return int(before) if before.is_integer() else before


def _plain(end: Endpoint) -> str:
    workload = end.workload or (end.pod.workload if end.pod is not None else None)
    text = workload.name if workload is not None else end.name or next(iter(end.dns_names), end.ip) or "peer"
    return _NAME.sub("-", text.lower()).strip("-")[:24].strip("-")


def free_name(name: str, taken: AbstractSet[str]) -> str:
    """The name, or one like it that nobody has."""
    name = name[: _MAX_NAME - 3].strip("-")
    number = 1
    while (name if number == 1 else f"{name}-{number}") in taken:
        number += 1
    return name if number == 1 else f"{name}-{number}"
