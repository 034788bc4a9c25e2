"""The ends that a proof covers, in groups that no policy tells apart, so that each group is asked about once.

Each set of policies knows ends by classes of its own (`flowdiag.policy.ends`); ends that are of one class in every set
that a proof asks are one group.  A pod with addresses of both families is an end by each where ranges tell these apart.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from collections.abc import Set as AbstractSet

from msgspec import Struct

from flowdiag.diagnose.wording import end_text
from flowdiag.model.endpoint import Endpoint, EndpointKind
from flowdiag.policy import PolicySet
from flowdiag.policy.addresses import parse_address, parse_network
from flowdiag.policy.conditions import Alternative
from flowdiag.policy.demands import Token, shown
from flowdiag.policy.ends import EndsBook
from flowdiag.policy.facts import Facts

__all__ = ["Cut", "Group", "Groups"]


class Group(Struct, frozen=True, eq=False):
    """Ends that no policy set tells apart; `end` stands for all of them."""

    end: Endpoint
    names: tuple[str, ...]
    """How a report names them, sorted."""
    family: int | None = None
    """4 or 6 where they are ends by an address of that family; ``None`` where it makes no difference."""

    @property
    def outside(self) -> bool:
        """Whether they are outside addresses."""
        return self.end.kind is EndpointKind.EXTERNAL

    def meets(self, other: Group) -> bool:
        """Whether there is a family of addresses in which the two can talk."""
        return None in (self.family, other.family) or self.family == other.family


class Cut:
    """The groups of some policy sets, with what conditions see of each.

    Args:
        groups: of ends that none of the sets tells apart.
    """

    def __init__(self, groups: Sequence[Group]) -> None:
        self.groups = groups
        self._facts: dict[int, tuple[EndsBook, list[Facts]]] = {}
        self._shown: dict[int, _Shown] = {}
        self._places: dict[str | None, list[int]] = {}
        for place, group in enumerate(groups):
            if not group.outside:
                self._places.setdefault(group.end.namespace, []).append(place)

    def facts(self, policies: PolicySet) -> list[Facts]:
        """What a set's conditions see of the groups, in their order."""
        book = policies.ends
        known = self._facts.get(id(book))
        if known is None:
            # The book is kept, so that no other object gets its ``id()``.
            known = self._facts[id(book)] = (book, [_facts(policies, group.end) for group in self.groups])
        return known[1]

    def shown(self, looks: list[Facts]) -> _Shown:
        """What the groups show, by what `facts` gave for them."""
        known = self._shown.get(id(looks))
        if known is None:
            known = self._shown[id(looks)] = _Shown(looks)
        return known

    def within(self, namespaces: AbstractSet[str | None]) -> list[int]:
        """Places of the groups that policies of these namespaces may select; one of no namespace selects in all."""
        spaces = self._places if None in namespaces else namespaces
        return sorted(place for space in spaces for place in self._places.get(space, ()))


class _Shown:
    """Ends by what they show, so that a condition is asked only of those that may meet it.

    Args:
        looks: what conditions see of them; kept, so that its identity stays its own.
    """

    def __init__(self, looks: list[Facts]) -> None:
        self._looks = looks
        self._open: set[int] = set()
        """Places of those of which not all is known."""
        self._of_kind: dict[str, set[int]] = {}
        self._by_token: dict[tuple[str, Token], set[int]] = {}
        for place, facts in enumerate(looks):
            tokens = shown(facts)
            if tokens is None:
                self._open.add(place)
                continue
            self._of_kind.setdefault(facts.kind, set()).add(place)
            for token in tokens:
                self._by_token.setdefault((facts.kind, token), set()).add(place)

    def may_meet(self, peer: Alternative) -> set[int]:
        """Places of the ends that do not surely miss these conditions."""
        found = set(self._open)
        for kind, possible in self._of_kind.items():
            left = possible
            for demand in peer.demands(kind):
                left = left & set().union(*(self._by_token.get((kind, token), ()) for token in demand))
            found |= left
        return found


class Groups:
    """The ends that a blast radius ranges over, put together as policy sets see them.

    Args:
        ends: pods and outside addresses.
    """

    def __init__(self, ends: Iterable[Endpoint]) -> None:
        self._ends = tuple((end, end_text(end), _family(end)) for end in ends)
        self._alike = _by_pod(end for end, _, _ in self._ends)
        self._known: dict[tuple[int, ...], tuple[list[EndsBook], Cut]] = {}
        self._looks: dict[int, tuple[EndsBook, dict[int, Facts]]] = {}

    def of(self, sets: Sequence[PolicySet]) -> Cut:
        """Put ends together that every one of the sets takes for alike; in the order of the first of each."""
        # Policy sets that look at the same properties of ends share a book, and most edits add none.
        asked = {id(policies.ends): policies for policies in sets}
        crosses = any(policies.beyond.crosses for policies in sets)
        ranged = any(len(policies.ranges) for policies in sets)
        key = (*asked, int(crosses), int(ranged))
        known = self._known.get(key)
        if known is None:
            first = next(iter(asked.values()))
            apart = [self._apart(policies, first) for policies in asked.values()]
            members: dict[tuple[EndpointKind, str | None, int | None, tuple[object, ...]], list[int]] = {}
            for numbers in self._alike:
                end = self._ends[numbers[0]][0]
                node = end.pod.node if crosses and end.pod is not None else None
                # Without ranges no condition asks for an address, so that one is as good as another.
                looks = [tuple(each(number) for each in apart) for number in numbers[: None if ranged else 1]]
                same = looks.count(looks[0]) == len(looks)
                for number, look in zip(numbers, looks[:1] if same else looks, strict=False):
                    family = self._ends[number][2] if len(numbers) == 1 or not same else None
                    members.setdefault((end.kind, node, family, look), []).append(number)
            groups = [
                Group(self._ends[own[0]][0], tuple(sorted({self._ends[one][1] for one in own})), marks[2])
                for marks, own in members.items()
            ]
            # The books are kept, so that no other objects get their ``id()``.
            known = self._known[key] = ([policies.ends for policies in asked.values()], Cut(groups))
        return known[1]

    def _apart(self, policies: PolicySet, first: PolicySet) -> Callable[[int], object]:
        """What tells the ends apart in one set, by their numbers; in terms of the first where it is made from that."""
        if policies is not first and policies.ends.base is first.ends:
            look = self._facts(first)
            return lambda number: policies.ends.apart(look(number))
        look = self._facts(policies)
        return lambda number: look(number).class_id

    def _facts(self, policies: PolicySet) -> Callable[[int], Facts]:
        book = policies.ends
        # The book is kept, so that no other object gets its ``id()``.
        _, known = self._looks.setdefault(id(book), (book, {}))

        def facts(number: int) -> Facts:
            found = known.get(number)
            if found is None:
                found = known[number] = _facts(policies, self._ends[number][0])
            return found

        return facts


def _by_pod(ends: Iterable[Endpoint]) -> tuple[tuple[int, ...], ...]:
    """The places of ends, those of one pod by its several addresses together."""
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


def _facts(policies: PolicySet, end: Endpoint) -> Facts:
    return policies.facts(end, end)[0]
