"""Records among cluster objects: ``kubectl get events -A -o yaml`` gives a List, and Events are records and not state.

So are Antrea's Traceflows, which tell what became of a packet.

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


_EVENTS, _TRACES = "events", "traceflows"
_KINDS = {"Event": _EVENTS, "Traceflow": _TRACES}


def listed_events(data: bytes) -> tuple[dict[str, list[bytes]], bool]:
    """The Events and the traced packets of an input of objects, each as a line of JSON with its kind, and whether there is nothing else.

    Args:
        data: the whole input, JSON or YAML.
    """
    try:
        text = clean_text(data)
    except UnicodeDecodeError:
        return {}, False
    kinds: set[str | None] = set()

    def wanted(kind: str | None) -> bool:
        kinds.add(kind)
        return kind is None or kind in _KINDS or kind.endswith("List")

    lines: dict[str, list[bytes]] = {}
    alone = True
    for found in iter_json(text, wanted) if looks_like_json(text) else iter_yaml(text, wanted):
        record = (_event(found) or _trace(found)) if isinstance(found, Found) else None
        if record is not None:
            lines.setdefault(_KINDS[record["kind"]], []).append(msgspec.json.encode(record))
        elif not isinstance(found, Found) or not found.empty:
            alone = False
    return lines, alone and kinds <= {None, *_KINDS}


def _trace(found: Found) -> dict[str, Any] | None:
    """A Traceflow of Antrea's that has a result; one that is only asked for is an object like others."""
    body = found.value
    if not isinstance(body, dict):
        return None
    kind, api, status = body.get("kind"), body.get("apiVersion"), body.get("status")
    if kind is None and found.list_kind == "TraceflowList":
        kind, api = "Traceflow", api or found.list_api
    if kind != "Traceflow" or not isinstance(api, str) or "antrea" not in api or not isinstance(status, dict):
        return None
    meta = body.get("metadata")
    named = (
        {k: v for k, v in meta.items() if k in ("name", "uid", "creationTimestamp")}
        if isinstance(meta, dict)
        else {}
    )
    return {
        "kind": "Traceflow",
        "apiVersion": api,
        "metadata": named,
        "spec": body.get("spec"),
        "status": status,
    }


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
