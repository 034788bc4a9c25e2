"""Parser of Kubernetes Events as JSON lines: what the kubelet and controllers noticed.

Format: ``v1`` Event and ``events.k8s.io/v1`` Event, as exporters and ``kubectl get events --watch -o json | jq -c`` write them.
Both stamps of a v1 Event are null where its emitter uses the newer API; then ``eventTime`` and ``series`` hold.
An Event that comes again has a higher count and a later stamp.  Those about packets that a pod lost are refusals
(`flowdiag_parsers.audit.packet_drops`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, ClassVar

from msgspec.structs import replace

from flowdiag.parserkit import (
    Block,
    Event,
    FlowEvent,
    LogEvent,
    ParseContext,
    ParseWarning,
    chosen_objects,
    frame,
    instant_of,
    integer_of,
    object_of,
    text_of,
)
from flowdiag_parsers.audit.packet_drops import combined, drop_of, tells_of_drop

__all__ = ["KubernetesEvents"]

# {"kind":"Event","apiVersion":"v1","involvedObject":{"kind":"Pod","namespace":"shop","name":"web-1"},"reason":"Unhealthy",
#  "message":"Readiness probe failed: ...","type":"Warning","lastTimestamp":"2026-01-05T10:00:00Z","source":{...}}   1.20 to 1.34
_SNIFF = re.compile(rb'"involvedObject"\s{0,4}:\s{0,4}\{|"apiVersion"\s{0,4}:\s{0,4}"events\.k8s\.io/v1')
_MARK = re.compile(rb'"(?:involvedObject|regarding)"')
_OF_CILIUM = re.compile(rb"\b(?:Incoming|Outgoing) packet dropped \([a-z_]{1,64}\)")
_OF_ACI = re.compile(rb'"reason": {0,4}"(?:Int|Acc)-[A-Z0-9_]{2,40} (?:MISS|DENY)\b')
_SIGNALS = {
    "FailedCreatePodSandBox": "pod-sandbox-failed",
    "NetworkNotReady": "network-not-ready",
    "DNSConfigForming": "dns-config",
}


class KubernetesEvents:
    """Events about pods and nodes, with stable codes for those that concern the network."""

    name: ClassVar[str] = "kubernetes-events"
    summary: ClassVar[str] = (
        "Kubernetes Events (JSON lines, lists in JSON and YAML): drops that agents report, probes, sandboxes"
    )
    cni: ClassVar[str | None] = None
    sequential: ClassVar[bool] = True
    document: ClassVar[bool] = False

    def sniff(self, head: bytes) -> float:
        """Lines that are Events.  A List, or lines of other objects with Events among them, is cluster state."""
        first = head.lstrip().split(b"\n", 1)[0]
        if not first.startswith(b'{"') or b'"items"' in first[:400] or _SNIFF.search(first) is None:
            return 0.0
        return 0.95 if b'"reason"' in first else 0.5

    @staticmethod
    def cni_in(head: bytes) -> str | None:
        """Cilium's or ACI's, where its agent writes of drops among them."""
        if _OF_CILIUM.search(head) is not None:
            return "cilium"
        return "aci" if _OF_ACI.search(head) is not None else None

    def parse(self, block: Block, context: ParseContext) -> Iterator[Event]:
        """Yield a message per Event, or the refusals that it tells of."""
        told: dict[str, int] = context.memory.setdefault("kubernetes-events", {})
        for line in chosen_objects(block, context, _MARK.search, "Event"):
            if isinstance(line, ParseWarning):
                yield line
                continue
            record, around, text = line
            record = object_of(record, "object") or record  # a watch's {"type":"ADDED","object":{...}}
            about = object_of(record, "involvedObject") or object_of(record, "regarding")
            source = object_of(record, "source") or object_of(record, "deprecatedSource")
            reason = text_of(record, "reason") or ""
            message = text_of(record, "message", "note") or ""
            fields = {
                key: value
                for key in ("kind", "namespace", "name")
                if (value := text_of(about, key)) is not None
            }
            count = integer_of(record, "count", "deprecatedCount") or integer_of(
                object_of(record, "series"), "count"
            )
            fields |= {"reason": reason} if reason else {}
            fields |= {"count": str(count)} if count else {}
            node = text_of(source, "host")
            if fields.get("kind") == "Node":
                # Of a node that no longer answers the controller of nodes tells, on another.
                node = fields.get("name", node)
            shared = frame(around, context, text, _instant(record), node=node)
            if tells_of_drop(message):
                drop = drop_of(reason, message, fields.get("namespace"), fields.get("name"), shared)
                if drop is not None:
                    yield from _counted(drop, record, 1 if combined(message) else count or 1, told)
                else:
                    said = "a packet was dropped, in words that are not known"
                    yield ParseWarning(**shared, code="malformed-flow", message=said)
                continue
            yield LogEvent(
                **shared,
                level=(text_of(record, "type") or "").lower() or None,
                component=text_of(source, "component")
                or text_of(record, "reportingComponent", "reportingController"),
                message=message[:2000],
                fields=fields,
                signal=_signal(reason, message, fields.get("kind")),
            )


_MOST_TOLD = 1 << 16
"""Events of which is remembered how often they were told; of more each record is one refusal."""


def _counted(drop: FlowEvent, record: dict[str, Any], count: int, told: dict[str, int]) -> Iterator[Event]:
    """What an Event tells that its earlier records did not: the first refusal at its time, the others at the last's."""
    meta = object_of(record, "metadata")
    uid = text_of(meta, "uid") or text_of(meta, "name")
    if uid is None or (uid not in told and len(told) >= _MOST_TOLD):
        yield drop
        return
    before = told.get(uid, 0)
    told[uid] = max(before, count)
    first = instant_of(text_of(record, "firstTimestamp", "deprecatedFirstTimestamp"))
    if before == 0 and count > 1 and first is not None and drop.at is not None and first < drop.at:
        yield replace(drop, at=first)
        before = 1
    if count > before:
        yield replace(drop, count=count - before)


def _signal(reason: str, message: str, kind: str | None) -> str | None:
    if reason == "NodeNotReady" and kind == "Node":
        # Each pod of the node has an Event of that name, too.
        return "node-not-ready"
    if reason == "Unhealthy" and re.search(r"timeout|deadline exceeded|no route|unreachable", message[:1000]):
        # Refused by policy or lost, but not answered: an answer would be another mistake.
        return "probe-unanswered"
    return _SIGNALS.get(reason)


def _instant(record: dict[str, Any]) -> int | None:
    series = object_of(record, "series")
    stamps = (
        text_of(series, "lastObservedTime"),
        text_of(record, "lastTimestamp", "deprecatedLastTimestamp"),
        text_of(record, "eventTime"),
        text_of(record, "firstTimestamp", "deprecatedFirstTimestamp"),
        text_of(object_of(record, "metadata"), "creationTimestamp"),
    )
    return next((at for stamp in stamps if (at := instant_of(stamp)) is not None), None)
