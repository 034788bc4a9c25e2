"""FD208."""

from __future__ import annotations

from collections.abc import Iterator

from flowdiag.diagnose.case import Case
from flowdiag.diagnose.needs import Needs
from flowdiag.diagnose.rule import Rule
from flowdiag.diagnose.signs import API_PORTS, Sign
from flowdiag.diagnose.wording import a_list, end_text, rule_text
from flowdiag.diagnose.written_ranges import ip_blocks
from flowdiag.model.event import Direction
from flowdiag.model.finding import Finding
from flowdiag.model.report import Confidence, Severity

__all__ = ["ApiServerEgress"]


class ApiServerEgress(Rule):
    """A pod that needs the Kubernetes API may not reach it.

    Signature:
        Egress to the `default/kubernetes` Service, one of its endpoints, or the entity `kube-apiserver`,
        on 443 or 6443, refused by default.  What people see first is often a failing liveness probe.

    Advice:
        Cilium: `toEntities: [kube-apiserver]`; others: an ipBlock of the endpoints with the endpoint's port,
        as policy sees the packet after the Service's translation.

    Guard:
        An address that neither the state nor the record ties to the API server is just an outside address:
        managed clusters keep theirs outside, so port 443 alone never counts.

    References:
        https://github.com/rancher/rke2/issues/5434
        https://github.com/cilium/cilium/issues/37298
    """

    code = "FD208"
    slug = "apiserver-egress"
    title = "{source} cannot reach the Kubernetes API ({destination} on {port})"
    severity = Severity.HIGH
    needs = Needs.POLICIES
    signs = (Sign.DEFAULT | Sign.EGRESS | Sign.API_PORT,)
    specificity = 78

    def diagnose(self, case: Case) -> Iterator[Finding]:
        """See `Rule.diagnose`."""
        if case.direction is not Direction.EGRESS or not case.default_denied or case.port not in API_PORTS:
            return
        if not self._is_apiserver(case):
            return
        source, dst = end_text(case.flow.src), case.flow.dst
        vips = self._vips(case)
        vip_rule = next(
            (
                rule
                for rule in case.nearest
                if any(block.admits(vip) for block in ip_blocks(case, rule) for vip in vips)
                and not any(block.holds(dst.ip) for block in ip_blocks(case, rule))
            ),
            None,
        )
        known = f"{source} is isolated for egress and no rule admits the API server ({dst.ip or 'kube-apiserver'})."
        if vip_rule is not None:
            known = (
                f"{rule_text(vip_rule)} allows the Service's address, but policy sees the endpoint "
                f"{dst.ip}:{case.port} behind it."
            )
        cilium = case.context.by_identity
        # Some enforcers see the Service's own address; else a record's may be one of a whole range.
        where = dst.ip if dst.ip in vips else a_list(sorted(case.context.api_addresses)) or dst.ip
        where = where or "see kubectl get endpoints kubernetes"
        advice = (
            "Allow toEntities: [kube-apiserver]."
            if cilium
            else f"Allow an ipBlock of the API server's endpoints ({where}) on port {case.port}."
        )
        yield self.finding(
            case,
            first=vip_rule,
            summary=known,
            advice=advice,
            cause_key="kube-apiserver",
            most=Confidence.DERIVED,
        )

    @staticmethod
    def _vips(case: Case) -> tuple[str, ...]:
        service = case.context.index.services.get(("default", "kubernetes"))
        return service.cluster_ips if service is not None else ()

    @classmethod
    def _is_apiserver(cls, case: Case) -> bool:
        dst, via = case.flow.dst, case.flow.via
        if dst.entity == "kube-apiserver" or case.flow.distinct.dst.entity == "kube-apiserver":
            return True
        # A flow log that gathers outside addresses still names the Service that was asked for.
        if case.flow.distinct.dst.service == "default/kubernetes":
            return True
        for end in (dst, via):
            if end is not None and end.service is not None:
                return (end.service.namespace, end.service.name) == ("default", "kubernetes")
        return dst.ip in case.context.api_addresses or dst.ip in cls._vips(case)
