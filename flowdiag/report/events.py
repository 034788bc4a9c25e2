"""One normalised JSON object a record, schema ``flowdiag.event/1``: what the record says, nothing inferred.

This runs once per record.  So the JSON is written from structs whose fields are the contract's, the
seconds of a time are formatted once, and nothing is looked up elsewhere.
"""

from __future__ import annotations

from typing import Literal

import msgspec
from msgspec import UNSET, Struct, UnsetType

from flowdiag.model.event import (
    L7,
    ChangeEvent,
    Event,
    FlowEvent,
    GapEvent,
    Icmp,
    LogEvent,
    ObjectRef,
    Peer,
    PolicyHit,
    WorkloadRef,
)
from flowdiag.model.time import NS, rfc3339, rfc3339_seconds
from flowdiag.report.json_report import inert, json_bytes

__all__ = [
    "EVENT_SCHEMA",
    "ChangeLine",
    "EventPeer",
    "FlowLine",
    "GapLine",
    "LogLine",
    "WarningLine",
    "event_line",
]

EVENT_SCHEMA = "flowdiag.event/1"

TimeWord = Literal["record", "envelope", "inferred-year", "none"]


class EventPeer(Struct, frozen=True):
    """One end of a flow, with all keys; `labels` have their prefixes as recorded."""

    ip: str | None
    port: int | None
    mac: str | None
    namespace: str | None
    pod: str | None
    node: str | None
    service: str | None
    workload: WorkloadRef | None
    entity: str | None
    identity: int | None
    labels: dict[str, str] | None
    dns_names: tuple[str, ...] | None


class _Line(Struct, frozen=True, kw_only=True):
    """What every line says: when, where it stands, and whose it is."""

    at: str | None
    time_source: TimeWord
    parser: str
    input: str
    line: int
    node: str | None


class FlowLine(_Line, frozen=True, kw_only=True, tag="flow", tag_field="type"):
    """A packet or connection."""

    src: EventPeer
    dst: EventPeer
    protocol: str | None
    direction: Literal["ingress", "egress"] | None
    verdict: Literal["denied", "allowed", "audited", "redirected", "error", "logged", "unknown"]
    verdict_raw: str | None
    cause: Literal["policy", "configuration", "fault", "noise"] | None
    reason: str | None
    reason_raw: str | None
    is_reply: bool | None
    tcp_flags: tuple[str, ...] | None
    icmp: Icmp | None
    l7: L7 | None
    policies: tuple[PolicyHit, ...]
    interface_in: str | None
    interface_out: str | None
    count: int
    raw: str | UnsetType | None = UNSET


class LogLine(_Line, frozen=True, kw_only=True, tag="log", tag_field="type"):
    """A component's message."""

    level: str | None
    component: str | None
    message: str
    fields: dict[str, str]
    signal: str | None
    raw: str | UnsetType | None = UNSET


class ChangeLine(_Line, frozen=True, kw_only=True, tag="change", tag_field="type"):
    """A change of a cluster object."""

    object: ObjectRef
    change: str
    by: str | None
    raw: str | UnsetType | None = UNSET


class GapLine(_Line, frozen=True, kw_only=True, tag="gap", tag_field="type"):
    """Evidence that is missing."""

    kind: str
    lost: int | None
    until: str | None
    raw: str | UnsetType | None = UNSET


class WarningLine(_Line, frozen=True, kw_only=True, tag="warning", tag_field="type"):
    """A record that could not be read."""

    code: str
    message: str
    raw: str | UnsetType | None = UNSET


EventLine = FlowLine | LogLine | ChangeLine | GapLine | WarningLine

_encode = msgspec.json.Encoder().encode
_seconds: dict[int, str] = {}
_SECONDS_CACHE = 8192


def event_line(event: Event, parser: str, input: str, with_raw: bool) -> bytes:  # noqa: A002 - the contract's word
    """The event as one JSON object in UTF-8, without a line end.

    Args:
        event: what the parser yielded.
        parser: the parser's name.
        input: the input's path, archive members included.
        with_raw: add `raw` (null where the event does not carry it); without, the key is absent.
    """
    value = event_value(event, parser, input, with_raw)
    try:
        return inert(_encode(value))
    except UnicodeEncodeError:
        return json_bytes(value, pretty=False)


def event_value(event: Event, parser: str, input: str, with_raw: bool) -> EventLine:  # noqa: A002 - the contract's word
    """The event in the contract's shape; arguments as `event_line`."""
    raw = event.raw if with_raw else UNSET
    at = None if event.at is None else _time(event.at)
    if isinstance(event, FlowEvent):
        return FlowLine(
            at=at,
            time_source=event.time_source,  # type: ignore[arg-type]
            parser=parser,
            input=input,
            line=event.line,
            node=event.node,
            src=_peer(event.src),
            dst=_peer(event.dst),
            protocol=event.protocol,
            direction=event.direction,  # type: ignore[arg-type]
            verdict=event.verdict,  # type: ignore[arg-type]
            verdict_raw=event.verdict_raw,
            cause=event.cause,  # type: ignore[arg-type]
            reason=event.reason,
            reason_raw=event.reason_raw,
            is_reply=event.is_reply,
            tcp_flags=event.tcp_flags,
            icmp=event.icmp,
            l7=event.l7,
            policies=event.policies,
            interface_in=event.interface_in,
            interface_out=event.interface_out,
            count=event.count,
            raw=raw,
        )
    source: TimeWord = event.time_source.value
    if isinstance(event, LogEvent):
        return LogLine(
            at=at,
            time_source=source,
            parser=parser,
            input=input,
            line=event.line,
            node=event.node,
            level=event.level,
            component=event.component,
            message=event.message,
            fields=event.fields,
            signal=event.signal,
            raw=raw,
        )
    if isinstance(event, ChangeEvent):
        return ChangeLine(
            at=at,
            time_source=source,
            parser=parser,
            input=input,
            line=event.line,
            node=event.node,
            object=event.object,
            change=event.change,
            by=event.by,
            raw=raw,
        )
    if isinstance(event, GapEvent):
        return GapLine(
            at=at,
            time_source=source,
            parser=parser,
            input=input,
            line=event.line,
            node=event.node,
            kind=event.kind,
            lost=event.lost,
            until=None if event.until is None else _time(event.until),
            raw=raw,
        )
    return WarningLine(
        at=at,
        time_source=source,
        parser=parser,
        input=input,
        line=event.line,
        node=event.node,
        code=event.code,
        message=event.message,
        raw=raw,
    )


def _peer(peer: Peer) -> EventPeer:
    labels = peer.labels
    return EventPeer(
        peer.ip,
        peer.port,
        peer.mac,
        peer.namespace,
        peer.pod,
        peer.node,
        peer.service,
        peer.workload,
        peer.entity,
        peer.identity,
        None if labels is None else dict(labels),
        peer.dns_names,
    )


def _time(at: int) -> str:
    second, fraction = divmod(at, NS)
    text = _seconds.get(second)
    if text is None:
        if len(_seconds) >= _SECONDS_CACHE:
            _seconds.clear()
        text = _seconds[second] = rfc3339_seconds(at)[:-1]
    return f"{text}.{fraction:09d}Z" if second >= 0 else rfc3339(at)
