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
        otherwise a sign of missing policy state (FD806).  Where no policies were read at all it is possible
        at most, since one of those may isolate the endpoint.

    References:
        https://docs.cilium.io/en/stable/security/policy/intro/
        https://github.com/cilium/cilium/issues/48444
    """

    code = "FD105"
    slug = "enforcement-mode-always"
    title = "{source} cannot reach {destination} on {port}: enforcement is on without a policy"
    severity = Severity.HIGH
    needs = Needs.NONE
    signs = (Sign.POLICY | Sign.ALWAYS,)
    specificity = 62

    def diagnose(self, case: Case) -> Iterator[Finding]:
        """See `Rule.diagnose`."""
        mode = case.context.snapshot.config.get("cilium.enable-policy", "")
        if mode.lower() != "always" or case.not_policy or case.isolating or case.denied_by_rule:
            return
        read = Needs.POLICIES in case.context.has
        if case.end is None and (read or not case.refused_by_policy):
            return
        who, way = end_text(case.enforcer), case.direction or "this"
        if read:
            summary = f"No policy selects {who} for {way}, and the agent's enable-policy is always, which closes every endpoint."
        else:
            summary = (
                f"The agent's enable-policy is always, which closes every endpoint, and none of the policies that would "
                f"open {who} for {way} was read."
            )
        yield self.finding(
            case,
            summary=summary,
            advice=(
                f"Add a policy that allows what {who} needs, or set enable-policy to default; kubelet "
                "probes need fromEntities: [host]."
            ),
            basis=Basis.STATE,
            most=Confidence.DERIVED if read else Confidence.POSSIBLE,
            cause_key="enable-policy=always",
            limits=() if read else (_NONE_READ,),
        )


_NONE_READ = "No policies were read: where the cluster has some, one that isolates it may be what refuses."
