"""FD212."""

from __future__ import annotations

from collections.abc import Iterator

from flowdiag.diagnose.caching import cached_per_run
from flowdiag.diagnose.case import Case
from flowdiag.diagnose.confidence import Basis
from flowdiag.diagnose.context import Context
from flowdiag.diagnose.needs import Needs
from flowdiag.diagnose.relabelled import written_since
from flowdiag.diagnose.rule import Rule
from flowdiag.diagnose.signs import Sign
from flowdiag.diagnose.wording import a_list, end_text, policy_text
from flowdiag.diagnose.written_peers import labels_asked_for, selected_labels
from flowdiag.model.endpoint import Endpoint
from flowdiag.model.finding import Finding
from flowdiag.model.policy import Dialect, PolicyRef
from flowdiag.model.report import Confidence, Severity

__all__ = ["IdentityLabel"]

_PREFIX = "k8s:"


class IdentityLabel(Rule):
    """A selector uses a label that the pod has and that Cilium leaves out of its identity.

    Signature:
        The record carries the peer's identity labels; a rule of a selecting policy asks for a label that
        the pod has in the state, and the identity holds no such key.

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
    signs = (Sign.CILIUM | Sign.IDENTITY,)
    specificity = 86

    def diagnose(self, case: Case) -> Iterator[Finding]:
        """See `Rule.diagnose`."""
        if case.context.dialect is not Dialect.CILIUM or case.end is None:
            return
        left_out = _left_out(case.context, case.peer)
        if not left_out or written_since(case, case.peer):
            return
        # Most policies have no rule that selects by one of these labels.
        wanted_anywhere = _asked_for(case)
        if wanted_anywhere is not None and left_out.isdisjoint(wanted_anywhere):
            return
        rules: dict[tuple[PolicyRef, str], None] = {(rule.policy, rule.rule): None for rule in case.nearest}
        if case.end.decided_by is not None and case.end.allowed is True:
            rules.setdefault((case.end.decided_by.policy, case.end.decided_by.rule))
        for policy, path in rules:
            wanted = selected_labels(case, policy, path)
            if left_out.isdisjoint(wanted):
                continue
            lacking = sorted(f"{key}={value}" for key, value in wanted if (key, value) in left_out)
            yield self.finding(
                case,
                summary=(
                    f"{policy_text(policy)} {path} selects {a_list(lacking)}, which the pods of "
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


def _asked_for(case: Case) -> frozenset[tuple[str, str]] | None:
    """Labels that any rule of the policies near the case asks for; ``None`` where one of them was another at another time."""
    end, texts = case.end, case.context.texts
    refs = [rule.policy for rule in end.nearest] if end is not None else []
    if end is not None and end.decided_by is not None:
        refs.append(end.decided_by.policy)
    # The same policies are near many ends; they are kept, so that their identities stay their own.
    key = (IdentityLabel, *map(id, refs))
    known = texts.get(key)
    if known is None:
        versions = [case.context.policy(ref) for ref in dict.fromkeys(refs)]
        asked = None
        if all(len(each) == 1 for each in versions):
            asked = frozenset(pair for (policy,) in versions for pair in labels_asked_for(case, policy))
        known = texts[key] = (refs, asked)
    found: frozenset[tuple[str, str]] | None = known[1]
    return found
