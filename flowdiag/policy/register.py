"""The compiled policies by name, and the pods that they select."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet
from functools import cached_property
from itertools import chain
from operator import itemgetter

from flowdiag.model.endpoint import Endpoint
from flowdiag.model.objects import Pod, PolicyObject, Snapshot
from flowdiag.model.policy import PolicyRef
from flowdiag.policy.demands import Token, demands_of, shown
from flowdiag.policy.ends import EndsBook, pod_endpoint
from flowdiag.policy.model import Outcome, Policy, Tier
from flowdiag.policy.selecting import selects

__all__ = ["Register"]


_TRIES = 8
"""Times that all pods are asked of policies of no namespace before they are sorted by what they show."""

_Placed = tuple[int, Pod, Endpoint]


class Register:
    """KeysRead policies up in a set's tiers.

    Args:
        snapshot: whose pods.
        tiers: of the set.
        ends: what the set knows of ends.
    """

    def __init__(self, snapshot: Snapshot, tiers: Sequence[Tier], ends: EndsBook) -> None:
        self._snapshot = snapshot
        self._tiers = tiers
        self._ends = ends
        self._asked = 0

    def selects(self, ref: PolicyRef, at: int | None = None, *, unknown: bool = False) -> tuple[Pod, ...]:
        """Live pods of the snapshot that a policy selects, in the snapshot's order.

        Args:
            ref: the policy.
            at: when, in nanoseconds; ``None`` is now.
            unknown: also those of which it cannot be told.
        """
        outcomes = (Outcome.MATCH, Outcome.UNKNOWN) if unknown else (Outcome.MATCH,)
        policies = [policy for _, policy in self.named(ref)]
        spaces = {policy.namespace for policy in policies}
        ends = (
            [self._near(policies) if at is None else self._every]
            if None in spaces
            else [self._pods.get(each or "", ()) for each in spaces]
        )
        answers: dict[int, bool] = {}
        found: list[tuple[int, Pod]] = []
        for place, pod, end in chain.from_iterable(ends):
            facts = self._ends.of(end, at)
            # Pods that no condition tells apart are asked for once.
            selected = answers.get(facts.class_id)
            if selected is None:
                selected = answers[facts.class_id] = any(
                    selects(policy, facts).outcome in outcomes for policy in policies
                )
            if selected:
                found.append((place, pod))
        found.sort(key=itemgetter(0))
        return tuple(pod for _, pod in found)

    def policy(self, ref: PolicyRef) -> Policy | None:
        """Give the compiled policy of that name, or ``None`` where none is in force."""
        return next((policy for _, policy in self.named(ref)), None)

    def named(self, ref: PolicyRef) -> Sequence[tuple[str, Policy]]:
        """Give the compiled policies of that name, each with its tier's; a Cilium object may hold several."""
        return self._by_ref.get(ref, ())

    def objects_of(self, namespaces: AbstractSet[str | None]) -> tuple[PolicyObject, ...]:
        """Give the policy objects of some namespaces, and of none where that is among them, in the snapshot's order."""
        found = [placed for space in namespaces for placed in self._objects.get(space, ())]
        found.sort(key=itemgetter(0))
        return tuple(policy for _, policy in found)

    @cached_property
    def _objects(self) -> dict[str | None, list[tuple[int, PolicyObject]]]:
        found: dict[str | None, list[tuple[int, PolicyObject]]] = {}
        for placed in enumerate(self._snapshot.policies):
            found.setdefault(placed[1].ref.namespace, []).append(placed)
        return found

    @cached_property
    def _by_ref(self) -> dict[PolicyRef, list[tuple[str, Policy]]]:
        found: dict[PolicyRef, list[tuple[str, Policy]]] = {}
        for tier in self._tiers:
            for policy in tier.policies:
                found.setdefault(policy.ref, []).append((tier.name, policy))
        return found

    @cached_property
    def _every(self) -> list[_Placed]:
        """Live pods as ends, with their places in the snapshot."""
        return [(place, pod, pod_endpoint(pod)) for place, pod in enumerate(self._snapshot.pods) if pod.live]

    @cached_property
    def _pods(self) -> dict[str, list[_Placed]]:
        """The same by namespace."""
        found: dict[str, list[_Placed]] = {}
        for placed in self._every:
            found.setdefault(placed[1].namespace, []).append(placed)
        return found

    def _near(self, policies: Iterable[Policy]) -> Iterable[_Placed]:
        """Pods that one of the policies may select now, by what these demand."""
        self._asked += 1
        if self._asked <= _TRIES:
            return self._every
        by_token, unsure = self._showing
        found = set(unsure)
        for policy in policies:
            demands = [demand for each in policy.applies_to for demand in demands_of(each, "pod")]
            if not demands:
                return self._every
            met = [{place for token in demand for place in by_token.get(token, ())} for demand in demands]
            found |= min(met, key=len)
        return [self._every[place] for place in found]

    @cached_property
    def _showing(self) -> tuple[dict[Token, list[int]], list[int]]:
        """Places in `_every` of the pods that show each token, and of those of which not all is known."""
        by_token: dict[Token, list[int]] = {}
        unsure: list[int] = []
        for place, (_, _, end) in enumerate(self._every):
            tokens = shown(self._ends.of(end, None))
            if tokens is None:
                unsure.append(place)
            for token in tokens or ():
                by_token.setdefault(token, []).append(place)
        return by_token, unsure
