"""The shapes in which Calico's flow records come, and the one in which they are read.

Whisker and its backend write snake case with the traces under ``enforced`` and ``pending``; Goldmane's
protobuf JSON writes camel case below ``Key`` and leaves zero fields out; Enterprise and Cloud write
snake case with the traces as strings; exports add ``_source``, ``hits``, ``items`` or dots in keys, and some
write ``startTime`` beside snake-case names.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import msgspec

__all__ = ["is_flow", "level", "unwrap"]

_CAMEL = re.compile(r"(?<=[a-z0-9])([A-Z])")
_TRACES = {"enforced": "enforced_policies", "pending": "pending_policies"}
_DEPTH = 6


def unwrap(value: Any, depth: int = _DEPTH) -> Iterator[dict[str, Any]]:
    """Yield the objects that a decoded document or line carries, wrappers taken off.

    ``hits.hits[]._source`` (Elasticsearch), ``items[]`` (Whisker), ``event`` (Splunk), ``flow``
    (Goldmane's stream), and ``log`` or ``message`` holding JSON text (Fluentd and its kin).
    """
    if depth == 0:
        return
    if isinstance(value, list):
        for element in value:
            yield from unwrap(element, depth - 1)
        return
    if not isinstance(value, dict):
        return
    for key in ("_source", "event", "flow", "result"):
        inner = value.get(key)
        if isinstance(inner, dict):
            yield from unwrap(inner, depth - 1)
            return
    for key in ("hits", "items", "flows", "responses"):
        inner = value.get(key)
        if isinstance(inner, list | dict):
            yield from unwrap(inner, depth - 1)
            return
    for key in ("log", "message"):
        inner = value.get(key)
        if isinstance(inner, str) and inner[:1] == "{" and "action" not in value:
            try:
                decoded = msgspec.json.decode(inner)
            except (msgspec.DecodeError, RecursionError):
                break
            yield from unwrap(decoded, depth - 1)
            return
    yield value


def level(record: dict[str, Any]) -> dict[str, Any]:
    """The record with every field at the top under its snake-case name, the traces under `policies`.

    ``from_protobuf`` is true where the record is protobuf JSON: there a missing number means zero.
    """
    if "source_name" in record and "policies" in record and "startTime" not in record:
        flat = dict(record)  # Whisker and Enterprise as they are: the usual case
    else:
        key = record.get("Key", record.get("key"))
        flat = {_snake(k): v for k, v in key.items()} if isinstance(key, dict) else {}
        flat |= {_snake(k): v for k, v in record.items() if k not in ("Key", "key")}
        flat["from_protobuf"] = isinstance(key, dict)
        for dotted in [k for k in flat if k.startswith(("policies.", "source_labels.", "dest_labels."))]:
            outer, _, inner = dotted.partition(".")
            held = flat.get(outer)
            flat[outer] = (held if isinstance(held, dict) else {}) | {inner: flat.pop(dotted)}
    policies = flat.get("policies")
    if isinstance(policies, dict):
        flat["policies"] = {_TRACES.get(_snake(k), _snake(k)): v for k, v in policies.items()}
    return flat


def is_flow(flat: dict[str, Any]) -> bool:
    """Whether a levelled object is a flow record: DNS, L7 and WAF logs lie in the same places."""
    return (
        isinstance(flat.get("action"), str)
        and isinstance(flat.get("reporter"), str)
        and ("dest_name" in flat or "dest_ip" in flat or "source_name" in flat)
    )


def _snake(key: str) -> str:
    return _CAMEL.sub(lambda m: "_" + m[1].lower(), key) if not key.islower() else key
