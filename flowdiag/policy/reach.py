"""Exactly which ports are open between two ends, without asking all 65,535 of them.

The verdict over ports can only change where a rule that may concern the pair starts or ends a range, so
one port of each span between such edges is asked.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from msgspec import Struct

from flowdiag.model.endpoint import Endpoint
from flowdiag.model.event import PORT_PROTOCOLS, Direction
from flowdiag.policy.bitsets import bits_of
from flowdiag.policy.decide import decide
from flowdiag.policy.index import Plan, Told
from flowdiag.policy.model import Traffic
from flowdiag.policy.ports import MAX_PORT, MIN_PORT, NO_PORTS, PortSet
from flowdiag.policy.selecting import View

if TYPE_CHECKING:
    from flowdiag.policy.evaluate import PolicySet
    from flowdiag.policy.facts import Facts

__all__ = ["Openness", "Ports", "connections", "end_openness", "joined", "openness", "port_verdicts"]

_MEMORY = 1 << 14
"""Kinds of pairs whose ports are remembered before the memory starts afresh."""

Ports = dict[str, PortSet]
"""Open ports by protocol: ``{"TCP": PortSet(80, 443)}``; a protocol with none is left out."""


def port_verdicts(
    policies: PolicySet,
    direction: Direction,
    subject: Facts,
    peer: Facts,
    protocol: str,
    at: int | None = None,
) -> list[tuple[int, int, bool | None]]:
    """Cut all ports into spans of one verdict for one end.

    Returns:
        ``(first, last, allowed)``, in order, covering 1 to 65535; neighbours differ.
    """
    settled = policies.beyond.settled(direction, subject, peer)
    if settled is not None:
        return [(MIN_PORT, MAX_PORT, settled.allowed)]
    plan = policies.plan(direction)
    view = policies.view(direction, subject, at)
    destination = subject if direction is Direction.INGRESS else peer
    spans = _told(plan, view, peer, protocol, destination).spans
    return _merged(
        (low, high, policies.beyond.known(direction, subject, peer, told=told)) for low, high, told in spans
    )


def _open_ports(
    policies: PolicySet, direction: Direction, subject: Facts, peer: Facts, protocol: str, at: int | None
) -> tuple[PortSet, PortSet]:
    """Ports that one end lets pass for sure, and those that it may; as `port_verdicts` has them."""
    settled = policies.beyond.settled(direction, subject, peer)
    if settled is not None:
        return (_ALL if settled.allowed else NO_PORTS, NO_PORTS if settled.allowed is False else _ALL)
    destination = subject if direction is Direction.INGRESS else peer
    told = _told(policies.plan(direction), policies.view(direction, subject, at), peer, protocol, destination)
    return (
        told.surely if policies.beyond.known(direction, subject, peer, told=True) else NO_PORTS,
        _ALL if policies.beyond.known(direction, subject, peer, told=False) is None else told.possibly,
    )


def _told(plan: Plan, view: View, peer: Facts, protocol: str, destination: Facts) -> Told:
    """What the rules say of all ports; remembered, as most pairs of ends meet the same few rules."""
    wanted = view.answers.maybe
    peers = plan.peers.of(peer, wanted)
    wanted &= peers.maybe
    named = destination.class_id if wanted & plan.by_destination else -1
    key = (id(view), wanted, wanted & peers.sure, protocol, named)
    known = plan.spans.get(key)
    if known is None:
        edges = {MIN_PORT}
        for position in bits_of(wanted):
            for condition in plan.rules[position].traffic:
                edges.update(condition.ports(protocol, destination).edges())
        starts = sorted(edges)
        spans = []
        for low, behind in zip(starts, [*starts[1:], MAX_PORT + 1], strict=True):
            traffic = Traffic(protocol, low)
            sure, maybe = plan.matching(view, peer, traffic, destination)
            spans.append((low, behind - 1, decide(plan, view, sure, maybe, traffic).allowed))
        if len(plan.spans) >= _MEMORY:
            plan.spans.clear()
        spans = _merged(spans)
        known = plan.spans[key] = Told(
            spans,
            PortSet((low, high) for low, high, verdict in spans if verdict),
            PortSet((low, high) for low, high, verdict in spans if verdict is not False),
        )
    return known


def _merged(spans: Iterable[tuple[int, int, bool | None]]) -> list[tuple[int, int, bool | None]]:
    found: list[tuple[int, int, bool | None]] = []
    for low, high, verdict in spans:
        if found and found[-1][2] is verdict:
            found[-1] = (found[-1][0], high, verdict)
        else:
            found.append((low, high, verdict))
    return found


_ALL = PortSet([(MIN_PORT, MAX_PORT)])


class Openness(Struct, frozen=True):
    """What is known of the ports from one end to another; the rest is closed."""

    open: Ports = {}
    unknown: Ports = {}
    """Ports whose verdict the policies cannot give; none of them is in `open`."""

    def met(self, other: Openness) -> Openness:
        """What passes where this is one end's and `other` the other's."""
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
        """Whether something that is open, or may be, would surely be less so."""
        if self == after:
            return False
        possibly, left = joined(self.open, self.unknown), joined(after.open, after.unknown)
        return not (_within(self.open, after.open) and _within(possibly, left))


def openness(
    policies: PolicySet,
    src: Endpoint,
    dst: Endpoint,
    *,
    at: int | None = None,
    ingress: PolicySet | None = None,
) -> Openness:
    """Sort all ports of TCP, UDP and SCTP into open, unknown and closed.

    Args:
        policies: the compiled policies.
        src: the client.
        dst: the server.
        at: when, in nanoseconds; ``None`` is now.
        ingress: the policies at the server, where they are another set than those at the client.

    Raises:
        ValueError: both ends are outside the cluster.
    """
    source, destination = policies.facts(src, dst, at)
    if source.kind == destination.kind == "outside":
        raise ValueError("both ends are outside the cluster")
    ends = [
        (policies, Direction.EGRESS, source, destination),
        (policies, Direction.INGRESS, destination, source),
    ]
    if ingress is not None and ingress is not policies:
        source, destination = ingress.facts(src, dst, at)
        ends[1] = (ingress, Direction.INGRESS, destination, source)
    return _let_pass(ends, at)


def end_openness(policies: PolicySet, direction: Direction, src: Endpoint, dst: Endpoint) -> Openness:
    """What one end of a connection lets pass now, whatever the other does; all ports where nothing polices it.

    Args:
        policies: the compiled policies.
        direction: which end: the client for egress.
        src: the client.
        dst: the server.
    """
    source, destination = policies.facts(src, dst)
    subject, peer = (source, destination) if direction is Direction.EGRESS else (destination, source)
    return _let_pass([(policies, direction, subject, peer)], None)


def _let_pass(ends: Sequence[tuple[PolicySet, Direction, Facts, Facts]], at: int | None) -> Openness:
    """Ports that all of these ends let pass; each is given with who decides, the policed end and its peer."""
    found, doubtful = Ports(), Ports()
    for protocol in PORT_PROTOCOLS:
        surely = possibly = _ALL
        for asked, direction, subject, peer in ends:
            if subject.kind == "outside" or not possibly:
                continue
            more, most = _open_ports(asked, direction, subject, peer, protocol, at)
            surely &= more
            possibly &= most
        if surely:
            found[protocol] = surely
        if possibly - surely:
            doubtful[protocol] = possibly - surely
    return Openness(found, doubtful)


def connections(
    policies: PolicySet,
    src: Endpoint,
    dst: Endpoint,
    *,
    at: int | None = None,
    unknown: bool = False,
    ingress: PolicySet | None = None,
) -> Ports:
    """Give the exact set of open ports from one end to the other, for TCP, UDP and SCTP.

    Args:
        policies: the compiled policies.
        src: the client.
        dst: the server.
        at: when, in nanoseconds; ``None`` is now.
        unknown: count ports whose verdict is unknown as open (what may be reachable) instead of closed.
        ingress: as for `openness`.

    Raises:
        ValueError: both ends are outside the cluster.
    """
    found = openness(policies, src, dst, at=at, ingress=ingress)
    return joined(found.open, found.unknown) if unknown else found.open


def _within(one: Ports, other: Ports) -> bool:
    return all(ports <= other.get(protocol, NO_PORTS) for protocol, ports in one.items())


def joined(one: Ports, other: Ports) -> Ports:
    """Ports of either, by protocol."""
    union = dict(one)
    for protocol, ports in other.items():
        union[protocol] = union[protocol] | ports if protocol in union else ports
    return union
