"""FD303."""

from __future__ import annotations

from collections.abc import Iterator

from flowdiag.diagnose.case import Case
from flowdiag.diagnose.needs import Needs
from flowdiag.diagnose.rule import Rule
from flowdiag.diagnose.signs import Sign
from flowdiag.diagnose.spec import rule_at
from flowdiag.diagnose.wording import a_list, rule_text
from flowdiag.diagnose.written_ports import port_texts
from flowdiag.model.finding import Finding
from flowdiag.model.policy import CALICO_GROUPS, Condition, NearestRule
from flowdiag.model.report import Severity

__all__ = ["ProtocolMismatch"]


class ProtocolMismatch(Rule):
    """The right port, but for another transport protocol; a port without one is TCP.

    Signature:
        One rule misses on the protocol and on nothing else: it lists the packet's port for another
        protocol.

    Advice:
        Add the port a second time with the protocol that is used.

    Guard:
        A rule for the right protocol on another port misses the port, not the protocol.  A rule for every port of
        a protocol was written for that protocol.  ICMP has no ports and cannot be written in a NetworkPolicy at
        all (FD308).

    References:
        https://github.com/ahmetb/kubernetes-network-policy-recipes/issues/15
        https://kubernetes.io/docs/reference/kubernetes-api/policy-resources/network-policy-v1/
    """

    code = "FD303"
    slug = "protocol-mismatch"
    title = "{source} cannot reach {destination} on {port}: the rule is for another protocol"
    severity = Severity.HIGH
    needs = Needs.POLICIES
    signs = (Sign.MISSES_PROTOCOL,)
    specificity = 71

    def diagnose(self, case: Case) -> Iterator[Finding]:
        """See `Rule.diagnose`."""
        if case.port is None:
            return
        found = [rule for rule in case.missing_one(Condition.PROTOCOL) if _lists_ports(case, rule)]
        for rule in found[:1]:
            wanted = a_list(sorted({miss.wanted for miss in rule.misses}))
            unsaid = " (no protocol is written, which means TCP)" if self._unsaid(case, rule) else ""
            yield self.finding(
                case,
                first=rule,
                summary=(
                    f"{rule_text(rule)} allows port {case.port} for {wanted}{unsaid}; the packets are "
                    f"{case.protocol}."
                ),
                advice=_advice(case, rule),
                candidates=len(found),
                cause_key=f"protocol:{wanted}->{case.protocol}",
            )

    @staticmethod
    def _unsaid(case: Case, rule: NearestRule) -> bool:
        written = rule_at(case, rule) or {}
        ports = written.get("ports")
        if not isinstance(ports, list) or case.port is None:
            return False
        texts = port_texts(case, rule) or ()
        return any(
            isinstance(raw, dict) and raw.get("protocol") is None and text.has(case.port)
            for raw, text in zip(ports, texts, strict=False)
        )


def _lists_ports(case: Case, rule: NearestRule) -> bool:
    """Whether a rule names ports at all, as far as its language is read here."""
    texts = port_texts(case, rule)
    return texts is None or any(one.port is not None for one in texts if one.protocol != case.protocol)


def _advice(case: Case, rule: NearestRule) -> str:
    port, protocol = case.port, case.protocol
    if rule.policy.group == "cilium.io":
        return f'Add {{port: "{port}", protocol: {protocol}}} to the toPorts of the rule.'
    if rule.policy.group in CALICO_GROUPS:
        return f"Add a rule like it with protocol {protocol}: a rule of Calico's is for one protocol."
    return f"Add {{port: {port}, protocol: {protocol}}} to the ports of the rule."
