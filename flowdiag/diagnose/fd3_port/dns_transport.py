"""FD304."""

from __future__ import annotations

from collections.abc import Iterator

from flowdiag.diagnose.case import Case
from flowdiag.diagnose.dns import is_dns_server
from flowdiag.diagnose.needs import Needs
from flowdiag.diagnose.rule import Rule
from flowdiag.diagnose.signs import Sign
from flowdiag.diagnose.wording import end_text, rule_text
from flowdiag.diagnose.written_ports import port_texts
from flowdiag.model.event import Direction
from flowdiag.model.finding import Finding
from flowdiag.model.policy import Condition, NearestRule
from flowdiag.model.report import Severity

__all__ = ["DnsTransport"]


_OF_PORT = "DNS lookups of {source} on {port} are blocked: the rule allows another port"


class DnsTransport(Rule):
    """DNS is allowed over UDP 53 only, but the lookups go over TCP or to another pod port.

    Signature:
        Egress to a DNS server, refused on 53/TCP while one rule allows it 53/UDP, or on the pod's own port
        (5353 in OpenShift, 1053) while the rule allows 53; the rule misses on nothing else.

    Advice:
        Allow both UDP and TCP, on the port that the DNS pods listen on.

    Guard:
        Where UDP lookups are refused as well, DNS is blocked altogether (FD401), whatever the protocol of
        this record; so 53/UDP itself is never this finding.

    References:
        https://github.com/projectcalico/calico/issues/8224
        https://github.com/kubernetes/kubernetes/issues/102286
    """

    code = "FD304"
    slug = "dns-transport"
    title = "DNS lookups of {source} on {port} are blocked: the rule allows another transport"
    severity = Severity.HIGH
    needs = Needs.POLICIES
    signs = (Sign.EGRESS | Sign.LOOKUP | Sign.MISSES_PORT, Sign.EGRESS | Sign.LOOKUP | Sign.MISSES_PROTOCOL)
    specificity = 85

    def diagnose(self, case: Case) -> Iterator[Finding]:
        """See `Rule.diagnose`."""
        if case.direction is not Direction.EGRESS or not is_dns_server(case):
            return
        if case.protocol == "TCP" and case.port == 53:
            for rule in case.missing_one(Condition.PROTOCOL):
                if self._allows(case, rule, "UDP"):
                    yield self._finding(case, rule, "allows 53 over UDP only", "protocol")
                    return
        if case.port not in (None, 53):
            for rule in case.missing_one(Condition.PORT):
                if self._allows(case, rule, case.protocol or "UDP"):
                    text = f"allows port 53, but the DNS pods listen on {case.port}"
                    yield self._finding(case, rule, text, "port")
                    return

    def _finding(self, case: Case, rule: NearestRule, what: str, key: str) -> Finding:
        return self.finding(
            case,
            title=_OF_PORT if key == "port" else None,
            first=rule,
            summary=f"{rule_text(rule)} {what}; {end_text(case.flow.src)} asks on {case.port}/{case.protocol}.",
            advice=f"Allow {case.port} over both UDP and TCP to the DNS pods.",
            cause_key=f"dns-{key}:{case.port}/{case.protocol}",
        )

    @staticmethod
    def _allows(case: Case, rule: NearestRule, protocol: str) -> bool:
        return any(one.protocol == protocol and one.has(53) for one in port_texts(case, rule) or ())
