"""FD301."""

from __future__ import annotations

from collections.abc import Iterator

from flowdiag.cluster.index import target_port
from flowdiag.diagnose.case import Case
from flowdiag.diagnose.needs import Needs
from flowdiag.diagnose.rule import Rule
from flowdiag.diagnose.signs import Sign
from flowdiag.diagnose.some_pod import some_pod
from flowdiag.diagnose.wording import rule_text
from flowdiag.diagnose.written_ports import port_texts
from flowdiag.model.finding import Finding
from flowdiag.model.objects import Service, ServicePort
from flowdiag.model.policy import Condition, Dialect, NearestRule
from flowdiag.model.report import Severity

__all__ = ["ServicePortInPolicy"]


class ServicePortInPolicy(Rule):
    """A rule names the Service's port; policy is enforced on the pod's port.

    Signature:
        One rule misses on the port and on nothing else, and a Service with the destination behind it maps
        a port that the rule names (its own, or its node port) to the port of the packet.

    Advice:
        Put the pod's port (targetPort) into the policy, and keep the Service's only where pods listen on it, too.

    Guard:
        Silent for the AWS network policy agent, which evaluates the ClusterIP before translation.  A
        Service whose target is another port than the packet's explains nothing, however near the numbers.

    References:
        https://github.com/projectcalico/calico/issues/8049
        https://github.com/kubernetes/kubernetes/issues/102286
        https://github.com/projectcalico/felix/issues/2836
    """

    code = "FD301"
    slug = "service-port-in-policy"
    title = "{source} cannot reach {destination} on {port}: the rule names the Service's port"
    severity = Severity.HIGH
    needs = Needs.POLICIES | Needs.SERVICES
    signs = (Sign.MISSES_PORT,)
    specificity = 72

    def diagnose(self, case: Case) -> Iterator[Finding]:
        """See `Rule.diagnose`."""
        if case.context.dialect is Dialect.AWS or case.port is None:
            return
        found = [
            (rule, mapped)
            for rule in case.missing_one(Condition.PORT)
            if (mapped := self._mapped(case, rule)) is not None
        ]
        for rule, (service, port, number) in found[:1]:
            name = f"{service.namespace}/{service.name}"
            which = "port" if number == port.port else "node port"
            yield self.finding(
                case,
                first=rule,
                summary=(
                    f"{rule_text(rule)} allows port {number}, the {which} of Service {name}; its pods "
                    f"listen on {case.port}, and policy sees the pod's port."
                ),
                # Others that the rule admits may listen on the Service's number, and it may stand in a range.
                advice=f"Add port {case.port} (the Service's targetPort) to the rule; {number} stays if pods listen on "
                "it, too.",
                candidates=len({each.policy for each, _ in found}),
                cause_key=f"port:{number}->{case.port}/{case.protocol}",
            )

    @staticmethod
    def _mapped(case: Case, rule: NearestRule) -> tuple[Service, ServicePort, int] | None:
        """The Service, its port, and the number of it that the rule names."""
        pod = some_pod(case.context, case.flow.dst)
        if pod is None:
            return None
        written = port_texts(case, rule)
        for service in case.context.services_of(pod):
            for port in service.ports:
                if port.protocol != case.protocol or target_port(pod, port) != case.port:
                    continue
                for number in (port.port, port.node_port):
                    if number is None or number == case.port:
                        continue
                    if any(
                        one.protocol == case.protocol and one.port is not None and one.has(number)
                        for one in written or ()
                    ) or (written is None and any(_names(miss.wanted, number) for miss in rule.misses)):
                        return service, port, number
        return None


def _names(wanted: str, port: int) -> bool:
    return str(port) in wanted.replace("/", " ").replace(",", " ").split()
