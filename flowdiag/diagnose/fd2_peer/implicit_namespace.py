"""FD204."""

from __future__ import annotations

from collections.abc import Iterator

from flowdiag.diagnose.case import Case
from flowdiag.diagnose.needs import Needs
from flowdiag.diagnose.rule import Rule
from flowdiag.diagnose.signs import Sign
from flowdiag.diagnose.spec import admits_a_pod, peers
from flowdiag.diagnose.wording import end_text, rule_text
from flowdiag.model.finding import Finding
from flowdiag.model.policy import Condition, NearestRule
from flowdiag.model.report import Confidence, Severity

__all__ = ["ImplicitNamespace"]


class ImplicitNamespace(Rule):
    """A podSelector without a namespaceSelector means the policy's own namespace.

    Signature:
        One rule misses only on the namespace; its peer has a podSelector and no namespaceSelector, and
        the peer in the other namespace has the labels that are asked for.

    Advice:
        Add a namespaceSelector to the same list item.

    Guard:
        Where pods of the policy's own namespace carry these labels too, the rule may be meant for those:
        at most likely then.  An empty podSelector (`{}`, everybody here) is a common way to say "only
        this namespace" and never counts.

    References:
        https://kubernetes.io/docs/concepts/services-networking/network-policies/#behavior-of-to-and-from-selectors
        https://github.com/projectcalico/calico/issues/6898
    """

    code = "FD204"
    slug = "implicit-namespace"
    title = "{source} cannot reach {destination} on {port}: the rule means pods of its own namespace"
    severity = Severity.HIGH
    needs = Needs.POLICIES
    signs = (Sign.POD_PEER | Sign.MISSES_NAMESPACE,)
    specificity = 71

    def diagnose(self, case: Case) -> Iterator[Finding]:
        """See `Rule.diagnose`."""
        if not case.pod_peer:
            return
        for rule in case.missing_one(Condition.NAMESPACE):
            text = self._implicit(case, rule)
            if text is None:
                continue
            own, wanted = text
            peer = end_text(case.peer)
            yield self.finding(
                case,
                first=rule,
                summary=(
                    f"{rule_text(rule)} selects pods {wanted} without a namespaceSelector, which means "
                    f"namespace {rule.policy.namespace}; {peer} has the labels but is in namespace "
                    f"{case.peer.namespace}."
                ),
                advice=(
                    "Add to the same list item namespaceSelector: {matchLabels: "
                    f"{{kubernetes.io/metadata.name: {case.peer.namespace}}}}}."
                ),
                cause_key=f"namespace-implicit:{wanted}:{case.peer.namespace}",
                most=Confidence.LIKELY if own else Confidence.DERIVED,
                limits=(f"Pods of namespace {rule.policy.namespace} carry {wanted} too.",) if own else (),
            )
            return

    @staticmethod
    def _implicit(case: Case, rule: NearestRule) -> tuple[bool, str] | None:
        for peer in peers(case, rule):
            if peer.namespaces is None and peer.pods is not None and peer.pods.requirements:
                return admits_a_pod(case, rule, peer), peer.pods.text
        return None
