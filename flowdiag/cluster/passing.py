"""What an allowed record proves of a connection that is refused elsewhere."""

from __future__ import annotations

from flowdiag.model.event import Direction
from flowdiag.model.flow import Flow

__all__ = ["got_past"]


def got_past(allowed: Flow, refused_at: str | None) -> bool:
    """Whether an allowed flow got past the end that refuses the same connection at other times.

    A packet that its source lets go (egress) may still be refused where it arrives, so such a record
    clears no refusal at the destination, nor one at an unknown end.  A reply was preceded by a request
    that arrived, whoever recorded it.

    Args:
        allowed: an allowed flow between the same ends.
        refused_at: the direction of the refusal, ``egress`` or ``ingress``; ``None`` if unknown.
    """
    if allowed.direction is not Direction.EGRESS or allowed.distinct.turned:
        return True
    return refused_at == Direction.EGRESS
