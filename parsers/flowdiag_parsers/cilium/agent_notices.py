"""Agent events in ``cilium monitor``: ``>> Policy updated: {...}``."""

from __future__ import annotations

from typing import Any

import msgspec

from flowdiag.parserkit import ChangeEvent, Event, LogEvent
from flowdiag_parsers.cilium.carrier import Carrier
from flowdiag_parsers.cilium.policies import policy_of_labels

__all__ = ["notice"]

# pkg/monitor/api/types.go (AgentNotification) [1.20], lower case
_SIGNALS = {
    "agent started": "agent-started",
    "policy updated": "policy-imported",
    "policy deleted": "policy-deleted",
    "failed endpoint regeneration": "endpoint-regeneration-failed",
    "endpoint regeneration failed": "endpoint-regeneration-failed",
}
_MAX_FIELD = 2000


def notice(subject: str, body: str, c: Carrier) -> list[Event]:
    """The message, and the change where it names its policy."""
    try:
        said: Any = msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError):
        said = None
    parts = said if isinstance(said, dict) else {}
    fields = {
        str(key)[:100]: (value if isinstance(value, str) else msgspec.json.encode(value).decode())[
            :_MAX_FIELD
        ]
        for key, value in list(parts.items())[:40]
    }
    if not fields and body:
        fields = {"message": body[:_MAX_FIELD]}
    signal = _SIGNALS.get(subject.lower())
    events: list[Event] = [
        LogEvent(
            line=c.line,
            at=c.at,
            time_source=c.time_source,
            node=c.node,
            raw=c.raw,
            component="cilium-agent",
            message=subject,
            fields=fields,
            signal=signal,
        )
    ]
    labels = parts.get("labels")
    policy = policy_of_labels(labels) if signal and isinstance(labels, list) else None
    if policy is not None and signal in {"policy-imported", "policy-deleted"}:
        events.append(
            ChangeEvent(
                line=c.line,
                at=c.at,
                time_source=c.time_source,
                node=c.node,
                raw=c.raw,
                object=policy,
                change="deleted" if signal == "policy-deleted" else "updated",
                by="cilium-agent",
            )
        )
    return events
