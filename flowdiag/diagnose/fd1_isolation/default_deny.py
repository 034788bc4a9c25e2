"""FD101."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct

from flowdiag.diagnose.caching import cached_per_run
from flowdiag.diagnose.case import Case
from flowdiag.diagnose.confidence import Basis
from flowdiag.diagnose.context import Context
from flowdiag.diagnose.fd1_isolation.default_deny_advice import advised, to_bring
from flowdiag.diagnose.needs import Needs
from flowdiag.diagnose.rule import Rule
from flowdiag.diagnose.signs import Sign
from flowdiag.diagnose.wording import (
    a_list,
    end_text,
    isolating_text,
    known_end_text,
    miss_text,
    policies_text,
    rule_text,
)
from flowdiag.model.finding import Finding
from flowdiag.model.policy import Condition, EndDecision, NearestRule, PolicyRef
from flowdiag.model.report import Confidence, Severity

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
        return self.finding(
            case,
            summary=f"{isolating_text(case)} {verb} {who} for {case.direction}{rest}",
            advice=advised(case),
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
            advice=to_bring(case),
            basis=Basis.PATTERN,
            cause_key="recorded",
            limits=(_why_unknown(case),),
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
