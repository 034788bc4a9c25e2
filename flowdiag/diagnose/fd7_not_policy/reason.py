"""FD700."""

from __future__ import annotations

from collections.abc import Iterator

from flowdiag.diagnose.case import Case
from flowdiag.diagnose.confidence import Basis
from flowdiag.diagnose.rule import Rule
from flowdiag.diagnose.signs import Sign
from flowdiag.model.event import Cause
from flowdiag.model.finding import Finding
from flowdiag.model.reasons import REASONS, reason_by_code
from flowdiag.model.report import Severity
from flowdiag.model.tally import DistinctFlow

__all__ = ["NotPolicy"]

_CAUSES = {
    Cause.NOISE: "background noise",
    Cause.CONFIGURATION: "a matter of configuration",
    Cause.FAULT: "a fault in the data path",
    Cause.POLICY: "a security setting's decision",
}
_SEVERITIES = {
    Cause.NOISE: Severity.INFO,
    Cause.CONFIGURATION: Severity.LOW,
    Cause.FAULT: Severity.MEDIUM,
    Cause.POLICY: Severity.LOW,
}
_ADVICE = {
    Cause.NOISE: "No policy is concerned; this is safe to leave alone.",
    Cause.CONFIGURATION: "No policy is concerned: look at the CNI's or the Service's configuration.",
    Cause.FAULT: "No policy is concerned: look at the agent and the data path on that node.",
    Cause.POLICY: "No network policy is concerned: look at the CNI's own security settings.",
}


class NotPolicy(Rule):
    """The packet was dropped, but by no policy: noise, configuration, or a fault of the data path.

    Stands for the FD7xx group of the catalogue: the reason itself tells what happened.

    Signature:
        The record's drop reason is one that the table of reasons puts down as noise, configuration or
        fault: IPv6 neighbour discovery, L2 frames, no backend, a stale address, a full conntrack map.

    Advice:
        One line of meaning per reason; no policy needs a change.

    Guard:
        Reasons of policy (133, 181, 177, 189) never come here, and neither does a reason that the table
        does not know: what is unknown is not called noise.

    References:
        https://github.com/cilium/cilium/blob/main/api/v1/flow/flow.proto
        https://github.com/cilium/cilium/issues/38212
    """

    code = "FD700"
    slug = "not-policy"
    title = "Packets from {source} to {destination} were dropped, but not by policy"
    severity = Severity.INFO
    signs = (Sign.NOT_POLICY,)
    specificity = 100

    def diagnose(self, case: Case) -> Iterator[Finding]:
        """See `Rule.diagnose`."""
        cause = case.flow.distinct.cause
        if not case.not_policy or cause is None:
            return
        yield self.finding(
            case,
            summary=_meaning(case.flow.distinct),
            advice=_ADVICE[cause],
            basis=Basis.RECORD,
            severity=_SEVERITIES[cause],
            cause_key=case.reason,
        )


def _meaning(flow: DistinctFlow) -> str:
    """Say what a refused record's reason means."""
    name = flow.reason or flow.reason_raw or "an unnamed reason"
    info = REASONS.get(flow.reason or "")
    if info is None and flow.reason_code is not None:
        info = reason_by_code(flow.reason_code)
    what = _CAUSES[flow.cause] if flow.cause is not None else "of unknown cause"
    return f"{name}: {info.meaning}; {what}." if info is not None else f"{name}: {what}."
