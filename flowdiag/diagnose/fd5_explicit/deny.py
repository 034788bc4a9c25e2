"""FD501."""

from __future__ import annotations

from collections.abc import Iterator

from flowdiag.diagnose.case import Case
from flowdiag.diagnose.confidence import Basis
from flowdiag.diagnose.dns import lookups_closed
from flowdiag.diagnose.replayed import behind_all
from flowdiag.diagnose.rule import Rule
from flowdiag.diagnose.signs import Sign
from flowdiag.diagnose.spec import rule_at
from flowdiag.diagnose.webhooks import denied_webhook
from flowdiag.diagnose.wording import a_list, end_text, policy_text, port_text, refused_text, rule_text
from flowdiag.model.event import Direction, PolicyHit
from flowdiag.model.finding import Finding
from flowdiag.model.report import Confidence, Severity

__all__ = ["ExplicitDeny"]


_ONE_EACH = "EgressFirewall"
"""A kind of which a namespace has one object at most, so that its namespace names it (OVN's logs do no more)."""


_ANTREA = "crd.antrea.io"
"""Its policies are tried by tier, priority and rule."""


_ORDERED = "policy.networking.k8s.io"
# Admin policies, of which one of higher rank does override (FD503).

# What was recorded, to what matched and what to look for.  Cilium's reason 181; the tiers of the AWS network policy
# agent v1.3.0; drop causes of NetObserv's agent 1.8.
_UNNAMED = {
    "POLICY_DENY": ("a deny rule", "deny rules (ingressDeny, egressDeny)"),
    "admin-tier-deny": ("a deny rule of the admin tier", "deny rules of admin policies"),
    "baseline-tier-deny": ("a deny rule of the baseline tier", "deny rules of the baseline admin policy"),
    "egress-firewall": ("a rule of an EgressFirewall", "deny rules of the EgressFirewall of its namespace"),
}


class ExplicitDeny(Rule):
    """A rule says deny, and deny wins over every allow of the same rank.

    Signature:
        Hubble `POLICY_DENY` (181), a refusal by a tier or kind whose rules deny, or a recorded deny that names its policy; or the replay finds a matching
        deny rule (`ingressDeny`, `egressDeny`).

    Advice:
        Narrow the deny rule: an allow beside it changes nothing, not even a more specific CIDR.  In an
        EgressFirewall the first rule that matches decides: put the allow before the Deny.  Antrea's rules
        go by tier, priority and their order in a policy.  A rule for a name before the Deny may mean the
        address, which OVN-Kubernetes asks DNS for only now and then.

    Guard:
        `POLICY_DENIED` (133) is a default deny and never this.  Rules of ordered tiers (Calico, admin
        policies) are FD502 and FD503.

    References:
        https://docs.cilium.io/en/stable/security/policy/deny/
        https://github.com/cilium/cilium/issues/20914
    """

    code = "FD501"
    slug = "explicit-deny"
    title = "A rule denies {source} to {destination} on {port}"
    severity = Severity.HIGH
    signs = (Sign.POLICY | Sign.HITS, Sign.POLICY | Sign.RULE, Sign.POLICY | Sign.REASON)
    specificity = 87

    def diagnose(self, case: Case) -> Iterator[Finding]:
        """See `Rule.diagnose`."""
        if case.not_policy or denied_webhook(case) or case.rest_denied is not None:
            return
        if lookups_closed(case) is not None:
            return
        recorded = [
            hit
            for hit in case.recorded_denies
            if (hit.name is not None or hit.kind == _ONE_EACH) and hit.group != _ORDERED
        ]
        peer, whom = end_text(case.flow.dst if case.direction is None else case.peer), refused_text(case)
        # Who is refused on the way out is not the one that gets through.
        way = "get through" if case.direction is Direction.INGRESS else "be reached"
        meant = f"If {peer} is meant to {way} on {port_text(case)},"
        advice = f"{meant} narrow the deny rule; no allow overrides it."
        decided = case.end.decided_by if case.end is not None and not recorded else None
        if (recorded and all(hit.group == _ANTREA for hit in recorded)) or (
            decided is not None and decided.policy.group == _ANTREA
        ):
            advice = (
                f"{meant} allow it by an earlier rule of the same policy, in a policy of the tier with a lower priority, or "
                "in an earlier tier: the first match decides."
            )
        if behind_all(case.context, case.end) is not None:
            advice += " A NetworkPolicy that selects it is asked before the baseline, and then decides alone."
        if (recorded and all(hit.kind == _ONE_EACH for hit in recorded)) or (
            decided is not None and decided.policy.kind == _ONE_EACH
        ):
            advice = (
                _named_before(case, peer)
                or f"{meant} allow it before that Deny: of an EgressFirewall the first rule that matches decides."
            )
        if recorded:
            names = a_list([_text(hit) for hit in recorded])
            yield self.finding(
                case,
                summary=f"The record says that {names} denied {whom}.",
                advice=advice,
                basis=Basis.RECORD,
                cause_key="deny:" + names,
            )
            return
        if case.denied_by_rule and decided is not None:
            yield self.finding(
                case,
                summary=f"{policy_text(decided.policy)} {decided.rule} denies {whom}.",
                advice=advice,
                cause_key=f"deny:{policy_text(decided.policy)} {decided.rule}",
            )
        elif case.reason in _UNNAMED:
            rule, where = _UNNAMED[case.reason]
            yield self.finding(
                case,
                summary=f"The record says that {rule} matched {whom}, without naming it.",
                advice=f"Look for {where} that select it; the policies at hand show none.",
                basis=Basis.STATE,
                most=Confidence.LIKELY,
                cause_key=f"deny:{rule}",
                limits=("Which policy holds the deny rule is not known.",),
            )


def _named_before(case: Case, peer: str) -> str | None:
    """Say that a rule of the EgressFirewall allows a name, where it may be that of the address that was denied.

    OVN-Kubernetes asks for the addresses of a name itself, in intervals of its TTL (OpenShift, "Configuring an egress
    firewall"): a pod that gets another one in between is denied.
    """
    for rule in case.end.nearest if case.end is not None else ():
        to = (rule_at(case, rule) or {}).get("to") if rule.policy.kind == _ONE_EACH else None
        name = to.get("dnsName") if isinstance(to, dict) else None
        if isinstance(name, str) and rule.unknown and not rule.misses:
            return (
                f"{rule_text(rule)} allows {name}: if {peer} is one of its addresses, OVN-Kubernetes did not know it then. It "
                "asks DNS itself, in intervals of the TTL, so that a name whose answers change is better allowed by its "
                "ranges, before that Deny. If it is another's, the rules work as written."
            )
    return None


def _text(hit: PolicyHit) -> str:
    kind = hit.kind or "policy"
    if hit.name is None:
        return f"the {kind} of namespace {hit.namespace}" if hit.namespace else f"an {kind}"
    return f"{kind} {hit.namespace}/{hit.name}" if hit.namespace else f"{kind} {hit.name}"
