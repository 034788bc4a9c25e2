"""Refusals in a pod's first seconds, when its policies and its identity are not known everywhere yet."""

from __future__ import annotations

from msgspec import Struct

from flowdiag.diagnose.case import Case
from flowdiag.model.cilium import RESERVED_IDENTITIES
from flowdiag.model.endpoint import Endpoint
from flowdiag.model.event import Peer
from flowdiag.model.objects import Pod
from flowdiag.model.time import NS

__all__ = ["OVER_S", "YOUNG_S", "Nameless", "nameless", "young"]

YOUNG_S = 10
"""A pod so young may not have its policies or its identity everywhere yet."""
OVER_S = 30
"""By then a start-up burst is over."""
_NAMELESS = frozenset({"init", "unknown"})
"""Reserved identities of a pod that has not got its own, or whose own is not known yet where it was refused."""


class Nameless(Struct, frozen=True):
    """A young pod that a record has under a reserved identity."""

    one: tuple[Pod, int]
    """The pod, and when it began (nanoseconds)."""
    word: str
    """The identity's word."""

    @property
    def text(self) -> str:
        """The rest of a sentence about it."""
        return f", and the record has it as {self.word} still"


def young(case: Case) -> list[tuple[Pod, int]]:
    """The ends' pods that began just before the first refusal, with when they began (nanoseconds)."""
    return [one for end in (case.flow.src, case.flow.dst) if (one := _young(case, end)) is not None]


def nameless(case: Case) -> Nameless | None:
    """The young pod that the record of a refusal does not know by its own identity, as the agents do later."""
    distinct = case.flow.distinct
    if case.flow.ambiguous:
        return None
    for peer, end in ((distinct.src, case.flow.src), (distinct.dst, case.flow.dst)):
        word = _word(peer)
        one = _young(case, end) if word in _NAMELESS else None
        if word is not None and one is not None:
            return Nameless(one, word)
    return None


def _word(peer: Peer) -> str | None:
    return peer.entity or (RESERVED_IDENTITIES.get(peer.identity) if peer.identity is not None else None)


def _young(case: Case, end: Endpoint) -> tuple[Pod, int] | None:
    first, last, pod = case.flow.first, case.flow.last, end.pod
    if first is None or last is None or pod is None:
        return None
    start = pod.started if pod.started is not None else pod.created
    if start is None or not 0 <= first - start <= YOUNG_S * NS or last - start > OVER_S * NS:
        return None
    return pod, start
