"""FD206."""

from __future__ import annotations

from collections.abc import Iterator

from flowdiag.diagnose.case import Case
from flowdiag.diagnose.needs import Needs
from flowdiag.diagnose.rule import Rule
from flowdiag.diagnose.signs import Sign
from flowdiag.diagnose.wording import end_text, pods_by_labels, rule_text
from flowdiag.diagnose.written_ranges import ip_blocks
from flowdiag.model.finding import Finding
from flowdiag.model.policy import Condition
from flowdiag.model.report import Severity

__all__ = ["CidrForPod"]


class CidrForPod(Rule):
    """A range covers the pod's address, but this CNI matches pods by identity, never by address.

    Signature:
        One rule misses only on the address, its range holds the peer's address with no exception for it,
        the peer is a pod, and the enforcer is Cilium (also GKE Dataplane V2).

    Advice:
        Select the pods by their labels: podSelector and namespaceSelector, or toEndpoints and fromEndpoints.

    Guard:
        Calico and other address-based enforcers do match pods by range: silent there.  An address in one
        of the exceptions is FD211.

    References:
        https://github.com/cilium/cilium/issues/9209
        https://github.com/cilium/cilium/issues/35212
    """

    code = "FD206"
    slug = "cidr-for-pod"
    title = "{source} cannot reach {destination} on {port}: an address range does not match pods here"
    severity = Severity.HIGH
    needs = Needs.POLICIES
    signs = (Sign.CILIUM | Sign.OWN_POD | Sign.MISSES_IP,)
    specificity = 72

    def diagnose(self, case: Case) -> Iterator[Finding]:
        """See `Rule.diagnose`."""
        if not case.context.by_identity or case.peer_pod is None:
            return
        ips = [case.peer.ip] if case.peer.ip is not None else list(case.peer_pod.ips)
        for rule in case.missing_one(Condition.IP):
            for block in ip_blocks(case, rule):
                ip = next((one for one in ips if block.holds(one) and block.excepting(one) is None), None)
                if ip is None:
                    continue
                yield self.finding(
                    case,
                    first=rule,
                    summary=(
                        f"{rule_text(rule)} allows {block.cidr}, which holds {ip}, but that is the pod "
                        f"{end_text(case.peer)}, and {case.context.dialect} matches pods by labels only."
                    ),
                    advice=f"Select the pods with {pods_by_labels(rule)}; the range stays for addresses outside, if it is for any.",
                    cause_key=f"cidr-pod:{block.cidr}",
                )
                return
