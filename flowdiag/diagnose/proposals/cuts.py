"""What the groups of a proof's ends look like to its policies, asked for as few of them as conditions may concern."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet

from msgspec import Struct

from flowdiag.model.endpoint import Endpoint, EndpointKind
from flowdiag.policy import PolicySet
from flowdiag.policy.conditions import Alternative
from flowdiag.policy.demands import Token, shown
from flowdiag.policy.ends import EndsBook
from flowdiag.policy.facts import Facts

__all__ = ["Cut", "Group", "Seen"]


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


class Seen:
    """What conditions see of groups, by their places; worked out for those that somebody asks for."""

    def __init__(self, book: EndsBook, groups: Sequence[Group]) -> None:
        self.book = book
        self._groups = groups

    def __getitem__(self, place: int) -> Facts:
        end = self._groups[place].end
        return self.book.of(end, None, end)

    def __iter__(self) -> Iterator[Facts]:
        return map(self.__getitem__, range(len(self._groups)))


class Cut:
    """The groups of some policy sets, with what conditions see of each.

    Args:
        groups: of ends that none of the sets tells apart.
        coarser: the groups of fewer conditions, which these stand in the places of, and behind them what was split off.
        changed: places of those that look otherwise than the coarser ones, in any of the sets.
    """

    def __init__(
        self, groups: Sequence[Group], coarser: Cut | None = None, changed: Sequence[int] = ()
    ) -> None:
        self.groups = groups
        self._coarser = coarser
        self._changed = changed
        self._shown: dict[int, tuple[EndsBook, _Shown]] = {}
        self._places: dict[str | None, list[int]] = {}
        """By namespace; of the groups that are not among the coarser ones."""
        for place in range(len(coarser.groups) if coarser is not None else 0, len(groups)):
            if not groups[place].outside:
                self._places.setdefault(groups[place].end.namespace, []).append(place)

    def facts(self, policies: PolicySet) -> Seen:
        """What a set's conditions see of the groups, by their places."""
        return Seen(policies.ends, self.groups)

    def may_meet(self, seen: Seen, peer: Alternative) -> set[int]:
        """Places of the groups that do not surely miss these conditions, by what `facts` gave for them."""
        return self.shown_to(seen.book).may_meet(peer)

    def within(self, namespaces: AbstractSet[str | None]) -> list[int]:
        """Places of the groups that policies of these namespaces may select; one of no namespace selects in all."""
        found = self._coarser.within(namespaces) if self._coarser is not None else []
        spaces = self._places if None in namespaces else namespaces
        return sorted((*found, *(place for space in spaces for place in self._places.get(space, ()))))

    def shown_to(self, book: EndsBook) -> _Shown:
        """What the groups show to the conditions of sets with this book."""
        known = self._shown.get(id(book))
        if known is None:
            seen = Seen(book, self.groups)
            own = (
                _Shown(seen, range(len(self.groups)))
                if self._coarser is None
                else _Shown(seen, self._changed, self._coarser.shown_to(book.root))
            )
            # The book is kept, so that no other object gets its ``id()``.
            known = self._shown[id(book)] = (book, own)
        return known[1]


class _Shown:
    """Groups by what they show, so that a condition is asked only of those that may meet it.

    Args:
        seen: what conditions see of them.
        places: of those to look at.
        others: what is known of the others, and what these have in common with the coarser groups in their places.
    """

    def __init__(self, seen: Seen, places: Iterable[int], others: _Shown | None = None) -> None:
        self._others = others
        self._open: set[int] = set()
        """Places of those of which not all is known."""
        self._of_kind: dict[str, set[int]] = {}
        self._by_token: dict[tuple[str, Token], set[int]] = {}
        for place in places:
            facts = seen[place]
            tokens = shown(facts)
            if tokens is None:
                self._open.add(place)
                continue
            self._of_kind.setdefault(facts.kind, set()).add(place)
            for token in tokens:
                self._by_token.setdefault((facts.kind, token), set()).add(place)

    def may_meet(self, peer: Alternative) -> set[int]:
        """Places of the groups that do not surely miss these conditions."""
        found = set(self._open)
        for kind, possible in self._of_kind.items():
            left = possible
            for demand in peer.demands(kind):
                left = left & set().union(*(self._by_token.get((kind, token), ()) for token in demand))
            found |= left
        # What a finer group shows to more conditions is all that its coarser one shows, and more: it is found by either.
        return found if self._others is None else found | self._others.may_meet(peer)
