"""The peers of all rules of a direction in one list, looked up by what an end shows.

Each peer of each rule has a bit, in the rules' order.  Which of them an end may be at all, and how far it is at
least from each, is told by their demands (`flowdiag.policy.demands`); nothing is asked here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from flowdiag.policy.bitsets import bits_of, packed, packed_runs
from flowdiag.policy.conditions import Alternative, Alternatives
from flowdiag.policy.demands import shown
from flowdiag.policy.facts import Facts
from flowdiag.policy.shortlist import Shortlist

__all__ = ["PeerList"]

_MEMORY = 1 << 10
"""Sets of rules and classes of ends that are remembered before the memory starts afresh."""


class PeerList:
    """Every rule's peers, one bit each; a rule without a list of peers has one bit too.

    Args:
        rules: the peers of each rule, in the rules' order.
    """

    def __init__(self, rules: Sequence[Alternatives]) -> None:
        self.rule_of: list[int] = []
        """Per peer, the position of its rule."""
        self._first: list[int] = []
        """Per rule, the place of its first peer; behind the last rule's stands their number."""
        for position, peers in enumerate(rules):
            self._first.append(len(self.rule_of))
            self.rule_of += [position] * (len(peers) if peers else 1)
        self._first.append(len(self.rule_of))
        self._rules = rules
        self._lists: dict[str, tuple[Shortlist, int, int]] = {}
        """By the kind of ends: the list, and what demands nothing of them, as peers and as rules."""
        self._levels: dict[int, dict[tuple[int, int], int] | None] = {}
        self._spread: dict[int, int] = {}

    def levels(self, facts: Facts) -> dict[tuple[int, int], int] | None:
        """Sort the peers by ``(unmet, size)``: at least so many misses, of so many conditions.

        Returns:
            ``None`` for ends of which not all is known, so that every peer must be asked.
        """
        if facts.class_id in self._levels:
            return self._levels[facts.class_id]
        tokens = shown(facts)
        found = None if tokens is None else self._list(facts.kind)[0].levels(tokens)
        if len(self._levels) >= _MEMORY:
            self._levels.clear()
        self._levels[facts.class_id] = found
        return found

    def near(self, facts: Facts) -> int | None:
        """Bits of the rules one of whose peers may match; ``None`` as for `levels`."""
        levels = self.levels(facts)
        if levels is None:
            return None
        _, open_peers, rules = self._list(facts.kind)
        possible = 0
        for (unmet, _), bits in levels.items():
            if not unmet:
                possible |= bits
        return rules | packed([self.rule_of[peer] for peer in bits_of(possible & ~open_peers)])

    def of(self, rules: int) -> int:
        """Bits of all peers of a set of rules."""
        found = self._spread.get(rules)
        if found is None:
            if len(self._spread) >= _MEMORY:
                self._spread.clear()
            found = self._spread[rules] = self.of_rules(bits_of(rules))
        return found

    def of_rules(self, positions: Iterable[int]) -> int:
        """Bits of all peers of the rules at ascending positions."""
        return packed_runs((self._first[position], self._first[position + 1]) for position in positions)

    def _list(self, kind: str) -> tuple[Shortlist, int, int]:
        known = self._lists.get(kind)
        if known is None:
            wanted = [peer.demands(kind) if peer is not None else () for peer in _each(self._rules)]
            sizes = [len(peer) if peer is not None else 0 for peer in _each(self._rules)]
            shortlist = Shortlist(wanted, sizes)
            free = shortlist.possible(())
            rules = packed([self.rule_of[peer] for peer in bits_of(free)])
            known = self._lists[kind] = (shortlist, free, rules)
        return known


def _each(rules: Iterable[Alternatives]) -> Iterator[Alternative | None]:
    for peers in rules:
        if peers:
            for _, peer in peers:
                yield peer
        else:
            yield None
