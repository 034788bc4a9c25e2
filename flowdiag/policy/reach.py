"""Exactly which ports are open between two ends, without asking all 65,535 of them.

The verdict over ports can only change where a rule that may concern the pair starts or ends a range, so
one port of each span between such edges is asked.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from flowdiag.model.endpoint import Endpoint
from flowdiag.model.event import PORT_PROTOCOLS, Direction
from flowdiag.policy.bitsets import bits_of
from flowdiag.policy.decide import decide
from flowdiag.policy.end_policies import EndPolicies
from flowdiag.policy.facts import Facts
from flowdiag.policy.index import Plan, Told
from flowdiag.policy.model import Traffic
from flowdiag.policy.openness import CLOSED, OPEN, UNKNOWN, EndPorts, Openness, Ports, joined
from flowdiag.policy.ports import MAX_PORT, MIN_PORT, NO_PORTS, PortSet
from flowdiag.policy.selecting import View

__all__ = ["connections", "end_openness", "openness", "port_verdicts"]

_MEMORY = 1 << 14
"""Kinds of pairs whose ports are remembered before the memory starts afresh."""


def port_verdicts(
    policies: EndPolicies,
    direction: Direction,
    subject: Facts,
    peer: Facts,
    protocol: str,
    at: int | None,
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


def _end(
    policies: EndPolicies, direction: Direction, subject: Facts, peer: Facts, at: int | None
) -> EndPorts:
    """Ports that one end lets pass for sure, and those that it may; as `port_verdicts` has them."""
    if subject.kind == "outside":
        return OPEN
    settled = policies.beyond.settled(direction, subject, peer)
    if settled is not None:
        return UNKNOWN if settled.allowed is None else OPEN if settled.allowed else CLOSED
    beyond = policies.beyond
    if beyond.known(direction, subject, peer, told=False) is None:
        return UNKNOWN
    destination = subject if direction is Direction.INGRESS else peer
    plan, view = policies.plan(direction), policies.view(direction, subject, at)
    wanted, sure = _meeting(plan, view, peer)
    known = beyond.known(direction, subject, peer, told=True) is True
    key = (id(view), wanted, sure, destination.class_id if wanted & plan.by_destination else -1, known)
    end = plan.ends.get(key)
    if end is None:
        if len(plan.ends) >= _MEMORY:
            plan.ends.clear()
        told = [_told(plan, view, peer, protocol, destination) for protocol in PORT_PROTOCOLS]
        surely = [each.surely if known else NO_PORTS for each in told]
        end = plan.ends[key] = EndPorts(tuple(surely), tuple(each.possibly for each in told), {})
    return end


def _meeting(plan: Plan, view: View, peer: Facts) -> tuple[int, int]:
    """Bits of the rules about an end that may match its peer, and of those whose peers surely match it."""
    wanted = view.answers.maybe
    peers = plan.peers.of(peer, wanted)
    wanted &= peers.maybe
    return wanted, wanted & peers.sure


def _told(plan: Plan, view: View, peer: Facts, protocol: str, destination: Facts) -> Told:
    """What the rules say of all ports; remembered, as most pairs of ends meet the same few rules."""
    wanted, sure = _meeting(plan, view, peer)
    named = destination.class_id if wanted & plan.by_destination else -1
    key = (id(view), wanted, sure, protocol, named)
    known = plan.spans.get(key)
    if known is None:
        edges = {MIN_PORT}
        for position in bits_of(wanted):
            for condition in plan.rules[position].traffic:
                edges.update(condition.edges(protocol, destination))
        starts = sorted(edges)
        spans = []
        for low, behind in zip(starts, [*starts[1:], MAX_PORT + 1], strict=True):
            traffic = Traffic(protocol, low)
            matching, maybe = plan.matching(view, peer, traffic, destination)
            spans.append((low, behind - 1, decide(plan, view, matching, maybe, traffic).allowed))
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


def openness(
    policies: EndPolicies,
    src: Endpoint,
    dst: Endpoint,
    *,
    at: int | None = None,
    ingress: EndPolicies | None = None,
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


def end_openness(policies: EndPolicies, direction: Direction, src: Endpoint, dst: Endpoint) -> Openness:
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


def _let_pass(ends: Sequence[tuple[EndPolicies, Direction, Facts, Facts]], at: int | None) -> Openness:
    """Ports that all of these ends let pass; each is given with who decides, the policed end and its peer."""
    one, *rest = (_end(*end, at) for end in ends)
    return one.meeting(rest[0] if rest else OPEN)


def connections(
    policies: EndPolicies,
    src: Endpoint,
    dst: Endpoint,
    *,
    at: int | None = None,
    unknown: bool = False,
    ingress: EndPolicies | None = None,
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
