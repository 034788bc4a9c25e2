"""DNS answers in the evidence: which name resolved to which address, and when."""

from __future__ import annotations

from collections.abc import Iterable
from operator import itemgetter

from msgspec import Struct

from flowdiag.model.tally import DnsAnswer
from flowdiag.tally.hashing import stable_hash

__all__ = ["Answers"]


class _Span(Struct, gc=False):
    """When a name had an address, and how long it is good for."""

    first: int | None
    last: int | None
    ttl: int | None


class Answers:
    """Pairs of name and address with the span of their answers; of too many, those with the smallest hashes are kept."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._found: dict[tuple[str, str], _Span] = {}

    def note(self, name: str, ip: str, first: int | None, last: int | None, ttl: int | None) -> None:
        """Add an answer to those with the same name and address."""
        span = self._found.get((name, ip))
        if span is None:
            self._found[name, ip] = _Span(first, last, ttl)
            if len(self._found) > 2 * self._most + 1024:
                self._trim()
            return
        if first is not None and (span.first is None or first < span.first):
            span.first = first
        if last is not None and (span.last is None or last > span.last):
            span.last = last
        if ttl is not None and (span.ttl is None or ttl > span.ttl):
            span.ttl = ttl

    def absorb(self, answers: Iterable[DnsAnswer]) -> None:
        """Add another part's."""
        for one in answers:
            self.note(one.name, one.ip, one.first, one.last, one.ttl)

    def forget(self, before: int) -> None:
        """Let go of what was last answered before then."""
        self._found = {key: one for key, one in self._found.items() if one.last is None or one.last >= before}

    def sorted(self) -> tuple[DnsAnswer, ...]:
        """By name and address."""
        self._trim()
        return tuple(
            DnsAnswer(name=name, ip=ip, first=span.first, last=span.last, ttl=span.ttl)
            for (name, ip), span in sorted(self._found.items(), key=itemgetter(0))
        )

    def _trim(self) -> None:
        if len(self._found) > self._most:
            kept = sorted(self._found, key=stable_hash)[: self._most]
            self._found = {key: self._found[key] for key in kept}
