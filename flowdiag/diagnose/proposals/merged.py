"""Edits one after the other as one for each object, and new policies for the same pods as one policy."""

from __future__ import annotations

from collections.abc import Sequence
from collections.abc import Set as AbstractSet

from msgspec.structs import replace

from flowdiag.diagnose.proposals.edit import AnyEdit, Edit, changed_policy
from flowdiag.diagnose.proposals.sentence import in_one
from flowdiag.diagnose.wording import a_list, policy_text
from flowdiag.model.event import Direction
from flowdiag.model.objects import PolicyObject
from flowdiag.model.policy import PolicyRef

__all__ = ["opening_text", "summed"]

_MORE = "-and-others"
_MAX_NAME = 63


def opening_text(ref: PolicyRef, direction: Direction, who: str, peers: Sequence[str]) -> str:
    """What a new policy is for: ``Add NetworkPolicy shop/x to let shop/web reach data/redis and data/api``."""
    verb = "reach" if direction is Direction.EGRESS else "be reached by"
    return f"Add {policy_text(ref)} to let {who} {verb} {a_list(tuple(peers))}"


def summed(
    edits: Sequence[AnyEdit], more: Sequence[AnyEdit], there: AbstractSet[PolicyRef]
) -> tuple[AnyEdit, ...]:
    """Edits after which others were made, as one for each object.

    Args:
        edits: those before.
        more: those after them.
        there: policies whose names are taken.
    """
    found = list(edits)
    for edit in more:
        for place, before in enumerate(found):
            if not isinstance(edit, Edit) or not isinstance(before, Edit):
                continue
            if edit.old is before.new:
                found[place] = replace(before, new=edit.new, summary=in_one((before.summary, edit.summary)))
                break
            both = _both(before, edit, there)
            if both is not None:
                found[place] = both
                break
        else:
            found.append(edit)
    return tuple(found)


def _both(before: Edit, edit: Edit, there: AbstractSet[PolicyRef]) -> Edit | None:
    """One new policy for two that select the same pods and open one direction; ``None`` for any others."""
    one, other = before.new, edit.new
    if before.old is not None or edit.old is not None or not before.peers or not edit.peers:
        return None
    rules = before.direction.value
    if before.direction is not edit.direction or _frame(one, rules) != _frame(other, rules):
        return None
    name = one.ref.name
    if not name.endswith(_MORE):
        name = f"{name[: _MAX_NAME - len(_MORE)].rstrip('-')}{_MORE}"
    ref = PolicyRef(one.ref.kind, one.ref.group, one.ref.namespace, name)
    if ref in there:
        return None
    peers = (*before.peers, *(peer for peer in edit.peers if peer not in before.peers))
    new = changed_policy(replace(one, ref=ref), {**one.spec, rules: [*one.spec[rules], *other.spec[rules]]})
    text = opening_text(ref, before.direction, before.who, peers)
    return replace(before, new=new, summary=text, peers=peers)


def _frame(policy: PolicyObject, rules: str) -> tuple[object, ...]:
    """All of a policy but its name and its rules."""
    ref = policy.ref
    rest = {key: value for key, value in policy.spec.items() if key != rules}
    return (ref.kind, ref.group, ref.namespace, policy.api_version, rest)
