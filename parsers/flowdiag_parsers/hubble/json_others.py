"""What stands among the flows of a Hubble stream: lost events, node states, agent and debug events.

Format: the oneof of ``GetFlowsResponse`` and ``ExportEvent``, api/v1/observer/observer.proto, Cilium 1.19.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from flowdiag.parserkit import (
    ChangeEvent,
    Event,
    GapEvent,
    LogEvent,
    ObjectRef,
    TimeSource,
    parse_rfc3339,
)
from flowdiag_parsers.hubble.json_fields import integer, mapping, pick, text, texts
from flowdiag_parsers.hubble.json_policies import derived_from

__all__ = ["OTHERS", "SIGNALS", "read_other"]

OTHERS = ("lost_events", "node_status", "agent_event", "debug_event")
"""Keys of the wrappers beside ``flow``."""

_GAPS = {
    "NODE_UNAVAILABLE": "node-unavailable",
    "NODE_GONE": "node-gone",
    "NODE_ERROR": "node-error",
}
_STATES = ("UNKNOWN_NODE_STATE", "NODE_CONNECTED", "NODE_UNAVAILABLE", "NODE_GONE", "NODE_ERROR")
_AGENT_TYPES = {
    2: "AGENT_STARTED",
    3: "POLICY_UPDATED",
    4: "POLICY_DELETED",
    5: "ENDPOINT_REGENERATE_SUCCESS",
    6: "ENDPOINT_REGENERATE_FAILURE",
    7: "ENDPOINT_CREATED",
    8: "ENDPOINT_DELETED",
    9: "IPCACHE_UPSERTED",
    10: "IPCACHE_DELETED",
    11: "SERVICE_UPSERTED",
    12: "SERVICE_DELETED",
}
SIGNALS = {
    "AGENT_STARTED": "agent-started",
    "POLICY_UPDATED": "policy-imported",
    "POLICY_DELETED": "policy-deleted",
    "ENDPOINT_REGENERATE_FAILURE": "endpoint-regeneration-failed",
}
"""Signals of agents' notices, by the notice's type."""
_BODIES = (
    "policy_update",
    "endpoint_regenerate",
    "endpoint_update",
    "ipcache_update",
    "agent_start",
    "service_upsert",
    "service_delete",
    "notification",
    "unknown",
)
_CHANGES = {
    "POLICY_UPDATED": "updated",
    "POLICY_DELETED": "deleted",
    "ENDPOINT_CREATED": "created",
    "ENDPOINT_DELETED": "deleted",
    "SERVICE_UPSERTED": "updated",
    "SERVICE_DELETED": "deleted",
}
_MAX_FIELD = 2000
_MAX_NODES = 1000


def read_other(
    kind: str,
    body: dict[str, Any],
    *,
    line: int,
    at: int | None,
    time_source: TimeSource,
    node: str | None,
    raw: str | None,
) -> Iterator[Event]:
    """The event or events of a record that is no flow; `kind` is one of `OTHERS`."""
    common: dict[str, Any] = {"line": line, "at": at, "time_source": time_source, "node": node, "raw": raw}
    if kind == "lost_events":
        yield _lost(body, common)
    elif kind == "node_status":
        yield from _status(body, common)
    elif kind == "agent_event":
        yield _agent(body, common)
    else:
        yield LogEvent(
            **common,
            level="debug",
            component="datapath",
            message=text(body, "message") or text(body, "type") or "debug event",
            fields=_fields(body),
        )


def _lost(body: dict[str, Any], common: dict[str, Any]) -> GapEvent:
    """``{"source":"HUBBLE_RING_BUFFER","num_events_lost":"5","cpu":3}``; first and last since 1.19."""
    first, last = _instant(body, "first"), _instant(body, "last")
    if first is not None:
        common = common | {"at": first, "time_source": TimeSource.RECORD}
    source, cpu, lost = text(body, "source"), integer(body, "cpu"), integer(body, "num_events_lost")
    words = [source] if source is not None else []
    if cpu is not None:
        words.append(f"CPU {cpu}")
    return GapEvent(
        **common,
        kind="lost-events",
        lost=lost if lost is not None and lost >= 0 else None,
        until=last,
        message=", ".join(words) or None,
    )


def _status(body: dict[str, Any], common: dict[str, Any]) -> Iterator[Event]:
    """Hubble Relay: ``{"state_change":"NODE_UNAVAILABLE","node_names":["worker-2"],"message":"..."}``."""
    state = pick(body, "state_change")
    if isinstance(state, int):
        state = _STATES[state] if 0 <= state < len(_STATES) else None
    elif not isinstance(state, str):
        state = None
    message = text(body, "message")
    for name in (texts(body, "node_names") or (common["node"],))[:_MAX_NODES]:
        of_node = common | {"node": name}
        if state in _GAPS:
            yield GapEvent(**of_node, kind=_GAPS[state], message=message)
        else:
            word = state or "node status"
            yield LogEvent(
                **of_node,
                level="info",
                component="hubble-relay",
                message=message or word,
                fields={"state_change": word},
                signal="node-connected" if state == "NODE_CONNECTED" else None,
            )


def _agent(body: dict[str, Any], common: dict[str, Any]) -> Event:
    """``{"type":"POLICY_UPDATED","policy_update":{"labels":[...],"revision":"5","rule_count":"1"}}``."""
    kind = pick(body, "type")
    if isinstance(kind, int):
        kind = _AGENT_TYPES.get(kind, str(kind))
    word = kind if isinstance(kind, str) and kind else "agent event"
    details: dict[str, Any] = next((found for name in _BODIES if (found := mapping(body, name))), {})
    changed = _changed(word, details)
    if changed is not None:
        return ChangeEvent(**common, object=changed, change=_CHANGES[word], by="cilium-agent")
    return LogEvent(
        **common,
        level="error" if word == "ENDPOINT_REGENERATE_FAILURE" else "info",
        component="cilium-agent",
        message=word,
        fields=_fields(details),
        signal=SIGNALS.get(word),
    )


def _changed(word: str, details: dict[str, Any]) -> ObjectRef | None:
    """The object that changed, where the event names it; a type that is not known may tell anything of it."""
    if word not in _CHANGES:
        return None
    if word.startswith("POLICY_"):
        kind, group, namespace, name = derived_from(texts(details, "labels"))
        return ObjectRef(kind, group, namespace, name) if kind is not None and name is not None else None
    if word in {"ENDPOINT_CREATED", "ENDPOINT_DELETED"}:
        namespace, name = text(details, "namespace"), text(details, "pod_name")
        return ObjectRef("Pod", None, namespace, name) if name is not None else None
    if word.startswith("SERVICE_"):
        namespace, name = text(details, "namespace"), text(details, "name")
        return ObjectRef("Service", None, namespace, name) if name is not None else None
    return None


def _fields(details: dict[str, Any]) -> dict[str, str]:
    found = {}
    for key in sorted(details):
        value = details[key]
        if value is None or value == "":
            continue
        found[key] = (value if isinstance(value, str) else msgspec.json.encode(value).decode())[:_MAX_FIELD]
    return found


def _instant(body: dict[str, Any], name: str) -> int | None:
    stamp = text(body, name)
    if stamp is None:
        return None
    try:
        return parse_rfc3339(stamp)
    except ValueError:  # a stamp that is none says nothing; the record's own time stays
        return None
