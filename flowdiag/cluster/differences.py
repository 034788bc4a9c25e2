"""What differs between an object before and after a change, path by path, in few words."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from flowdiag.cluster.meta import as_map
from flowdiag.cluster.wanted import WORKLOAD_KINDS

__all__ = ["difference_text", "written_text"]

_MOST = 3
_LONGEST = 100
_DEPTH = 24
_ABSENT = object()


def deciding_part(kind: str, body: dict[str, Any]) -> dict[str, Any]:
    """The part of an object that decides who may talk to whom: labels of pods and namespaces, else the spec."""
    labels = as_map(as_map(body.get("metadata")).get("labels"))
    if kind in ("Namespace", "Pod"):
        return {"labels": labels}
    spec = as_map(body.get("spec"))
    if kind in WORKLOAD_KINDS:
        template = as_map(as_map(as_map(spec.get("template")).get("metadata")).get("labels"))
        return {"labels": template or labels}
    specs = body.get("specs")
    return {**spec, "specs": specs} if isinstance(specs, list) else spec


def difference_text(kind: str, before: dict[str, Any] | None, after: dict[str, Any] | None) -> str | None:
    """Say old and new in words: ``ingress[0].ports[0].port: 8080 -> 8443``.

    Args:
        kind: the object's kind.
        before: the whole object before the change, where it is known.
        after: and after it; ``None`` where it was deleted or is not known.

    Returns:
        ``None`` where nothing is known to differ.  What was deleted is told whole, as far as it is short.
    """
    if before is None:
        return None
    old = deciding_part(kind, before)
    if after is None:
        return f"it was {_short(old)}" if old else None
    found = list(_differences(old, deciding_part(kind, after), "", 0))
    if not found:
        return None
    more = f" and {len(found) - _MOST} more" if len(found) > _MOST else ""
    return "; ".join(found[:_MOST]) + more


def written_text(kind: str, patch: dict[str, Any]) -> str | None:
    """Say what a merge patch makes of fields whose old values nobody knows: ``labels["env"] removed``.

    Args:
        kind: the object's kind.
        patch: as it was sent; null takes a field away.
    """
    found = list(_written(deciding_part(kind, patch), "", 0))
    more = f" and {len(found) - _MOST} more" if len(found) > _MOST else ""
    return "; ".join(found[:_MOST]) + more if found else None


def _written(value: Any, path: str, depth: int) -> Iterator[str]:
    if isinstance(value, dict) and value and depth < _DEPTH:
        for key in sorted(value, key=str):
            yield from _written(value[key], _step(path, str(key)), depth + 1)
    elif path and value != {}:
        yield f"{path} removed" if value is None else f"{path} set to {_short(value)}"


def _differences(old: Any, new: Any, path: str, depth: int) -> Iterator[str]:
    if old == new:
        return
    if depth < _DEPTH and isinstance(old, dict) and isinstance(new, dict):
        for key in sorted({*old, *new}, key=str):
            inner = _step(path, str(key))
            yield from _differences(old.get(key, _ABSENT), new.get(key, _ABSENT), inner, depth + 1)
        return
    if depth < _DEPTH and isinstance(old, list) and isinstance(new, list):
        for index in range(max(len(old), len(new))):
            yield from _differences(
                old[index] if index < len(old) else _ABSENT,
                new[index] if index < len(new) else _ABSENT,
                f"{path}[{index}]",
                depth + 1,
            )
        return
    yield f"{path}: {_short(old)} -> {_short(new)}"


def _step(path: str, key: str) -> str:
    """Keys of labels are names that people chose: they stand in quotes, as values do."""
    if path.rpartition(".")[2] in ("labels", "matchLabels"):
        return f"{path}[{msgspec.json.encode(key).decode()}]"
    return f"{path}.{key}" if path else key


def _short(value: Any) -> str:
    """JSON, cut where it is long, and never inside quotes: what stands in them is redacted by them."""
    if value is _ABSENT:
        return "absent"
    text = msgspec.json.encode(value).decode()
    if len(text) <= _LONGEST:
        return text
    cut = text[:_LONGEST]
    return (cut[: cut.rindex('"')] if cut.count('"') % 2 else cut) + "..."
