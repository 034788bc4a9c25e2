"""From a flow event to the place where it is counted: replies turned round, shapes without what varies.

The tally counts every event by it, and a parser that folds lines of one shape finds their lane by it.
"""

from __future__ import annotations

from msgspec import Struct

from flowdiag.model.event import L7, Direction, FlowEvent, Peer, Verdict
from flowdiag.parserkit.interfaces import is_workload_interface
from flowdiag.parserkit.replies import flag_bits, looks_like_reply
from flowdiag.parserkit.sink import FlowShape, FlowSink, Lane, named_peer

__all__ = ["REFUSED", "Placed", "lane_of", "place_event"]

REFUSED = frozenset({Verdict.DENIED, Verdict.AUDITED, Verdict.ERROR, Verdict.LOGGED})
"""Verdicts that are counted by the second and with examples.  What was only logged is among them, since it may turn
out to have been refused."""

_OTHER_SIDE = {Direction.INGRESS: Direction.EGRESS, Direction.EGRESS: Direction.INGRESS}
_URL = 256


class Placed(Struct, frozen=True):
    """Where an event is counted."""

    src: Peer
    dst: Peer
    port: int | None
    source_port: int | None
    shape: FlowShape
    direction: Direction | None
    flags: int
    src_names: tuple[str, ...] | None
    dst_names: tuple[str, ...] | None


def place_event(event: FlowEvent) -> Placed:
    """The connection that a record belongs to, seen from its client.

    Where the record says that it is a reply, its direction is the connection's already (Hubble's
    decoder turns it); where only its ports say so, the direction is the packet's, and the end that
    enforced stands on the other side of the connection.
    """
    flags = flag_bits(event.tcp_flags)
    src, dst, direction = event.src, event.dst, event.direction
    turned = event.is_reply is True
    if event.is_reply is None and looks_like_reply(flags, src.port, dst.port):
        turned = True
        direction = _OTHER_SIDE.get(direction) if direction is not None else None
    if turned:
        src, dst = dst, src
    entered, left = _interfaces(event)
    return Placed(
        src=named_peer(src),
        dst=named_peer(dst),
        port=dst.port,
        source_port=src.port,
        shape=FlowShape(
            node=event.node,
            protocol=event.protocol,
            icmp=event.icmp,
            verdict=event.verdict,
            verdict_raw=event.verdict_raw,
            cause=event.cause,
            reason=event.reason,
            reason_code=event.reason_code,
            reason_raw=event.reason_raw,
            l7=refused_l7(event.l7) if event.verdict in REFUSED else None,
            turned=turned,
            interface_in=left if turned else entered,
            interface_out=entered if turned else left,
        ),
        direction=direction,
        flags=flags,
        src_names=src.dns_names,
        dst_names=dst.dns_names,
    )


def _interfaces(event: FlowEvent) -> tuple[str | None, str | None]:
    """The interfaces by which the packet entered and left, where nothing else tells who its ends are.

    Records that name pods need none, and to tell their flows apart by interfaces, too, would split them for nothing.
    """
    entered, left = event.interface_in, event.interface_out
    if entered is None and left is None:
        return None, None
    if event.verdict is not Verdict.LOGGED and not (
        is_workload_interface(entered) or is_workload_interface(left)
    ):
        return None, None
    named = any(
        end.pod is not None or end.identity is not None or end.namespace is not None
        for end in (event.src, event.dst)
    )
    return (None, None) if named else (entered, left)


def refused_l7(l7: L7 | None) -> L7 | None:
    """The part of an L7 record that tells refused requests apart: method and path, query, kind."""
    if l7 is None:
        return None
    url = l7.url.partition("?")[0].partition("#")[0][:_URL] if l7.url is not None else None
    return L7(kind=l7.kind, type=l7.type, method=l7.method, url=url, query=l7.query, qtypes=l7.qtypes)


def lane_of(sink: FlowSink, event: FlowEvent, placed: Placed) -> Lane:
    """The lane that `event` is counted in."""
    return sink.lane(
        sink.peer(placed.src),
        sink.peer(placed.dst),
        placed.port,
        sink.shape(placed.shape),
        placed.direction,
        event.witness,
    )
