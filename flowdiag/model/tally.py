"""What folding leaves of the records: distinct flows with counts in time, before any address is resolved."""

from __future__ import annotations

from msgspec import Struct

from flowdiag.model.event import (
    L7,
    Cause,
    Direction,
    Icmp,
    Peer,
    PolicyHit,
    TimeSource,
    Verdict,
)

__all__ = ["Bucket", "DistinctFlow", "DnsAnswer", "Example", "InputSummary"]


class Bucket(Struct, frozen=True):
    """Records in ``[start, start + width)``; `start` is ``None`` for records without a time."""

    start: int | None
    width: int
    """Nanoseconds; 0 where `start` is ``None``."""
    count: int


class Example(Struct, frozen=True, order=True):
    """A kept record: the smallest by (time, input, line) stay."""

    at: int
    """Nanoseconds; -1 where the record has no time."""
    input: str
    line: int
    text: object
    """What `raw` is made of; false where only the place was kept.  Packed texts are unpacked where somebody reads them."""

    @property
    def raw(self) -> str:
        """The record verbatim, cut at a bound and then ending in an ellipsis."""
        return str(self.text)


class DnsAnswer(Struct, frozen=True):
    """A name that the evidence resolved to an address."""

    name: str
    ip: str
    first: int | None
    last: int | None
    ttl: int | None
    """Largest time to live seen, seconds."""


class DistinctFlow(Struct, frozen=True, kw_only=True):
    """Records alike in everything but time and source port, folded.

    A reply is turned round: `src` is the client, `port` the server's port, and `turned` is true.
    A drop and a verdict of one packet count once.
    """

    parser: str
    node: str | None
    src: Peer
    """Without its port: source ports are ephemeral and stand, bounded, in `source_ports`."""
    dst: Peer
    """With `Peer.port` ``None``; the port is `port`."""
    protocol: str | None
    port: int | None
    icmp: Icmp | None
    direction: Direction | None
    verdict: Verdict
    verdict_raw: str | None
    cause: Cause | None
    reason: str | None
    reason_code: int | None
    reason_raw: str | None
    policies: tuple[PolicyHit, ...]
    l7: L7 | None
    """Bounded L7 shape (method, path, query) of denied flows; ``None`` for allowed ones."""
    turned: bool
    count: int
    """Records, weighted by their own counts, pairs of drop and verdict once."""
    records: int
    """Records as they stood in the input."""
    first: int | None
    last: int | None
    time_source: TimeSource
    """The weakest time source among its records."""
    buckets: tuple[Bucket, ...]
    """Sorted; the counts add up to `count`."""
    tcp_flags: frozenset[str]
    source_ports: tuple[int, ...]
    """Up to a bound, the smallest; their number is a lower bound of distinct connections."""
    interval_s: float | None
    """Typical distance between records where it is steady (probes, scrapes), else ``None``."""
    dns_names: tuple[str, ...]
    """Names that the records gave for the destination, bounded, sorted."""
    folded_peers: int | None
    """Where flows were folded past a bound: an estimate of how many distinct ends this stands for."""
    folded_ports: int | None
    examples: tuple[Example, ...]
    interface_in: str | None = None
    """The host's interface on the client's side, from records that name their ends by nothing else (the
    kernel's packet log): a pod's own interface leads back to the pod."""
    interface_out: str | None = None
    """The same on the server's side; ``None`` beside a known `interface_in` where the host itself is reached,
    or where the packet was seen before its destination was translated."""


class InputSummary(Struct, frozen=True, kw_only=True):
    """What one input held."""

    path: str
    parser: str | None
    bytes: int
    records: int
    flows: int
    warnings: int
    first: int | None
    last: int | None
    year_inferred: bool = False
    sha256: str | None = None
