"""FD302."""

from __future__ import annotations

from collections.abc import Iterator

from flowdiag.diagnose.case import Case
from flowdiag.diagnose.needs import Needs
from flowdiag.diagnose.rule import Rule
from flowdiag.diagnose.signs import Sign
from flowdiag.diagnose.some_pod import some_pod
from flowdiag.diagnose.wording import a_list, end_text, rule_text
from flowdiag.diagnose.written_ports import port_texts
from flowdiag.model.finding import Finding
from flowdiag.model.objects import Pod
from flowdiag.model.policy import Condition, Dialect, NearestRule
from flowdiag.model.report import Severity

__all__ = ["NamedPort"]


class NamedPort(Rule):
    """A rule names a port by a word that the destination pod does not declare for this port.

    Signature:
        One rule misses on the port and on nothing else, and it names ports by words: the destination pod
        has no container port of that name and protocol, or that port has another number.

    Advice:
        Use the number, or declare the name in the pod's container ports.

    Guard:
        A destination whose pod is not in the state may declare anything: silent.  A rule that also lists
        numbers, one of which is the Service's port, is FD301.

    References:
        https://github.com/cilium/cilium/issues/17903
        https://github.com/aws/aws-network-policy-agent/issues/149
    """

    code = "FD302"
    slug = "named-port"
    title = "{source} cannot reach {destination} on {port}: the rule's port name means something else there"
    severity = Severity.HIGH
    needs = Needs.POLICIES | Needs.PODS
    signs = (Sign.MISSES_PORT,)
    specificity = 71

    def diagnose(self, case: Case) -> Iterator[Finding]:
        """See `Rule.diagnose`."""
        pod = some_pod(case.context, case.flow.dst)
        if case.port is None or pod is None:
            return
        found = [
            (rule, how)
            for rule in case.missing_one(Condition.PORT)
            if (how := self._how(case, rule, pod)) is not None
        ]
        for rule, (name, told) in found[:1]:
            yield self.finding(
                case,
                first=rule,
                summary=f"{rule_text(rule)} allows the port named {name}; {end_text(case.flow.dst)} {told}.",
                advice=f"Write {case.port} in the rule."
                if pod.host_network
                else (
                    f"Write {case.port} in the rule, or declare a container port named {name} "
                    f"({case.port}/{case.protocol}) in the pod template."
                ),
                candidates=len(found),
                cause_key=f"port-name:{name}",
                limits=(
                    ("The AWS network policy agent has looked names up on the source pod in some versions.",)
                    if case.context.dialect is Dialect.AWS
                    else ()
                ),
            )

    @staticmethod
    def _how(case: Case, rule: NearestRule, pod: Pod) -> tuple[str, str] | None:
        names = [
            one.port
            for one in port_texts(case, rule) or ()
            if isinstance(one.port, str) and one.protocol == case.protocol
        ]
        if not names:
            return None
        name = names[0]
        if pod.host_network:
            return name, "runs in its node's network, where names stand for no port"
        numbers = sorted(
            {one.port for one in pod.ports if one.name == name and one.protocol == case.protocol}
        )
        if numbers:
            return name, f"declares {name} as {a_list([str(number) for number in numbers])}, not {case.port}"
        others = sorted({one.protocol for one in pod.ports if one.name == name})
        if others:
            return name, f"declares {name} for {a_list(others)}, not {case.protocol}"
        own = sorted({one.name for one in pod.ports if one.name and one.port == case.port})
        return name, f"calls port {case.port} {own[0]}" if own else f"declares no port named {name}"
