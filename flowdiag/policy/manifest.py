"""A policy as YAML text that ``kubectl apply`` takes: what reports show and what patches are made of."""

from __future__ import annotations

import functools
from typing import Any

from flowdiag.model.objects import PolicyObject

__all__ = ["manifest", "plain_dumper", "yaml_text"]

_SPEC_ORDER = (
    *("tier", "priority", "order", "subject", "endpointSelector", "nodeSelector"),
    *("podSelector", "selector", "namespaceSelector", "policyTypes", "types", "ingress", "egress"),
)
_WIDTH = 100
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
    return yaml_text(body)


def yaml_text(body: dict[str, Any]) -> str:
    """An object as a YAML document, keys in the order given."""
    import yaml

    text: str = yaml.dump(
        body, Dumper=plain_dumper(), sort_keys=False, default_flow_style=False, width=_WIDTH
    )
    return text


@functools.cache
def plain_dumper() -> Any:
    """A safe dumper, libyaml's where it is there, that never writes anchors: nobody expects them in a policy."""
    import yaml

    safe: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)

    class Plain(safe):  # type: ignore[misc]
        def ignore_aliases(self, data: Any) -> bool:
            del data
            return True

        def represent_data(self, data: Any) -> Any:
            # The types that manifests are made of, written directly: for each of them the library would look for
            # aliases, order and style.
            kind = type(data)
            if kind is str:
                return yaml.ScalarNode(_STR, data)
            if kind is dict:
                pairs = [
                    (self.represent_data(key), self.represent_data(value)) for key, value in data.items()
                ]
                return yaml.MappingNode(_MAP, pairs, flow_style=False)
            if kind is list:
                return yaml.SequenceNode(_SEQ, [self.represent_data(one) for one in data], flow_style=False)
            return super().represent_data(data)

        def resolve(self, kind: Any, value: Any, implicit: Any) -> Any:
            if kind is yaml.MappingNode:
                return _MAP
            if kind is yaml.SequenceNode:
                return _SEQ
            if len(value) > _SHORT:
                return super().resolve(kind, value, implicit)
            known = tags.get((value, implicit))
            if known is None:
                if len(tags) >= _MEMORY:
                    tags.clear()
                known = tags[value, implicit] = super().resolve(kind, value, implicit)
            return known

    # Policies repeat few words: whether one must be quoted, as it would be read as a number, is asked once for each.
    tags: dict[tuple[str, tuple[bool, bool]], str] = {}
    return Plain


_STR, _MAP, _SEQ = (f"tag:yaml.org,2002:{kind}" for kind in ("str", "map", "seq"))
_SHORT = 64
_MEMORY = 1 << 14
