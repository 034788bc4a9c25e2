"""Which allowed flows matter beside refused ones, decided before they become objects.

Diagnosis needs the allowed flows of the workloads of a refused one to the same port, and those that its replies belong
to.  Where DNS lookups were refused, the report needs the client's other calls.  Of a large export, few allowed flows are
such.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TypeVar

import numpy as np

from flowdiag.cluster.resolve import Resolver
from flowdiag.diagnose.dns import DNS_PORTS
from flowdiag.diagnose.replies import EPHEMERAL_FROM
from flowdiag.model.endpoint import OUTSIDE_KINDS, Endpoint
from flowdiag.model.event import Peer
from flowdiag.model.flow import Flow
from flowdiag.tally.grouping import I64, Ints, Mask, distinct

__all__ = ["RelatedFlows"]

Mark = tuple[str, str]
"""(namespace, pod or workload), ("", address), or (`_NAME`, what an outside address is called)."""
_NAME = "."
_NO_PORT = -1
_PORTS = 65_537
"""Ports, and none."""
_NONE = -1
_SEVERAL = -2


_Numbers = TypeVar("_Numbers", int, I64)


class RelatedFlows:
    """Compares the ends of allowed flows, as recorded, with those of refused ones.

    Ends that share a mark count as one: the pods of a workload, outside addresses with one name.  An end whose workload
    is not known and that is not outside, either, may be any end on that side of a refused flow.

    Args:
        flows: refused flows, ends resolved.
        peers: all ends that records name.
        names: what records call outside ends, by number.
        resolver: knows the cluster's objects and the answers of DNS.
        interfaces: as for `Resolver.settled`.
    """

    def __init__(
        self,
        flows: Iterable[Flow],
        peers: Sequence[Peer],
        names: Mapping[int, Collection[str]],
        resolver: Resolver,
        *,
        interfaces: bool,
    ) -> None:
        self._parents: dict[Mark, Mark] = {}
        settled = [_settled(peer, resolver, interfaces=interfaces) for peer in peers]
        called = [
            _called(peer, end, names.get(number, ()), resolver)
            for number, (peer, end) in enumerate(zip(peers, settled, strict=True))
        ]
        for marks in called:
            if marks:
                self._join(marks)
        # Flows share their ends: each is looked at once.
        ends: dict[tuple[int, int], set[Mark]] = {}
        calls: set[tuple[tuple[int, int], tuple[int, int], int]] = set()
        asked: set[tuple[int, int]] = set()
        kept = list(flows)
        for flow in kept:
            own = []
            for end, peer in ((flow.src, flow.distinct.src), (flow.dst, flow.distinct.dst)):
                key = (id(end), id(peer))
                own.append(key)
                if key not in ends:
                    ends[key] = marks = _end_marks(end) | _named(peer)
                    self._join(marks)
            port = flow.distinct.port
            calls.add((own[0], own[1], _NO_PORT if port is None else port))
            if port is not None and port >= EPHEMERAL_FROM:
                # It may be a reply that was taken for a new connection: the connection went to the port it comes from.
                calls.update((own[1], own[0], one) for one in flow.distinct.source_ports)
            if port in DNS_PORTS:
                asked.add(own[0])
        roots = {key: self._group(marks) for key, marks in ends.items()}
        numbers = {root: number for number, root in enumerate(dict.fromkeys(roots.values()))}
        self._number = len(numbers)
        called_for = [
            (numbers[roots[src]] * self._number + numbers[roots[dst]], port) for src, dst, port in calls
        ]
        self._pairs = distinct(np.array([pair for pair, _ in called_for], np.int64))
        """Pairs of groups of which one called the other, each packed in one number."""
        self._calls = distinct(np.array([_packed(pair, port) for pair, port in called_for], np.int64))
        """And the ports that it called, packed with the pair."""
        self._peers(peers, settled, called, numbers, {numbers[roots[src]] for src in asked}, resolver)

    def _peers(
        self,
        peers: Sequence[Peer],
        settled: Sequence[Endpoint | None],
        called: Sequence[set[Mark]],
        numbers: Mapping[Mark | None, int],
        asking: set[int],
        resolver: Resolver,
    ) -> None:
        """What is asked of an end, by its number."""
        by_name = resolver.index.by_name
        self._several: dict[int, frozenset[int]] = {}
        """Groups of ends that are of more than one."""
        group: list[int] = []
        placed: list[bool] = []
        asks = np.zeros(len(peers), bool)
        for number, (peer, end) in enumerate(zip(peers, settled, strict=True)):
            marks = _named(peer) | called[number]
            known = _is_plain(peer, resolver) or end is not None
            if end is not None:
                marks |= _end_marks(end)
            for pod in by_name.get((peer.namespace or "", peer.pod or ""), ()):
                if pod.workload is not None:
                    known = True
                    marks.add((peer.namespace or "", pod.workload.name))
            placed.append(known)
            if peer.ip is not None:
                marks.add(("", peer.ip))
            near = {
                numbers[root]
                for mark in marks
                if mark in self._parents and (root := self._root(mark)) in numbers
            }
            group.append(_NONE if not near else next(iter(near)) if len(near) == 1 else _SEVERAL)
            if len(near) > 1:
                self._several[number] = frozenset(near)
            if near and asking:
                asks[number] = not asking.isdisjoint(near)
        self._group_of: I64 = np.array(group, np.int64)
        self._placed: Mask = np.array(placed, bool)
        self._asks = asks
        self._some_ask = bool(asking)

    def may_be_near(self, srcs: Ints, dsts: Ints, _: Ints) -> Mask:
        """Whether one end may be one of a refused flow, which only resolving it tells."""
        loose: Mask = ~self._placed[srcs] | ~self._placed[dsts]
        return loose if self._number else np.zeros(len(srcs), bool)

    def is_near(self, srcs: Ints, dsts: Ints, _: Ints) -> Mask:
        """Whether one end of flows, by its number, is one of a refused flow."""
        near: Mask = (self._group_of[srcs] != _NONE) | (self._group_of[dsts] != _NONE)
        return near

    def is_other_call(self, srcs: Ints, dsts: Ints, ports: Ints) -> Mask:
        """Whether flows that `is_asked_for` leaves out are of a client whose lookups were refused."""
        asking = self._asks[srcs] | (~self._placed[srcs] & self._some_ask)
        other: Mask = asking & ~self.is_asked_for(srcs, dsts, ports)
        return other

    def is_asked_for(self, srcs: Ints, dsts: Ints, ports: Ints) -> Mask:
        """Whether flows can matter to what is said of a refused one."""
        from_group, to_group = self._group_of[srcs], self._group_of[dsts]
        asked = self.is_near(srcs, dsts, ports) & (~self._placed[srcs] | ~self._placed[dsts])
        both = ~asked & (from_group != _NONE) & (to_group != _NONE)
        single = np.flatnonzero(both & (from_group != _SEVERAL) & (to_group != _SEVERAL))
        asked[single] = self._is_call(from_group[single] * self._number + to_group[single], ports[single])
        for place in np.flatnonzero(both & ((from_group == _SEVERAL) | (to_group == _SEVERAL))).tolist():
            ways = [
                one * self._number + other
                for one in self._several.get(int(srcs[place]), (int(from_group[place]),))
                for other in self._several.get(int(dsts[place]), (int(to_group[place]),))
            ]
            asked[place] = self._is_call(np.array(ways, np.int64), np.full(len(ways), ports[place])).any()
        return asked

    def _is_call(self, pairs: I64, ports: Ints) -> Mask:
        """Whether something was refused from one group to another on a port; on any, where a flow may be of several."""
        called: Mask = _are_in(_packed(pairs, ports.astype(np.int64)), self._calls)
        open_ended = ports == _NO_PORT
        called[open_ended] = _are_in(pairs[open_ended], self._pairs)
        return called

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


def _packed(pair: _Numbers, port: _Numbers) -> _Numbers:
    return pair * _PORTS + port + 1


def _are_in(numbers: I64, among: I64) -> Mask:
    """Which of the numbers are `among` others, which are in order."""
    if not len(among):
        return np.zeros(len(numbers), bool)
    found: Mask = among[np.minimum(np.searchsorted(among, numbers), len(among) - 1)] == numbers
    return found


def _is_plain(peer: Peer, resolver: Resolver) -> bool:
    """Whether the record alone tells enough of an end."""
    return resolver.is_outside(peer) or peer.workload is not None


def _settled(peer: Peer, resolver: Resolver, *, interfaces: bool) -> Endpoint | None:
    """What else is known of an end of which its record tells too little."""
    return None if _is_plain(peer, resolver) else resolver.settled(peer, interfaces=interfaces)


def _called(peer: Peer, end: Endpoint | None, names: Collection[str], resolver: Resolver) -> set[Mark]:
    """An outside end's address and names, where it has names."""
    if not resolver.is_outside(peer) and (end is None or end.kind not in OUTSIDE_KINDS):
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
