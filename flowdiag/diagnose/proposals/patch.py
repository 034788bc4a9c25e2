"""What an edit leaves behind as YAML text, and what changed as a unified diff."""

from __future__ import annotations

import difflib
from collections.abc import Sequence

from flowdiag.diagnose.proposals.edit import AnyEdit, Edit
from flowdiag.model.objects import Namespace
from flowdiag.policy.manifest import manifest, yaml_text

__all__ = ["manifest_of", "patch"]

NO_FILE = "/dev/null"


def manifest_of(edit: AnyEdit) -> str:
    """Write the object that an edit leaves behind."""
    if isinstance(edit, Edit):
        return manifest(edit.new)
    return _namespace(edit.namespace, {**edit.namespace.labels, **edit.labels})


def _namespace(namespace: Namespace, labels: dict[str, str]) -> str:
    # Only what is applied is owned afterwards, so annotations and the rest may be left out.
    metadata = {"name": namespace.name, "labels": dict(sorted(labels.items()))}
    return yaml_text({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata})


def patch(edits: Sequence[AnyEdit], manifests: Sequence[str]) -> str | None:
    """Write what changes as a unified diff, from the manifests of the edits; ``None`` where all is new.

    Whoever shows the diff shows nothing else, so an object that is new beside a known one stands in it, too:
    as ``diff`` and ``git`` write a new file, against ``/dev/null``.
    """
    if all(isinstance(edit, Edit) and edit.old is None for edit in edits):
        return None
    parts = []
    for edit, new in zip(edits, manifests, strict=True):
        if isinstance(edit, Edit):
            ref = edit.new.ref
            name = f"{ref.namespace}/{ref.name}.yaml" if ref.namespace is not None else f"{ref.name}.yaml"
            old = manifest(edit.old) if edit.old is not None else ""
        else:
            name = f"{edit.namespace.name}.yaml"
            old = _namespace(edit.namespace, edit.namespace.labels)
        before, after = (text.splitlines(keepends=True) for text in (old, new))
        origin = f"a/{name}" if old else NO_FILE
        parts.append("".join(difflib.unified_diff(before, after, origin, f"b/{name}")))
    return "".join(parts) or None
