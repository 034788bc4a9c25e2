"""FD211."""

from __future__ import annotations

from collections.abc import Iterator

from flowdiag.diagnose.case import Case
from flowdiag.diagnose.needs import Needs
from flowdiag.diagnose.rule import Rule
from flowdiag.diagnose.signs import Sign
from flowdiag.diagnose.wording import end_text, rule_text
from flowdiag.diagnose.written_ranges import ip_blocks
from flowdiag.model.cilium import NODE_ENTITIES
from flowdiag.model.endpoint import EndpointKind
from flowdiag.model.finding import Finding
from flowdiag.model.policy import Condition
from flowdiag.model.report import Severity

__all__ = ["Excepted"]


class Excepted(Rule):
    """The address lies in the rule's range, and in one of its exceptions.

    Signature:
        One rule misses only on the address; its `cidr` holds it and an `except` (Calico `notNets`) covers
        it, commonly 10.0.0.0/8 that swallows the DNS pods or the Service range.

    Advice:
        Narrow the exception, or admit the peer by a rule of its own.

    Guard:
        Under Cilium a range never matches a pod or a node, exception or not: there FD206 and FD207 are the
        answer, unless `policy-cidr-match-mode` lets ranges match them.

    References:
        https://github.com/kubernetes/kubernetes/issues/55406
        https://github.com/aws/amazon-network-policy-controller-k8s/issues/146
    """

    code = "FD211"
    slug = "excepted"
    title = "{source} cannot reach {destination} on {port}: an exception covers the address"
    severity = Severity.HIGH
    needs = Needs.POLICIES
    signs = (Sign.MISSES_IP,)
    specificity = 72

    def diagnose(self, case: Case) -> Iterator[Finding]:
        """See `Rule.diagnose`."""
        if case.context.by_identity and not _ranges_match(case):
            return
        ip = case.peer.ip
        for rule in case.missing_one(Condition.IP):
            for block in ip_blocks(case, rule):
                exception = block.excepting(ip) if block.exceptions and block.holds(ip) else None
                if exception is None:
                    continue
                peer = end_text(case.peer)
                # An end outside is told by its address, or has it behind its name.
                where = "" if peer == ip or peer.endswith(f" ({ip})") else f" ({ip})"
                yield self.finding(
                    case,
                    first=rule,
                    summary=(
                        f"{rule_text(rule)} allows {block.cidr} except {exception}, and {peer}{where} lies in "
                        f"the exception."
                    ),
                    advice=f"Narrow the exception {exception}, or admit {peer} by a rule of its own.",
                    cause_key=f"except:{exception}",
                )
                return


def _ranges_match(case: Case) -> bool:
    """Whether Cilium holds the peer against ranges at all."""
    modes = case.context.snapshot.config.get("cilium.policy-cidr-match-mode", "").replace(",", " ").split()
    if case.pod_peer:
        return "pods" in modes
    if case.peer.kind is EndpointKind.NODE or case.peer.entity in NODE_ENTITIES:
        return "nodes" in modes
    return True
