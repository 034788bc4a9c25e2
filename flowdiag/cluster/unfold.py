"""What a text of cluster objects gives: values with the line each starts on, a List's one by one, and what could not be read."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import msgspec
from msgspec import Struct

from flowdiag.cluster.wanted import POLICY_NAMES

__all__ = ["BadDocument", "Found", "may_hold_policy", "unfold"]


class Found(Struct, frozen=True):
    """One value of a document: an object, or an empty list (its head, `empty`)."""

    value: Any
    line: int
    list_kind: str | None = None
    list_api: str | None = None
    empty: bool = False


class BadDocument(Struct, frozen=True):
    """A part of the input that could not be read, and why."""

    message: str
    line: int
    code: str = "invalid-document"
    hides: bool = False
    """It may have held a policy: what it says of itself does not tell otherwise."""
    kept: bool = False
    """The object was read all the same, as this says."""


_MOST_LISTS = 8

# As in a line "  kind: NetworkPolicy", in {"kind":"PodList", and in - kind: "Pod"
_ANY_KIND = re.compile(r"""\bkind["']?+[ ]?+:[ ]?+["']?+([A-Za-z0-9]++)""")


def may_hold_policy(text: str, *, cut: bool = False) -> bool:
    """Whether a text that cannot be read may have held a policy, by the kinds that it names.

    Args:
        text: what is left of it.
        cut: more of a list may have followed.
    """
    kinds = {match[1] for match in _ANY_KIND.finditer(text)}
    whole = {kind for kind in kinds if kind != "List" or cut}
    return not whole or any(
        kind.removesuffix("List") in POLICY_NAMES or kind in POLICY_NAMES for kind in whole
    )


def unfold(
    value: Any, line: int, data: bytes | None = None, *, depth: int = 0
) -> Iterator[Found | BadDocument]:
    """A List's items one by one, an array's elements, or the object itself.

    Args:
        value: what was decoded.
        line: where it begins.
        data: what it was decoded from, in which its parts' lines are looked up.
        depth: lists that it stands in.
    """
    if depth > _MOST_LISTS:
        yield BadDocument("nested too deeply", line, hides=True)
        return
    if isinstance(value, list):
        for element, here in zip(value, _lines(data, line, array=True, number=len(value)), strict=True):
            yield from unfold(element, here, depth=depth + 1)
        if not value:
            yield Found(None, line, empty=True)
        return
    if not isinstance(value, dict):
        if value is not None:
            yield BadDocument("not a Kubernetes object", line, "not-an-object")
        return
    kind = value.get("kind")
    items = value.get("items")
    if "items" not in value or (isinstance(kind, str) and not kind.endswith("List")):
        yield Found(value, line)
        return
    list_kind = kind if isinstance(kind, str) else None
    api = value.get("apiVersion")
    list_api = api if isinstance(api, str) else None
    if not isinstance(items, list) or not items:
        yield Found(None, line, list_kind, list_api, empty=True)
        return
    for item, here in zip(items, _lines(data, line, array=False, number=len(items)), strict=True):
        if isinstance(item, dict) and str(item.get("kind", "")).endswith("List") and "items" in item:
            yield from unfold(item, here, depth=depth + 1)
        else:
            yield Found(item, here, list_kind, list_api)


class _Head(Struct):
    items: list[msgspec.Raw] = []


def _lines(data: bytes | None, line: int, *, array: bool, number: int) -> list[int]:
    """The line of each element, found again in the bytes; all on `line` where there are none."""
    if data is None or b"\n" not in data.strip():
        return [line] * number
    try:
        raws = (
            msgspec.json.decode(data, type=list[msgspec.Raw])
            if array
            else msgspec.json.decode(data, type=_Head).items
        )
    except (msgspec.DecodeError, RecursionError):
        return [line] * number
    start = len(data) - len(data.lstrip())
    found: list[int] = []
    at = counted = start
    here = line
    for raw in raws:
        begin = data.find(bytes(raw), at)
        if begin < 0:
            return [line] * number
        here += data.count(b"\n", counted, begin)
        found.append(here)
        counted = begin
        at = begin + len(raw)
    return found if len(found) == number else [line] * number
