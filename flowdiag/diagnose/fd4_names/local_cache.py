"""FD402."""

from __future__ import annotations

from collections.abc import Iterator

from flowdiag.diagnose.case import Case
from flowdiag.diagnose.confidence import Basis
from flowdiag.diagnose.dns import LOCAL_CACHE_IPS, dns_addresses, is_dns_traffic
from flowdiag.diagnose.rule import Rule
from flowdiag.diagnose.signs import Sign
from flowdiag.diagnose.wording import end_text
from flowdiag.model.endpoint import EndpointKind
from flowdiag.model.event import Direction
from flowdiag.model.finding import Finding
from flowdiag.model.policy import Condition, Dialect
from flowdiag.model.report import Confidence, Severity

__all__ = ["NodeLocalCache"]


class NodeLocalCache(Rule):
    """Lookups go to the NodeLocal DNSCache, which rules for the DNS pods do not mean.

    Signature:
        Egress on 53 to 169.254.20.10 or 169.254.25.10, or to a hostNetwork node-local-dns pod, refused.

    Advice:
        Allow an ipBlock of the local address and of the DNS Service's address (Cilium: a local redirect
        policy, or the host entity).

    Guard:
        Other link-local addresses are not a DNS cache; the cloud's metadata server is FD309.  A rule that admits
        the cache for another protocol is FD303.

    References:
        https://github.com/projectcalico/calico/issues/3795
        https://kubernetes.io/docs/tasks/administer-cluster/nodelocaldns/
    """

    code = "FD402"
    slug = "node-local-dns"
    title = "DNS lookups of {source} to the node's DNS cache are blocked"
    severity = Severity.HIGH
    signs = (Sign.POLICY | Sign.LOOKUP,)
    specificity = 86

    def diagnose(self, case: Case) -> Iterator[Finding]:
        """See `Rule.diagnose`."""
        if not is_dns_traffic(case) or case.not_policy or case.direction is Direction.INGRESS:
            return
        dst = case.flow.dst
        local = dst.ip in LOCAL_CACHE_IPS
        pods = [dst.pod] if dst.pod is not None else []
        if dst.kind is EndpointKind.NODE:
            pods.extend(case.context.host_pods(dst.name, dst.ip))
        behind = [pod for pod in pods if pod.host_network and pod.labels.get("k8s-app") == "node-local-dns"]
        if not local and not behind:
            return
        if case.end is not None and case.end.allowed is True:
            return
        if case.missing_one(Condition.PORT, Condition.PROTOCOL):
            return  # A rule does mean the cache: FD304 or FD303.
        ranges = " and ".join(
            f"{ip}/{128 if ':' in ip else 32}" for ip in [*([dst.ip] if dst.ip else []), *dns_addresses(case)]
        )
        advice = f"Allow UDP and TCP 53 to an ipBlock of {ranges or 'the local address and the DNS Service'}."
        if case.context.dialect is Dialect.CILIUM:
            advice = "Use a CiliumLocalRedirectPolicy for the cache, or allow toEntities: [host] on 53."
        yield self.finding(
            case,
            summary=(
                f"{end_text(case.flow.src)} asks the node's DNS cache at {dst.ip or end_text(dst)}, which no "
                "rule for the DNS pods covers, as it runs in the node's network."
            ),
            advice=advice,
            basis=Basis.REPLAY if case.end is not None else Basis.STATE,
            most=Confidence.DERIVED if case.end is not None else Confidence.LIKELY,
            cause_key="node-local-dns",
        )
