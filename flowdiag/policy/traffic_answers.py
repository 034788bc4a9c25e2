"""Answers of all rules' conditions on the traffic, each asked once per kind of traffic."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

from flowdiag.policy.bitsets import bits_of
from flowdiag.policy.conditions import Answers
from flowdiag.policy.facts import Facts
from flowdiag.policy.model import MATCH, Check, Outcome, Rule, Traffic, all_of
from flowdiag.policy.peer_answers import PeerAnswers

__all__ = ["Distance", "TrafficAnswers"]

_MEMORY = 1 << 10
"""Kinds of traffic whose answers by level are remembered before the memory starts afresh."""

Distance = tuple[int, int, int]
"""Misses, unknowns, and minus the number of conditions that hold: what nearest rules are ranked by."""


class TrafficAnswers:
    """What the rules of a direction say of traffic.

    Args:
        rules: in order of evaluation.
        alike: per rule, the number of its conditions on the traffic; equal ones have one number.
        by_destination: bits of the rules that ask for a port's name, which means the destination's.
        peers: the rules' peers.
    """

    def __init__(
        self, rules: Sequence[Rule], alike: Sequence[int], by_destination: int, peers: PeerAnswers
    ) -> None:
        self._rules = rules
        self._alike = alike
        self._by_destination = by_destination
        self._peers = peers
        self._answers: dict[tuple[Traffic, int], Answers] = {}
        self._passing: dict[tuple[int, Traffic, int], Check] = {}
        self._levels: dict[tuple[Traffic, int], dict[Distance, int]] = {}

    def of(self, traffic: Traffic, destination: Facts, wanted: int) -> tuple[int, int]:
        """Bit sets ``(sure, maybe)`` of the rules in `wanted` whose conditions on the traffic hold."""
        named = wanted & self._by_destination
        plain = wanted & ~named
        sure = maybe = 0
        for part, key in ((plain, (traffic, -1)), (named, (traffic, destination.class_id))):
            if not part:
                continue
            answers = self._answers.get(key)
            if answers is None:
                answers = self._answers[key] = Answers()
            missing = part & ~answers.known
            for position in bits_of(missing):
                answers.enter(position, self.check(position, traffic, destination).outcome)
            sure |= answers.sure & part
            maybe |= answers.maybe & part
        return sure, maybe

    def check(self, position: int, traffic: Traffic, destination: Facts) -> Check:
        """Answer of all of a rule's conditions on the traffic."""
        conditions = self._rules[position].traffic
        if not conditions:
            return MATCH
        named = self._by_destination >> position & 1
        key = (self._alike[position], traffic, destination.class_id if named else -1)
        answer = self._passing.get(key)
        if answer is None:
            answer = all_of([each.check(traffic, destination) for each in conditions])
            self._passing[key] = answer
        return answer

    def levels(self, traffic: Traffic, destination: Facts) -> dict[Distance, int]:
        """Peers by how their rules answer to the traffic: misses, unknowns, and what can hold beside the peer."""
        key = (traffic, destination.class_id if self._by_destination else -1)
        known = self._levels.get(key)
        if known is None:
            if len(self._levels) >= _MEMORY:
                self._levels.clear()
            known = self._levels[key] = {}
            for position, peers in self._representatives:
                check = self.check(position, traffic, destination)
                level = (len(check.misses), len(check.unknown), 1 + (check.outcome is Outcome.MATCH))
                known[level] = known.get(level, 0) | peers
        return known

    @cached_property
    def _representatives(self) -> list[tuple[int, int]]:
        """One rule of those with the same conditions on the traffic, and the peers of all of them."""
        alike: dict[int, list[int]] = {}
        for position, number in enumerate(self._alike):
            alike.setdefault(number, []).append(position)
        return [(positions[0], self._peers.list.of_rules(positions)) for positions in alike.values()]
