"""FD101."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct

from flowdiag.diagnose.caching import cached_per_run
from flowdiag.diagnose.case import Case
from flowdiag.diagnose.confidence import Basis
from flowdiag.diagnose.context import Context
from flowdiag.diagnose.health_checks import health_check
from flowdiag.diagnose.inside import service_outside
from flowdiag.diagnose.needs import Needs
from flowdiag.diagnose.replies import answering_port
from flowdiag.diagnose.rule import Rule
from flowdiag.diagnose.signs import Sign
from flowdiag.diagnose.wording import (
    a_list,
    end_text,
    isolating_text,
    known_end_text,
    miss_text,
    policies_text,
    port_text,
    rule_text,
)
from flowdiag.model.endpoint import EndpointKind
from flowdiag.model.event import Direction
from flowdiag.model.finding import Finding
from flowdiag.model.policy import CALICO_GROUPS, Condition, Dialect, EndDecision, NearestRule, PolicyRef
from flowdiag.model.report import Confidence, Severity
from flowdiag.model.words import IF_MEANT
from flowdiag.policy.addresses import parse_address

__all__ = ["DefaultDeny"]

# Reasons by which a record itself says "isolated, and nothing matched": Cilium's enum name (133), and the
# words that the other parsers use for the end of a tier and for a default rule.  "policy-denied" is what
# sources say that know of no other refusal than a NetworkPolicy's (GKE, kindnet, kube-network-policies).
_DEFAULT_DENY_REASONS = frozenset(
    {"POLICY_DENIED", "default-deny", "end-of-tier", "bpf-end-of-tier", "no-profile-match", "policy-denied"}
)

_NEEDED = (
    (Condition.PORT, Needs.SERVICES, "whether a rule names a Service's port instead of the pod's"),
    (Condition.POD, Needs.PODS, "which pods the rule means"),
    (Condition.NAMESPACE, Needs.NAMESPACES, "which labels the namespaces have"),
)


_OBJECTS = (Needs.POLICIES, Needs.PODS, Needs.NAMESPACES, Needs.SERVICES)


_BY_NAME = {
    Dialect.CILIUM: "a CiliumNetworkPolicy can go by the name (toFQDNs)",
    Dialect.GKE: "a FQDNNetworkPolicy can go by the name",
    Dialect.ANTREA: "a policy of Antrea's can go by the name (fqdn)",
}
"""Who lets in by DNS names."""


class DefaultDeny(Rule):
    """An endpoint is isolated in a direction, and no rule admits the connection.

    No single policy "denies": every policy that selects the endpoint isolates it, and all of their rules
    together do not match.  This is the answer where no rule came so near that a mistake can be named.

    Signature:
        The replay isolates the refusing end and finds no matching rule, and none that misses in one
        condition by what looks like a mistake; or, without policies at hand, the record itself says
        default deny (Hubble `POLICY_DENIED`, code 133, which names no policy).

    Advice:
        Name every isolating policy and the nearest rule.  If the call is meant, add a rule; if not, the
        policies work as written.  A rule for every address of one IP family covers none of the other.
        Traffic from the addresses of a cloud's health checks is named as such.  Where a Service is held
        against rules before it is translated (AWS), a rule for the pods' port does not cover the Service's.

    Guard:
        With a replay, an empty isolating set is never a default deny: the policies at hand are not those of
        the time, or something else refused (FD105, FD806).  Without policies, or where they cannot be
        decided for what is known of the ends, only the record speaks, and the isolating policies are said
        to be unknown.  A drop without a known reason is put down to policies only if the replay refuses it.

    References:
        https://kubernetes.io/docs/concepts/services-networking/network-policies/
        https://github.com/cilium/cilium/issues/41357
        https://github.com/projectcalico/calico/issues/10753
    """

    code = "FD101"
    slug = "default-deny"
    title = "Nothing allows {source} to reach {destination} on {port}"
    severity = Severity.HIGH
    signs = (Sign.POLICY,)
    specificity = 10

    def diagnose(self, case: Case) -> Iterator[Finding]:
        """See `Rule.diagnose`."""
        if case.not_policy or case.reason == "POLICY_DENY":
            return
        if case.end is None or (case.end.allowed is None and not case.isolating):
            yield from self._recorded(case)
        elif case.isolating and not case.denied_by_rule and case.end.allowed is not True:
            # Neither the record nor the replay says that a policy refused, so no policy is blamed.
            if case.end.allowed is None and case.unexplained:
                return
            yield self._replayed(case, case.end)

    def _replayed(self, case: Case, end: EndDecision) -> Finding:
        who, peer = known_end_text(case.context, case.enforcer), known_end_text(case.context, case.peer)
        missed = _missed(case.context, end)
        verb = "isolates" if len(case.isolating) == 1 else "isolate"
        limits = missed.limits
        if missed.text is None:
            rest = f", and no rule there could admit {peer}."
        else:
            rest = missed.text
            if len(missed.conditions) == 1:
                limits += tuple(
                    f"The state holds no {need.words[0]}, so {what} cannot be told."
                    for condition, need, what in _NEEDED
                    if condition in missed.conditions and need not in case.has
                )
        # A rule that misses on labels of objects that were not read may match after all.
        guessed = Needs.NAMESPACES not in case.has and missed.conditions == {Condition.NAMESPACE}
        way = "to" if case.direction == "egress" else "from"
        whom = next(iter(case.peer.dns_names), peer)
        advice = (
            f"{IF_MEANT}{who} have an {case.direction} rule {way} {whom} on {port_text(case)}; "
            f"if it is not, the policies work as written.{_by_name(case)}"
        )
        advice = (
            _other_family(case)
            or _of_platform(case)
            or _answering(case)
            or _of_a_service(case)
            or _of_a_balancer(case)
            or _of_ports(case)
            or advice
        )
        return self.finding(
            case,
            summary=f"{isolating_text(case)} {verb} {who} for {case.direction}{rest}",
            advice=advice,
            most=Confidence.LIKELY if guessed else Confidence.RECORDED,
            cause_key=missed.key,
            limits=limits,
        )

    def _recorded(self, case: Case) -> Iterator[Finding]:
        named = tuple(
            PolicyRef(hit.kind, hit.group or "", hit.namespace, hit.name)
            for hit in case.recorded_defaults
            if hit.kind is not None and hit.name is not None
        )
        if not named and case.reason not in _DEFAULT_DENY_REASONS:
            return
        who, peer = end_text(case.enforcer), end_text(case.peer)
        side = f"The {case.direction} side of {who}" if case.direction else f"{who} or {peer}"
        if named:
            names = policies_text(named)
            summary = f"{side} refused by default: the record names {names}, whose rules did not match."
            advice = "Without the policies' text the rule to change cannot be named: add them to the input."
            yield self.finding(
                case,
                summary=summary,
                advice=advice,
                basis=Basis.RECORD,
                cause_key="recorded",
                # A profile is what would have allowed where nothing isolates.
                isolating=tuple(ref for ref in named if ref.kind != "Profile"),
            )
            return
        summary = (
            f"{side} refused by default ({case.reason}): no rule matched, and the record names no policy."
        )
        yield self.finding(
            case,
            summary=summary,
            advice=_to_bring(case),
            basis=Basis.PATTERN,
            cause_key="recorded",
            limits=(_why_unknown(case),),
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


class _Missed(Struct, frozen=True):
    """What the replay's answer for the refusing end says, whoever meets it."""

    text: str | None
    """What the nearest rule misses, where there is one."""
    key: str
    conditions: frozenset[Condition]
    limits: tuple[str, ...]


@cached_per_run
def _missed(context: Context, end: EndDecision) -> _Missed:
    del context
    if not end.nearest:
        return _Missed(None, "no-rule", frozenset(), ())
    nearest = end.nearest[0]
    missed = a_list([miss_text(miss) for miss in nearest.misses])
    conditions = frozenset(miss.condition for miss in nearest.misses)
    return _Missed(
        f"; the nearest rule, {rule_text(nearest)}, misses on {missed}."
        if missed
        else f"; whether {rule_text(nearest)} admits it is not known.",
        "+".join(sorted(conditions)) or "unknown",
        conditions,
        tuple(_doubt(rule) for rule in end.nearest[:3] if rule.unknown and not _is_told(rule, end)),
    )


def _is_told(rule: NearestRule, end: EndDecision) -> bool:
    """Whether the sentence on why the replay cannot decide says everything about a rule already."""
    words = {f"{rule_text(rule)}: {word}" for word in rule.unknown}
    return end.allowed is None and not rule.misses and words <= set(end.unknown[:2])


def _doubt(rule: NearestRule) -> str:
    """What is not known of a rule: one condition that surely misses is enough for it not to match."""
    verdict = "misses, in more than that or not" if rule.misses else "may match"
    return f"{rule_text(rule)} {verdict}: {a_list(rule.unknown, most=2)}."


def _to_bring(case: Case) -> str:
    """What to add to the input: who an end was, the namespace or the kinds that were not read, else those of the time."""
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


def _why_unknown(case: Case) -> str:
    decided = case.decision
    ends = (case.end,) if case.end is not None or decided is None else (decided.egress, decided.ingress)
    doubts = dict.fromkeys(doubt for end in ends if end is not None for doubt in end.unknown)
    if doubts:
        return f"The replay cannot decide: {a_list(list(doubts), most=2)}."
    if Needs.POLICIES not in case.context.has:
        return "No policies were read, so the isolating policies and the nearest rule are not known."
    if decided is None:
        return "Neither end is known as a pod or node of the cluster, so the policies could not be replayed."
    return "The policies that were read isolate neither end, so far as the ends are known."


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


def _of_platform(case: Case) -> str | None:
    """A cloud's health checks, without which its load balancer sends nobody."""
    told = health_check(case.peer.ip) if case.direction is Direction.INGRESS else None
    if told is None:
        return None
    whose, ranges = told
    return (
        f"{case.peer.ip} is of {whose}, which takes a backend that does not answer out of service: allow "
        f"{a_list(list(ranges))} on {port_text(case)}."
    )
