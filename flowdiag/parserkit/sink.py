"""What a fast parser counts into: each distinct flow is named once, and its further records are only counted.

A parser whose format is too fast for an object per record has, beside `parse`, a method
``fold(block, context, sink)``.  It interns what repeats (the bytes of an endpoint, the few words that
tell one kind of record from another) and asks the sink for numbers once:

    source, destination = sink.peer(a), sink.peer(b)
    lane = sink.lane(source, destination, 8080, sink.shape(shape), Direction.EGRESS, Witness.DROP)

From then on a record costs an increment: ``lane.buckets``, ``lane.first`` and ``lane.last`` are
plain attributes that a parser's loop may change itself.  Everything else (records that are odd, other
events, warnings) goes through `FlowSink.add`, which is what a parser without `fold` uses for all.

Most records are of allowed traffic, of which little but a count is needed.  They cost least if each is appended as
a few numbers to the columns of `FlowSink.waiting`, under the number of a kind:

    kind = sink.kind(sink.shape(shape), Direction.EGRESS, None, src_names=None, dst_names=None, policies=policies)

The result must be the same as if every record had been parsed and added; a property test of each such parser checks
that.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from msgspec import Struct

from flowdiag.model.event import (
    L7,
    Cause,
    ChangeEvent,
    Direction,
    Event,
    Icmp,
    LogEvent,
    Peer,
    PolicyHit,
    Verdict,
    Witness,
)
from flowdiag.parserkit.block import Block

__all__ = [
    "FlowShape",
    "FlowSink",
    "Lane",
    "Repeats",
    "Waiting",
    "named_peer",
]


class FlowShape(Struct, frozen=True, kw_only=True):
    """What tells a kind of flow from another, beside its ends, its port, its direction and its time."""

    node: str | None
    protocol: str | None
    icmp: Icmp | None
    verdict: Verdict
    verdict_raw: str | None
    cause: Cause | None
    reason: str | None
    reason_code: int | None
    reason_raw: str | None
    l7: L7 | None
    turned: bool
    interface_in: str | None = None
    """As `flowdiag.model.tally.DistinctFlow.interface_in`; only where a record names its ends by nothing else."""
    interface_out: str | None = None


class Lane(Protocol):
    """Where records are counted that agree in ends, port, shape, direction and witness.

    `unit` is the width of a base bucket in seconds: 1 for what was refused, audited or failed, 60 for
    the rest.
    """

    unit: int
    buckets: dict[int, int]
    """Seconds since the epoch, rounded down to `unit` -> records; widened in place by `widen`."""
    first: int
    """Nanoseconds; above every possible time while there is none."""
    last: int
    """Nanoseconds; -1 while there is none."""
    untimed: int
    """Records without a time."""
    flags: int
    """TCP flags seen, by `TCP_FLAGS`."""
    time_rank: int
    """The least sure of the times counted, as a place in `TimeSource`."""

    def widen(self) -> None:
        """Call after opening a bucket when ``len(buckets)`` exceeds `limit`."""
        ...

    limit: int

    def hit(self, at: int | None, weight: int = 1) -> None:
        """Count one record that stands for `weight`."""
        ...


class Waiting(Protocol):
    """Columns for allowed records: append one number to each of them for every record."""

    srcs: array[int]
    """Clients, as `FlowSink.peer` numbers them; a reply is turned round before it is appended."""
    dsts: array[int]
    ports: array[int]
    """At most 65,535; -1 for none."""
    kinds: array[int]
    """As `FlowSink.kind` gave."""
    ats: array[int]
    """Nanoseconds."""
    flags: array[int]
    """TCP flags, by `TCP_FLAGS`."""


class Repeats(Protocol):
    """As `Waiting`, with one number for both ends, port and kind together: append one number to each column."""

    numbers: array[int]
    """As `add` gave."""
    ats: array[int]
    """Nanoseconds."""
    flags: array[int]
    """TCP flags, by `TCP_FLAGS`."""

    def add(self, src: int, dst: int, port: int, kind: int) -> int:
        """Give the number for records with these ends, port and kind, each as in `Waiting`."""
        ...


class FlowSink(Protocol):
    """Takes what a parser found in one block of one input.

    Numbers and lanes that it gives are valid for the block; kept in `memo`, they are valid for as long as they stay
    there.
    """

    memo: dict[str, dict[Any, Any]]
    """What a parser keeps between blocks.

    The next block's sink has the same, or an empty one where flows were folded together in between: old numbers and
    lanes are then no longer valid.
    """

    def add(self, event: Event) -> None:
        """Count any event, the slow way."""
        ...

    def add_again(self, event: LogEvent | ChangeEvent, at: int | None, line: int, raw: bytes) -> None:
        """Count an event that differs from `event` in time, line and text alone; most such events need never be made."""
        ...

    def add_all_again(
        self,
        events: Sequence[LogEvent | ChangeEvent],
        ats: Sequence[int],
        lines: Sequence[int],
        raw: Callable[[int], bytes],
    ) -> None:
        """`add_again` for many, all of them changes or all logs with the same signal; `raw` gives a text by its index."""
        ...

    def peer(self, peer: Peer) -> int:
        """Give the number of an end; call `named_peer` first, which leaves out what differs between an end's records."""
        ...

    def shape(self, shape: FlowShape) -> int:
        """Number of a shape."""
        ...

    def lane(
        self,
        src: int,
        dst: int,
        port: int | None,
        shape: int,
        direction: Direction | None,
        witness: Witness | None,
    ) -> Lane:
        """Give the lane of records like these; a reply is turned round before (`looks_like_reply`)."""
        ...

    @property
    def waiting(self) -> Waiting:
        """Takes allowed records that have a time and stand for one packet or connection each."""
        ...

    @property
    def repeats(self) -> Repeats:
        """Takes the same records as `waiting`, with one number for all that repeats."""
        ...

    def kind(
        self,
        shape: int,
        direction: Direction | None,
        witness: Witness | None,
        *,
        src_names: tuple[str, ...] | None,
        dst_names: tuple[str, ...] | None,
        policies: tuple[PolicyHit, ...],
        time_rank: int = 0,
    ) -> int | None:
        """Give the number of a kind of allowed records; ``None`` where they need a lane.

        Args:
            shape: as `shape` gave.
            direction: of the records.
            witness: of the records.
            src_names: DNS names that the records give for the client.
            dst_names: DNS names that they give for the server.
            policies: that they name.
            time_rank: how sure their times are, as in `Lane.time_rank`.
        """
        ...

    def note(
        self,
        lane: Lane,
        *,
        src_names: tuple[str, ...] | None,
        dst_names: tuple[str, ...] | None,
        policies: tuple[PolicyHit, ...],
    ) -> None:
        """Add DNS names of the ends and policies that records of this lane carried."""
        ...

    def keep(self, lane: Lane, at: int | None, source_port: int | None, line: int, raw: bytes) -> None:
        """Note the client's port and perhaps an example of a refused record that was counted."""
        ...

    def number(self, lane: Lane) -> int:
        """The number of a lane, for `hits`; good as long as lanes are."""
        ...

    def hits(
        self,
        block: Block,
        numbers: Sequence[int],
        ats: Sequence[int],
        ports: Sequence[int],
        flags: Sequence[int],
        places: Sequence[int],
        raw: Callable[[int], bytes],
    ) -> None:
        """Count many records at once, as `Lane.hit` and `keep` do one by one; each stands for one packet or connection.

        It costs a fraction of that, since the lanes are not touched now: their counts lag behind until the tally is
        asked for anything.  All lists (or arrays) are of the same length, one entry per record, and must not be
        changed afterwards.

        Args:
            block: where they stand.
            numbers: their lanes, as `number` gave.
            ats: nanoseconds; -1 for none.
            ports: of clients; -1 for none.
            flags: by `TCP_FLAGS`.
            places: their lines in the block, by index.
            raw: gives the text of a record by its place; called only for records that are kept, and perhaps later.
        """
        ...

    def answer(self, name: str, ips: tuple[str, ...], at: int | None, ttl: int | None) -> None:
        """A DNS answer: `name` resolved to `ips`."""
        ...

    def seen(self, records: int, first: int | None, last: int | None, *, year_inferred: bool = False) -> None:
        """Count the flow records of the block that did not go through `add`.

        Args:
            records: how many.
            first: the earliest of their times, nanoseconds; ``None`` where none has one.
            last: the latest.
            year_inferred: the year of at least one of these times was inferred.
        """
        ...

    def quiet(self, records: int, first: int | None, last: int | None) -> None:
        """Count log records without a signal, whose earliest and latest times are these; none has an inferred year."""
        ...


def named_peer(peer: Peer) -> Peer:
    """`peer` without what differs between records of one end: port, DNS names, and the MAC beside an address."""
    if peer.port is None and peer.dns_names is None and peer.mac is None:
        return peer
    return Peer(
        ip=peer.ip,
        mac=peer.mac if peer.ip is None and peer.pod is None else None,
        namespace=peer.namespace,
        pod=peer.pod,
        node=peer.node,
        service=peer.service,
        workload=peer.workload,
        entity=peer.entity,
        identity=peer.identity,
        labels=peer.labels,
    )
