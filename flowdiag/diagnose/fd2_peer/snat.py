"""FD210."""

from __future__ import annotations

from collections.abc import Iterator

from flowdiag.diagnose.case import Case
from flowdiag.diagnose.handed_on import handing_on, proxy_header
from flowdiag.diagnose.needs import Needs
from flowdiag.diagnose.rule import Rule
from flowdiag.diagnose.signs import Sign
from flowdiag.diagnose.wording import end_text, rule_text
from flowdiag.diagnose.written_ranges import IpBlock, ip_blocks
from flowdiag.model.endpoint import EndpointKind
from flowdiag.model.event import Direction
from flowdiag.model.finding import Finding
from flowdiag.model.policy import Condition
from flowdiag.model.report import Confidence, Severity

__all__ = ["TranslatedSource"]


class TranslatedSource(Rule):
    """The client's address was replaced by a node's on the way in, so a rule for clients does not match.

    Signature:
        Ingress from a node's address to a pod behind a NodePort or LoadBalancer Service with
        `externalTrafficPolicy: Cluster`, and a rule that allows an outside range misses only on the address.

    Advice:
        Set `externalTrafficPolicy: Local`, use DSR, or filter at the load balancer
        (`loadBalancerSourceRanges`).  A load balancer that speaks the PROXY protocol shows policies no
        client in either case.

    Guard:
        Silent where the Service keeps the client's address (`Local`), and where the range holds the node's
        address (then it is FD207).  A range that holds pods was not written for clients outside, and the
        node's own processes may call too.

    References:
        https://github.com/cilium/cilium/issues/23603
        https://github.com/projectcalico/calico/issues/2660
    """

    code = "FD210"
    slug = "translated-source"
    title = "Clients of {destination} on {port} arrive with a node's address"
    severity = Severity.HIGH
    needs = Needs.POLICIES | Needs.SERVICES
    signs = (Sign.INGRESS | Sign.FROM_HOST | Sign.MISSES_IP,)
    specificity = 73

    def diagnose(self, case: Case) -> Iterator[Finding]:
        """See `Rule.diagnose`."""
        if case.direction is not Direction.INGRESS or case.flow.src.kind is not EndpointKind.NODE:
            return
        service = handing_on(case)
        if service is None:
            return
        for rule in case.missing_one(Condition.IP):
            blocks = ip_blocks(case, rule)
            if not blocks or any(block.holds(case.flow.src.ip) for block in blocks):
                continue
            outside = next((block for block in blocks if not _holds_pods(case, block)), None)
            if outside is None:
                continue
            name, header = f"{service.namespace}/{service.name}", proxy_header(service)
            yield self.finding(
                case,
                first=rule,
                summary=(
                    f"{rule_text(rule)} allows {outside.cidr}, but Service {name} ({service.type}, "
                    f"externalTrafficPolicy Cluster) hands clients on with the address of {end_text(case.flow.src)}."
                ),
                advice=(
                    f"Set externalTrafficPolicy: Local on Service {name}, or filter with "
                    "loadBalancerSourceRanges and allow the nodes."
                    if header is None
                    else f"The load balancer of Service {name} speaks the PROXY protocol ({header}), so that clients' addresses "
                    "stand inside the connection: with externalTrafficPolicy: Local policies would see the load balancer's "
                    f"own. Allow the nodes, and filter clients by loadBalancerSourceRanges or in {end_text(case.flow.dst)}."
                ),
                cause_key=f"snat:{name}",
                most=Confidence.LIKELY,
                limits=("The client's own address is in no record on this side of the translation.",),
            )
            return


def _holds_pods(case: Case, block: IpBlock) -> bool:
    """Whether pods of the cluster have addresses in a range, now or by the ranges of its nodes."""
    texts = case.context.texts
    key = (TranslatedSource, block.cidr)
    if key not in texts:
        snapshot = case.context.snapshot
        texts[key] = any(
            block.holds(ip) for pod in snapshot.pods if not pod.host_network for ip in pod.ips
        ) or any(
            block.holds(cidr.partition("/")[0]) for node in snapshot.nodes.values() for cidr in node.pod_cidrs
        )
    found: bool = texts[key]
    return found
