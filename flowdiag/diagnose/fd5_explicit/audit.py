"""FD505."""

from __future__ import annotations

from collections.abc import Iterator

from flowdiag.diagnose.case import Case
from flowdiag.diagnose.confidence import Basis
from flowdiag.diagnose.rule import Rule
from flowdiag.diagnose.signs import Sign
from flowdiag.diagnose.wording import a_list, end_text, policy_text, port_text
from flowdiag.model.finding import Finding
from flowdiag.model.policy import PolicyRef
from flowdiag.model.report import Severity

__all__ = ["AuditOnly"]


class AuditOnly(Rule):
    """Nothing was dropped: the traffic would be denied once the policy is enforced.

    Signature:
        Verdict AUDIT (Cilium's audit mode), or a staged Calico policy's pending verdict.

    Advice:
        Add the missing rule before audit mode is switched off or the staged policy is enforced.

    Guard:
        Never part of the denied total, whatever the replay says.

    References:
        https://docs.cilium.io/en/stable/security/policy-creation/
        https://docs.tigera.io/calico/latest/network-policy/staged-network-policies
    """

    code = "FD505"
    slug = "audit-only"
    title = "{source} to {destination} on {port} would be denied, and was let through"
    severity = Severity.LOW
    signs = (Sign.UNDECIDED,)
    specificity = 110

    def diagnose(self, case: Case) -> Iterator[Finding]:
        """See `Rule.diagnose`."""
        if not case.audited:
            return
        staged = dict.fromkeys(
            policy_text(PolicyRef(hit.kind, hit.group or "", hit.namespace, hit.name))
            for hit in case.flow.distinct.policies
            if hit.kind is not None
            and hit.name is not None
            and hit.kind.startswith("Staged")
            and hit.effect == "deny"
        )
        by = f" Staged, not enforced: {a_list(tuple(staged))}." if staged else ""
        yield self.finding(
            case,
            summary=(
                f"{end_text(case.flow.src)} to {end_text(case.flow.dst)} on {port_text(case)} was let through "
                f"and recorded as what enforcement would deny.{by}"
            ),
            advice="If the call is meant, add a rule for it before the policy is enforced.",
            basis=Basis.RECORD,
            cause_key="audit",
        )
