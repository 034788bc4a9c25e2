"""Records of collectors with fields of other types than theirs: what fits is read, the rest is as if it were not there."""

from __future__ import annotations

import typing
from functools import cache
from typing import Any

import msgspec
from msgspec import Raw

__all__ = ["DAMAGED", "fitting"]

DAMAGED = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
"""What decoding JSON of strangers raises: bad syntax or shape, bad UTF-8 in a key or string, nesting as an attack."""

_fields = msgspec.json.Decoder(dict[str, Raw])
_elements = msgspec.json.Decoder(list[Raw])


def fitting(data: bytes, shape: Any) -> Any:
    """A `shape` of those fields of a JSON object that are of its types, structs inside it likewise.

    Args:
        data: the object.
        shape: a `msgspec.Struct`.

    Raises:
        MsgspecError: it is no object, or a field that must be there is not of its type.
    """
    found = _fields.decode(data)
    kept: dict[str, Any] = {}
    for name, encoded, kind in _told(shape):
        raw = found.get(encoded)
        if raw is None:
            continue
        try:
            kept[name] = msgspec.json.decode(raw, type=kind, strict=False)
        except DAMAGED:
            value = _inside(bytes(raw), kind)
            if value is not None:
                kept[name] = value
    try:
        return shape(**kept)
    except TypeError as error:
        raise msgspec.ValidationError(str(error)) from None


def _inside(data: bytes, kind: Any) -> Any:
    """A struct, or a list of them, of which a part does not fit; ``None`` for anything else."""
    if typing.get_origin(kind) is list:
        (inner,) = typing.get_args(kind)
        if not _is_struct(inner) or not data.startswith(b"["):
            return None
        return [value for raw in _elements.decode(data) if (value := _part(bytes(raw), inner)) is not None]
    struct = next((one for one in typing.get_args(kind) or (kind,) if _is_struct(one)), None)
    return None if struct is None else _part(data, struct)


def _is_struct(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, msgspec.Struct)


def _part(data: bytes, struct: Any) -> Any:
    try:
        return fitting(data, struct) if data.startswith(b"{") else None
    except DAMAGED:
        return None


@cache
def _told(shape: Any) -> tuple[tuple[str, str, Any], ...]:
    return tuple((field.name, field.encode_name, field.type) for field in msgspec.structs.fields(shape))
