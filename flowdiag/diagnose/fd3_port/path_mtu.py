"""FD308."""

from __future__ import annotations

from collections.abc import Iterator

from flowdiag.diagnose.case import Case
from flowdiag.diagnose.confidence import Basis
from flowdiag.diagnose.rule import Rule
from flowdiag.diagnose.signs import Sign
from flowdiag.diagnose.wording import end_text
from flowdiag.model.finding import Finding
from flowdiag.model.policy import Dialect
from flowdiag.model.report import Confidence, Severity

__all__ = ["PathMtu"]

# (protocol, type, code): "fragmentation needed" (RFC 792) and "packet too big" (RFC 4443).
_TOO_BIG = frozenset({("ICMP", 3, 4), ("ICMPv6", 2, 0)})


class PathMtu(Rule):
    """Messages that tell a sender to use smaller packets are refused, so large transfers hang.

    Signature:
        ICMP type 3 code 4 or ICMPv6 type 2, refused by policy; large requests stall while small ones pass.

    Advice:
        Cilium: an `icmps` rule or `--allow-icmp-frag-needed`; NetworkPolicy cannot express ICMP.

    Guard:
        Silent for echo requests and other ICMP types, which make nothing hang.

    References:
        https://github.com/cilium/cilium/issues/8129
        https://github.com/cilium/cilium/issues/26193
    """

    code = "FD308"
    slug = "path-mtu"
    title = "Path MTU messages from {source} to {destination} are refused"
    severity = Severity.HIGH
    signs = (Sign.POLICY | Sign.ICMP,)
    specificity = 93

    def diagnose(self, case: Case) -> Iterator[Finding]:
        """See `Rule.diagnose`."""
        icmp = case.flow.distinct.icmp
        if icmp is None or case.not_policy or (case.protocol, icmp.type, icmp.code) not in _TOO_BIG:
            return
        cilium = case.context.dialect in (None, Dialect.CILIUM)
        yield self.finding(
            case,
            summary=(
                f"{end_text(case.flow.src)} tells {end_text(case.flow.dst)} to send smaller packets, and the "
                "message is refused; large transfers between them hang."
            ),
            advice=(
                "Allow it with an icmps rule (CiliumNetworkPolicy) or --allow-icmp-frag-needed."
                if cilium
                else "Allow ICMP in the CNI's own policy kind; NetworkPolicy cannot express it."
            ),
            basis=Basis.STATE,
            most=Confidence.LIKELY,
            cause_key="path-mtu",
        )
