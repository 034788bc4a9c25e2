"""The fields of a record that the fast path decodes.

`Flow` starts with what differs from record to record; the fields from `verdict` on are those that tell
kinds of records apart, as bytes where they are lists or objects: the same bytes are read once.  Types are
strict: a record that writes a number as text, an enum as a number or names in camelCase does not fit, and
is read the slow way.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Raw, Struct

__all__ = [
    "ABSENT",
    "Dns",
    "Flow",
    "Transport",
    "Wrapper",
    "bare_decoder",
    "wrapped_decoder",
]


ABSENT = Raw(b"")
"""The default of a field that is kept as bytes, where it is absent: `Raw` cannot be in a union with null."""

Port = Annotated[int, Meta(ge=0, le=65_535)]
Byte = Annotated[int, Meta(ge=0, le=255)]
Small = Annotated[int, Meta(ge=0, le=(1 << 32) - 1)]


class Address(Struct, gc=False):
    """``IP``."""

    source: str | None = None
    destination: str | None = None


class Ports(Struct, gc=False):
    """``l4.TCP``, ``l4.UDP``, ``l4.SCTP``."""

    source_port: Port | None = None
    destination_port: Port | None = None
    flags: Raw = ABSENT


class Icmp(Struct, gc=False):
    """``l4.ICMPv4``, ``l4.ICMPv6``; zeroes are left out."""

    type: Byte = 0
    code: Byte = 0


class Transport(Struct, gc=False):
    """``l4``."""

    TCP: Ports | None = None
    UDP: Ports | None = None
    SCTP: Ports | None = None
    ICMPv4: Icmp | None = None
    ICMPv6: Icmp | None = None


class Dns(Struct, gc=False):
    """``l7.dns``."""

    query: str | None = None
    ips: tuple[str, ...] | None = None
    ttl: Small | None = None


class Application(Struct, gc=False):
    """``l7``: of allowed requests only DNS answers matter."""

    dns: Dns | None = None


class EventType(Struct, gc=False, frozen=True):
    """``event_type``; what it is of, of a drop its reason, of a trace where it was seen."""

    type: Small | None = None
    sub_type: int | None = None


class Flow(Struct, gc=False):
    """A flow."""

    time: str | None = None
    node_name: str | None = None
    IP: Address | None = None
    l4: Transport | None = None
    source: Raw = ABSENT
    destination: Raw = ABSENT
    l7: Application | None = None
    aggregate: Raw = ABSENT
    extensions: Raw = ABSENT
    verdict: (
        Literal[
            "FORWARDED", "DROPPED", "ERROR", "AUDIT", "REDIRECTED", "TRACED", "TRANSLATED", "VERDICT_UNKNOWN"
        ]
        | None
    ) = None
    traffic_direction: Literal["INGRESS", "EGRESS"] | None = None
    is_reply: bool | None = None
    event_type: EventType | None = None
    drop_reason: Small | None = None
    drop_reason_desc: str | None = None
    source_names: Raw = ABSENT
    destination_names: Raw = ABSENT
    source_service: Raw = ABSENT
    destination_service: Raw = ABSENT
    egress_allowed_by: Raw = ABSENT
    ingress_allowed_by: Raw = ABSENT
    egress_denied_by: Raw = ABSENT
    ingress_denied_by: Raw = ABSENT


class BareFlow(Flow, gc=False):
    """A flow without a wrapper, if it is none itself."""

    flow: Raw = ABSENT


class Wrapper(Struct, gc=False):
    """``{"flow":{...},"node_name":"n","time":"..."}``."""

    flow: Flow | None = None
    node_name: str | None = None
    time: str | None = None


wrapped_decoder = msgspec.json.Decoder(Wrapper)
bare_decoder = msgspec.json.Decoder(BareFlow)
