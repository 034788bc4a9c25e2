"""FD212."""

from __future__ import annotations

from collections.abc import Iterator

from flowdiag.diagnose.caching import cached_per_run
from flowdiag.diagnose.case import Case
from flowdiag.diagnose.confidence import Basis
from flowdiag.diagnose.context import Context
from flowdiag.diagnose.labels import split_label
from flowdiag.diagnose.needs import Needs
from flowdiag.diagnose.relabelled import written_since
from flowdiag.diagnose.rule import Rule
from flowdiag.diagnose.signs import Sign
from flowdiag.diagnose.wording import a_list, end_text, rule_text
from flowdiag.model.endpoint import Endpoint
from flowdiag.model.finding import Finding
from flowdiag.model.policy import Condition, Dialect
from flowdiag.model.report import Confidence, Severity

__all__ = ["IdentityLabel"]

_PREFIX = "k8s:"


class IdentityLabel(Rule):
    """A selector uses a label that the pod has and that Cilium leaves out of its identity.

    Signature:
        The record carries the peer's identity labels; a rule misses on labels and on nothing else, the pod has
        all of these in the state, and the identity holds no such keys.

    Advice:
        Add the label to `labels` in cilium-config and restart the agents, or select by another label.

    Guard:
        A label that the pod got after the refusal, or a record without identity labels, tells nothing.

    References:
        https://github.com/cilium/cilium/issues/18878
        https://docs.cilium.io/en/stable/operations/performance/scalability/identity-relevant-labels/
    """

    code = "FD212"
    slug = "identity-label"
    title = "{source} cannot reach {destination} on {port}: a label is not part of the Cilium identity"
    severity = Severity.HIGH
    needs = Needs.POLICIES | Needs.PODS
    signs = (Sign.CILIUM | Sign.IDENTITY | Sign.MISSES_POD,)
    specificity = 86

    def diagnose(self, case: Case) -> Iterator[Finding]:
        """See `Rule.diagnose`."""
        if case.context.dialect is not Dialect.CILIUM:
            return
        left_out = _left_out(case.context, case.peer)
        if not left_out or written_since(case, case.peer):
            return
        for rule in case.missing_one(Condition.POD):
            lacking = [miss.wanted for miss in rule.misses]
            if not left_out.issuperset(map(split_label, lacking)):
                continue
            yield self.finding(
                case,
                first=rule,
                summary=(
                    f"{rule_text(rule)} selects {a_list(lacking)}, which the pods of "
                    f"{end_text(case.peer)} have, but their identity in the records does not hold it."
                ),
                advice="Add the label to 'labels' in cilium-config and restart the agents, or select another label.",
                basis=Basis.STATE,
                most=Confidence.LIKELY,
                cause_key=f"identity-label:{a_list(lacking)}",
                limits=("A label that was set on the pod after the refusals would look the same.",),
            )
            return


@cached_per_run
def _left_out(context: Context, end: Endpoint) -> frozenset[tuple[str, str]]:
    """Labels of a pod that its identity does not hold; none where the record has no labels of Kubernetes."""
    del context
    pod = end.pod
    if pod is None or pod.host_network or pod.labels_before:
        return frozenset()
    identity = {key for key, _ in end.identity_labels or ()}
    if not any(key.startswith(_PREFIX) for key in identity):
        return frozenset()
    return frozenset(
        (key, value)
        for key, value in pod.labels.items()
        if key not in identity and _PREFIX + key not in identity
    )
