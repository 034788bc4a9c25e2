"""The ends that a proof covers, in groups that no policy tells apart, so that each group is asked about once.

Each set of policies knows ends by classes of its own (`flowdiag.policy.ends`); ends that are of one class in every set
that a proof asks are one group.  A pod with addresses of both families is an end by each where ranges tell these apart.

A cluster has many more ends than an edit concerns.  So they are grouped once by what the policies look at as they are,
and for each proof only those groups are cut that hold ends of the ranges, or of the labels, which its edits add.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from functools import cached_property

from flowdiag.cluster.addresses import packed_ip
from flowdiag.diagnose.proposals.cuts import Cut, Group
from flowdiag.diagnose.wording import end_text
from flowdiag.model.endpoint import Endpoint
from flowdiag.policy import PolicySet
from flowdiag.policy.addresses import Network, RangeTable, parse_address, parse_network
from flowdiag.policy.ends import EndsBook
from flowdiag.policy.facts import values_of

__all__ = ["Groups"]

_One = tuple[int, ...]
"""The numbers of the ends of one pod that are not told apart, or of one end."""
_Look = Callable[[int], Hashable]
"""What tells an end from others, by its number."""


class Groups:
    """The ends that a blast radius ranges over, put together as policy sets see them.

    Args:
        ends: pods and outside addresses.
    """

    def __init__(self, ends: Iterable[Endpoint]) -> None:
        self._ends = tuple((end, end_text(end), _family(end)) for end in ends)
        self._alike = _by_pod(end for end, _, _ in self._ends)
        self._whole: dict[Hashable, _Whole] = {}
        self._cuts: dict[Hashable, Cut] = {}

    def of(self, sets: Sequence[PolicySet]) -> Cut:
        """Put ends together that every one of the sets takes for alike."""
        books = {id(policies.ends): policies.ends for policies in sets}
        roots = {id(book.root): book.root for book in books.values()}
        crosses = any(policies.beyond.crosses for policies in sets)
        # Without ranges no condition asks for an address, so that one is as good as another.
        ranged = any(len(policies.ranges) for policies in sets)
        whole = self._grouped(tuple(roots.values()), crosses=crosses, ranged=ranged)
        keys = {number: frozenset[str]() for number in roots}
        networks: set[Network] = set()
        for book in books.values():
            keys[id(book.root)] |= book.keys - book.root.keys
            networks.update(book.table.networks(len(book.root.table)))
        if not networks and not any(keys.values()):
            return whole.cut
        asked = (*roots, crosses, ranged, tuple(keys.values()), frozenset(networks))
        known = self._cuts.get(asked)
        if known is None:
            more = [(root, tuple(sorted(keys[number]))) for number, root in roots.items() if keys[number]]
            known = self._cuts[asked] = self._finer(whole, more, sorted(networks, key=str))
        return known

    def _grouped(self, roots: tuple[EndsBook, ...], *, crosses: bool, ranged: bool) -> _Whole:
        """The ends as the books see them that others are made from; of these there is one, but for labels that change."""
        asked = (*map(id, roots), crosses, ranged)
        known = self._whole.get(asked)
        if known is None:

            def look(number: int) -> Hashable:
                end = self._ends[number][0]
                return tuple([root.of(end, None, end).class_id for root in roots])

            members: dict[Hashable, list[_One]] = {}
            for numbers in self._alike:
                end = self._ends[numbers[0]][0]
                node = end.pod.node if crosses and end.pod is not None else None
                for one, seen in _told_apart(numbers, look) if ranged else [(numbers, look(numbers[0]))]:
                    members.setdefault((end.kind, node, self._family_of(one), seen), []).append(one)
            known = self._whole[asked] = _Whole(roots, list(members.values()), self._group)
        return known

    def _finer(
        self, whole: _Whole, keys: Sequence[tuple[EndsBook, tuple[str, ...]]], networks: Sequence[Network]
    ) -> Cut:
        """Cut the groups where more labels or ranges tell their ends apart.

        Args:
            whole: the groups.
            keys: what is looked at besides, with the book that knows the ends.
            networks: ranges that are asked for besides.
        """
        table = RangeTable()
        table.places(networks)
        within = self._within(networks)

        def look(number: int) -> Hashable:
            end = self._ends[number][0]
            values = [value for book, more in keys for value in values_of(book.of(end, None, end), more)]
            return (*values, self._ranges_of(number, table) if number in within else None)

        groups = list(whole.cut.groups)
        changed: list[int] = []
        for place in range(len(groups)) if keys else sorted({whole.place_of[number] for number in within}):
            found: dict[Hashable, list[_One]] = {}
            for numbers in whole.members[place]:
                for one, seen in _told_apart(numbers, look):
                    found.setdefault((self._family_of(one), seen), []).append(one)
            first, *others = found.values()
            if first[0][0] in within:
                changed.append(place)
            if others:
                groups[place] = self._group(first)
                changed += range(len(groups), len(groups) + len(others))
                groups += map(self._group, others)
        return Cut(groups, whole.cut, changed)

    def _group(self, members: Sequence[_One]) -> Group:
        names = {self._ends[number][1] for one in members for number in one}
        return Group(self._ends[members[0][0]][0], tuple(sorted(names)), self._family_of(members[0]))

    def _family_of(self, one: _One) -> int | None:
        return self._ends[one[0]][2] if len(one) == 1 else None

    def _within(self, networks: Sequence[Network]) -> set[int]:
        """Numbers of the ends in one of the ranges, and of those that may be in any."""
        if not networks:
            return set()
        found = set(self._anywhere)
        for network in networks:
            addresses, numbers = self._addresses[network.version]
            begin = bisect_left(addresses, int(network.network_address))
            found.update(numbers[begin : bisect_left(addresses, int(network.broadcast_address) + 1)])
        return found

    @cached_property
    def _addresses(self) -> dict[int, tuple[list[int], list[int]]]:
        """By family: sorted addresses, and the numbers of the ends that have them."""
        found: dict[int, list[tuple[int, int]]] = {4: [], 6: []}
        for number, (end, _, _) in enumerate(self._ends):
            packed = packed_ip(end.ip) if end.ip is not None else None
            if packed is not None:
                found[4 if len(packed) == 4 else 6].append((int.from_bytes(packed), number))
        return {
            version: ([address for address, _ in sorted(each)], [number for _, number in sorted(each)])
            for version, each in found.items()
        }

    @cached_property
    def _anywhere(self) -> frozenset[int]:
        """Numbers of the ends that have no address of their own, or one that cannot be read."""
        known = {number for _, numbers in self._addresses.values() for number in numbers}
        return frozenset(range(len(self._ends))) - known

    def _ranges_of(self, number: int, table: RangeTable) -> Hashable:
        """The bits of the ranges that hold an end; of one without an address, what stands in the place of that."""
        if number in self._anywhere:
            end = self._ends[number][0]
            return (end.ip, end.cidr, end.pod.ips if end.pod is not None else None)
        return table.of_address(self._ends[number][0].ip or "")


class _Whole:
    """All ends in groups, before any edit.

    Args:
        roots: the books that know them, which are kept, so that no other objects get their ``id()``.
        members: of each group, by its place.
        group: makes a group of its members.
    """

    def __init__(
        self, roots: Sequence[EndsBook], members: list[list[_One]], group: Callable[[list[_One]], Group]
    ) -> None:
        self.roots = roots
        self.members = members
        self.cut = Cut([group(own) for own in members])

    @cached_property
    def place_of(self) -> dict[int, int]:
        """The place of the group of each end, by the end's number."""
        return {number: place for place, own in enumerate(self.members) for one in own for number in one}


def _told_apart(numbers: _One, look: _Look) -> Iterator[tuple[_One, Hashable]]:
    """Ends of one pod as one where they look the same, and else each by itself; with how they look."""
    looks = [look(number) for number in numbers]
    if looks.count(looks[0]) == len(looks):
        yield numbers, looks[0]
    else:
        yield from (((number,), seen) for number, seen in zip(numbers, looks, strict=True))


def _by_pod(ends: Iterable[Endpoint]) -> tuple[_One, ...]:
    """The numbers of ends, those of one pod by its several addresses together."""
    found: dict[object, list[int]] = {}
    for number, end in enumerate(ends):
        found.setdefault(number if end.pod is None else ("pod", id(end.pod)), []).append(number)
    return tuple(tuple(numbers) for numbers in found.values())


def _family(end: Endpoint) -> int | None:
    """The family of an address, or of all addresses of a range; ``None`` where none is known."""
    address = parse_address(end.ip) if end.ip is not None else None
    if address is not None:
        return address.version
    return parse_network(end.cidr).version if end.cidr is not None else None
