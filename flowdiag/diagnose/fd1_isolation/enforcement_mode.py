"""FD105."""

from __future__ import annotations

from collections.abc import Iterator

from flowdiag.diagnose.case import Case
from flowdiag.diagnose.confidence import Basis
from flowdiag.diagnose.needs import Needs
from flowdiag.diagnose.rule import Rule
from flowdiag.diagnose.signs import Sign
from flowdiag.diagnose.wording import end_text
from flowdiag.model.finding import Finding
from flowdiag.model.report import Confidence, Severity

__all__ = ["EnforcementMode"]


class EnforcementMode(Rule):
    """Cilium enforces on every endpoint, with or without a policy.

    Signature:
        Refused by policy, no policy selects the refusing end, and the agent's configuration says
        `enable-policy: always` (`policyEnforcementMode`).

    Advice:
        Add a policy that allows the traffic; kubelet probes need `fromEntities: [host]` since Cilium 1.20.

    Guard:
        Fires only where the configuration was read and says `always`; an endpoint without policies is
        otherwise a sign of missing policy state (FD806).

    References:
        https://docs.cilium.io/en/stable/security/policy/intro/
        https://github.com/cilium/cilium/issues/48444
    """

    code = "FD105"
    slug = "enforcement-mode-always"
    title = "{source} cannot reach {destination} on {port}: enforcement is on without a policy"
    severity = Severity.HIGH
    needs = Needs.POLICIES
    signs = (Sign.POLICY | Sign.ALWAYS,)
    specificity = 62

    def diagnose(self, case: Case) -> Iterator[Finding]:
        """See `Rule.diagnose`."""
        mode = case.context.snapshot.config.get("cilium.enable-policy", "")
        if mode.lower() != "always" or case.end is None or case.not_policy:
            return
        if case.isolating or case.denied_by_rule:
            return
        who = end_text(case.enforcer)
        yield self.finding(
            case,
            summary=(
                f"No policy selects {who} for {case.direction}, and the agent's enable-policy is always, "
                "which closes every endpoint."
            ),
            advice=(
                f"Add a policy that allows what {who} needs, or set enable-policy to default; kubelet "
                "probes need fromEntities: [host]."
            ),
            basis=Basis.STATE,
            most=Confidence.DERIVED,
            cause_key="enable-policy=always",
        )
