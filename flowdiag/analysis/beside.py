"""Which allowed flows stand beside refused ones, told before anything is made of them.

Diagnosis asks for allowed flows of the two ends of a refused one, in either direction, and of its two
workloads; where lookups were refused, the report asks for the client's other calls.  On a large export few
allowed flows are any of that.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

from flowdiag.cluster.resolve import Resolver
from flowdiag.diagnose.dns import DNS_PORTS
from flowdiag.model.endpoint import Endpoint
from flowdiag.model.event import Peer
from flowdiag.model.flow import Flow

__all__ = ["Beside"]

Mark = tuple[str, str]
"""(namespace, pod or workload), ("", address), or (`_NAME`, what an outside address is called)."""
_NAME = "."


class Beside:
    """Holds the raw ends of allowed flows against refused ones.

    Ends with a mark in common are one: the pods of a workload, outside addresses of one name.  What has no known
    workload and is not outside either counts as whatever stands on that side of a refused flow.

    Args:
        flows: refused flows, ends resolved.
        peers: all ends that records name.
        names: what records call outside ends, by number.
        resolver: knows the cluster's objects and the answers of DNS.
    """

    def __init__(
        self,
        flows: Iterable[Flow],
        peers: Sequence[Peer],
        names: Mapping[int, Collection[str]],
        resolver: Resolver,
    ) -> None:
        index = resolver.index
        self._parents: dict[Mark, Mark] = {}
        called = [_called(peer, names.get(number, ()), resolver) for number, peer in enumerate(peers)]
        for marks in called:
            self._join(marks)
        ends: list[tuple[set[Mark], set[Mark], bool]] = []
        seen: set[tuple[int, int, bool]] = set()
        for flow in flows:
            lookups = flow.distinct.port in DNS_PORTS
            known = (id(flow.src), id(flow.dst), lookups)
            if known in seen:
                continue
            seen.add(known)
            src = _end_marks(flow.src) | _named(flow.distinct.src)
            dst = _end_marks(flow.dst) | _named(flow.distinct.dst)
            self._join(src)
            self._join(dst)
            ends.append((src, dst, lookups))
        groups = [(self._group(src), self._group(dst), lookups) for src, dst, lookups in ends]
        self._pairs = {(src, dst) for src, dst, _ in groups} | {(dst, src) for src, dst, _ in groups}
        self._asking = {src for src, _, lookups in groups if lookups}
        near = {group for src, dst, _ in groups for group in (src, dst)}
        self._groups: list[frozenset[Mark]] = []
        self._placed: list[bool] = []
        for number, peer in enumerate(peers):
            marks = _named(peer) | called[number]
            workloads = {
                pod.workload for pod in index.by_name.get((peer.namespace or "", peer.pod or ""), ())
            }
            marks.update((peer.namespace or "", one.name) for one in workloads if one is not None)
            self._placed.append(
                resolver.is_outside(peer) or peer.workload is not None or bool(workloads - {None})
            )
            if peer.ip is not None:
                marks.add(("", peer.ip))
            roots = {self._root(mark) for mark in marks if mark in self._parents}
            self._groups.append(frozenset(roots & near))

    def is_near(self, src: int, dst: int) -> bool:
        """Whether one end, by its number, is one of a refused flow."""
        return bool(self._groups[src] or self._groups[dst])

    def is_asked_for(self, src: int, dst: int) -> bool:
        """Whether the flow can matter beside a refused one."""
        near_src, near_dst = self._groups[src], self._groups[dst]
        if not near_src and not near_dst:
            return False
        if not self._placed[src] or not self._placed[dst]:
            return True
        if not self._asking.isdisjoint(near_src):
            return True
        return any((one, other) in self._pairs for one in near_src for other in near_dst)

    def _join(self, marks: set[Mark]) -> None:
        roots = {self._root(mark) for mark in marks}
        first = min(roots, default=None)
        for mark in (*roots, *marks):
            if first is not None:
                self._parents[mark] = first

    def _root(self, mark: Mark) -> Mark:
        parents = self._parents
        while (parent := parents.get(mark, mark)) != mark:
            parents[mark] = mark = parents.get(parent, parent)
        return mark

    def _group(self, marks: set[Mark]) -> Mark | None:
        return self._root(next(iter(marks))) if marks else None


def _called(peer: Peer, names: Collection[str], resolver: Resolver) -> set[Mark]:
    """An outside end's address and names, where it has names."""
    if not resolver.is_outside(peer):
        return set()
    known = {*names, *(peer.dns_names or ()), *resolver.names(peer.ip)}
    return {("", peer.ip or ""), *((_NAME, name) for name in known)} if known else set()


def _named(peer: Peer) -> set[Mark]:
    marks: set[Mark] = set()
    if peer.namespace is not None:
        if peer.pod is not None:
            marks.add((peer.namespace, peer.pod))
        if peer.workload is not None:
            marks.add((peer.namespace, peer.workload.name))
    return marks


def _end_marks(end: Endpoint) -> set[Mark]:
    marks: set[Mark] = set()
    namespace = end.namespace or (end.pod.namespace if end.pod else None)
    workload = end.workload or (end.pod.workload if end.pod else None)
    if namespace is not None and workload is not None:
        marks.add((namespace, workload.name))
    if namespace is not None and end.name:
        marks.add((namespace, end.name))
    if end.pod is not None:
        marks.update(("", ip) for ip in end.pod.ips)
    if end.ip:
        marks.add(("", end.ip))
    if end.pod is None:
        marks.update((_NAME, name) for name in end.dns_names)
    return marks
