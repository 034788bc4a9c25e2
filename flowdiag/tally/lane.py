"""Counters of records that agree in ends, port, shape, direction and witness."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Sequence
from sys import intern

from msgspec import Struct

from flowdiag.model.event import PolicyHit, TimeSource
from flowdiag.model.time import NS
from flowdiag.tally.examples import NO_TEXT, Shelf, StoredExample, Text
from flowdiag.tally.limits import Limits
from flowdiag.tally.sketch import Sketch

__all__ = ["NEVER", "TIME_RANKS", "FlowLane", "LaneFacts", "SpanLane", "smallest"]

NEVER = 1 << 63
"""Later than every time."""

_ABOVE_PORTS = 1 << 16

TIME_RANKS: tuple[TimeSource, ...] = (
    TimeSource.RECORD,
    TimeSource.ENVELOPE,
    TimeSource.INFERRED_YEAR,
    TimeSource.NONE,
)
"""Strongest first."""


ExampleState = tuple[int, str, int, int, int]
"""Time, input and line of an example, the number of its text's shelf, -1 for none, and its place there."""


class LaneFacts(Struct, frozen=True, array_like=True):
    """What only few lanes have, as it is sent between processes; the rest of a lane is sent as numbers in columns."""

    untimed: int
    extra: int
    time_rank: int
    source_ports: list[int]
    examples: list[ExampleState]
    src_names: list[str]
    dst_names: list[str]
    policies: list[PolicyHit]
    ports: bytes | None
    peers: list[int] | None
    verdict_raw: str | None = None
    reason_raw: str | None = None


class FlowLane:
    """See `flowdiag.parserkit.sink.Lane`; `shift` is how often the base width was doubled."""

    __slots__ = (
        "_limits",
        "buckets",
        "dst_names",
        "examples",
        "extra",
        "first",
        "flags",
        "last",
        "limit",
        "policies",
        "reason_raw",
        "shift",
        "sketch",
        "source_ports",
        "src_names",
        "time_rank",
        "unit",
        "untimed",
        "verdict_raw",
    )

    def __init__(self, unit: int, limits: Limits) -> None:
        self._limits = limits
        self.unit = unit
        self.buckets: dict[int, int] = {}
        self.limit = 2 * (limits.refused_buckets if unit == 1 else limits.allowed_buckets)
        self.shift = 0
        self.first = NEVER
        self.last = -1
        self.flags = 0
        self.untimed = 0
        self.extra = 0
        """Weights beyond one a record."""
        self.time_rank = 0
        self.source_ports: array[int] | set[int] | None = None
        """Clients' ports: packed, or as a set once a number is too large for a port."""
        self.examples: list[StoredExample] | None = None
        self.src_names: set[str] | None = None
        self.dst_names: set[str] | None = None
        self.policies: set[PolicyHit] | None = None
        self.sketch: Sketch | None = None
        """How many ports and ends stand behind it, where flows were folded together; ``None`` for an exact flow."""
        self.verdict_raw: str | None = None
        self.reason_raw: str | None = None
        """The vendor's words, where records of several spellings are counted here: the smallest."""

    # -- counting ----------------------------------------------------------------------------------

    def hit(self, at: int | None, weight: int = 1) -> None:
        """Count one record that stands for `weight`."""
        self.extra += weight - 1
        if at is None:
            self.untimed += weight
            return
        second = at // NS
        start = second - second % self.unit
        buckets = self.buckets
        buckets[start] = buckets.get(start, 0) + weight
        if len(buckets) > self.limit:
            self.widen()
        self.first = min(self.first, at)
        self.last = max(self.last, at)

    def note_port(self, port: int) -> None:
        """Remember a client's port: the smallest stay."""
        ports = self.source_ports
        if ports is None:
            ports = self.source_ports = array("H")
        if port in ports:
            return
        if isinstance(ports, set):
            ports.add(port)
        elif 0 <= port < _ABOVE_PORTS:
            ports.append(port)
        else:
            ports = self.source_ports = {*ports, port}
        if len(ports) > 4 * self._limits.source_ports:
            self._bound_ports(ports)

    def wants_example(self, at: int) -> bool:
        """Whether a record of this time may be among the smallest."""
        examples = self.examples
        return examples is None or len(examples) < self._limits.examples or at <= examples[-1].at

    def note_example(self, example: StoredExample) -> None:
        """Keep the smallest by time, input and line."""
        examples = self.examples
        if examples is None:
            self.examples = [example]
            return
        examples.append(example)
        examples.sort()
        del examples[self._limits.examples :]

    def forget_texts(self) -> None:
        """Keep the places of the examples, and not their texts."""
        if self.examples:
            self.examples = [kept.without_text() for kept in self.examples]

    def note_names(self, src: tuple[str, ...] | None, dst: tuple[str, ...] | None) -> None:
        """DNS names of the ends: the smallest stay."""
        if src:
            self.src_names = smallest((self.src_names or set()).union(src), self._limits.names)
        if dst:
            self.dst_names = smallest((self.dst_names or set()).union(dst), self._limits.names)

    def note_words(self, verdict_raw: str | None, reason_raw: str | None) -> None:
        """Note the vendor's spelling of verdict and reason, which the shape holds in normal words."""
        if verdict_raw is not None:
            known = self.verdict_raw
            self.verdict_raw = verdict_raw if known is None else min(known, verdict_raw)
        if reason_raw is not None:
            known = self.reason_raw
            self.reason_raw = reason_raw if known is None else min(known, reason_raw)

    def note_policies(self, policies: tuple[PolicyHit, ...]) -> None:
        """Policies that records named: the first by kind and name stay."""
        joined = set(policies) if self.policies is None else self.policies.union(policies)
        if len(joined) > self._limits.policies:
            joined = set(sorted(joined, key=repr)[: self._limits.policies])
        self.policies = joined

    # -- widths ------------------------------------------------------------------------------------

    def widen(self) -> None:
        """Double the width until the buckets fit; in place.

        The width depends on the set of starts alone: a subset of the starts never needs a greater width than
        the whole set, so that widening parts first and joining them gives the same as widening the whole.
        """
        most = self.limit // 2
        self._rewidth(self.shift)
        while len(self.buckets) > most:
            self._rewidth(self.shift + 1)

    def widen_to(self, shift: int) -> None:
        """Widen the buckets to at least this width, and further if `widen` asks for it."""
        self._rewidth(max(shift, self.shift))
        if len(self.buckets) > self.limit // 2:
            self.widen()

    def _rewidth(self, shift: int) -> None:
        self.shift = shift
        if not shift:
            return
        width = self.unit << shift
        wide: dict[int, int] = {}
        for start, count in self.buckets.items():
            aligned = start - start % width
            wide[aligned] = wide.get(aligned, 0) + count
        self.buckets.clear()
        self.buckets.update(wide)

    @property
    def width(self) -> int:
        """Seconds of a bucket, after `widen`."""
        return self.unit << self.shift

    @property
    def is_wide(self) -> bool:
        """Whether the buckets are wider than at first, or would be after `widen_to`."""
        return self.shift > 0 or len(self.buckets) > self.limit // 2

    @property
    def has_names(self) -> bool:
        """Whether records of it named an end."""
        return self.src_names is not None or self.dst_names is not None

    @property
    def records(self) -> int:
        """Records as they stood in the input."""
        return sum(self.buckets.values()) + self.untimed - self.extra

    # -- merging -----------------------------------------------------------------------------------

    def absorb(self, other: FlowLane) -> None:
        """Add what `other`, of the same unit, counted."""
        self.add(other.buckets.items(), other.shift)
        self.absorb_facts(other)

    def add(self, counted: Iterable[tuple[int, int]], shift: int) -> None:
        """Add counts of buckets whose width was doubled `shift` times."""
        mine = self.buckets
        for start, count in counted:
            mine[start] = mine.get(start, 0) + count
        self.shift = max(self.shift, shift)
        if self.shift or len(mine) > self.limit:
            self.widen()

    def absorb_facts(self, other: FlowLane) -> None:
        """Add everything of `other` but its buckets."""
        self.absorb_marks(other)
        for example in other.examples or ():
            self.note_example(example)

    def absorb_marks(self, other: FlowLane) -> None:
        """Add everything of `other` but its buckets and examples."""
        self.first = min(self.first, other.first)
        self.last = max(self.last, other.last)
        self.flags |= other.flags
        self.untimed += other.untimed
        self.extra += other.extra
        self.time_rank = max(self.time_rank, other.time_rank)
        if other.source_ports:
            self._add_ports(other.source_ports)
        if other.has_names:
            self.note_names(tuple(other.src_names or ()), tuple(other.dst_names or ()))
        if other.policies:
            self.note_policies(tuple(other.policies))
        self.note_words(other.verdict_raw, other.reason_raw)
        if other.sketch is not None:
            self.sketch = self.sketch or Sketch()
            self.sketch.absorb(other.sketch)

    def facts(self, number: Callable[[Text], int]) -> LaneFacts | None:
        """Give all but buckets, times and flags, sorted, with the numbers of shelves; ``None`` where there is nothing more."""
        if not (
            self.source_ports
            or self.examples
            or self.policies
            or self.has_names
            or self.untimed
            or self.extra
            or self.time_rank
            or self.sketch is not None
            or self.verdict_raw is not None
            or self.reason_raw is not None
        ):
            return None
        return LaneFacts(
            self.untimed,
            self.extra,
            self.time_rank,
            sorted(self.source_ports or ())[: self._limits.source_ports],
            [(one.at, one.input, one.line, number(one.text), one.text.place) for one in self.examples or ()],
            sorted(self.src_names or ()),
            sorted(self.dst_names or ()),
            sorted(self.policies, key=repr)
            if self.policies and len(self.policies) > 1
            else [*(self.policies or ())],
            self.sketch.ports_bytes() if self.sketch is not None else None,
            sorted(self.sketch.hashes) if self.sketch is not None else None,
            self.verdict_raw,
            self.reason_raw,
        )

    def add_facts(self, facts: LaneFacts, shelves: Sequence[Shelf]) -> None:
        """Add what `facts` gave of another lane, whose examples stand on `shelves`."""
        self.untimed += facts.untimed
        self.extra += facts.extra
        self.time_rank = max(self.time_rank, facts.time_rank)
        if facts.source_ports:
            self._add_ports(facts.source_ports)
        for at, name, line, shelf, place in facts.examples:
            text = Text(shelves[shelf], place) if shelf >= 0 else NO_TEXT
            # All examples of an input share one string for its name.
            self.note_example(StoredExample(at, intern(name), line, text))
        if facts.src_names or facts.dst_names:
            self.note_names(tuple(facts.src_names), tuple(facts.dst_names))
        if facts.policies:
            self.note_policies(tuple(facts.policies))
        self.note_words(facts.verdict_raw, facts.reason_raw)
        if facts.ports is not None:
            self.sketch = self.sketch or Sketch()
            self.sketch.absorb(Sketch.of(facts.ports, facts.peers or []))

    def note_ports(self, ports: list[int]) -> None:
        """As `note_port` for each; the ports are sorted, distinct, and below 65,536."""
        if self.source_ports:
            self._add_ports(ports)
        else:
            self.source_ports = array("H", ports[: self._limits.source_ports])

    def _add_ports(self, ports: Iterable[int]) -> None:
        # The two records of one packet have the same port.
        for port in {*ports}.difference(self.source_ports or ()):
            self.note_port(port)
        mine = self.source_ports
        if mine is not None and len(mine) > self._limits.source_ports:
            self._bound_ports(mine)

    def _bound_ports(self, ports: array[int] | set[int]) -> None:
        """Keep the smallest."""
        least = sorted(ports)[: self._limits.source_ports]
        if isinstance(ports, set):
            ports.intersection_update(least)
        else:
            self.source_ports = array("H", least)


class SpanLane(FlowLane):
    """A lane that counts only what lies between `Limits.since` and `Limits.until`."""

    __slots__ = ()

    def hit(self, at: int | None, weight: int = 1) -> None:
        """Count one record if its time counts."""
        if self._limits.within(at):
            super().hit(at, weight)


def smallest(names: set[str], most: int) -> set[str]:
    """As many names as may stay, the first in their order."""
    return set(sorted(names)[:most]) if len(names) > most else names
