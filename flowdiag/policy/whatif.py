"""What a policy change does: the connections that open or close, exactly.

Contract: ``flowdiag.whatif/1``.  Pairs of a workload with itself are left out; a workload that stands on
one side only counts as added or removed; neighbouring outside ranges with equal results are merged.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from msgspec import Struct

from flowdiag.model.objects import Snapshot
from flowdiag.policy.evaluate import PolicySet
from flowdiag.policy.matrix import Matrix, Range, outside_ranges
from flowdiag.policy.openness import Openness, Ports, joined
from flowdiag.policy.ports import PortSet

__all__ = ["PairChange", "Touched", "compare"]


class PairChange(Struct, frozen=True, kw_only=True):
    """A pair whose ports differ.  `version` is 4 or 6 where an end is an outside range, else ``None``."""

    src: str
    dst: str
    change: str | None
    """``added`` (nothing before), ``removed`` (nothing after) or ``changed``; ``None`` where no port is known
    to open or close, and only what is unknown differs."""
    old: Ports
    new: Ports
    old_unknown: Ports = {}
    """Ports whose verdict the policies cannot give."""
    new_unknown: Ports = {}
    version: int | None = None


class Touched(Struct, frozen=True):
    """Workloads that a change can reach, by name: as clients what they may open, as servers who may reach them."""

    clients: frozenset[str]
    servers: frozenset[str]

    @property
    def either(self) -> frozenset[str]:
        """Those of which anything may change."""
        return self.clients | self.servers


def compare(
    old: tuple[Snapshot, PolicySet],
    new: tuple[Snapshot, PolicySet],
    *,
    outside: bool = True,
    touched: Touched | None = None,
    host_pods: bool | None = None,
) -> list[PairChange]:
    """Every pair whose open or unknown ports differ between two states, by name.

    Args:
        old: a state with its policies.
        new: the other one.
        outside: look at outside addresses too, both families.
        touched: workloads that the change can reach; only their pairs are asked.  ``None`` asks all.
        host_pods: as for `flowdiag.policy.matrix.Matrix`.
    """
    before, after = Matrix(*old, host_pods=host_pods), Matrix(*new, host_pods=host_pods)
    names = sorted(before.workloads | after.workloads)
    servers = names if touched is None else sorted(touched.servers)
    changes = [
        change
        for src in names
        for dst in (names if touched is None or src in touched.clients else servers)
        if src != dst
        and (change := _change(src, dst, _between(before, src, dst), _between(after, src, dst))) is not None
    ]
    if outside:
        for version in (4, 6):
            ranges = outside_ranges((old[1], new[1]), version)
            for name in names if touched is None else sorted(touched.either):
                changes.extend(_outside(before, after, name, ranges, version))
    return changes


def _between(matrix: Matrix, src: str, dst: str) -> Openness:
    if src not in matrix.workloads or dst not in matrix.workloads:
        return Openness()
    return matrix.openness(matrix.workloads[src], matrix.workloads[dst])


def _outside(
    before: Matrix, after: Matrix, name: str, ranges: list[Range], version: int
) -> Iterator[PairChange]:
    def inward(matrix: Matrix, one: Range) -> Openness:
        return matrix.openness([one.endpoint], matrix.workloads.get(name, []))

    def outward(matrix: Matrix, one: Range) -> Openness:
        return matrix.openness(matrix.workloads.get(name, []), [one.endpoint])

    for low, high, old, new in _runs(ranges, before, after, inward):
        change = _change(Range(version, low, high).text, name, old, new, version)
        if change is not None:
            yield change
    for low, high, old, new in _runs(ranges, before, after, outward):
        change = _change(name, Range(version, low, high).text, old, new, version)
        if change is not None:
            yield change


def _runs(
    ranges: Iterable[Range], before: Matrix, after: Matrix, ask: Callable[[Matrix, Range], Openness]
) -> Iterator[tuple[int, int, Openness, Openness]]:
    held: tuple[int, int, Openness, Openness] | None = None
    for one in ranges:
        old, new = ask(before, one), ask(after, one)
        if held is not None and held[2] == old and held[3] == new and held[1] + 1 == one.first:
            held = (held[0], one.last, old, new)
            continue
        if held is not None:
            yield held
        held = (one.first, one.last, old, new)
    if held is not None:
        yield held


def _change(
    src: str, dst: str, old: Openness, new: Openness, version: int | None = None
) -> PairChange | None:
    if old is new or old == new:
        return None
    # What may be open on the other side is not known to open or to close.
    kind = None
    if _beyond(old.open, new) or _beyond(new.open, old):
        nothing = Openness()
        kind = "added" if old == nothing else "removed" if new == nothing else "changed"
    return PairChange(
        src=src,
        dst=dst,
        change=kind,
        old=old.open,
        new=new.open,
        old_unknown=old.unknown,
        new_unknown=new.unknown,
        version=version,
    )


def _beyond(ports: Ports, other: Openness) -> bool:
    """Whether some of the ports are surely closed on the other side."""
    maybe = joined(other.open, other.unknown)
    return any(own - maybe.get(protocol, PortSet()) for protocol, own in ports.items())
