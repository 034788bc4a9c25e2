"""Answers of all rules' conditions on the peer, each asked once per class of peers."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

from flowdiag.policy.bitsets import bits_of
from flowdiag.policy.conditions import Alternatives, Answers
from flowdiag.policy.facts import Facts
from flowdiag.policy.model import Outcome
from flowdiag.policy.peerlist import PeerList

__all__ = ["PeerAnswers"]

_FEW = 32
"""Up to so many rules are asked one by one, since a look-up would cost more."""

_TRIES = 4
"""Times that all rules are asked before a list for look-ups is made, which costs as much as these."""


class PeerAnswers:
    """What the rules of a direction say of peers.

    Args:
        alternatives: per rule, its peers with their paths; ``None`` for any peer.
    """

    def __init__(self, alternatives: Sequence[Alternatives]) -> None:
        self._alternatives = alternatives
        self._answers: dict[int, Answers] = {}
        self._asked = 0

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
        for _, alternative in alternatives:
            outcome = alternative.outcome(facts)
            if outcome is Outcome.MATCH:
                return outcome
            if outcome is Outcome.UNKNOWN:
                best = outcome
        return best

    def alternatives(self, position: int) -> Alternatives:
        """Give a rule's peers with their paths; ``None`` for any peer."""
        return self._alternatives[position]
