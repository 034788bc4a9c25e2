"""FD202."""

from __future__ import annotations

from collections.abc import Iterator

from flowdiag.diagnose.case import Case
from flowdiag.diagnose.labels import choice, split_label, typo
from flowdiag.diagnose.needs import Needs
from flowdiag.diagnose.rule import Rule
from flowdiag.diagnose.signs import Sign
from flowdiag.diagnose.wording import a_list, rule_text
from flowdiag.model.finding import Finding
from flowdiag.model.objects import NAME_LABEL
from flowdiag.model.policy import Condition, Miss, NearestRule
from flowdiag.model.report import Severity

__all__ = ["NamespaceLabelMissing"]

_CILIUM_NAME_LABEL = "io.kubernetes.pod.namespace"
_NAMES = frozenset({NAME_LABEL, "projectcalico.org/name", _CILIUM_NAME_LABEL})
# Labels whose value is the namespace's name: the first on every namespace, the others in Calico's and Cilium's own view.


class NamespaceLabelMissing(Rule):
    """A rule selects namespaces by a label that the peer's namespace does not have.

    Signature:
        One rule misses on its namespace selector and on nothing else; the wanted value is the name of the
        peer's namespace, or the namespace lacks the key, or no namespace at all has the label.

    Advice:
        Select by `kubernetes.io/metadata.name`, which every namespace has since Kubernetes 1.22, or label
        the namespace.

    Guard:
        A namespace that carries the key with another value, while other namespaces carry the wanted one
        (`env=prod` and `env=dev`), is kept out on purpose: FD101.  A namespace that the rule does not
        select at all, because it has no namespace selector, is FD204.

    References:
        https://github.com/kubernetes/kubernetes/issues/47797
        https://github.com/projectcalico/calico/issues/6898
    """

    code = "FD202"
    slug = "namespace-label-missing"
    title = "{source} cannot reach {destination} on {port}: a namespace label does not match the rule"
    severity = Severity.HIGH
    needs = Needs.POLICIES | Needs.NAMESPACES
    signs = (Sign.POD_PEER | Sign.MISSES_NAMESPACE,)
    specificity = 70

    def diagnose(self, case: Case) -> Iterator[Finding]:
        """See `Rule.diagnose`."""
        namespace = case.peer.namespace
        if namespace is None or not case.pod_peer:
            return
        known = case.context.snapshot.namespaces.get(namespace)
        if known is None or not known.declared:
            return
        found = [
            rule
            for rule in case.missing_one(Condition.NAMESPACE)
            if all(self._mistake(case, namespace, miss) for miss in rule.misses)
        ]
        for rule in found[:1]:
            yield self._finding(case, namespace, rule, len(found))

    def _finding(self, case: Case, namespace: str, rule: NearestRule, candidates: int) -> Finding:
        wanted = a_list([miss.wanted for miss in rule.misses])
        has = a_list([miss.found for miss in rule.misses if miss.found is not None])
        found = f"namespace {namespace} has {has}" if has else f"namespace {namespace} has no such label"
        by_name = any(namespace in choice(miss.wanted)[1] for miss in rule.misses)
        key = f"k8s:{_CILIUM_NAME_LABEL}" if rule.policy.group == "cilium.io" else NAME_LABEL
        label = a_list([_label(miss, namespace) for miss in rule.misses])
        advice = f"Select the namespace by {key}: {namespace}, or label it ({label})."
        if any(choice(miss.wanted)[0] in _NAMES for miss in rule.misses):
            advice = f"Select the namespace by {key}: {namespace}."
        elif not by_name and not has:
            advice = f"Label namespace {namespace} with {label}, or select it by {key}: {namespace}."
        return self.finding(
            case,
            first=rule,
            summary=f"{rule_text(rule)} wants namespace label {wanted}; {found}.",
            advice=advice,
            candidates=candidates,
            cause_key=f"namespace:{wanted}",
        )

    @staticmethod
    def _mistake(case: Case, namespace: str, miss: Miss) -> bool:
        key, values = choice(miss.wanted)
        if not values:
            return False
        if key in _NAMES:
            # The rule names namespaces: only a mistyped name is a mistake.
            known = case.context.snapshot.namespaces
            return any(typo(value, namespace) and value not in known for value in values)
        if namespace in values or miss.found is None:
            return True
        found = split_label(miss.found)[1] or ""
        # It may have been given the label since.
        labelled = case.context.namespaces_labelled
        others = [labelled.get((key, value), set()) - {namespace} for value in values]
        return not any(others) or any(typo(value, found) for value in values)


def _label(miss: Miss, namespace: str) -> str:
    """The label that would do, where a namespace's name is one of those to choose from."""
    key, values = choice(miss.wanted)
    return f"{key}={namespace}" if namespace in values else miss.wanted
