"""Conditions of Calico rules on the traffic: protocols by name or number, ICMP kinds, and negations."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar

from msgspec import Struct

from flowdiag.model.policy import Condition, Miss
from flowdiag.policy.facts import Facts
from flowdiag.policy.model import MATCH, Check, Outcome, Traffic, TrafficMatcher, miss, unknown
from flowdiag.policy.ports import PortSet

__all__ = ["HostPort", "IcmpKind", "NotTraffic", "ProtocolIs", "protocol_name"]

# IANA protocol numbers of the names that v3 policies take.
_BY_NUMBER = {1: "ICMP", 6: "TCP", 17: "UDP", 58: "ICMPv6", 132: "SCTP", 136: "UDPLite"}
_BY_NAME = {name.lower(): name for name in _BY_NUMBER.values()}


def protocol_name(raw: Any) -> str | None:
    """Give the usual name of a protocol written by name, in any case, or by number; ``None`` for none."""
    if raw is None:
        return None
    text = str(raw)
    if text.isascii() and text.isdigit():
        return _BY_NUMBER.get(int(text), text)
    return _BY_NAME.get(text.lower(), text)


class ProtocolIs(Struct, frozen=True):
    """The protocol is this one."""

    protocol: str

    by_destination: ClassVar[bool] = False

    def check(self, traffic: Traffic, _destination: Facts, /) -> Check:
        """See `TrafficMatcher.check`."""
        if traffic.protocol == self.protocol:
            return MATCH
        return miss(Miss(Condition.PROTOCOL, self.protocol, traffic.protocol))

    def edges(self, _protocol: str, _destination: Facts, /) -> Iterable[int]:
        """See `TrafficMatcher.edges`."""
        return ()


class IcmpKind(Struct, frozen=True):
    """ICMP type and code; what is ``None`` is not asked for."""

    type: int | None
    code: int | None

    @property
    def text(self) -> str:
        """``type 8 code 0``."""
        code = "" if self.code is None else f" code {self.code}"
        return f"type {self.type}{code}" if self.type is not None else "any type"

    by_destination: ClassVar[bool] = False

    def check(self, traffic: Traffic, _destination: Facts, /) -> Check:
        """See `TrafficMatcher.check`."""
        if traffic.protocol not in ("ICMP", "ICMPv6"):
            return miss(Miss(Condition.ICMP, self.text, None))
        if self.type is None:
            return MATCH
        icmp = traffic.icmp
        if icmp is None or icmp.type is None:
            return unknown(f"the ICMP type is not known ({self.text})")
        if icmp.type != self.type:
            return miss(Miss(Condition.ICMP, self.text, f"type {icmp.type}"))
        if self.code is None or icmp.code == self.code:
            return MATCH
        if icmp.code is None:
            return unknown(f"the ICMP code is not known ({self.text})")
        return miss(Miss(Condition.ICMP, self.text, f"type {icmp.type} code {icmp.code}"))

    def edges(self, _protocol: str, _destination: Facts, /) -> Iterable[int]:
        """See `TrafficMatcher.edges`."""
        return ()


class HostPort(Struct, frozen=True):
    """A port by the name that host endpoints give it, at the addresses that they are expected to have."""

    name: str
    protocol: str
    places: tuple[tuple[int, int], ...]
    """Per such port the bits of the ranges of its addresses, and its number."""

    by_destination: ClassVar[bool] = True

    def check(self, traffic: Traffic, destination: Facts, /) -> Check:
        """See `TrafficMatcher.check`."""
        if traffic.protocol != self.protocol:
            return miss(Miss(Condition.PROTOCOL, self.protocol, traffic.protocol))
        if destination.kind == "pod":
            return miss(self._miss((), traffic))
        sure = [port for bits, port in self.places if bits & destination.hits.sure]
        maybe = [port for bits, port in self.places if bits & destination.hits.maybe]
        if traffic.port is None and (sure or maybe):
            return unknown("the port is not known")
        if traffic.port in sure:
            return MATCH
        if traffic.port in maybe:
            return unknown(f"whether its address is of a host endpoint with a port {self.name} is not known")
        return miss(self._miss(sure, traffic))

    def _miss(self, ports: Iterable[int], traffic: Traffic) -> Miss:
        numbers = ",".join(map(str, sorted(ports)))
        wanted = f"{self.name}/{self.protocol} ({numbers or 'no such name'})"
        return Miss(Condition.PORT, wanted, f"{traffic.port}/{traffic.protocol}")

    def edges(self, protocol: str, destination: Facts, /) -> Iterable[int]:
        """See `TrafficMatcher.edges`."""
        if protocol != self.protocol or destination.kind == "pod":
            return ()
        near = destination.hits.sure | destination.hits.maybe
        return PortSet.of(*(port for bits, port in self.places if bits & near)).edges()


class NotTraffic(Struct, frozen=True):
    """The opposite of another condition; an unknown stays one."""

    inner: TrafficMatcher
    condition: Condition
    wanted: str

    @property
    def by_destination(self) -> bool:
        """See `TrafficMatcher.by_destination`."""
        return self.inner.by_destination

    def check(self, traffic: Traffic, destination: Facts, /) -> Check:
        """See `TrafficMatcher.check`."""
        answer = self.inner.check(traffic, destination)
        if answer.outcome is Outcome.UNKNOWN:
            return answer
        if answer.outcome is Outcome.MISS:
            return MATCH
        if self.condition is Condition.PORT:
            found = f"{traffic.port}/{traffic.protocol}"
        elif self.condition is Condition.ICMP and traffic.icmp is not None:
            found = f"type {traffic.icmp.type}"
        else:
            found = traffic.protocol
        return miss(Miss(self.condition, self.wanted, found))

    def edges(self, protocol: str, destination: Facts, /) -> Iterable[int]:
        """See `TrafficMatcher.edges`; those of a set are those of its complement."""
        return self.inner.edges(protocol, destination)
