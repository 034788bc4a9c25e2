"""A change of policies as a value: objects put in place of others, or added."""

from __future__ import annotations

from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from flowdiag.model.event import Direction
from flowdiag.model.objects import PolicyObject, Snapshot

__all__ = ["Edit", "apply_edits", "changed_policy"]


class Edit(Struct, frozen=True):
    """One policy object as it should be; `old` is ``None`` for a new one."""

    summary: str
    direction: Direction
    old: PolicyObject | None
    new: PolicyObject


def changed_policy(policy: PolicyObject, spec: dict[str, Any]) -> PolicyObject:
    """Give the same object with another spec."""
    return replace(policy, spec=spec, text=None)


def apply_edits(snapshot: Snapshot, edits: tuple[Edit, ...]) -> Snapshot:
    """Give the snapshot as it would be; policies keep their order and new ones come last."""
    swapped = {id(edit.old): edit.new for edit in edits if edit.old is not None}
    kept = tuple(swapped.get(id(policy), policy) for policy in snapshot.policies)
    added = tuple(edit.new for edit in edits if edit.old is None)
    return replace(snapshot, policies=(*kept, *added))
