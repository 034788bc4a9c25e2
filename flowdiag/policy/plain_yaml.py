"""YAML of what policies are mostly made of, written without the library: words, numbers, lists and mappings.

The library makes a node of each word and asks a dozen patterns about it, and takes 10 ms to be loaded: some hundred
policies of a report cost more than all that is said of them.  What has anything else in it is the library's to write.
"""

from __future__ import annotations

import re
from typing import Any

__all__ = ["plain_text"]

# "app.kubernetes.io/name", "k8s:io.kubernetes.pod.namespace", "10.96.0.0/12": what stands without quotes wherever it is.
_WORD = re.compile(
    r"[A-Za-z][A-Za-z0-9_./-]*(?::[A-Za-z0-9_./-]+)*|[0-9]{1,3}(?:\.[0-9]{1,3}){3}(?:/[0-9]{1,2})?"
)
_LONG = 100
"""Longer words are no simple keys, or begin a line of their own."""
# "on", "Null": words that YAML 1.1 reads as something else, in any of these spellings.
_NO_WORDS = frozenset(
    spelling
    for word in ("yes", "no", "true", "false", "on", "off", "null")
    for spelling in (word, word.title(), word.upper())
)


def plain_text(body: dict[str, Any]) -> str | None:
    """A document in block style, keys in the order given; ``None`` where something in it needs more than that.

    Args:
        body: a mapping that is not empty.
    """
    lines: list[str] = []
    return "\n".join(lines) + "\n" if _mapping(body, "", "", lines) else None


def _mapping(body: dict[Any, Any], lead: str, pad: str, lines: list[str]) -> bool:
    """Write pairs, the first behind `lead`; says whether all of them could be."""
    for key, value in body.items():
        name = _word(key) if type(key) is str else None
        if name is None:
            return False
        kind = type(value)
        if kind is dict and value:
            lines.append(f"{lead}{name}:")
            if not _mapping(value, f"{pad}  ", f"{pad}  ", lines):
                return False
        elif kind is list and value:
            lines.append(f"{lead}{name}:")
            if not _sequence(value, pad, pad, lines):
                return False
        else:
            text = _scalar(value)
            if text is None:
                return False
            lines.append(f"{lead}{name}: {text}")
        lead = pad
    return True


def _sequence(items: list[Any], lead: str, pad: str, lines: list[str]) -> bool:
    """Write items likewise."""
    for item in items:
        kind = type(item)
        if kind is dict and item:
            if not _mapping(item, f"{lead}- ", f"{pad}  ", lines):
                return False
        elif kind is list and item:
            if not _sequence(item, f"{lead}- ", f"{pad}  ", lines):
                return False
        else:
            text = _scalar(item)
            if text is None:
                return False
            lines.append(f"{lead}- {text}")
        lead = pad
    return True


def _scalar(value: Any) -> str | None:
    kind = type(value)
    if kind is str:
        return _word(value)
    if kind is bool:
        return "true" if value else "false"
    if kind is int:
        return str(value)
    if value is None:
        return "null"
    # Of lists and mappings only empty ones come here.
    return "{}" if kind is dict else "[]" if kind is list else None


def _word(text: str) -> str | None:
    return text if len(text) <= _LONG and text not in _NO_WORDS and _WORD.fullmatch(text) else None
