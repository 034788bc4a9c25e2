"""What to do about a connection that nothing allows: the rule to add, or else why it is not that.

For FD101 (`flowdiag.diagnose.fd1_isolation.default_deny`).
"""

from __future__ import annotations

from flowdiag.diagnose.case import Case
from flowdiag.diagnose.fd1_isolation.unseen_clients import of_a_control_plane, of_a_proxy
from flowdiag.diagnose.fqdn import allowed_names
from flowdiag.diagnose.health_checks import health_check
from flowdiag.diagnose.inside import service_outside
from flowdiag.diagnose.lost_identity import perhaps_lost
from flowdiag.diagnose.needs import Needs
from flowdiag.diagnose.ovn_routers import of_a_router
from flowdiag.diagnose.replies import answering_port
from flowdiag.diagnose.wording import a_list, end_text, known_end_text, policy_text, port_text, rule_text
from flowdiag.model.endpoint import EndpointKind
from flowdiag.model.event import Direction
from flowdiag.model.policy import CALICO_GROUPS, Condition, Dialect, NearestRule
from flowdiag.model.words import IF_MEANT
from flowdiag.policy.addresses import parse_address

__all__ = ["advised", "to_bring"]

_CILIUM = "cilium.io"
_OBJECTS = (Needs.POLICIES, Needs.PODS, Needs.NAMESPACES, Needs.SERVICES)

_BY_NAME = {
    Dialect.CILIUM: "a CiliumNetworkPolicy can go by the name (toFQDNs)",
    Dialect.GKE: "a FQDNNetworkPolicy can go by the name",
    Dialect.ANTREA: "a policy of Antrea's can go by the name (fqdn)",
}
"""Who lets in by DNS names."""


def advised(case: Case) -> str:
    """What to change where the policies refuse: a rule that lets the connection in, unless something else is the matter."""
    return (
        _of_discovery(case)
        or _other_family(case)
        or _of_platform(case)
        or of_a_proxy(case)
        or of_a_control_plane(case)
        or perhaps_lost(case)
        or _answering(case)
        or _of_a_service(case)
        or _of_a_balancer(case)
        or _of_a_pattern(case)
        or _of_ports(case)
        or _a_rule(case)
    )


def _a_rule(case: Case) -> str:
    who, peer = known_end_text(case.context, case.enforcer), known_end_text(case.context, case.peer)
    way = "to" if case.direction == "egress" else "from"
    whom = next(iter(case.peer.dns_names), peer)
    return (
        f"{IF_MEANT}{who} have an {case.direction} rule {way} {whom} on {port_text(case)}; "
        f"if it is not, the policies work as written.{_by_name(case)}"
    )


def _by_name(case: Case) -> str:
    """Say that a name's addresses change, and what goes by the name where there is such a thing."""
    if case.direction is not Direction.EGRESS or not case.peer.dns_names:
        return ""
    dialect = case.context.dialect
    goes = _BY_NAME.get(dialect) if dialect is not None else None
    return (
        f" Its addresses may change: {goes}."
        if goes
        else " Its addresses may change, and a rule goes by them."
    )


def to_bring(case: Case) -> str:
    """What to add to the input: who an end was, the namespace or the kinds that were not read, else those of the time."""
    discovery = _of_discovery(case)
    if discovery is not None:
        return discovery
    for end in (case.enforcer, case.peer):
        if end.kind is EndpointKind.UNKNOWN and end.note is not None and len(end.candidates) == 1:
            return f"Find out whose {end.ip} was (a dump of that time, Events of pods): {end.note}."
    where = case.enforcer.namespace
    if Needs.POLICIES in case.has and where is not None and where not in case.context.namespaces_read:
        return (
            f"Bring the objects of namespace {where} (kubectl get ... -n {where} -o yaml): nothing of it was read, "
            "and what was read may be of another cluster."
        )
    missing = [need.words[0] for need in _OBJECTS if need not in case.context.has]
    if not missing:
        return "Bring the objects of that time: those that were read do not tell which policies isolate it."
    return (
        f"Add the cluster's {a_list(missing)} (kubectl get ... -A -o yaml) to see which policies isolate it."
    )


_EVERY = {"0.0.0.0/0": (6, "IPv4", "IPv6", "::/0"), "::/0": (4, "IPv6", "IPv4", "0.0.0.0/0")}
"""Ranges that mean everybody of one family, with the other one's number, both names, and what means everybody there."""


def _other_family(case: Case) -> str | None:
    """A rule for everybody, held against an address of the family that it says nothing of."""
    address = parse_address(case.peer.ip) if case.peer.ip is not None else None
    for rule in case.nearest if address is not None else ():
        for miss in rule.misses:
            # "0.0.0.0/0 except 10.0.0.0/8" is everybody outside, too.
            whole = miss.wanted.partition(" ")[0]
            found = _EVERY.get(whole) if miss.condition is Condition.IP else None
            if found is not None and address is not None and address.version == found[0]:
                _, own, other, range_ = found
                return (
                    f"{whole} in {rule_text(rule)} is every {own} address and no {other} one: if everybody is "
                    f"meant, write {range_} beside it."
                )
    return None


def _answering(case: Case) -> str | None:
    """What may be answers needs no rule: one for a client's port would be for a connection that is over."""
    port = answering_port(case)
    if port is None:
        return None
    return (
        f"If these are answers of {end_text(case.flow.src)} from port {port}, add no rule: look at conntrack (entries that "
        "expired or were lost) and at agents that began again. If it is a call of its own, let the refusing end admit it."
    )


def _of_a_service(case: Case) -> str | None:
    """A Service that was asked for, held against a rule that means the pods behind it, before it is translated."""
    service = case.flow.dst.service if case.direction is Direction.EGRESS else None
    rule = next(iter(case.missing_one(Condition.SERVICE)), None)
    if service is None or rule is None:
        return None
    return (
        f"{rule_text(rule)} may mean the pods, but not Service {service.namespace}/{service.name}: here a Service is held "
        "against the rules before it is translated, and a rule's podSelector means it where the Service's own selector "
        f"has what is asked for ({_wanted(rule)}). Add that to the Service's selector, or ask for less in the rule."
    )


def _of_a_balancer(case: Case) -> str | None:
    """A Service's address outside the cluster, which no selector means: the rules may mean the pods behind it."""
    service = service_outside(case.context, case.peer) if case.direction is Direction.EGRESS else None
    if service is None:
        return None
    whose = f"Service {service.namespace}/{service.name}"
    return (
        f"{case.peer.ip} is {whose}'s address for callers outside the cluster: rules that select its pods do not mean "
        f"it. Call {service.name}.{service.namespace}, or allow {case.peer.ip} as an address, if the call is meant."
    )


def _of_a_pattern(case: Case) -> str | None:
    """A name of the peer that one of Cilium's patterns ends as, but for the number of labels before that end."""
    for ref, patterns in allowed_names(case) if case.peer.dns_names else ():
        for pattern in patterns if ref.group == _CILIUM else ():
            star, _, end = pattern.text.rstrip(".").lower().partition(".")
            if pattern.exact or star != "*" or "*" in end or not end:
                continue
            for name in case.peer.dns_names:
                plain = name.rstrip(".").lower()
                if plain == end:
                    return (
                        f"{pattern.text} in {policy_text(ref)} means names below {end} and not {end} itself: if it is "
                        f"meant, add matchName: {end}."
                    )
                if plain.endswith("." + end) and not pattern.holds(name):
                    return (
                        f"The star of {pattern.text} in {policy_text(ref)} stands for one label, and {name} has more before "
                        f"{end}: if it is meant, add its name, or matchPattern: '**.{end}' (Cilium 1.19 and later)."
                    )
    return None


def _wanted(rule: NearestRule) -> str:
    return a_list([miss.wanted or "" for miss in rule.misses if miss.condition is Condition.SERVICE])


def _of_ports(case: Case) -> str | None:
    """A ping, held against a rule for ports: it has none, and such a rule does not mean it."""
    if case.protocol not in _PINGED:
        return None
    for rule in case.missing_one(Condition.PROTOCOL):
        if rule.policy.group == "cilium.io":
            family = "IPv6" if case.protocol == "ICMPv6" else "IPv4"
            icmp = case.flow.distinct.icmp
            kind = f", type: {icmp.type}" if icmp is not None and icmp.type is not None else ""
            way = f"admit it by a rule with icmps: [{{fields: [{{family: {family}{kind}}}]}}]"
        elif rule.policy.group in CALICO_GROUPS:
            way = f"admit it by a rule with protocol: {case.protocol}"
        else:
            way = "NetworkPolicy has no word for it but a rule without ports"
        return f"{rule_text(rule)} is for ports, and {port_text(case)} has none: if it is meant, {way}."
    return None


_PINGED = frozenset({"ICMP", "ICMPv6"})
_DISCOVERY = {135: "solicitation", 136: "advertisement"}
"""Types of ICMPv6 by which the owner of an address on the link is found (RFC 4861, 4.3 and 4.4)."""


def _of_discovery(case: Case) -> str | None:
    """Neighbor discovery, which IPv6 has instead of ARP: no rule is missing, the enforcer is to let it by.

    kube-router took it for traffic of the pods and dropped it (cloudnativelabs/kube-router#1701, #1895), Cilium where
    another CNI connects the pods (cilium#16285).
    """
    icmp = case.flow.distinct.icmp
    kind = _DISCOVERY.get(icmp.type) if case.protocol == "ICMPv6" and icmp is not None and icmp.type else None
    if kind is None:
        return None
    return (
        f"This is a neighbor {kind}, by which IPv6 finds who has an address on the link: without it nothing reaches that "
        "address. The enforcer is to let it pass whatever the policies say, so add no rule for these two ends: look "
        "for a release of the CNI that does, or let the agents allow ICMPv6."
    )


def _of_platform(case: Case) -> str | None:
    """A cloud's health checks, without which its load balancer sends nobody, or what comes through a node's router."""
    if case.direction is Direction.INGRESS and of_a_router(case.context, case.peer):
        return (
            f"{case.peer.ip} is of the ranges by which OVN joins its routers: a node calls, or somebody whose address a "
            "node replaced (a NodePort or load balancer with externalTrafficPolicy: Cluster). A rule for the address would "
            "be for all of them on that node alone: allow the host network by its namespace's label (OpenShift: "
            'policy-group.network.openshift.io/host-network: ""), or keep clients\' addresses with externalTrafficPolicy: '
            "Local. Nodes with their annotations tell which node it is."
        )
    told = health_check(case.peer.ip) if case.direction is Direction.INGRESS else None
    if told is None:
        return None
    whose, ranges = told
    return (
        f"{case.peer.ip} is of {whose}, which takes a backend that does not answer out of service: allow "
        f"{a_list(list(ranges))} on {port_text(case)}."
    )
