"""Reading JSON of strangers: any value may be missing or of another type, and none of that may raise."""

from __future__ import annotations

from typing import Any

import msgspec

from flowdiag.parserkit.block import LineEnvelope

__all__ = ["beheaded", "integer_of", "json_object", "object_behind", "object_of", "text_of"]


def json_object(line: bytes | str) -> dict[str, Any] | None:
    """The object that `line` is; ``None`` where it is no whole JSON object."""
    try:
        value = msgspec.json.decode(line)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def beheaded(line: bytes, around: LineEnvelope) -> bool:
    """Whether an input's first line is the end of an object whose beginning was cut away, as ``tail -c`` leaves it."""
    text = line.strip()
    return (
        around.line == 1
        and text[-1:] == b"}"
        and text[:1] != b"{"
        # "Common labels: {}" above what Grafana saved is whole.
        and text.count(b"}") > text.count(b"{")
    )


def object_behind(line: bytes, mark: bytes) -> bytes:
    """A line with this mark from its object on: before it may stand what no wrapper is known by (``17:``, ``agent_1 | ``)."""
    start = line.find(b"{")
    return line[start:] if start > 0 and mark in line else line


def text_of(record: dict[str, Any], *keys: str) -> str | None:
    """The first of these that is text with something in it."""
    for key in keys:
        value = record.get(key)
        if isinstance(value, str) and value:
            return value
    return None


def integer_of(record: dict[str, Any], *keys: str) -> int | None:
    """The first of these that is a whole number: as such, as a float without a fraction, or as digits."""
    for key in keys:
        value = record.get(key)
        if isinstance(value, bool):
            continue
        if isinstance(value, int):
            return value
        if isinstance(value, float) and value.is_integer():
            return int(value)
        if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 20:
            return int(value)
    return None


def object_of(record: dict[str, Any], key: str) -> dict[str, Any]:
    """The object under `key`; empty where there is none."""
    value = record.get(key)
    return value if isinstance(value, dict) else {}
