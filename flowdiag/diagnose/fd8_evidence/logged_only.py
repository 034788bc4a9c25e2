"""FD807."""

from __future__ import annotations

from collections.abc import Iterator

from flowdiag.diagnose.case import Case
from flowdiag.diagnose.confidence import Basis
from flowdiag.diagnose.rule import Rule
from flowdiag.diagnose.wording import end_text, port_text
from flowdiag.model.event import Verdict
from flowdiag.model.finding import Finding
from flowdiag.model.report import Confidence, Severity

__all__ = ["LoggedOnly"]


class LoggedOnly(Rule):
    """The line only says that a rule logged the packet, not what became of it.

    Signature:
        A record of a `Log` rule (Calico's `calico-packet`), whose verdict nothing tells.

    Advice:
        Read it with the rule behind the Log rule; for refusals use flow logs, or a Log rule right before
        the Deny.  Plain Kubernetes NetworkPolicies leave no trace in iptables Calico at all.

    Guard:
        A record with a verdict of its own is never this.

    References:
        https://github.com/projectcalico/calico/issues/6418
        https://github.com/projectcalico/calico/issues/2709
    """

    code = "FD807"
    slug = "logged-only"
    title = "{source} to {destination} on {port} was logged; what became of it is not recorded"
    severity = Severity.INFO
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
        yield self.finding(
            case,
            summary=(
                f"A Log rule noted {end_text(case.flow.src)} to {end_text(case.flow.dst)} on "
                f"{port_text(case)}; {replayed}."
            ),
            advice="Look at the rule behind the Log rule; flow logs tell verdicts, this log does not.",
            basis=Basis.STATE,
            most=Confidence.POSSIBLE,
            cause_key="logged",
        )
