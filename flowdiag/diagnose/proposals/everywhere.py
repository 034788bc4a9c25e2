"""Lookups for all whom a policy of the whole cluster isolates: one object like it, in place of one for each namespace."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from typing import Any

from flowdiag.diagnose.case import Case
from flowdiag.diagnose.proposals.calico import calico_peer
from flowdiag.diagnose.proposals.candidates import with_a_pod
from flowdiag.diagnose.proposals.cilium import cilium_peer
from flowdiag.diagnose.proposals.edit import Edit
from flowdiag.diagnose.proposals.own_policy import DNS_NAME, free_name
from flowdiag.diagnose.proposals.ports import answers_lookups
from flowdiag.diagnose.proposals.proposal import Proposal
from flowdiag.diagnose.spec import policy_now
from flowdiag.diagnose.wording import policy_text
from flowdiag.model.cilium import POLICY_KINDS
from flowdiag.model.event import Direction
from flowdiag.model.objects import PolicyObject
from flowdiag.model.policy import CALICO_GROUPS, PolicyRef

__all__ = ["lookups_everywhere"]


def lookups_everywhere(first: Proposal, others: Sequence[Case], given: AbstractSet[PolicyRef]) -> Edit | None:
    """Write a cluster-wide policy in place of one for the lookups of one namespace's workload.

    Args:
        first: what mends the first of the problem's connections.
        others: the cases of its other connections.
        given: names that new policies of other problems have.

    Returns:
        The change, unproved; ``None`` where all that is refused is of one namespace, or is closed by a policy of it.
    """
    case = first.case
    edit = first.edits[0] if len(first.edits) == 1 else None
    spaces = {each.flow.src.namespace for each in (case, *others)}
    if not isinstance(edit, Edit) or edit.old is not None or edit.direction is not Direction.EGRESS:
        return None
    if len(spaces) < 2 or case.end is None or not all(map(answers_lookups, (case, *others))):
        return None
    ref = next((ref for ref in case.isolating if ref.namespace is None), None)
    closing = policy_now(case, ref) if ref is not None else None
    new = None if closing is None else _like(closing, edit.new, case)
    if closing is None or new is None:
        return None
    taken = {one.ref.name for one in case.context.snapshot.policies if one.ref.namespace is None}
    name = free_name(new.ref.name, taken | {one.name for one in given if one.namespace is None})
    new = PolicyObject(
        ref=PolicyRef(new.ref.kind, new.ref.group, None, name), api_version=new.api_version, spec=new.spec
    )
    text = f"Add {policy_text(new.ref)} to allow DNS to all that {policy_text(closing.ref)} isolates"
    return Edit(text, Direction.EGRESS, None, new)


def _like(closing: PolicyObject, own: PolicyObject, case: Case) -> PolicyObject | None:
    """The rules of a namespace's policy for whom a cluster-wide one of its language selects."""
    peer = with_a_pod(case, case.flow.dst)
    rules: list[dict[str, Any]] = own.spec[Direction.EGRESS.value]
    if closing.ref.kind in POLICY_KINDS and own.ref.kind in POLICY_KINDS:
        entry = cilium_peer(peer, None)
        selector = closing.spec.get("endpointSelector")
        if entry is None or not isinstance(selector, dict):
            return None
        written = [{f"to{entry[0]}": entry[1], "toPorts": rule["toPorts"]} for rule in rules]
        spec = {"endpointSelector": copy.deepcopy(selector), Direction.EGRESS.value: written}
        ref = PolicyRef("CiliumClusterwideNetworkPolicy", own.ref.group, None, DNS_NAME)
        return PolicyObject(ref=ref, api_version=own.api_version, spec=spec)
    if closing.ref.group not in CALICO_GROUPS or own.ref.group not in CALICO_GROUPS:
        return None
    to = calico_peer(peer, None)
    if to is None:
        return None
    written = [{**rule, "destination": {**to, "ports": rule["destination"]["ports"]}} for rule in rules]
    # Whom it selects is said by more fields than one.
    subject: dict[str, Any] = {
        key: closing.spec[key]
        for key in ("selector", "namespaceSelector", "serviceAccountSelector")
        if key in closing.spec
    }
    tier = own.spec["tier"]
    prefix = f"{tier}." if own.ref.name.startswith(f"{tier}.") else ""
    whole: dict[str, Any] = {"tier": tier, **subject, "types": ["Egress"], Direction.EGRESS.value: written}
    ref = PolicyRef("GlobalNetworkPolicy", own.ref.group, None, f"{prefix}{DNS_NAME}")
    return PolicyObject(ref=ref, api_version=own.api_version, spec=whole)
