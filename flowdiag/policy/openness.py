"""Open ports by protocol: what one end lets pass, and what both ends of a connection let pass together."""

from __future__ import annotations

from msgspec import Struct

from flowdiag.model.event import PORT_PROTOCOLS
from flowdiag.policy.ports import MAX_PORT, MIN_PORT, NO_PORTS, PortSet

__all__ = ["CLOSED", "OPEN", "UNKNOWN", "EndPorts", "Openness", "Ports", "joined"]

_MEMORY = 1 << 14
"""Other ends for which an end remembers the ports that both let pass; one more, and it forgets all."""

Ports = dict[str, PortSet]
"""Open ports by protocol: ``{"TCP": PortSet(80, 443)}``; a protocol with none is left out."""


class Openness(Struct, frozen=True):
    """What is known of the ports from one end to another; the rest is closed."""

    open: Ports = {}
    unknown: Ports = {}
    """Ports whose verdict the policies cannot give; none of them is in `open`."""

    def met(self, other: Openness) -> Openness:
        """Give what passes where this is what one end lets pass, and `other` what the other end does."""
        found, doubtful = Ports(), Ports()
        for protocol in PORT_PROTOCOLS:
            surely = self.open.get(protocol, NO_PORTS) & other.open.get(protocol, NO_PORTS)
            if surely:
                found[protocol] = surely
            if self.unknown or other.unknown:
                left = self._possibly(protocol) & other._possibly(protocol) - surely
                if left:
                    doubtful[protocol] = left
        return Openness(found, doubtful)

    def _possibly(self, protocol: str) -> PortSet:
        return self.open.get(protocol, NO_PORTS) | self.unknown.get(protocol, NO_PORTS)

    def beyond(self, before: Openness) -> Ports:
        """Ports that are unknown here and were closed for sure `before`."""
        found = {protocol: ports - before._possibly(protocol) for protocol, ports in self.unknown.items()}
        return {protocol: ports for protocol, ports in found.items() if ports}

    def closes(self, after: Openness) -> bool:
        """Whether a port that is open here is not so in `after`, or one that may be open here is surely closed there."""
        if self is after or self == after:
            return False
        possibly, left = joined(self.open, self.unknown), joined(after.open, after.unknown)
        return not (_within(self.open, after.open) and _within(possibly, left))


class EndPorts(Struct, frozen=True, eq=False):
    """Ports that one end lets pass, per protocol of `PORT_PROTOCOLS` in that order; alike pairs of ends share one value."""

    surely: tuple[PortSet, ...]
    possibly: tuple[PortSet, ...]
    met: dict[EndPorts, Openness] | None
    """What passes together with another end, remembered; ``None`` for `OPEN`, `CLOSED` and `UNKNOWN`, which live as
    long as the process."""

    def meeting(self, other: EndPorts) -> Openness:
        """What passes at both ends; remembered, as most pairs of ends are of few kinds."""
        if self.met is None:
            return self._meeting(other) if other.met is None else other.meeting(self)
        known = self.met.get(other)
        if known is None:
            if len(self.met) >= _MEMORY:
                self.met.clear()
            known = self.met[other] = self._meeting(other)
        return known

    def _meeting(self, other: EndPorts) -> Openness:
        found, doubtful = Ports(), Ports()
        for place, protocol in enumerate(PORT_PROTOCOLS):
            surely = self.surely[place] & other.surely[place]
            possibly = self.possibly[place] & other.possibly[place]
            if surely:
                found[protocol] = surely
            if possibly - surely:
                doubtful[protocol] = possibly - surely
        return Openness(found, doubtful)


def _alike(surely: PortSet, possibly: PortSet) -> EndPorts:
    every = len(PORT_PROTOCOLS)
    return EndPorts((surely,) * every, (possibly,) * every, None)


_ALL = PortSet([(MIN_PORT, MAX_PORT)])
OPEN, CLOSED, UNKNOWN = _alike(_ALL, _ALL), _alike(NO_PORTS, NO_PORTS), _alike(NO_PORTS, _ALL)
"""Ends that let all ports pass, or none, or of which nothing is known."""


def _within(one: Ports, other: Ports) -> bool:
    return all(ports <= other.get(protocol, NO_PORTS) for protocol, ports in one.items())


def joined(one: Ports, other: Ports) -> Ports:
    """Ports of either, by protocol."""
    union = dict(one)
    for protocol, ports in other.items():
        union[protocol] = union[protocol] | ports if protocol in union else ports
    return union
