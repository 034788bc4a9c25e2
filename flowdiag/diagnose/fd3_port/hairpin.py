"""FD310."""

from __future__ import annotations

from collections.abc import Iterator

from flowdiag.diagnose.case import Case
from flowdiag.diagnose.confidence import Basis
from flowdiag.diagnose.rule import Rule
from flowdiag.diagnose.signs import Sign
from flowdiag.diagnose.wording import end_text
from flowdiag.model.endpoint import EndpointKind
from flowdiag.model.finding import Finding
from flowdiag.model.report import Confidence, Severity

__all__ = ["Hairpin"]


class Hairpin(Rule):
    """A pod calls itself through its own Service.

    Signature:
        Source and destination are one pod, directly or behind a Service.

    Advice:
        Call localhost, or allow the workload to reach itself on both sides.  NetworkPolicy leaves this
        case to the CNI.

    Guard:
        Two pods of one workload are ordinary peers; a hostNetwork pod that calls another on its node only
        shares the address.

    References:
        https://github.com/kubernetes/kubernetes/issues/95879
        https://github.com/kubernetes-sigs/network-policy-api/issues/343
    """

    code = "FD310"
    slug = "hairpin"
    title = "{source} cannot reach itself on {port}"
    severity = Severity.MEDIUM
    signs = (Sign.POLICY | Sign.POD_PEER | Sign.SELF,)
    specificity = 94

    def diagnose(self, case: Case) -> Iterator[Finding]:
        """See `Rule.diagnose`."""
        src, dst = case.flow.src, case.flow.dst
        if case.not_policy or EndpointKind.POD not in (src.kind, dst.kind) or src.kind is not dst.kind:
            return
        if (src.namespace, src.name) != (dst.namespace, dst.name) or src.name is None:
            return
        if src.pod is not None and src.pod.host_network:
            return
        via = case.flow.via
        how = f" through Service {via.namespace}/{via.name}" if via is not None else ""
        yield self.finding(
            case,
            summary=f"{end_text(src)} calls itself{how}; NetworkPolicy does not say what becomes of that.",
            advice=(
                "Call localhost instead, or let the workload's policies admit its own pods in both directions."
            ),
            basis=Basis.STATE,
            most=Confidence.LIKELY,
            cause_key="hairpin",
        )
