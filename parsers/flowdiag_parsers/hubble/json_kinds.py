"""What kinds of Hubble records mean: everything of a record but its ends, its ports and its time."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Raw

from flowdiag.parserkit import Cause, Direction, Icmp, PolicyHit, Verdict, Witness
from flowdiag_parsers.hubble.json_ends import service_name
from flowdiag_parsers.hubble.json_fields import mapping, texts
from flowdiag_parsers.hubble.json_flow import VERDICTS, read_cause, read_direction, why_denied, witness_of
from flowdiag_parsers.hubble.json_hot import Flow, Transport
from flowdiag_parsers.hubble.json_policies import read_policies

__all__ = [
    "ICMP4",
    "ICMP6",
    "NONE",
    "REFUSED",
    "SCTP",
    "TCP",
    "UDP",
    "Kind",
    "other_protocol",
    "protocol_of",
    "read_kind",
]

REFUSED = frozenset({"DROPPED", "AUDIT", "ERROR"})

TCP, UDP, SCTP, NONE = 6, 17, 132, 0
"""Protocols by their numbers; ICMP's carry type and code, and stand above these."""
ICMP4, ICMP6 = 1 << 20, 1 << 21
_NAMES = {TCP: "TCP", UDP: "UDP", SCTP: "SCTP"}

_BYTES = (
    "source_names",
    "destination_names",
    "source_service",
    "destination_service",
    "egress_allowed_by",
    "ingress_allowed_by",
    "egress_denied_by",
    "ingress_denied_by",
)
"""Fields of `Flow` that are kept as bytes and tell kinds apart."""
_decoder = msgspec.json.Decoder()


class Kind(msgspec.Struct, frozen=True, kw_only=True):
    """What the kind fields of a record mean."""

    verdict: Verdict
    verdict_raw: str | None
    cause: Cause | None
    reason: str | None
    reason_code: int | None
    reason_raw: str | None
    is_reply: bool | None
    direction: Direction | None
    witness: Witness | None
    names: tuple[tuple[str, ...] | None, ...]
    """Of source and destination, as are `services`."""
    services: tuple[str | None, ...]
    policies: tuple[PolicyHit, ...]


def read_kind(flow: Flow) -> Kind | None:
    """The kind of a record; ``None`` for those that have to be read the slow way.

    Those are records without all that tells what they are (a field mask, or names in camelCase), and
    refusals without their event's type.
    """
    event_type = flow.event_type.type if flow.event_type is not None else None
    if flow.is_reply is None and flow.event_type is None and flow.traffic_direction is None:
        return None
    if flow.verdict in REFUSED and event_type is None:
        return None
    try:
        said: dict[str, Any] = {name: _read(getattr(flow, name)) for name in _BYTES}
    except (msgspec.DecodeError, RecursionError):
        return None
    verdict = VERDICTS.get(flow.verdict or "", Verdict.UNKNOWN)
    known, reason, reason_code, reason_raw = why_denied(flow.drop_reason_desc, flow.drop_reason)
    return Kind(
        verdict=verdict,
        verdict_raw=flow.verdict,
        cause=read_cause(verdict, known, reason_code, event_type, l7=False),
        reason=reason,
        reason_code=reason_code,
        reason_raw=reason_raw,
        is_reply=flow.is_reply,
        direction=read_direction(flow.traffic_direction),
        witness=witness_of(event_type, drop_file=False),
        names=(_names(said, "source_names"), _names(said, "destination_names")),
        services=tuple(
            service_name(mapping(said, name)) for name in ("source_service", "destination_service")
        ),
        policies=read_policies(said, reason_code),
    )


def other_protocol(l4: Transport) -> tuple[int, int | None, int | None]:
    """Number and ports of what is neither TCP nor UDP; -1 for what the slow way has to name."""
    if l4.SCTP is not None:
        return SCTP, l4.SCTP.source_port, l4.SCTP.destination_port
    if l4.ICMPv4 is not None:
        return ICMP4 + (l4.ICMPv4.type << 8) + l4.ICMPv4.code, None, None
    if l4.ICMPv6 is not None:
        return ICMP6 + (l4.ICMPv6.type << 8) + l4.ICMPv6.code, None, None
    return -1, None, None


def protocol_of(number: int) -> tuple[str | None, Icmp | None]:
    """Name, and type and code, of a protocol's number."""
    if number >= ICMP4:
        name, rest = ("ICMPv6", number - ICMP6) if number >= ICMP6 else ("ICMP", number - ICMP4)
        return name, Icmp(rest >> 8, rest & 255)
    return _NAMES.get(number), None


def _read(raw: Raw) -> Any:
    whole = bytes(raw)
    return _decoder.decode(whole) if whole else None


def _names(said: dict[str, Any], field: str) -> tuple[str, ...] | None:
    names = texts(said, field)
    return tuple(name.rstrip(".") or name for name in names) if names else None
