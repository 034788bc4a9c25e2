"""FD301."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from flowdiag.cluster.index import target_port
from flowdiag.diagnose.case import Case
from flowdiag.diagnose.needs import Needs
from flowdiag.diagnose.rule import Rule
from flowdiag.diagnose.signs import Sign
from flowdiag.diagnose.some_pod import some_pod
from flowdiag.diagnose.wording import end_text, rule_text
from flowdiag.diagnose.written_ports import port_texts
from flowdiag.model.finding import Finding
from flowdiag.model.objects import Pod
from flowdiag.model.policy import Condition, Dialect, NearestRule
from flowdiag.model.report import Severity

__all__ = ["ServicePortInPolicy"]


class ServicePortInPolicy(Rule):
    """A rule names the Service's port; policy is enforced on the pod's port.

    Signature:
        One rule misses on the port and on nothing else, and a Service with the destination behind it maps
        a port that the rule names (its own, or its node port) to the port of the packet, or the pod's `hostPort` does.

    Advice:
        Put the pod's port (targetPort, containerPort) into the policy, and keep the Service's or the host's only where
        pods listen on it, too.

    Guard:
        Silent about Services for the AWS network policy agent, which evaluates the ClusterIP before translation.  A
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
        if case.port is None:
            return
        pod = some_pod(case.context, case.flow.dst)
        if pod is None:
            return
        found = [
            (rule, mapped)
            for rule in case.missing_one(Condition.PORT)
            if (mapped := _of_service(case, pod, rule) or _of_host(case, pod, rule)) is not None
        ]
        for rule, mapped in found[:1]:
            yield self.finding(
                case,
                first=rule,
                title=None
                if mapped.of_service
                else "{source} cannot reach {destination} on {port}: the rule names the host's port",
                summary=(
                    f"{rule_text(rule)} allows port {mapped.number}, {mapped.whose}; its pods "
                    f"listen on {case.port}, and policy sees the pod's port."
                    if mapped.of_service
                    else f"{rule_text(rule)} allows port {mapped.number}, {mapped.whose}, which is translated to "
                    f"{case.port} before policy sees it."
                ),
                # Others that the rule admits may listen on the Service's number, and it may stand in a range.
                advice=f"Add port {case.port} (the {mapped.target}) to the rule; {mapped.number} stays if pods listen on "
                "it, too.",
                candidates=len({each.policy for each, _ in found}),
                cause_key=f"port:{mapped.number}->{case.port}/{case.protocol}",
            )


class _Mapped(NamedTuple):
    """A port that a rule names and that is translated to the pod's."""

    number: int
    whose: str
    target: str
    of_service: bool


def _of_service(case: Case, pod: Pod, rule: NearestRule) -> _Mapped | None:
    """The port, or node port, of a Service that the rule names."""
    if case.context.dialect is Dialect.AWS:
        return None
    for service in case.context.services_of(pod):
        for port in service.ports:
            if port.protocol != case.protocol or target_port(pod, port) != case.port:
                continue
            for number in (port.port, port.node_port):
                if number is not None and _names(case, rule, number):
                    which = "port" if number == port.port else "node port"
                    whose = f"the {which} of Service {service.namespace}/{service.name}"
                    return _Mapped(number, whose, "Service's targetPort", True)
    return None


def _of_host(case: Case, pod: Pod, rule: NearestRule) -> _Mapped | None:
    """The node's port that the rule names, where the pod declares it for the port of the packet."""
    for port in pod.ports:
        number = port.host_port
        if (
            port.port == case.port
            and port.protocol == case.protocol
            and number
            and _names(case, rule, number)
        ):
            return _Mapped(number, f"the hostPort of {end_text(case.flow.dst)}", "containerPort", False)
    return None


def _names(case: Case, rule: NearestRule, number: int) -> bool:
    """Whether a rule names a port that is not the packet's own."""
    if number == case.port:
        return False
    written = port_texts(case, rule)
    if written is not None:
        return any(
            one.protocol == case.protocol and one.port is not None and one.has(number) for one in written
        )
    words = (miss.wanted.replace("/", " ").replace(",", " ").split() for miss in rule.misses)
    return any(str(number) in each for each in words)
