"""FD401."""

from __future__ import annotations

from collections.abc import Iterator

from flowdiag.diagnose.case import Case
from flowdiag.diagnose.confidence import Basis, policy_times
from flowdiag.diagnose.dns import CLOUD_RESOLVER, dns_pods, is_dns_server, is_dns_traffic, lookups_closed
from flowdiag.diagnose.kube_ovn import excepted_for_all
from flowdiag.diagnose.needs import Needs
from flowdiag.diagnose.rule import Rule
from flowdiag.diagnose.signs import Sign
from flowdiag.diagnose.wording import a_list, end_text, isolating_text, miss_text, policy_text, rule_text
from flowdiag.diagnose.written_ranges import ip_blocks
from flowdiag.model.endpoint import EndpointKind
from flowdiag.model.event import Direction
from flowdiag.model.finding import Finding
from flowdiag.model.policy import Condition, DecidedBy, EndDecision, NearestRule
from flowdiag.model.report import Confidence, Severity

__all__ = ["DnsBlocked"]

_AWS_AGENT = "aws-network-policy-agent"
"""It logs egress denials of pods that no egress policy selects (aws/aws-network-policy-agent#582)."""


class DnsBlocked(Rule):
    """Lookups are refused on the client's side, so nothing that needs a name works.

    Signature:
        Egress on 53 (5353, 1053) to the cluster's DNS Service or pods, or to the cloud's resolver in their place
        (169.254.169.254), refused because the client is isolated and no rule admits it.  A rule that misses by one condition is the cause and is shown.
        A baseline's Deny that names no port is such a default, too.

    Advice:
        Allow DNS over UDP and TCP to the DNS pods; every isolated namespace needs it.

    Guard:
        Only the client's side: a refusal at the DNS pods' ingress is a mistake of their policies.  A
        refused public resolver (8.8.8.8) beside working cluster DNS is no outage: not this finding.  A TCP
        retry while UDP is allowed is FD304.  Policies that allow the lookup on both ends did not refuse it,
        unless the record says that a policy refused it on the client's side and the known policies may not
        be those of that time.

    References:
        https://github.com/kubernetes/website/issues/38267
        https://github.com/aws/aws-network-policy-agent/issues/230
        https://github.com/tektoncd/operator/issues/4000
    """

    code = "FD401"
    slug = "dns-blocked"
    title = "DNS is blocked for {source}"
    severity = Severity.HIGH
    needs = Needs.NONE
    signs = (Sign.POLICY | Sign.LOOKUP,)
    specificity = 80

    def diagnose(self, case: Case) -> Iterator[Finding]:
        """See `Rule.diagnose`."""
        if not is_dns_traffic(case) or case.not_policy:
            return
        closed = lookups_closed(case)
        if closed is not None:
            yield self._behind(case, closed)
        if case.singled_out:
            return
        if case.direction is Direction.INGRESS:
            return
        server = is_dns_server(case)
        if case.end is not None:
            if server:
                yield from self._judged(case, case.end)
            return
        if case.decision is not None and case.decision.allowed is True:
            return
        unknown = case.flow.dst.kind in (EndpointKind.UNKNOWN, EndpointKind.WORKLOAD)
        if case.reason == "POLICY_DENY" or not (server or (unknown and not Needs.PODS & case.has)):
            return
        yield self._undecided(case)

    def _judged(self, case: Case, end: EndDecision) -> Iterator[Finding]:
        """What the replay says of the client's side, or the record where the replay cannot speak for that time."""
        if case.isolating and end.allowed is not True:
            yield self._replayed(case)
        elif end.allowed is True and _of_another_time(case):
            yield self._recorded(case)
        elif end.allowed is None and _client_refused(case):
            yield self._undecided(case)

    def _behind(self, case: Case, decided: DecidedBy) -> Finding:
        """A baseline closes whatever no policy of a namespace opens, as a default deny does."""
        who, name = end_text(case.flow.src), f"{policy_text(decided.policy)} {decided.rule}"
        return self.finding(
            case,
            summary=f"{name} denies {who} lookups with all else, as no NetworkPolicy selects it for egress.",
            advice=f"{_rule(case)}, in a NetworkPolicy that selects {who}: it then decides alone about its egress.",
            cause_key=f"dns:behind:{name}",
        )

    def _undecided(self, case: Case) -> Finding:
        return self.finding(
            case,
            summary=f"Lookups of {end_text(case.flow.src)} to {end_text(case.flow.dst)} are refused.",
            advice=f"{_rule(case)}.",
            basis=Basis.PATTERN,
            cause_key="dns",
            limits=(
                "No policies were read, so the isolating policies are not known."
                if case.decision is None
                else "The policies at hand cannot decide it, so the isolating policies are not known.",
            ),
        )

    def _recorded(self, case: Case) -> Finding:
        """The record alone says so: policies that allow lookups are known, and when they came is not."""
        end = case.end
        allows = end.decided_by if end is not None else None
        now = (
            f"{policy_text(allows.policy)} {allows.rule} allows them as it is known"
            if allows is not None
            else "no policy that was read isolates it"
        )
        return self.finding(
            case,
            summary=(
                f"Lookups of {end_text(case.flow.src)} to {end_text(case.flow.dst)} are refused by policy; {now}, "
                "and it is not certain that it was so then."
            ),
            advice=excepted_for_all(case)
            or (
                f"If lookups are refused still, {_rule(case, 'allow')}."
                if allows is None
                else f"See whether lookups are refused still, or since when {policy_text(allows.policy)} is as it is."
            ),
            basis=Basis.PATTERN,
            cause_key="dns:before",
        )

    def _replayed(self, case: Case) -> Finding:
        who = end_text(case.flow.src)
        isolated = isolating_text(case)
        verb = "isolates" if len(case.isolating) == 1 else "isolate"
        singles = case.singles
        most = Confidence.DERIVED
        if singles:
            _, rule, condition = singles[0]
            missed = a_list([miss_text(miss) for miss in rule.misses])
            return self.finding(
                case,
                first=rule,
                summary=(
                    f"{isolated} {verb} {who} for egress, and {rule_text(rule)}, which comes nearest to "
                    f"allowing DNS, misses on {missed}."
                ),
                advice=f"{_of_the_rule(case, rule, condition)}{_rule(case)}.",
                cause_key=f"dns:{condition}:{a_list([miss.wanted for miss in rule.misses])}",
                most=most,
            )
        doubtful = next((rule for rule in case.nearest if not rule.misses and rule.unknown), None)
        if doubtful is not None:
            # Whether that rule allows it depends on something that is not known here.
            return self.finding(
                case,
                first=doubtful,
                summary=(
                    f"{isolated} {verb} {who} for egress; whether {rule_text(doubtful)} allows DNS is not known: "
                    f"{a_list(doubtful.unknown, most=2)}."
                ),
                advice=f"Look whether that rule is meant to allow lookups. {_rule(case)}.",
                cause_key="dns:unknown",
                most=Confidence.POSSIBLE,
            )
        return self.finding(
            case,
            summary=f"{isolated} {verb} {who} for egress, and no rule there allows DNS.",
            advice=f"{_rule(case)}.",
            cause_key="dns",
            most=most,
        )


def _rule(case: Case, verb: str = "Allow") -> str:
    if case.flow.dst.ip == CLOUD_RESOLVER:
        return (
            f"{verb} egress to {CLOUD_RESOLVER}/32 on 53 over UDP and TCP by an ipBlock: the cloud answers the pods' lookups "
            "there (Cloud DNS for GKE), and no selector means it"
        )
    namespace, key, value = dns_pods(case)
    return (
        f"{verb} egress to the DNS pods on their port over UDP and TCP: namespaceSelector "
        f"kubernetes.io/metadata.name: {namespace} with podSelector {key}: {value}"
    )


def _of_another_time(case: Case) -> bool:
    """The client's side refused by policy, and what is known of the policies of that time does not tell which."""
    if not _client_refused(case) or case.end is None:
        return False
    return not case.end.isolated_by or bool(policy_times(case))


def _client_refused(case: Case) -> bool:
    """The record says that a policy on the client's side did it, and is to be trusted where no policy is known to."""
    if case.flow.distinct.parser == _AWS_AGENT:
        return False
    return case.flow.direction is Direction.EGRESS and case.refused_by_policy


def _of_the_rule(case: Case, rule: NearestRule, condition: Condition) -> str:
    """What is to be done about the rule that came near, with a blank behind it; empty where it means somebody else."""
    if condition is Condition.ENTITY:
        # A rule for the API server, say, came near by chance, and is no rule for DNS with a mistake in it.
        return ""
    if condition is not Condition.IP:
        return f"Correct the {condition} in that rule. "
    ip = case.peer.ip
    taken = [one for block in ip_blocks(case, rule) if block.holds(ip) and (one := block.excepting(ip))]
    return f"That rule's exception {taken[0]} covers the DNS pods, too. " if taken else ""
