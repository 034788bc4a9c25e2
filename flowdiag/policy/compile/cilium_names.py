"""DNS names as Cilium's policies write them: ``matchName`` and ``matchPattern``.

Source: Cilium v1.20 ``pkg/fqdn/matchpattern``: case does not count; ``*`` stands for zero or more
characters inside one label, a first label ``**`` (or more stars) for one or more labels, a lone ``*`` for every name.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from msgspec import Struct

from flowdiag.policy.compile.context import PolicyError

__all__ = ["NamePattern", "read_name"]


class NamePattern(Struct, frozen=True):
    """A name or a pattern; `text` is as written."""

    text: str
    exact: bool

    def holds(self, name: str) -> bool:
        """Whether a name, with or without its last dot, is meant."""
        name, wanted = _plain(name), _plain(self.text)
        if self.exact:
            return name == wanted
        if wanted == "*":
            return True
        labels, parts = name.split("."), wanted.split(".")
        if len(parts[0]) > 1 and not parts[0].strip("*"):
            rest = parts[1:]
            return len(labels) > len(rest) and _labels_hold(rest, labels[len(labels) - len(rest) :])
        return len(labels) == len(parts) and _labels_hold(parts, labels)


def read_name(raw: Any, path: str) -> NamePattern:
    """Read an entry of ``toFQDNs`` or of a DNS rule.

    Raises:
        PolicyError: not exactly one of matchName and matchPattern.
    """
    given = {key: value for key, value in raw.items() if value} if isinstance(raw, dict) else {}
    if len(given) != 1 or not given.keys() <= {"matchName", "matchPattern"}:
        raise PolicyError(f"{path} is not exactly one of matchName and matchPattern")
    field, text = next(iter(given.items()))
    if not isinstance(text, str):
        raise PolicyError(f"{path}.{field} is not a name")
    return NamePattern(text, field == "matchName")


def _plain(name: str) -> str:
    return name.rstrip(".").lower()


def _labels_hold(parts: Sequence[str], labels: Sequence[str]) -> bool:
    return all(_label_holds(part, label) for part, label in zip(parts, labels, strict=True))


def _label_holds(part: str, label: str) -> bool:
    """Match one label in linear time: the pieces between stars are found from left to right."""
    pieces = part.split("*")
    if len(pieces) == 1:
        return part == label
    first, *middle, last = pieces
    if not label.startswith(first) or len(label) < len(first) + len(last) or not label.endswith(last):
        return False
    at, end = len(first), len(label) - len(last)
    for piece in middle:
        found = label.find(piece, at, end)
        if found < 0:
            return False
        at = found + len(piece)
    return True
