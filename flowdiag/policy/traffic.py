"""Conditions on protocol, port and ICMP, and the list of alternatives that ``ports:`` is."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain
from typing import ClassVar

from msgspec import Struct

from flowdiag.model.event import PORT_PROTOCOLS
from flowdiag.model.policy import Condition, Miss
from flowdiag.policy.facts import Facts
from flowdiag.policy.model import MATCH, Check, Outcome, Traffic, TrafficMatcher, miss, unknown
from flowdiag.policy.ports import NO_PORTS, PortSet

__all__ = [
    "NamedPort",
    "NumberedPorts",
    "OfProtocol",
    "OneOf",
    "UndecidableTraffic",
    "declared",
    "namesakes",
]

"""Protocols with ports that the policy languages know."""


def declared(facts: Facts, name: str, protocol: str | None) -> PortSet | None:
    """Ports that an end declares under a name; ``None`` where its ports are not known.

    `protocol` ``None`` takes whatever protocol the port has.
    """
    if facts.kind in ("outside", "node"):
        return NO_PORTS
    if facts.ports is None:
        return None
    return PortSet.of(
        *(
            port.port
            for port in facts.ports
            if port.name == name and (protocol is None or port.protocol == protocol)
        )
    )


def namesakes(ports: PortSet, wanted: str) -> Check:
    """Answer for one of the ports that a pod's containers call so, where enforcers differ in which of several is meant."""
    if len(ports) == 1:
        return MATCH
    return unknown(
        f"{wanted} stands for {','.join(ports.texts())} in containers of one pod: enforcers differ in which is meant"
    )


class NumberedPorts(Struct, frozen=True):
    """A protocol and ports by number; `ports` of ``None`` is every port of the protocol."""

    protocol: str
    low: int | None = None
    high: int | None = None
    others_unknown: bool = False
    """The API does not say whether this lets ICMP and other protocols by (NetworkPolicy)."""

    by_destination: ClassVar[bool] = False

    @property
    def _text(self) -> str:
        if self.low is None:
            return self.protocol
        return (
            f"{self.low}/{self.protocol}"
            if self.low == self.high
            else f"{self.low}-{self.high}/{self.protocol}"
        )

    def check(self, traffic: Traffic, _destination: Facts, /) -> Check:
        """See `TrafficMatcher.check`."""
        if traffic.protocol != self.protocol:
            if self.others_unknown and traffic.protocol not in PORT_PROTOCOLS:
                return unknown(
                    f"whether a rule with ports admits {traffic.protocol} differs between enforcers"
                )
            misses = [Miss(Condition.PROTOCOL, self.protocol, traffic.protocol)]
            if self.low is not None and traffic.port is not None and not self._has(traffic.port):
                misses.append(Miss(Condition.PORT, self._text, f"{traffic.port}/{traffic.protocol}"))
            return miss(*misses)
        if self.low is None:
            return MATCH
        if traffic.port is None:
            return unknown("the port is not known")
        if self._has(traffic.port):
            return MATCH
        return miss(Miss(Condition.PORT, self._text, f"{traffic.port}/{traffic.protocol}"))

    def _has(self, port: int) -> bool:
        return self.low is None or self.low <= port <= (self.high or self.low)

    def edges(self, protocol: str, _destination: Facts, /) -> Iterable[int]:
        """See `TrafficMatcher.edges`."""
        if protocol != self.protocol or self.low is None:
            return ()
        return PortSet([(self.low, self.high or self.low)]).edges()


def _named_miss(wanted: str, ports: PortSet, traffic: Traffic) -> Miss:
    numbers = f" ({','.join(ports.texts())})" if ports else " (no such name)"
    return Miss(Condition.PORT, wanted + numbers, f"{traffic.port}/{traffic.protocol}")


class NamedPort(Struct, frozen=True):
    """A port by its name on the destination pod; `protocol` ``None`` is whatever that port has."""

    name: str
    protocol: str | None = "TCP"
    every: bool = True
    """Where two containers call ports so, both are meant; else it is not known which."""

    by_destination: ClassVar[bool] = True

    def check(self, traffic: Traffic, destination: Facts, /) -> Check:
        """See `TrafficMatcher.check`."""
        wanted = f"{self.name}/{self.protocol or traffic.protocol}"
        if self.protocol is not None and traffic.protocol != self.protocol:
            misses = [Miss(Condition.PROTOCOL, self.protocol, traffic.protocol)]
            own = declared(destination, self.name, self.protocol)
            if own is not None and traffic.port is not None and traffic.port not in own:
                misses.append(_named_miss(wanted, own, traffic))
            return miss(*misses)
        ports = declared(destination, self.name, traffic.protocol)
        if ports is None:
            return unknown(f"the ports of the destination are not known ({wanted})")
        if traffic.port is None:
            return unknown("the port is not known") if ports else miss(Miss(Condition.PORT, wanted, None))
        if traffic.port in ports:
            return MATCH if self.every else namesakes(ports, wanted)
        return miss(_named_miss(wanted, ports, traffic))

    def edges(self, protocol: str, destination: Facts, /) -> Iterable[int]:
        """See `TrafficMatcher.edges`."""
        if self.protocol is not None and protocol != self.protocol:
            return ()
        return (declared(destination, self.name, protocol) or NO_PORTS).edges()


class OfProtocol(Struct, frozen=True):
    """A protocol without ports; `doubt` says what else is asked of it and not known."""

    protocol: str
    doubt: str | None = None

    by_destination: ClassVar[bool] = False

    def check(self, traffic: Traffic, _destination: Facts, /) -> Check:
        """See `TrafficMatcher.check`."""
        if traffic.protocol != self.protocol:
            return miss(Miss(Condition.PROTOCOL, self.protocol, traffic.protocol))
        return MATCH if self.doubt is None else unknown(self.doubt)

    def edges(self, _protocol: str, _destination: Facts, /) -> Iterable[int]:
        """See `TrafficMatcher.edges`."""
        return ()


class OneOf(Struct, frozen=True):
    """Alternatives; of several misses the nearest is told (fewest misses, then first)."""

    items: tuple[TrafficMatcher, ...]

    @property
    def by_destination(self) -> bool:
        """See `TrafficMatcher.by_destination`."""
        return any(item.by_destination for item in self.items)

    def check(self, traffic: Traffic, destination: Facts, /) -> Check:
        """See `TrafficMatcher.check`."""
        nearest: Check | None = None
        doubts: list[str] = []
        for item in self.items:
            answer = item.check(traffic, destination)
            if answer.outcome is Outcome.MATCH:
                return answer
            if answer.outcome is Outcome.UNKNOWN:
                doubts.extend(answer.unknown)
            elif nearest is None or len(answer.misses) < len(nearest.misses):
                nearest = answer
        if doubts:
            return unknown(*dict.fromkeys(doubts))
        return nearest or miss(Miss(Condition.PORT, "no port", None))

    def edges(self, protocol: str, destination: Facts, /) -> Iterable[int]:
        """See `TrafficMatcher.edges`; of each, since where one ends another may answer otherwise, or be unknown."""
        return chain.from_iterable(item.edges(protocol, destination) for item in self.items)


class UndecidableTraffic(Struct, frozen=True):
    """A condition that cannot be evaluated; `why` names the field."""

    why: str

    by_destination: ClassVar[bool] = False

    def check(self, _traffic: Traffic, _destination: Facts, /) -> Check:
        """See `TrafficMatcher.check`."""
        return unknown(self.why)

    def edges(self, _protocol: str, _destination: Facts, /) -> Iterable[int]:
        """See `TrafficMatcher.edges`."""
        return ()
