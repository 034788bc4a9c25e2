"""What every object's ``metadata`` says, and careful reads of decoded values of any shape."""

from __future__ import annotations

from itertools import chain
from typing import Any

from msgspec import Struct

from flowdiag.cluster.scalars import text_of
from flowdiag.model.objects import ManagedWrite
from flowdiag.model.time import parse_rfc3339

__all__ = ["Meta", "as_bool", "as_int", "as_list", "as_map", "as_text", "as_time", "read_meta", "string_map"]

_ONLY_TEXT = frozenset({str})


def as_map(value: Any) -> dict[str, Any]:
    """`value` if it is a mapping, else an empty one."""
    return value if isinstance(value, dict) else {}


def as_list(value: Any) -> list[Any]:
    """`value` if it is a sequence, else an empty one."""
    return value if isinstance(value, list) else []


def as_text(value: Any) -> str | None:
    """A non-empty scalar as the string a user sees."""
    if type(value) is str:
        return value or None
    if value is None or isinstance(value, (dict, list)):
        return None
    return text_of(value) or None


def as_int(value: Any) -> int | None:
    """An integer, also where it was written as text."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 19:
        return int(value)
    return None


def as_bool(value: Any) -> bool:
    """True only where the value says so."""
    return value is True or (isinstance(value, str) and value.lower() in ("true", "yes", "on"))


def as_time(value: Any) -> int | None:
    """An RFC 3339 stamp as nanoseconds; None where it is null or redacted."""
    if not isinstance(value, str):
        return None
    try:
        return parse_rfc3339(value)
    except ValueError:
        return None


def string_map(value: Any) -> dict[str, str]:
    """Labels, annotations and selectors: values as the strings a user sees, null as the empty one."""
    if not isinstance(value, dict):
        return {}
    if _ONLY_TEXT.issuperset(map(type, chain(value, value.values()))):
        return dict(value)
    return {text_of(key): text_of(part) for key, part in value.items() if not isinstance(part, (dict, list))}


class Meta(Struct, frozen=True, kw_only=True):
    """The parts of ``metadata`` that are read."""

    name: str | None
    namespace: str | None
    uid: str | None
    labels: dict[str, str]
    annotations: dict[str, str]
    created: int | None
    deleted: int | None
    generation: int | None
    version: int | None
    """``resourceVersion`` as a number, where it is one."""
    managed: tuple[ManagedWrite, ...]
    owners: tuple[dict[str, Any], ...]
    generate_name: str | None


_LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


def read_meta(value: Any) -> Meta:
    """``metadata`` of any object; missing parts are None or empty."""
    meta = as_map(value)
    annotations = string_map(meta.get("annotations"))
    annotations.pop(_LAST_APPLIED, None)
    return Meta(
        name=as_text(meta.get("name")),
        namespace=as_text(meta.get("namespace")),
        uid=as_text(meta.get("uid")),
        labels=string_map(meta.get("labels")),
        annotations=annotations,
        created=as_time(meta.get("creationTimestamp")),
        deleted=as_time(meta.get("deletionTimestamp")),
        generation=as_int(meta.get("generation")),
        version=as_int(meta.get("resourceVersion")),
        managed=tuple(
            _managed(entry) for entry in as_list(meta.get("managedFields")) if isinstance(entry, dict)
        ),
        owners=tuple(owner for owner in as_list(meta.get("ownerReferences")) if isinstance(owner, dict)),
        generate_name=as_text(meta.get("generateName")),
    )


def _managed(entry: dict[str, Any]) -> ManagedWrite:
    fields = as_map(entry.get("fieldsV1"))
    parts: list[str] = []
    for key, value in fields.items():
        if key == "f:metadata":
            inner = as_map(value)
            parts.extend(part for part in ("labels", "annotations") if f"f:{part}" in inner)
        elif key == "f:specs":
            parts.append("spec")
        else:
            parts.append(key.removeprefix("f:"))
    return ManagedWrite(
        manager=as_text(entry.get("manager")),
        at=as_time(entry.get("time")),
        subresource=as_text(entry.get("subresource")),
        fields=tuple(sorted(set(parts))),
    )
