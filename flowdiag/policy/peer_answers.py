"""Answers of all rules' conditions on the peer, each asked once per class of peers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property

from flowdiag.policy.bitsets import bits_of
from flowdiag.policy.conditions import Alternative, Alternatives, Answers
from flowdiag.policy.demands import Token, shown
from flowdiag.policy.facts import Facts
from flowdiag.policy.model import Outcome
from flowdiag.policy.peerlist import PeerList

__all__ = ["PeerAnswers"]

_FEW = 32
"""Up to so many rules are asked one by one, since a look-up would cost more."""

_TRIES = 4
"""Times that all rules are asked before a list for look-ups is made, which costs as much as these."""

_MANY = 8
"""Peers of a rule from which on they are looked up, as only some of them can be met."""

_MEMORY = 1 << 11
"""Classes of ends of which it is remembered what they show."""


class PeerAnswers:
    """What the rules of a direction say of peers.

    Args:
        alternatives: per rule, its peers with their paths; ``None`` for any peer.
    """

    def __init__(self, alternatives: Sequence[Alternatives]) -> None:
        self._alternatives = alternatives
        self._answers: dict[int, Answers] = {}
        self._asked = 0
        self._long: dict[int, _LongRule] = {}
        """Rules with many peers, by position."""
        self._shown: dict[int, Sequence[Token] | None] = {}

    def of(self, facts: Facts, wanted: int) -> Answers:
        """Answers for a class of peers, asked for the rules in `wanted`."""
        answers = self._answers.get(facts.class_id)
        if answers is None:
            answers = self._answers[facts.class_id] = Answers()
        missing = wanted & ~answers.known
        if missing.bit_count() > _FEW:
            self._asked += 1
            near = self.list.near(facts) if self._asked > _TRIES else None
            if near is not None:
                # All others miss for sure.
                answers.known |= missing
                missing &= near
        for position in bits_of(missing):
            answers.enter(position, self._outcome(position, facts))
        return answers

    @cached_property
    def list(self) -> PeerList:
        """Every rule's peers, to be looked up."""
        return PeerList(self._alternatives)

    def _outcome(self, position: int, facts: Facts) -> Outcome:
        """Three-valued OR over the rule's peers."""
        alternatives = self._alternatives[position]
        if alternatives is None:
            return Outcome.MATCH
        best = Outcome.MISS
        for alternative in self._near(position, alternatives, facts):
            outcome = alternative.outcome(facts)
            if outcome is Outcome.MATCH:
                return outcome
            if outcome is Outcome.UNKNOWN:
                best = outcome
        return best

    def _near(
        self, position: int, alternatives: Sequence[tuple[str, Alternative]], facts: Facts
    ) -> Iterable[Alternative]:
        """A rule's peers without those that an end surely is not."""
        tokens = self._tokens(facts) if len(alternatives) >= _MANY else None
        if tokens is None:
            return (alternative for _, alternative in alternatives)
        rule = self._long.get(position)
        if rule is None:
            rule = self._long[position] = _LongRule([alternative for _, alternative in alternatives])
        return rule.near(facts.kind, tokens)

    def _tokens(self, facts: Facts) -> Sequence[Token] | None:
        """What an end shows; ``None`` where not all of it is known."""
        if facts.class_id not in self._shown:
            if len(self._shown) >= _MEMORY:
                self._shown.clear()
            self._shown[facts.class_id] = shown(facts)
        return self._shown[facts.class_id]

    def alternatives(self, position: int) -> Alternatives:
        """Give a rule's peers with their paths; ``None`` for any peer."""
        return self._alternatives[position]


class _LongRule:
    """The many peers of one rule, by a token that an end must show to be one of them."""

    def __init__(self, peers: Sequence[Alternative]) -> None:
        self._peers = peers
        self._by_token: dict[str, dict[Token | None, list[Alternative]]] = {}

    def near(self, kind: str, tokens: Iterable[Token]) -> Iterator[Alternative]:
        """Yield the peers that an end of a kind may be that shows these tokens; perhaps one of them twice."""
        known = self._by_token.get(kind)
        if known is None:
            known = self._by_token[kind] = self._sorted(kind)
        yield from known.get(None, ())
        for token in tokens:
            yield from known.get(token, ())

    def _sorted(self, kind: str) -> dict[Token | None, list[Alternative]]:
        """The peers by the tokens of one of their demands, that of which the fewest peers are; ``None`` for no demand."""
        times = Counter(token for peer in self._peers for demand in peer.demands(kind) for token in demand)
        found: dict[Token | None, list[Alternative]] = {}
        for peer in self._peers:
            demands = peer.demands(kind)
            rarest = min(demands, key=lambda demand: sum(times[token] for token in demand), default=(None,))
            for token in rarest:
                found.setdefault(token, []).append(peer)
        return found
