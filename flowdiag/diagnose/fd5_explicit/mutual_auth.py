"""FD508."""

from __future__ import annotations

from collections.abc import Iterator

from flowdiag.cluster.passing import got_past
from flowdiag.diagnose.case import Case
from flowdiag.diagnose.confidence import Basis
from flowdiag.diagnose.rule import Rule
from flowdiag.diagnose.signs import Sign
from flowdiag.diagnose.wording import end_text
from flowdiag.model.finding import Finding
from flowdiag.model.report import Severity

__all__ = ["MutualAuth"]

_FEW = 3


class MutualAuth(Rule):
    """The policy asks for mutual authentication, and it was not complete.

    Signature:
        Drop reason 189, `AUTH_REQUIRED`.  The first packet of a new pair is dropped by design.

    Advice:
        If it goes on, look at SPIRE and the handshake between the two agents; the rules are right.

    Guard:
        A few drops followed by allowed traffic of the same pair are how it works: info only.

    References:
        https://docs.cilium.io/en/stable/network/servicemesh/mutual-authentication/mutual-authentication/
        https://github.com/cilium/cilium/blob/main/api/v1/flow/flow.proto
    """

    code = "FD508"
    slug = "mutual-auth-required"
    title = "Mutual authentication of {source} with {destination} is not complete"
    severity = Severity.MEDIUM
    signs = (Sign.REASON,)
    specificity = 98

    def diagnose(self, case: Case) -> Iterator[Finding]:
        """See `Rule.diagnose`."""
        if case.reason != "AUTH_REQUIRED":
            return
        later = [
            flow
            for flow in case.context.allowed_alike(case.flow)
            if flow.last is not None and case.flow.first is not None and flow.last >= case.flow.first
            if got_past(flow, case.direction)
        ]
        by_design = bool(later) and case.flow.count <= _FEW
        yield self.finding(
            case,
            summary=(
                f"Packets of {end_text(case.flow.src)} to {end_text(case.flow.dst)} waited for mutual "
                f"authentication{', which then completed' if by_design else ''}."
            ),
            advice=(
                "The first packets of a new pair are dropped by design; nothing to do."
                if by_design
                else "Look at SPIRE and the agents' handshake; the policy's rules are not the cause."
            ),
            basis=Basis.RECORD,
            severity=Severity.INFO if by_design else None,
            cause_key="auth-required",
        )
