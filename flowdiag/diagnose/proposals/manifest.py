"""Policies as YAML text that ``kubectl apply`` takes, and what changed as a unified diff."""

from __future__ import annotations

import difflib
from typing import Any

from flowdiag.diagnose.proposals.edit import AnyEdit, Edit
from flowdiag.model.objects import Namespace, PolicyObject

__all__ = ["manifest", "manifest_of", "patch"]

_SPEC_ORDER = (
    *("tier", "priority", "order", "subject", "endpointSelector", "nodeSelector"),
    *("podSelector", "selector", "namespaceSelector", "policyTypes", "types", "ingress", "egress"),
)
_NOISE = ("kubectl.kubernetes.io/last-applied-configuration",)
"""Annotations that kubectl writes itself; applying them back would only confuse it."""


def manifest(policy: PolicyObject) -> str:
    """Write the whole object, keys in the order of the API reference."""
    metadata: dict[str, Any] = {"name": policy.ref.name}
    if policy.ref.namespace is not None:
        metadata["namespace"] = policy.ref.namespace
    if policy.labels:
        metadata["labels"] = dict(sorted(policy.labels.items()))
    annotations = {key: value for key, value in sorted(policy.annotations.items()) if key not in _NOISE}
    if annotations:
        metadata["annotations"] = annotations
    spec = {key: policy.spec[key] for key in _SPEC_ORDER if key in policy.spec}
    spec.update({key: value for key, value in policy.spec.items() if key not in spec})
    body = {"apiVersion": policy.api_version, "kind": policy.ref.kind, "metadata": metadata, "spec": spec}
    return _text(body)


def manifest_of(edit: AnyEdit) -> str:
    """Write the object that an edit leaves behind."""
    if isinstance(edit, Edit):
        return manifest(edit.new)
    return _namespace(edit.namespace, {**edit.namespace.labels, **edit.labels})


def _namespace(namespace: Namespace, labels: dict[str, str]) -> str:
    # Only what is applied is owned afterwards, so annotations and the rest may be left out.
    metadata = {"name": namespace.name, "labels": dict(sorted(labels.items()))}
    return _text({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata})


def _text(body: dict[str, Any]) -> str:
    import yaml

    text: str = yaml.dump(body, Dumper=_plain_dumper(), sort_keys=False, default_flow_style=False, width=100)
    return text


def _plain_dumper() -> Any:
    """A safe dumper that never writes anchors, which nobody expects in a policy."""
    import yaml

    class Plain(yaml.SafeDumper):
        def ignore_aliases(self, data: Any) -> bool:
            del data
            return True

    return Plain


def patch(edits: tuple[AnyEdit, ...]) -> str | None:
    """Write what changes in known objects as a unified diff; ``None`` where all is new."""
    parts = []
    for edit in edits:
        if isinstance(edit, Edit):
            if edit.old is None:
                continue
            ref = edit.new.ref
            name = f"{ref.namespace}/{ref.name}.yaml" if ref.namespace is not None else f"{ref.name}.yaml"
            old = manifest(edit.old)
        else:
            name = f"{edit.namespace.name}.yaml"
            old = _namespace(edit.namespace, edit.namespace.labels)
        before, after = (text.splitlines(keepends=True) for text in (old, manifest_of(edit)))
        parts.append("".join(difflib.unified_diff(before, after, f"a/{name}", f"b/{name}")))
    return "".join(parts) or None
