"""One decoded JSON object of a Hubble stream to its events."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from flowdiag.parserkit import (
    Event,
    LineEnvelope,
    ParseContext,
    TimeSource,
    line_warning,
    parse_rfc3339,
)
from flowdiag_parsers.hubble.json_fields import mapping, pick, text
from flowdiag_parsers.hubble.json_flow import read_flow
from flowdiag_parsers.hubble.json_others import OTHERS, read_other

__all__ = ["read_record"]

# What a flow has at its top level; one of them makes an object without wrapper a flow.
_FLOW_PARTS = ("IP", "event_type", "source", "destination", "l4", "l7")
_FLOW_WORDS = ("verdict", "traffic_direction")
# Around the wrapper: {"result":{"flow":...}} of the gRPC gateway, {"event":{"flow":...},"sourcetype":"_json"} of
# Splunk's HTTP event collector, and a Cloud Logging entry among other lines.
_OUTER = ("result", "event", "jsonPayload")
_SHOWN = 200


def read_record(record: Any, around: LineEnvelope, context: ParseContext, raw: str | None) -> Iterator[Event]:
    """Events of one object: a wrapper (``flow``, ``lost_events`` ...), what a collector put around it, or a bare flow.

    Time and node come from the flow, else from its wrapper, else from the envelope of the line.
    """
    if not isinstance(record, dict):
        yield line_warning(
            "not-an-object", f"{type(record).__name__} instead of a JSON object", around, context, raw
        )
        return
    kind, body = _body(record)
    if body is None:
        inner = next((one for name in _OUTER if (one := mapping(record, name)) and _body(one)[1]), None)
        if inner is not None:
            record = inner
            kind, body = _body(record)
    if body is None:
        if not _is_bare(record):
            keys = ", ".join(sorted(str(key)[:40] for key in record)[:6]) or "nothing"
            yield line_warning("not-a-flow", f"no flow and no known event (has {keys})", around, context, raw)
            return
        body = record
    at, source, bad = _time(body if kind == "flow" else {}, record, around)
    if bad is not None:
        yield line_warning("bad-time", f"not a time: {bad[:_SHOWN]!r}", around, context, raw)
    node = text(body, "node_name") or text(record, "node_name") or around.node or context.node
    if kind == "flow":
        yield read_flow(body, line=around.line, at=at, time_source=source, node=node, raw=raw)
    else:
        yield from read_other(kind, body, line=around.line, at=at, time_source=source, node=node, raw=raw)


def _body(record: dict[str, Any]) -> tuple[str, dict[str, Any] | None]:
    for name in ("flow", *OTHERS):
        body = mapping(record, name)
        if body is not None:
            return name, body
    return "flow", None


def _is_bare(record: dict[str, Any]) -> bool:
    """Whether a flow's fields hold what a flow's fields hold; ``source`` alone may be a collector's word.

    A Kubernetes object has a ``source`` too (an Event's says which kubelet noticed).
    """
    if "apiVersion" in record:
        return False
    return any(mapping(record, name) is not None for name in _FLOW_PARTS) or any(
        isinstance(pick(record, name), str | int) for name in _FLOW_WORDS
    )


def _time(
    body: dict[str, Any], record: dict[str, Any], around: LineEnvelope
) -> tuple[int | None, TimeSource, str | None]:
    bad = None
    for stamp in (text(body, "time"), text(record, "time")):
        if stamp is None:
            continue
        try:
            return parse_rfc3339(stamp), TimeSource.RECORD, bad
        except ValueError:
            bad = stamp
    return around.at, around.time_source, bad
