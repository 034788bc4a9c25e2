"""What a rule of Antrea's policies asks of the traffic: ports, and ICMP by its type and code."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flowdiag.model.digits import is_digits
from flowdiag.model.event import PORT_PROTOCOLS, Direction
from flowdiag.model.policy import PEER_WORDS
from flowdiag.policy.calico_traffic import IcmpKind
from flowdiag.policy.compile.antrea_services import SERVICES, services_of
from flowdiag.policy.compile.context import PolicyError, entries, port_number, unknown_field
from flowdiag.policy.model import TrafficMatcher
from flowdiag.policy.traffic import NamedPort, NumberedPorts, OfProtocol, OneOf, UndecidableTraffic

__all__ = ["traffic_of"]

_OF_RULE = frozenset({"action", "appliedTo", "enableLogging", "logLabel", "name", "ports", "protocols"})


def traffic_of(
    raw: Mapping[str, Any], path: str, direction: Direction, *, every: bool
) -> tuple[TrafficMatcher, ...]:
    """What a rule asks of the traffic; what is not evaluated here, as ``l7Protocols``, leaves it unknown."""
    word = PEER_WORDS[direction]
    given = {key: value for key, value in raw.items() if value not in (None, [], {})}
    known = _OF_RULE | ({SERVICES} if services_of(given, direction) else {word})
    strange = unknown_field(given, known, f"spec.{path}")
    found: list[TrafficMatcher] = [] if strange is None else [UndecidableTraffic(strange)]
    asked = [
        *(
            _port(each, f"spec.{path}.ports[{n}]", every=every)
            for n, each in enumerate(entries(raw.get("ports"), f"spec.{path}.ports"))
        ),
        *(
            _protocol(each, f"spec.{path}.protocols[{n}]")
            for n, each in enumerate(entries(raw.get("protocols"), f"spec.{path}.protocols"))
        ),
    ]
    if asked:
        found.append(OneOf(tuple(asked)))
    return tuple(found)


def _port(raw: Any, path: str, *, every: bool) -> TrafficMatcher:
    if not isinstance(raw, dict):
        raise PolicyError(f"{path} is not an object")
    strange = unknown_field(
        {key: value for key, value in raw.items() if value is not None}, ("protocol", "port", "endPort"), path
    )
    if strange is not None:
        return UndecidableTraffic(strange)
    protocol = raw.get("protocol") or "TCP"
    if protocol not in PORT_PROTOCOLS:
        raise PolicyError(f"{path}.protocol: {protocol!r} is not TCP, UDP or SCTP")
    port, end = raw.get("port"), raw.get("endPort")
    if port is None:
        return NumberedPorts(protocol)
    if isinstance(port, str) and not is_digits(port):
        return NamedPort(port, protocol, every)
    low = port_number(int(port) if isinstance(port, str) else port, f"{path}.port")
    high = low if end is None else port_number(end, f"{path}.endPort")
    if high < low:
        raise PolicyError(f"{path}.endPort is below the port")
    return NumberedPorts(protocol, low, high)


def _protocol(raw: Any, path: str) -> TrafficMatcher:
    if isinstance(raw, dict) and set(raw) == {"igmp"}:
        igmp = raw["igmp"]
        # Records say nothing of an IGMP message's type and group.
        asks = isinstance(igmp, dict) and any(value not in (None, "") for value in igmp.values())
        return OfProtocol(
            "IGMP", f"{path}.igmp asks for a type or a group, which records do not tell" if asks else None
        )
    inner = raw.get("icmp") if isinstance(raw, dict) and set(raw) == {"icmp"} else None
    if not isinstance(inner, dict) or not inner.keys() <= {"icmpType", "icmpCode"}:
        return UndecidableTraffic(f"the field {path} is not supported")
    kinds = [inner.get("icmpType"), inner.get("icmpCode")]
    if any(each is not None and (isinstance(each, bool) or not isinstance(each, int)) for each in kinds):
        raise PolicyError(f"{path}.icmp is not a type and a code")
    return IcmpKind(*kinds)
