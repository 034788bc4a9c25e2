"""Which properties of ends the conditions of policies look at: ends that agree in these are of one class."""

from __future__ import annotations

from collections.abc import Iterable

from flowdiag.policy.model import Policy

__all__ = ["KeysRead"]


class KeysRead:
    """Remembers what each policy looks at, by the ``id()`` of its conditions, which are kept alive for that."""

    def __init__(self) -> None:
        self._of: dict[tuple[int, int], tuple[Policy, frozenset[str]]] = {}

    def of(self, policies: Iterable[Policy]) -> frozenset[str]:
        """Keys that any of the policies looks at (`Matcher.keys`)."""
        return frozenset[str]().union(*(self._one(policy) for policy in policies))

    def _one(self, policy: Policy) -> frozenset[str]:
        key = (id(policy.applies_to), id(policy.rules))
        known = self._of.get(key)
        if known is None:
            known = self._of[key] = (policy, _keys(policy))
        return known[1]


def _keys(policy: Policy) -> frozenset[str]:
    found: set[str] = set()
    for matcher in policy.applies_to:
        found |= matcher.keys
    for rules in policy.rules.values():
        for rule in rules:
            for matcher in rule.subject:
                found |= matcher.keys
            for peer in rule.peers or ():
                for matcher in peer.matchers:
                    found |= matcher.keys
            if any(each.by_destination for each in rule.traffic):
                found.add("ports")
    return frozenset(found)
