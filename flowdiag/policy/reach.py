"""Exactly which ports are open between two ends, without asking all 65,535 of them.

The verdict over ports can only change where a rule that may concern the pair starts or ends a range, so
one port of each span between such edges is asked.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from flowdiag.model.endpoint import Endpoint
from flowdiag.model.event import Direction
from flowdiag.policy.index import bits_of
from flowdiag.policy.model import Traffic
from flowdiag.policy.ports import MAX_PORT, MIN_PORT, NO_PORTS, PortSet
from flowdiag.policy.traffic import PORT_PROTOCOLS

if TYPE_CHECKING:
    from flowdiag.policy.evaluate import PolicySet
    from flowdiag.policy.facts import Facts

__all__ = ["Openness", "Ports", "connections", "joined", "openness", "port_verdicts"]

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
    plan = policies.plan(direction)
    view = policies.view(direction, subject, at)
    destination = subject if direction is Direction.INGRESS else peer
    wanted = view.answers.maybe
    wanted &= plan.peer_answers(peer, wanted).maybe
    edges = {MIN_PORT}
    for position in bits_of(wanted):
        for condition in plan.rules[position].traffic:
            edges.update(condition.ports(protocol, destination).edges())
    spans: list[tuple[int, int, bool | None]] = []
    starts = sorted(edges)
    for index, low in enumerate(starts):
        high = starts[index + 1] - 1 if index + 1 < len(starts) else MAX_PORT
        verdict = policies.verdict(direction, subject, peer, Traffic(protocol, low), at)
        if spans and spans[-1][2] is verdict:
            spans[-1] = (spans[-1][0], high, verdict)
        else:
            spans.append((low, high, verdict))
    return spans


_ALL = PortSet([(MIN_PORT, MAX_PORT)])


class Openness(Struct, frozen=True):
    """What is known of the ports from one end to another; the rest is closed."""

    open: Ports = {}
    unknown: Ports = {}
    """Ports whose verdict the policies cannot give; none of them is in `open`."""


def openness(policies: PolicySet, src: Endpoint, dst: Endpoint, *, at: int | None = None) -> Openness:
    """Sort all ports of TCP, UDP and SCTP into open, unknown and closed.

    Args:
        policies: the compiled policies.
        src: the client.
        dst: the server.
        at: when, in nanoseconds; ``None`` is now.

    Raises:
        ValueError: both ends are outside the cluster.
    """
    source, destination = policies.facts(src, dst, at)
    if source.kind == destination.kind == "outside":
        raise ValueError("both ends are outside the cluster")
    found, doubtful = Ports(), Ports()
    for protocol in PORT_PROTOCOLS:
        surely = possibly = _ALL
        for direction, subject, peer in (
            (Direction.EGRESS, source, destination),
            (Direction.INGRESS, destination, source),
        ):
            if subject.kind == "outside" or not possibly:
                continue
            spans = port_verdicts(policies, direction, subject, peer, protocol, at)
            if len(spans) == 1:
                # One verdict for all ports.
                verdict = spans[0][2]
                surely = surely if verdict else NO_PORTS
                possibly = NO_PORTS if verdict is False else possibly
                continue
            surely &= PortSet((low, high) for low, high, verdict in spans if verdict)
            possibly &= PortSet((low, high) for low, high, verdict in spans if verdict is not False)
        if surely:
            found[protocol] = surely
        if possibly - surely:
            doubtful[protocol] = possibly - surely
    return Openness(found, doubtful)


def connections(
    policies: PolicySet, src: Endpoint, dst: Endpoint, *, at: int | None = None, unknown: bool = False
) -> Ports:
    """Give the exact set of open ports from one end to the other, for TCP, UDP and SCTP.

    Args:
        policies: the compiled policies.
        src: the client.
        dst: the server.
        at: when, in nanoseconds; ``None`` is now.
        unknown: count ports whose verdict is unknown as open (what may be reachable) instead of closed.

    Raises:
        ValueError: both ends are outside the cluster.
    """
    found = openness(policies, src, dst, at=at)
    return joined(found.open, found.unknown) if unknown else found.open


def joined(one: Ports, other: Ports) -> Ports:
    """Ports of either, by protocol."""
    union = dict(one)
    for protocol, ports in other.items():
        union[protocol] = union[protocol] | ports if protocol in union else ports
    return union
