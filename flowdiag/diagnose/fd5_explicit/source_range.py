"""FD506."""

from __future__ import annotations

from collections.abc import Iterator

from flowdiag.diagnose.case import Case
from flowdiag.diagnose.confidence import Basis
from flowdiag.diagnose.rule import Rule
from flowdiag.diagnose.signs import Sign
from flowdiag.diagnose.wording import a_list, end_text
from flowdiag.model.finding import Finding
from flowdiag.model.objects import Service
from flowdiag.model.report import Severity

__all__ = ["SourceRange"]


class SourceRange(Rule):
    """The client is outside the Service's loadBalancerSourceRanges.

    Signature:
        Drop reason 177, `DENIED_BY_LB_SRC_RANGE_CHECK`.

    Advice:
        Add the client's range to the Service, or confirm that it is meant to be kept out.

    Guard:
        Only that reason: a Service with source ranges may be refused by policy as well.

    References:
        https://docs.cilium.io/en/stable/network/kubernetes/kubeproxy-free/#loadbalancer-source-ranges-checks
        https://kubernetes.io/docs/reference/kubernetes-api/service-resources/service-v1/
    """

    code = "FD506"
    slug = "lb-source-range"
    title = "{source} is outside the source ranges of {destination}"
    severity = Severity.MEDIUM
    signs = (Sign.REASON,)
    specificity = 98

    def diagnose(self, case: Case) -> Iterator[Finding]:
        """See `Rule.diagnose`."""
        if case.reason != "DENIED_BY_LB_SRC_RANGE_CHECK":
            return
        service = self._service(case)
        ranges = (
            f" Service {service.namespace}/{service.name} admits {a_list(service.source_ranges)}."
            if service is not None
            else ""
        )
        yield self.finding(
            case,
            summary=f"{end_text(case.flow.src)} is not within loadBalancerSourceRanges of the Service.{ranges}",
            advice="Add the client's range to loadBalancerSourceRanges if it is meant to get in.",
            basis=Basis.RECORD,
            cause_key="lb-source-range",
        )

    @staticmethod
    def _service(case: Case) -> Service | None:
        known = [end.service for end in (case.flow.via, case.flow.dst) if end is not None and end.service]
        if case.flow.dst.pod is not None:
            known.extend(case.context.services_of(case.flow.dst.pod))
        # The agent knows a load balancer's address as one outside.
        known.extend(one for one in case.context.snapshot.services if case.flow.dst.ip in one.external_ips)
        return next((service for service in known if service.source_ranges), None)
