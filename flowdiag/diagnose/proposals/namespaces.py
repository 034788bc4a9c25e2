"""Adding labels to a namespace that a rule means, and that lacks them."""

from __future__ import annotations

from flowdiag.diagnose.case import Case
from flowdiag.diagnose.labels import choice
from flowdiag.diagnose.proposals.edit import Labelling
from flowdiag.diagnose.wording import rule_text
from flowdiag.model.event import Direction
from flowdiag.model.objects import NAME_LABEL
from flowdiag.model.policy import Condition, NearestRule

__all__ = ["labelling", "means_a_namespace"]

# Keys that Kubernetes, Cilium and Calico set themselves.
_GIVEN = frozenset({NAME_LABEL, "io.kubernetes.pod.namespace", "projectcalico.org/name"})


def labelling(case: Case, direction: Direction, rule: NearestRule) -> tuple[Labelling, bool] | None:
    """Write the labels that a rule wants of the peer's namespace.

    Returns:
        The change, and whether it is what the rule means: other namespaces carry these labels already, so that
        it means a group and the namespace's name would say less, or this one carried them until they were taken
        away; ``None`` where the namespace is not known or carries a key
        with another value, which is on purpose.
    """
    name = (case.flow.dst if direction is Direction.EGRESS else case.flow.src).namespace
    namespace = case.context.snapshot.namespaces.get(name or "")
    if namespace is None or not namespace.declared or not rule.misses:
        return None
    labels: dict[str, str] = {}
    for miss in rule.misses:
        key, values = choice(miss.wanted)
        if miss.condition is not Condition.NAMESPACE or miss.found is not None or key in _GIVEN:
            return None
        if key in namespace.labels or not (value := _one(values, namespace.name)):
            return None
        labels[key] = value
    carried = [one.labels for one in case.context.snapshot.namespaces.values()]
    carried += [one.labels for one in namespace.labels_before]
    meant = any(labels.items() <= each.items() for each in carried)
    text = ", ".join(f"{key}={value}" for key, value in sorted(labels.items()))
    summary = f"Label namespace {namespace.name} with {text}, which {rule_text(rule)} selects"
    return Labelling(summary, direction, namespace, labels), meant


def _one(values: tuple[str, ...], name: str) -> str | None:
    """The value to give a namespace: the only one, or its name; of others nobody knows which."""
    return name if name in values else values[0] if len(values) == 1 else None


def means_a_namespace(case: Case, rule: NearestRule) -> bool:
    """Whether a rule names a namespace that is there: it is meant, even where no pod of it runs today.

    So may one be that a rule names by labels where namespaces were not read: nobody knows who carries them.
    """
    known = case.context.snapshot.namespaces
    named = [choice(miss.wanted) for miss in rule.misses if miss.condition is Condition.NAMESPACE]
    if any(key not in _GIVEN for key, _ in named) and not all(one.declared for one in known.values()):
        return True
    return any(key in _GIVEN and value in known for key, values in named for value in values)
