"""FD807."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec.structs import replace

from flowdiag.diagnose.case import Case
from flowdiag.diagnose.confidence import Basis, lower
from flowdiag.diagnose.rule import Rule
from flowdiag.diagnose.signs import Sign
from flowdiag.diagnose.wording import end_text, port_text
from flowdiag.model.event import Verdict
from flowdiag.model.finding import Finding
from flowdiag.model.reasons import logged_meaning
from flowdiag.model.report import Confidence, Severity

__all__ = ["LoggedOnly"]


class LoggedOnly(Rule):
    """The line only says that a rule logged the packet, not what became of it.

    Signature:
        A record of a `Log` rule (Calico's `calico-packet`), whose verdict nothing tells.  Where one of
        the policies at hand has the Log rule that wrote it, the rules behind that one tell; what they
        refuse is diagnosed like any refusal, and this code marks it as inferred.

    Advice:
        Read it with the rule behind the Log rule; for refusals use flow logs, or a Log rule right before
        the Deny.  Plain Kubernetes NetworkPolicies leave no trace in iptables Calico at all.

    Guard:
        A record with a verdict of its own is never this.  An inferred refusal is never surer than likely:
        the policies at hand may not be those that wrote the line.

    References:
        https://github.com/projectcalico/calico/issues/6418
        https://github.com/projectcalico/calico/issues/2709
    """

    code = "FD807"
    slug = "logged-only"
    title = "{source} to {destination} on {port} was logged; what became of it is not recorded"
    severity = Severity.INFO
    signs = (Sign.UNDECIDED,)
    specificity = 105

    def diagnose(self, case: Case) -> Iterator[Finding]:
        """See `Rule.diagnose`."""
        if case.flow.distinct.verdict is not Verdict.LOGGED:
            return
        verdicts = {True: "would let it pass", False: "would refuse it", None: "cannot decide"}
        decision = case.decision
        replayed = (
            f"the policies at hand {verdicts[decision.allowed]}" if decision else "no policies were read"
        )
        if case.flow.basis is not None:
            replayed = case.flow.basis
        doubtful = logged_meaning(case.reason) is not None
        found = self.finding(
            case,
            summary=(
                f"{'A rule' if doubtful else 'A Log rule'} noted {end_text(case.flow.src)} to {end_text(case.flow.dst)} on "
                f"{port_text(case)}; {replayed}."
            ),
            advice=(
                "Change no policy for this line alone: try the connection from the pod, or see whether "
                "its refusal is logged as well."
                if doubtful
                else "Add the policies of that time (--state) so that the rules behind the Log rule can tell, or "
                "collect flow logs, which hold verdicts."
            ),
            basis=Basis.STATE,
            most=Confidence.POSSIBLE,
            cause_key="logged",
            isolating=(),
        )
        # To name a rule that would deny, or nearly allow, would blame it for a refusal that was not seen.
        yield replace(found, nearest=(), decided_by=None)

    def annotate(self, case: Case, finding: Finding) -> Finding:
        """Label a refusal that was worked out from a logged line."""
        basis = case.flow.basis
        if basis is None or case.flow.distinct.verdict is Verdict.LOGGED:
            return finding
        text = f"Logged, not recorded as refused; inferred from {basis} (FD807)."
        word = lower(finding.confidence, Confidence.LIKELY)
        return replace(finding, confidence=word, limits=(text, *finding.limits))
