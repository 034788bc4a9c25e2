"""Events among cluster objects: ``kubectl get events -A -o yaml`` gives a List, and they are records and not state.

Sources: Kubernetes ``v1`` and ``events.k8s.io/v1`` Event; support bundles keep such lists beside those of objects.
"""

from __future__ import annotations

from typing import Any

import msgspec

from flowdiag.cluster.cleaning import clean_text
from flowdiag.cluster.documents import iter_json, iter_yaml, looks_like_json
from flowdiag.cluster.unfold import Found

__all__ = ["listed_events"]

_API = {
    "": "v1",
    "v1": "v1",
    "events.k8s.io/v1": "events.k8s.io/v1",
    "events.k8s.io/v1beta1": "events.k8s.io/v1",
}


def listed_events(data: bytes) -> tuple[list[bytes], bool]:
    """The Events of an input of objects, each as a line of JSON with its kind, and whether there is nothing else.

    Args:
        data: the whole input, JSON or YAML.
    """
    try:
        text = clean_text(data)
    except UnicodeDecodeError:
        return [], False
    kinds: set[str | None] = set()

    def wanted(kind: str | None) -> bool:
        kinds.add(kind)
        return kind is None or kind == "Event" or kind.endswith("List")

    lines, alone = [], True
    for found in iter_json(text, wanted) if looks_like_json(text) else iter_yaml(text, wanted):
        event = _event(found) if isinstance(found, Found) else None
        if event is not None:
            lines.append(msgspec.json.encode(event))
        elif not isinstance(found, Found) or not found.empty:
            alone = False
    return lines, alone and kinds <= {None, "Event"}


def _event(found: Found) -> dict[str, Any] | None:
    body = found.value
    if not isinstance(body, dict):
        return None
    kind, api = body.get("kind"), body.get("apiVersion")
    if kind is None and found.list_kind == "EventList":
        # Items of a typed list do not say what they are.
        kind, api = "Event", api or found.list_api
    if kind != "Event" or not isinstance(api, str | None) or (api or "") not in _API:
        return None
    return {
        "kind": "Event",
        "apiVersion": _API[api or ""],
        **{k: v for k, v in body.items() if k not in ("kind", "apiVersion")},
    }
