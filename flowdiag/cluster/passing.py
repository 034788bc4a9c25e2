"""What an allowed record proves of a connection that is refused elsewhere."""

from __future__ import annotations

from flowdiag.model.event import Direction
from flowdiag.model.flow import Flow

__all__ = ["arrival_open", "got_past"]

_ON_THE_WAY = frozenset({"aws-vpc-flow", "azure-firewall", "azure-flow-log", "gcp-firewall"})
"""Parsers of firewalls of the network between nodes: a packet meets them behind its source's policies and before those of
the pod that it is for (an instance's interface on AWS, Azure and Google Cloud)."""


def got_past(allowed: Flow, refused_at: str | None) -> bool:
    """Whether an allowed flow got past the end that refuses the same connection at other times.

    A packet that its source lets go (egress) may still be refused where it arrives, so such a record
    clears no refusal at the destination, nor one at an unknown end.  Nor does what a firewall on the way let by.  A reply
    was preceded by a request that arrived, whoever recorded it.

    Args:
        allowed: an allowed flow between the same ends.
        refused_at: the direction of the refusal, ``egress`` or ``ingress``; ``None`` if unknown.
    """
    if allowed.distinct.turned or not (allowed.direction is Direction.EGRESS or _on_the_way(allowed)):
        return True
    return refused_at == Direction.EGRESS


def arrival_open(allowed: Flow) -> bool:
    """Whether an allowed flow leaves open if policies at its destination let it in: a firewall on the way recorded it."""
    return _on_the_way(allowed) and not allowed.distinct.turned


def _on_the_way(allowed: Flow) -> bool:
    return allowed.distinct.parser in _ON_THE_WAY
