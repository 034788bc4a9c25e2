"""Parser of the Kubernetes audit log: who changed which policy, label or workload, and when.

Format: ``audit.k8s.io/v1`` (v1beta1 before 1.24) Event, one JSON object a line, or an EventList as the webhook sends it; the
``protoPayload`` of GCP's audit log.  Exports of collectors are peeled before; AKS keeps the event as text in ``properties.log``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, ClassVar

from msgspec import structs

from flowdiag.parserkit import (
    Block,
    ChangeEvent,
    Event,
    LineEnvelope,
    ObjectRef,
    ParseContext,
    ParseWarning,
    chosen_objects,
    frame,
    instant_of,
    json_object,
    object_of,
    seek,
    text_of,
)
from flowdiag_parsers.audit.request import LABELLED, Request, from_audit, from_gcp, merged

__all__ = ["KubernetesAudit"]

# {"kind":"Event","apiVersion":"audit.k8s.io/v1","level":"RequestResponse","auditID":"...","stage":"ResponseComplete",
#  "requestURI":"/apis/networking.k8s.io/v1/namespaces/shop/networkpolicies/web","verb":"patch",...}
_SNIFF = re.compile(
    rb'\\?"apiVersion\\?"\s{0,4}:\s{0,4}\\?"audit\.k8s\.io/|"@type"\s{0,4}:\s{0,4}"type\.googleapis\.com/google\.cloud\.audit\.AuditLog"'
    rb'|"methodName"\s{0,4}:\s{0,4}"io\.k8s\.'
)
# Reads are nine records of ten and more: they are passed over before their JSON is read.
_WRITES = re.compile(
    rb'verb\\?"\s{0,4}:\s{0,4}\\?"(?:create|update|patch|apply|delete|deletecollection)\\?"'
    rb'|"methodName"\s{0,4}:\s{0,4}"io\.[a-z0-9.]{1,80}\.(?:create|update|patch|apply|delete|deletecollection)"'
)
_REMEMBERED_IDS = 20_000
_REMEMBERED_OBJECTS = 2_000


class KubernetesAudit:
    """Changes of policies, labels, Services and workloads, from the API server's own record."""

    name: ClassVar[str] = "kubernetes-audit"
    summary: ClassVar[str] = "Kubernetes audit log (audit.k8s.io, EventList, GCP): who changed what"
    cni: ClassVar[str | None] = None
    # One request has a record per stage and per copy, and an object's last state is in an earlier record.
    sequential: ClassVar[bool] = True
    follows_time: ClassVar[bool] = True
    document: ClassVar[bool] = False

    def sniff(self, head: bytes) -> float:
        """The API group is a mark."""
        words = (b"audit.k8s.io/", b"google.cloud.audit.AuditLog", b"io.k8s.")
        return 0.96 if seek(_SNIFF, head, *words) is not None else 0.0

    def parse(self, block: Block, context: ParseContext) -> Iterator[Event]:
        """Yield a change per request that changed something that matters."""
        seen: dict[str, None] = context.memory.setdefault("audit-ids", {})
        states: dict[ObjectRef, dict[str, Any]] = context.memory.setdefault("audit-objects", {})
        for line in chosen_objects(block, context, _WRITES.search, "audit record"):
            if isinstance(line, ParseWarning):
                yield line
                continue
            record, around, text = line
            for request in _requests(record):
                if request.identity is not None:
                    if request.identity in seen:
                        continue
                    if len(seen) >= _REMEMBERED_IDS:
                        seen.clear()
                    seen[request.identity] = None
                yield from _events(request, text, around, context, states)


def _requests(record: dict[str, Any]) -> Iterator[Request]:
    """Requests of one line: an event, a list of them, or some inside another's wrapper."""
    listed = record.get("items" if record.get("kind") == "EventList" else "records")
    items = [item for item in listed if isinstance(item, dict)] if isinstance(listed, list) else [record]
    for item in map(_inner, items):
        payload = object_of(item, "protoPayload") or item
        if "methodName" not in payload:
            request = from_audit(item)
        elif (request := from_gcp(payload)) is not None:
            request = structs.replace(request, stamp=text_of(item, "timestamp"))
        if request is not None:
            yield request


def _inner(record: dict[str, Any]) -> dict[str, Any]:
    """AKS' diagnostic records hold the event as text: ``{"category":"kube-audit","properties":{"log":"{...}"}}``."""
    quoted = text_of(object_of(record, "properties"), "log")
    return (json_object(quoted) if quoted is not None else None) or record


def _events(
    request: Request,
    text: str,
    around: LineEnvelope,
    context: ParseContext,
    states: dict[ObjectRef, dict[str, Any]],
) -> Iterator[Event]:
    ref = ObjectRef(request.kind, request.group, request.namespace, request.name)
    before, after = request.before, request.after
    if request.change != "created" and before is None:
        before = states.get(ref)
    if after is None and before is not None and request.patch is not None:
        after = merged(before, request.patch)
    if after is not None:
        if len(states) >= _REMEMBERED_OBJECTS:
            states.clear()
        states[ref] = after
    else:
        # Deleted, or something that this record does not tell.
        states.pop(ref, None)
    relabelled = request.kind in LABELLED and request.change == "updated"
    if relabelled and before is not None and after is not None and _labels(before) == _labels(after):
        return  # written again, with the labels it had
    yield ChangeEvent(
        # The node of an API server's log is not where the change took effect; the wrapper's is kept all the same.
        **frame(around, context, text, instant_of(request.stamp)),
        object=ref,
        change=request.change,
        by=request.by,
        before=before,
        after=after,
        written=request.patch if before is None else None,
    )


def _labels(whole: dict[str, Any]) -> dict[str, Any]:
    return object_of(object_of(whole, "metadata"), "labels")
