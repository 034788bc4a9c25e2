"""Names that DNS answers in the evidence resolved to addresses."""

from __future__ import annotations

from collections.abc import Iterable

from flowdiag.model.tally import DnsAnswer
from flowdiag.tally.hashing import stable_hash

__all__ = ["Answers"]


class Answers:
    """Pairs of name and address with the span of their answers; past the bound those of smallest hash stay."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._found: dict[tuple[str, str], DnsAnswer] = {}

    def add(self, answer: DnsAnswer) -> None:
        """Join `answer` with those of the same name and address."""
        key = (answer.name, answer.ip)
        old = self._found.get(key)
        if old is None:
            self._found[key] = answer
            if len(self._found) > 2 * self._most + 1024:
                self._trim()
            return
        if old.first is not None and answer.first is not None and answer.last is not None:
            inside = old.first <= answer.first and (old.last or old.first) >= answer.last
            if inside and (answer.ttl is None or (old.ttl is not None and old.ttl >= answer.ttl)):
                return
        self._found[key] = DnsAnswer(
            name=answer.name,
            ip=answer.ip,
            first=_least(old.first, answer.first),
            last=_most(old.last, answer.last),
            ttl=_most(old.ttl, answer.ttl),
        )

    def absorb(self, answers: Iterable[DnsAnswer]) -> None:
        """Add another part's."""
        for answer in answers:
            self.add(answer)

    def forget(self, before: int) -> None:
        """Let go of what was last answered before then."""
        self._found = {key: one for key, one in self._found.items() if one.last is None or one.last >= before}

    def sorted(self) -> tuple[DnsAnswer, ...]:
        """By name and address."""
        self._trim()
        return tuple(self._found[key] for key in sorted(self._found))

    def _trim(self) -> None:
        if len(self._found) > self._most:
            kept = sorted(self._found, key=stable_hash)[: self._most]
            self._found = {key: self._found[key] for key in kept}


def _least(a: int | None, b: int | None) -> int | None:
    return b if a is None else a if b is None else min(a, b)


def _most(a: int | None, b: int | None) -> int | None:
    return b if a is None else a if b is None else max(a, b)
