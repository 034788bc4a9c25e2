"""EVENT lines of weave-npc: the policies and namespaces that it heard of, before and after."""

from __future__ import annotations

import json
import re
from typing import Any

from flowdiag.parserkit import ChangeEvent, Event, Frame, ObjectRef, ParseWarning, object_of, text_of

__all__ = ["EVENT", "change"]

# "INFO: 2020/07/06 15:07:18.144209 EVENT UpdateNetworkPolicy {json} {json}"   2.0 to 2.8
EVENT = re.compile(r"EVENT (?P<verb>Add|Update|Delete)(?P<kind>NetworkPolicy|Namespace|Pod) (?=\{)")
_CHANGES = {"Add": "created", "Update": "updated", "Delete": "deleted"}


def change(event: re.Match[str], rest: str, shared: Frame) -> Event:
    """One object follows, or for an update the old and the new one."""
    objects = _objects(rest)
    if not objects:
        return ParseWarning(**shared, code="truncated", message="the object of an EVENT line is cut off")
    verb = event["verb"]
    new = objects[-1]
    meta = object_of(new, "metadata")
    network = event["kind"] == "NetworkPolicy"
    return ChangeEvent(
        **shared,
        object=ObjectRef(
            event["kind"],
            "networking.k8s.io" if network else "",
            text_of(meta, "namespace") if network else None,
            text_of(meta, "name"),
        ),
        change=_CHANGES[verb],
        before=objects[0] if verb == "Delete" or (verb == "Update" and len(objects) > 1) else None,
        after=None if verb == "Delete" or (verb == "Update" and len(objects) < 2) else new,
    )


def _integer(digits: str) -> int | float:
    """As the JSON readers of other parsers have it: what does not fit in 64 bits is a float."""
    return int(digits) if len(digits) < 19 else float(digits)


_decoder = json.JSONDecoder(parse_int=_integer)


def _objects(text: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    at = 0
    while len(found) < 2 and text[at : at + 1] == "{":
        try:
            value, at = _decoder.raw_decode(text, at)
        except (ValueError, RecursionError):
            break
        found.append(value)
        while text[at : at + 1] == " ":
            at += 1
    return found
