"""FD204."""

from __future__ import annotations

from collections.abc import Iterator

from flowdiag.diagnose.case import Case
from flowdiag.diagnose.needs import Needs
from flowdiag.diagnose.own_namespace import own_namespace_peers
from flowdiag.diagnose.rule import Rule
from flowdiag.diagnose.signs import Sign
from flowdiag.diagnose.wording import end_text, rule_text
from flowdiag.model.finding import Finding
from flowdiag.model.policy import Condition
from flowdiag.model.report import Confidence, Severity

__all__ = ["ImplicitNamespace"]


class ImplicitNamespace(Rule):
    """A peer that selects pods and names no namespace means the policy's own namespace.

    Signature:
        One rule misses only on the namespace; its peer selects pods by label and names no namespace (a
        podSelector alone, Cilium's fromEndpoints, the selector of a Calico NetworkPolicy), and the peer in
        the other namespace has the labels that are asked for.

    Advice:
        Name the namespace in the same list item, selector or rule.

    Guard:
        Where pods of the policy's own namespace carry these labels too, the rule may be meant for those:
        at most likely then.  An empty selector (`{}`, `all()`, everybody here), or one that only excludes, is a
        common way to say "only this namespace" and never counts.

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
            implied = next(own_namespace_peers(case, rule), None)
            if implied is None:
                continue
            home = rule.policy.namespace
            own = implied.meets_own_pod(case, home)
            yield self.finding(
                case,
                first=rule,
                summary=(
                    f"{rule_text(rule)} selects pods {implied.text} without a {implied.without}, which means "
                    f"namespace {home}; {end_text(case.peer)} has the labels but is in namespace "
                    f"{case.peer.namespace}."
                ),
                advice=f"Add {implied.field.format(case.peer.namespace)}.",
                cause_key=f"namespace-implicit:{implied.text}:{case.peer.namespace}",
                most=Confidence.LIKELY if own else Confidence.DERIVED,
                limits=(f"Pods of namespace {home} carry {implied.text} too.",) if own else (),
            )
            return
