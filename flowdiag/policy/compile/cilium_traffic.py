"""Conditions on ports, protocols and ICMP as Cilium's ``toPorts`` and ``icmps`` state them.

Sources: Cilium v1.20 ``pkg/policy/api/{l4,icmp,rule_validation}.go``.  No protocol, or ANY, means TCP, UDP
and SCTP and never ICMP; port 0 is every port; a port's name is looked up at the destination.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, ClassVar

from msgspec import Struct

from flowdiag.model.digits import is_digits, whole
from flowdiag.model.event import PORT_PROTOCOLS, Direction
from flowdiag.model.objects import Snapshot
from flowdiag.model.policy import Condition, Miss
from flowdiag.policy.compile.context import PolicyError, entries, unknown_field
from flowdiag.policy.facts import Facts
from flowdiag.policy.model import MATCH, Check, Traffic, TrafficMatcher, miss, unknown
from flowdiag.policy.ports import MAX_PORT, NO_PORTS, PortSet
from flowdiag.policy.traffic import OneOf, UndecidableTraffic, declared, namesakes

__all__ = ["IcmpField", "PortRange", "PortsByName", "named_elsewhere", "names_of", "read_icmps", "read_port"]

MAX_PORTS = 40
"""Entries that one list of ports or of ICMP types may have (v1.20)."""

# "8080", "0"; a name as of IANA's services: "http", "metrics-tls" (RFC 6335, with a letter in it)
_NUMBER = re.compile(r"\d{1,6}")
_NAME = re.compile(r"(?=[0-9-]*[a-z])[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")

PortNames = dict[tuple[str, str], PortSet]
"""Ports by (name, protocol), over every pod of a state."""


def names_of(snapshot: Snapshot) -> PortNames:
    """Collect what every pod calls its ports: a name in an egress rule may stand for any of them."""
    found: dict[tuple[str, str], set[int]] = {}
    for pod in snapshot.pods:
        if pod.live and not pod.host_network:
            for port in pod.ports:
                if port.name is not None:
                    found.setdefault((port.name.lower(), port.protocol), set()).add(port.port)
    return {key: PortSet.of(*sorted(ports)) for key, ports in found.items()}


class PortRange(Struct, frozen=True):
    """One or more protocols and a range of ports; `low` of ``None`` is every port."""

    protocols: tuple[str, ...]
    low: int | None = None
    high: int | None = None

    by_destination: ClassVar[bool] = False

    def check(self, traffic: Traffic, _destination: Facts, /) -> Check:
        """See `TrafficMatcher.check`."""
        wanted = _protocols(self.protocols)
        misses = []
        if traffic.protocol not in self.protocols:
            misses.append(Miss(Condition.PROTOCOL, wanted, traffic.protocol))
        if self.low is not None and (traffic.port is not None or not misses):
            if traffic.port is None:
                return unknown("the port is not known")
            high = self.low if self.high is None else self.high
            if not self.low <= traffic.port <= high:
                text = str(self.low) if high == self.low else f"{self.low}-{high}"
                misses.append(Miss(Condition.PORT, f"{text}/{wanted}", f"{traffic.port}/{traffic.protocol}"))
        return miss(*misses) if misses else MATCH

    def edges(self, protocol: str, _destination: Facts, /) -> Iterable[int]:
        """See `TrafficMatcher.edges`."""
        if protocol not in self.protocols or self.low is None:
            return ()
        return PortSet([(self.low, self.low if self.high is None else self.high)]).edges()


class PortsByName(Struct, frozen=True):
    """A port by its name at the destination.

    `elsewhere` are the ports that other pods call so: an egress rule may admit them too, and releases
    differ in what a name that stands for several ports means.
    """

    name: str
    protocols: tuple[str, ...]
    elsewhere: tuple[tuple[str, PortSet], ...] = ()

    by_destination: ClassVar[bool] = True

    def check(self, traffic: Traffic, destination: Facts, /) -> Check:
        """See `TrafficMatcher.check`."""
        wanted = f"{self.name}/{_protocols(self.protocols)}"
        if traffic.protocol not in self.protocols:
            misses = [Miss(Condition.PROTOCOL, _protocols(self.protocols), traffic.protocol)]
            meant = self._meant(destination)
            if meant is not None and traffic.port is not None and traffic.port not in meant:
                numbers = f" ({','.join(meant.texts())})" if meant else " (no such name)"
                misses.append(Miss(Condition.PORT, wanted + numbers, f"{traffic.port}/{traffic.protocol}"))
            return miss(*misses)
        own = declared(destination, self.name, traffic.protocol)
        if own is None:
            return unknown(f"the ports of the destination are not known ({wanted})")
        others = dict(self.elsewhere).get(traffic.protocol, NO_PORTS)
        if traffic.port is None:
            return unknown("the port is not known")
        if traffic.port in own:
            return namesakes(own, wanted)
        if traffic.port in others:
            return unknown(f"{wanted} stands for {','.join(others.texts())} over the cluster's pods")
        known = own or others
        numbers = f" ({','.join(known.texts())})" if known else " (no such name)"
        return miss(Miss(Condition.PORT, wanted + numbers, f"{traffic.port}/{traffic.protocol}"))

    def _meant(self, destination: Facts) -> PortSet | None:
        """Every port that the name may stand for, in any of its protocols; ``None`` where that is not known."""
        found = NO_PORTS
        for protocol in self.protocols:
            own = declared(destination, self.name, protocol)
            if own is None:
                return None
            found |= own | dict(self.elsewhere).get(protocol, NO_PORTS)
        return found

    def edges(self, protocol: str, destination: Facts, /) -> Iterable[int]:
        """See `TrafficMatcher.edges`; what the destination calls so is sure, and what others do is not."""
        if protocol not in self.protocols:
            return ()
        own = declared(destination, self.name, protocol) or NO_PORTS
        return (*own.edges(), *dict(self.elsewhere).get(protocol, NO_PORTS).edges())


class IcmpField(Struct, frozen=True):
    """One ICMP type of one family; `protocol` is ``ICMP`` or ``ICMPv6``."""

    protocol: str
    type: int
    text: str

    by_destination: ClassVar[bool] = False

    def check(self, traffic: Traffic, _destination: Facts, /) -> Check:
        """See `TrafficMatcher.check`."""
        wanted = f"{self.protocol} {self.text}"
        if traffic.protocol.upper() != self.protocol.upper():
            return miss(Miss(Condition.ICMP, wanted, traffic.protocol))
        if traffic.icmp is None or traffic.icmp.type is None:
            return unknown(f"the ICMP type is not known ({wanted})")
        if traffic.icmp.type == self.type:
            return MATCH
        return miss(Miss(Condition.ICMP, wanted, f"{self.protocol} type {traffic.icmp.type}"))

    def edges(self, _protocol: str, _destination: Facts, /) -> Iterable[int]:
        """See `TrafficMatcher.edges`."""
        return ()


class OtherProtocol(Struct, frozen=True):
    """A protocol without ports that only newer agents police, behind a setting."""

    protocol: str
    field: str

    by_destination: ClassVar[bool] = False

    def check(self, traffic: Traffic, _destination: Facts, /) -> Check:
        """See `TrafficMatcher.check`."""
        if traffic.protocol.upper() != self.protocol.upper():
            return miss(Miss(Condition.PROTOCOL, self.protocol, traffic.protocol))
        return unknown(f"whether the agent polices {self.protocol} is not known ({self.field})")

    def edges(self, _protocol: str, _destination: Facts, /) -> Iterable[int]:
        """See `TrafficMatcher.edges`."""
        return ()


def _protocols(protocols: tuple[str, ...]) -> str:
    return "ANY" if protocols == PORT_PROTOCOLS else "/".join(protocols)


def named_elsewhere(name: str, protocols: tuple[str, ...], names: PortNames) -> PortsByName:
    """A port's name in an egress rule, with what other pods than the destination call so."""
    elsewhere = tuple((each, names[name, each]) for each in protocols if (name, each) in names)
    return PortsByName(name, protocols, elsewhere)


def read_port(raw: Any, path: str, direction: Direction, names: PortNames) -> TrafficMatcher:
    """Compile one entry of ``toPorts[].ports``.

    Raises:
        PolicyError: what the agent rejects.
    """
    if not isinstance(raw, dict):
        raise PolicyError(f"{path} is not an object")
    strange = unknown_field(raw, ("port", "endPort", "protocol"), path)
    if strange is not None:
        return UndecidableTraffic(strange)
    protocol = str(raw.get("protocol") or "ANY").upper()
    if protocol in ("ICMP", "ICMPV6", "VRRP", "IGMP", "GRE", "ESP", "AH"):
        return OtherProtocol(protocol, f"{path}.protocol")
    if protocol != "ANY" and protocol not in PORT_PROTOCOLS:
        raise PolicyError(f"{path}.protocol {str(raw['protocol'])[:20]!r} is not known")
    protocols = PORT_PROTOCOLS if protocol == "ANY" else (protocol,)
    text = "" if raw.get("port") is None else str(raw["port"])
    end = raw.get("endPort")
    if not text:
        return PortRange(protocols)
    if not _NUMBER.fullmatch(text):
        name = text.lower()
        if not _NAME.fullmatch(name):
            raise PolicyError(f"{path}.port {text[:40]!r} is neither a number nor a name")
        if direction is Direction.EGRESS:
            return named_elsewhere(name, protocols, names)
        return PortsByName(name, protocols)
    low = int(text)
    if low > MAX_PORT:
        raise PolicyError(f"{path}.port {low} is out of range")
    if isinstance(end, bool) or (end is not None and not isinstance(end, int)):
        raise PolicyError(f"{path}.endPort is not a number")
    if low == 0:
        return PortRange(protocols)
    if end:
        if not low <= end <= MAX_PORT:
            raise PolicyError(f"{path}.endPort {end} is below the port or out of range")
        return PortRange(protocols, low, end)
    return PortRange(protocols, low, low)


# Names of `icmps[].fields[].type` (v1.20 ``pkg/policy/api/icmp.go``): "EchoRequest" of IPv6 is 128
_TYPES = {
    "ICMP": {
        "EchoReply": 0,
        "DestinationUnreachable": 3,
        "Redirect": 5,
        "Echo": 8,
        "EchoRequest": 8,
        "RouterAdvertisement": 9,
        "RouterSelection": 10,
        "TimeExceeded": 11,
        "ParameterProblem": 12,
        "Timestamp": 13,
        "TimestampReply": 14,
        "Photuris": 40,
        "ExtendedEchoRequest": 42,
        "ExtendedEchoReply": 43,
    },
    "ICMPv6": {
        "DestinationUnreachable": 1,
        "PacketTooBig": 2,
        "TimeExceeded": 3,
        "ParameterProblem": 4,
        "EchoRequest": 128,
        "EchoReply": 129,
        "MulticastListenerQuery": 130,
        "MulticastListenerReport": 131,
        "MulticastListenerDone": 132,
        "RouterSolicitation": 133,
        "RouterAdvertisement": 134,
        "NeighborSolicitation": 135,
        "NeighborAdvertisement": 136,
        "RedirectMessage": 137,
    },
}
_FAMILIES = {"": "ICMP", "IPv4": "ICMP", "IPv6": "ICMPv6"}


def read_icmps(raw: Any, path: str) -> TrafficMatcher | None:
    """Compile ``icmps``; ``None`` where it lists nothing.

    Raises:
        PolicyError: what the agent rejects.
    """
    fields: list[TrafficMatcher] = []
    for index, each in enumerate(entries(raw, path)):
        if not isinstance(each, dict):
            raise PolicyError(f"{path}[{index}] is not an object")
        inner = entries(each.get("fields"), f"{path}[{index}].fields")
        if len(inner) > MAX_PORTS:
            raise PolicyError(f"{path}[{index}].fields has more than {MAX_PORTS} entries")
        fields.extend(_icmp(field, f"{path}[{index}].fields[{n}]") for n, field in enumerate(inner))
    return OneOf(tuple(fields)) if fields else None


def _icmp(raw: Any, path: str) -> TrafficMatcher:
    if not isinstance(raw, dict):
        raise PolicyError(f"{path} is not an object")
    protocol = _FAMILIES.get(str(raw.get("family") or ""))
    if protocol is None:
        raise PolicyError(f"{path}.family {str(raw['family'])[:20]!r} is neither IPv4 nor IPv6")
    kind = raw.get("type")
    if isinstance(kind, str) and not is_digits(kind):
        number = _TYPES[protocol].get(kind)
        if number is None:
            return UndecidableTraffic(f"the ICMP type {kind[:40]!r} of {path} is not known")
        return IcmpField(protocol, number, f"type {number} ({kind})")
    if isinstance(kind, str):
        kind = whole(kind)
    if isinstance(kind, bool) or not isinstance(kind, int) or not 0 <= kind <= 255:
        raise PolicyError(f"{path}.type is not a number from 0 to 255")
    return IcmpField(protocol, kind, f"type {kind}")
