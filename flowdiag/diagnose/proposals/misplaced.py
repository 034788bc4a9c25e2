"""Policies that were applied in another namespace than that of the pods they were written for.

A NetworkPolicy selects pods of its own namespace only.  If one for the calling workload was applied in the namespace of
the called one, it selects nothing there, although it says all that is needed.
"""

from __future__ import annotations

from collections.abc import Iterator

from msgspec.structs import replace

from flowdiag.diagnose.case import Case
from flowdiag.diagnose.proposals.edit import Edit
from flowdiag.diagnose.wording import policy_text
from flowdiag.model.event import Direction
from flowdiag.model.objects import Pod, PolicyObject, Snapshot
from flowdiag.policy.selectors import LabelSelector, SelectorError, read_selector

__all__ = ["misplaced"]


def misplaced(case: Case, direction: Direction, pod: Pod) -> Iterator[Edit]:
    """Yield policies that select no pod where they stand and would select this one, put into its namespace.

    Args:
        case: the refused flow.
        direction: the end that refuses.
        pod: that end's.
    """
    snapshot = case.context.snapshot
    taken = {policy.ref.name for policy in snapshot.policies if policy.ref.namespace == pod.namespace}
    for policy in snapshot.policies:
        ref, where = policy.ref, policy.ref.namespace
        if where is None or where == pod.namespace or ref.name in taken:
            continue
        selector = _selector(policy, direction)
        if selector is None or not _meets(selector, pod.labels):
            continue
        # Hardly any policy comes as far as this, so that pods are not sorted by namespaces for each problem.
        there = [one.labels for one in snapshot.pods if one.namespace == where]
        if any(_meets(selector, others) for others in there) or not (there or _seems_empty(snapshot, where)):
            continue
        moved = PolicyObject(
            ref=replace(ref, namespace=pod.namespace), api_version=policy.api_version, spec=policy.spec
        )
        read = "" if there else " that was read"
        text = f"Put {policy_text(ref)} into namespace {pod.namespace}: it selects no pod of {where}{read}"
        yield Edit(text, direction, None, moved)


def _seems_empty(snapshot: Snapshot, namespace: str) -> bool:
    """Whether a namespace of which no pod was read may have none; "default" often has none but the API's Service.

    Where nothing of it was read, or where Services show that it has pods, nobody knows what a policy selects there.
    """
    known = snapshot.namespaces.get(namespace)
    return (
        known is not None
        and known.declared
        and not any(one.selector and one.namespace == namespace for one in snapshot.services)
        and not any(one.namespace == namespace and any(one.pods) for one in snapshot.endpoint_slices)
    )


def _selector(policy: PolicyObject, direction: Direction) -> LabelSelector | None:
    """Whom a NetworkPolicy with rules for that direction selects; ``None`` for all pods, which is no one's in particular."""
    ref, spec = policy.ref, policy.spec
    if (ref.group, ref.kind) != ("networking.k8s.io", "NetworkPolicy") or policy.valid_until is not None:
        return None
    if policy.problems or not spec.get(direction.value):
        return None
    try:
        selector = read_selector(spec.get("podSelector"))
    except SelectorError:
        return None
    return selector if selector.requirements else None


def _meets(selector: LabelSelector, labels: dict[str, str]) -> bool:
    return all(each.holds(labels) for each in selector.requirements)
