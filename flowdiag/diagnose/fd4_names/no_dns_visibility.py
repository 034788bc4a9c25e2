"""FD405."""

from __future__ import annotations

from collections.abc import Iterator

from flowdiag.diagnose.agent_messages import agent_messages
from flowdiag.diagnose.case import Case
from flowdiag.diagnose.confidence import Basis
from flowdiag.diagnose.fqdn import allowed_names, has_dns_rule
from flowdiag.diagnose.needs import Needs
from flowdiag.diagnose.rule import Rule
from flowdiag.diagnose.signs import Sign
from flowdiag.diagnose.wording import end_text, policy_text
from flowdiag.model.endpoint import OUTSIDE_KINDS
from flowdiag.model.event import Direction
from flowdiag.model.finding import Finding
from flowdiag.model.report import Confidence, Severity

__all__ = ["NoDnsVisibility"]

_SAID = ("policy-rejected", "policy-imported", "fqdn-update-timeout")
"""The import that brought the names without the lookups, or a rule for these that was not taken."""


class NoDnsVisibility(Rule):
    """A toFQDNs rule, and no rule that sends the endpoint's lookups through the DNS proxy.

    Signature:
        Egress to an outside address refused; an isolating policy has toFQDNs for this port, and none of the
        policies that isolate the endpoint has a port rule with `rules.dns`.

    Advice:
        Add a rule to the DNS pods on 53 with `rules: {dns: [{matchPattern: "*"}]}` for the same endpoint.

    Guard:
        One `rules.dns` in any policy of this endpoint is enough: silent then, whichever policy holds it.  A
        record that knows the address by name shows that lookups are seen.

    References:
        https://github.com/cilium/cilium/issues/44452
        https://docs.cilium.io/en/stable/security/policy/language/#dns-based
    """

    code = "FD405"
    slug = "fqdn-without-dns-proxy"
    title = "{source} cannot reach {destination} on {port}: names are allowed, but lookups are not seen"
    severity = Severity.HIGH
    needs = Needs.POLICIES
    signs = (Sign.POLICY | Sign.EGRESS | Sign.OUTWARD | Sign.BY_NAME,)
    specificity = 82

    def diagnose(self, case: Case) -> Iterator[Finding]:
        """See `Rule.diagnose`."""
        if case.direction is not Direction.EGRESS or case.not_policy or case.singled_out:
            return
        if case.flow.dst.kind not in OUTSIDE_KINDS:
            return
        if case.flow.dst.dns_names or case.flow.distinct.dns_names:
            return  # The agent knows the address by name, so it did see lookups.
        policies = [one for one in allowed_names(case) if one[0].group == "cilium.io"]
        if not policies or case.end is None or has_dns_rule(case):
            return
        agent = agent_messages(case, *_SAID)
        yield self.finding(
            case,
            summary=(
                f"{policy_text(policies[0][0])} allows names by toFQDNs, but no policy of "
                f"{end_text(case.flow.src)} has a DNS rule (rules.dns), so no address is ever learnt."
                f"{agent.text}"
            ),
            said=agent.said,
            advice='Add egress to the DNS pods on port 53 with rules: {dns: [{matchPattern: "*"}]}.',
            basis=Basis.STATE,
            most=Confidence.LIKELY,
            cause_key="no-dns-rule",
        )
