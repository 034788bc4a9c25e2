"""FD215."""

from __future__ import annotations

from collections.abc import Iterator

from flowdiag.cluster.index import target_port
from flowdiag.diagnose.case import Case
from flowdiag.diagnose.needs import Needs
from flowdiag.diagnose.rule import Rule
from flowdiag.diagnose.signs import Sign
from flowdiag.diagnose.wording import end_text, pods_by_labels, rule_text
from flowdiag.diagnose.written_ports import port_texts
from flowdiag.diagnose.written_ranges import ip_blocks
from flowdiag.model.event import Direction
from flowdiag.model.finding import Finding
from flowdiag.model.objects import Pod, Service
from flowdiag.model.policy import Condition, Dialect, NearestRule
from flowdiag.model.report import Severity

__all__ = ["ServiceRange"]


class ServiceRange(Rule):
    """A rule allows Service addresses; policy sees the pods behind them.

    Signature:
        Egress; one rule misses only on the address, its range holds an address of a Service with the
        destination behind it (a ClusterIP, a load balancer's, an external one), and not the destination's own.
        Or it misses on the port as well, and allows the Service's port before the destination's.

    Advice:
        Select the Service's pods instead.

    Guard:
        Silent for the AWS network policy agent, which evaluates ClusterIPs before translation, and where
        the range holds the pod's address, too.

    References:
        https://github.com/cilium/cilium/issues/24485
        https://github.com/projectcalico/calico/issues/10664
        https://github.com/antrea-io/antrea/issues/8179
        https://github.com/kubernetes-sigs/network-policy-api/pull/185
    """

    code = "FD215"
    slug = "service-range"
    title = "{source} cannot reach {destination} on {port}: the rule allows the Service's address"
    severity = Severity.HIGH
    needs = Needs.POLICIES | Needs.SERVICES
    signs = (Sign.EGRESS | Sign.MISSES_IP, Sign.EGRESS | Sign.MISSES_SOCKET)
    specificity = 72

    def diagnose(self, case: Case) -> Iterator[Finding]:
        """See `Rule.diagnose`."""
        pod = case.flow.dst.pod
        if case.direction is not Direction.EGRESS or pod is None or case.context.dialect is Dialect.AWS:
            return
        services = [
            (service, ip)
            for service in case.context.services_of(pod)
            for ip in (*service.cluster_ips, *service.external_ips)
        ]
        by_port = case.missing_socket
        for rule in (*case.missing_one(Condition.IP), *by_port):
            for block in ip_blocks(case, rule):
                if any(block.holds(ip) for ip in (case.flow.dst.ip, *pod.ips)):
                    continue
                found = next(
                    (
                        (service, ip)
                        for service, ip in services
                        if block.admits(ip)
                        and (rule not in by_port or _allows_port(case, rule, service, pod))
                    ),
                    None,
                )
                if found is None:
                    continue
                service, ip = found
                yield self.finding(
                    case,
                    first=rule,
                    summary=(
                        f"{rule_text(rule)} allows {block.cidr}, which holds {ip} of Service "
                        f"{service.namespace}/{service.name}; policy sees its pods, {end_text(case.flow.dst)}."
                    ),
                    advice=f"Select the Service's pods with {pods_by_labels(rule)}, on the pod's port.",
                    cause_key=f"service-range:{block.cidr}",
                )
                return


def _allows_port(case: Case, rule: NearestRule, service: Service, pod: Pod) -> bool:
    """Whether a rule allows the port that the Service translates to the one that was refused."""
    written = port_texts(case, rule) or ()
    return any(
        one.protocol == case.protocol and one.port is not None and one.has(port.port)
        for port in service.ports
        if port.protocol == case.protocol and target_port(pod, port) == case.port
        for one in written
    )
