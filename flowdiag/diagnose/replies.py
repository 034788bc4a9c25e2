"""Packets that look like answers of a server, in records that do not say whether they are."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flowdiag.diagnose.case import Case

__all__ = ["EPHEMERAL_FROM", "answering_port"]

EPHEMERAL_FROM = 32768
"""Linux's ``ip_local_port_range`` starts here."""
_WELL_KNOWN = 1024


def answering_port(case: Case) -> int | None:
    """The port that the source answers from, if its packets may be answers; ``None`` if they are new connections.

    A client takes another port for each connection and begins it with a SYN.  Packets without one that all come
    from a port the source serves, to one that only a client has, may belong to a connection that the CNI has lost.
    """
    distinct, port = case.flow.distinct, case.port
    if distinct.protocol not in ("TCP", "UDP") or "SYN" in distinct.tcp_flags or distinct.turned:
        return None
    if port is None or port < EPHEMERAL_FROM or len(distinct.source_ports) != 1:
        return None
    own = distinct.source_ports[0]
    served = case.flow.dst.pod
    if served is not None and any(each.port == port for each in served.ports):
        return None
    pod = case.flow.src.pod
    declared = pod is not None and any(
        each.port == own and each.protocol == distinct.protocol for each in pod.ports
    )
    return own if declared or own < _WELL_KNOWN else None
