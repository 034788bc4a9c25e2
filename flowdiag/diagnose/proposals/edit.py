"""A change as a value: policies put in place of others or added, and labels put on namespaces."""

from __future__ import annotations

from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from flowdiag.model.event import Direction
from flowdiag.model.objects import Namespace, PolicyObject, Snapshot
from flowdiag.model.policy import PolicyRef

__all__ = ["AnyEdit", "Edit", "Labelling", "apply_edits", "changed_policy", "object_of"]


class Edit(Struct, frozen=True):
    """One policy object as it should be; `old` is ``None`` for a new one."""

    summary: str
    direction: Direction
    old: PolicyObject | None
    new: PolicyObject
    instead: bool = False
    """What a rule asked for is no longer asked for: right only where it was a mistake."""
    who: str = ""
    """Of a new policy for one workload: that workload, in words."""
    peers: tuple[str, ...] = ()
    """Whom it may reach, or be reached by, in words."""
    before_baseline: bool = False
    """A new policy that isolates what a baseline decided about till then."""


class Labelling(Struct, frozen=True):
    """Labels that a namespace gets besides its own."""

    summary: str
    direction: Direction
    namespace: Namespace
    labels: dict[str, str]


AnyEdit = Edit | Labelling


def object_of(edit: AnyEdit) -> PolicyRef:
    """Whose manifest it writes."""
    return edit.new.ref if isinstance(edit, Edit) else PolicyRef("Namespace", "", None, edit.namespace.name)


def changed_policy(policy: PolicyObject, spec: dict[str, Any]) -> PolicyObject:
    """Give the same object with another spec."""
    return replace(policy, spec=spec)


def apply_edits(snapshot: Snapshot, edits: tuple[AnyEdit, ...]) -> Snapshot:
    """Give the snapshot as it would be; policies keep their order and new ones come last."""
    swapped = {id(edit.old): edit.new for edit in edits if isinstance(edit, Edit) and edit.old is not None}
    kept = tuple(map(swapped.get, map(id, snapshot.policies), snapshot.policies))
    added = tuple(edit.new for edit in edits if isinstance(edit, Edit) and edit.old is None)
    # What stays is the very same object, so that it need not be compiled again.
    namespaces = snapshot.namespaces
    for edit in edits:
        if isinstance(edit, Labelling):
            was = namespaces[edit.namespace.name]
            namespaces = {**namespaces, was.name: replace(was, labels={**was.labels, **edit.labels})}
    return replace(snapshot, policies=(*kept, *added), namespaces=namespaces)
