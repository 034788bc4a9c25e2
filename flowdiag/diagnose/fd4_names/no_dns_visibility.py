"""FD405."""

from __future__ import annotations

from collections.abc import Iterator

from flowdiag.diagnose.agent_messages import agent_messages
from flowdiag.diagnose.case import Case
from flowdiag.diagnose.confidence import Basis
from flowdiag.diagnose.fqdn import allowed_names, has_dns_rule
from flowdiag.diagnose.local_redirect import redirected_past
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
        policies that isolate the endpoint has a port rule with `rules.dns`, or a CiliumLocalRedirectPolicy takes
        the lookups to pods that no such rule is for.

    Advice:
        Add a rule to the DNS pods on 53 with `rules: {dns: [{matchPattern: "*"}]}` for the same endpoint.

    Guard:
        One `rules.dns` in any policy of this endpoint is enough: silent then, whichever policy holds it,
        also one that closes nothing (`enableDefaultDeny`).  A record that knows the address by name shows that
        lookups are seen.

    References:
        https://github.com/cilium/cilium/issues/24654
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
        if not policies or case.end is None:
            return
        passed = None
        if has_dns_rule(case) and (passed := redirected_past(case)) is None:
            return
        agent = agent_messages(case, *_SAID)
        who = end_text(case.flow.src)
        if passed is None:
            why = f"but no policy of {who} has a DNS rule (rules.dns), so no address is ever learnt"
            advice = 'Add egress to the DNS pods on port 53 with rules: {dns: [{matchPattern: "*"}]}.'
        else:
            redirect, pod = passed
            name = f"{pod.namespace}/{pod.name}"
            why = (
                f"but {redirect.kind} {redirect.namespace}/{redirect.name} takes lookups to pods like {name}, for which "
                f"no DNS rule (rules.dns) of {who} is, so no address is learnt"
            )
            advice = f"Let the DNS rule mean the pods of the redirect, too (toEndpoints with the labels of {name})."
        yield self.finding(
            case,
            summary=f"{policy_text(policies[0][0])} allows names by toFQDNs, {why}.{agent.text}",
            said=agent.said,
            advice=advice,
            basis=Basis.STATE,
            most=Confidence.LIKELY,
            cause_key="no-dns-rule" if passed is None else "redirected",
        )
