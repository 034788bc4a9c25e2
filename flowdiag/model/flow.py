"""A distinct flow with both ends resolved, for one span in which their owners did not change."""

from __future__ import annotations

from msgspec import Struct

from flowdiag.model.endpoint import Endpoint
from flowdiag.model.event import Direction
from flowdiag.model.tally import Bucket, DistinctFlow

__all__ = ["Flow"]


class Flow(Struct, frozen=True, kw_only=True):
    """One distinct flow, or the part of it that falls into one span of owners.

    `distinct` holds what the records said; the counts and times here are those of the part.
    """

    distinct: DistinctFlow
    src: Endpoint
    dst: Endpoint
    via: Endpoint | None = None
    """The Service whose address the record had, where `dst` is the pod behind it."""
    direction: Direction | None
    """Recorded, or worked out from which end is on the recording node; ``None`` if neither."""
    count: int
    buckets: tuple[Bucket, ...]
    first: int | None
    last: int | None
    ambiguous: bool = False
    """A bucket straddles a change of owner: attribution is split, confidence at most likely (FD808)."""
    basis: str | None = None
    """Where the records only say that a rule logged the traffic: what the verdict was inferred from, or, beside
    the verdict ``logged``, why none could be.  ``None`` where the records hold a verdict."""
