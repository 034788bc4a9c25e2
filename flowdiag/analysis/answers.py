"""The answer to a question about one connection, which may stand for many pairs of pods."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from msgspec import Struct

from flowdiag.model.endpoint import Endpoint
from flowdiag.model.policy import ConnectionDecision, EndDecision

__all__ = ["Answer", "Pair", "answer_of", "end_name", "shown_place"]

_MIXED = "mixed: "
"""How the error of an answer begins that stands for pairs with different ones."""
_MAX_PAIRS_SHOWN = 6
_WORDS = {True: "allowed", False: "denied", None: "unknown"}


class Pair(Struct, frozen=True):
    """One pair of ends that a question came down to."""

    src: Endpoint
    dst: Endpoint
    port: int | str | None
    decision: ConnectionDecision


class Answer(Struct, frozen=True, kw_only=True):
    """The answer to one question.

    `error` says why `allowed` is ``None`` where no end's policies do, and that a port's name is not the destination's:
    `allowed` is then the answer for every port, if they are alike.
    """

    allowed: bool | None
    egress: EndDecision | None
    ingress: EndDecision | None
    error: str | None
    pairs: tuple[Pair, ...]

    @property
    def shown(self) -> tuple[str, str] | None:
        """Whose `egress` and `ingress` these are, where pairs of pods differ: the source, the destination."""
        if self.error is None or not self.error.startswith(_MIXED) or not self.pairs:
            return None
        pair = self.pairs[shown_place(self.pairs)]
        return end_name(pair.src), end_name(pair.dst)


def shown_place(pairs: Sequence[Pair]) -> int:
    """Give the index of the pair that an answer shows: a refused one, which tells what is wrong; others are named in the text."""
    return next((place for place, pair in enumerate(pairs) if pair.decision.allowed is False), 0)


def answer_of(pairs: Sequence[Pair]) -> Answer:
    """Fold the pairs that a question came down to: one answer where they agree, else what each of them is."""
    verdicts = {pair.decision.allowed for pair in pairs}
    if len(verdicts) == 1 and pairs:
        first = pairs[0].decision
        allowed = first.allowed
        error = next((pair.decision.nowhere for pair in pairs if pair.decision.nowhere), None)
        if allowed is not None and error is not None:
            error = f"{error}; whatever port is meant, it is {_WORDS[allowed]}"
        elif allowed is None:
            ends = [end for end in (first.egress, first.ingress) if end is not None]
            reasons = dict.fromkeys(text for end in ends for text in end.unknown)
            error = "unknown: " + ("; ".join(reasons) or "the policies cannot decide it")
        return Answer(
            allowed=allowed, egress=first.egress, ingress=first.ingress, error=error, pairs=tuple(pairs)
        )
    if not pairs:
        return Answer(allowed=None, egress=None, ingress=None, error="no pair of pods to ask about", pairs=())
    lead = pairs[shown_place(pairs)].decision
    return Answer(
        allowed=None,
        egress=lead.egress,
        ingress=lead.ingress,
        error=f"{_MIXED}{_describe(pairs)}",
        pairs=tuple(pairs),
    )


def _describe(pairs: Sequence[Pair]) -> str:
    # A pair that is there twice was asked about for each of two address families.
    often = Counter((end_name(pair.src), end_name(pair.dst)) for pair in pairs)
    texts = []
    for pair in pairs:
        told = often[end_name(pair.src), end_name(pair.dst)] > 1
        src, dst = (
            end_name(end) + (f" ({end.ip})" if told and end.ip else "") for end in (pair.src, pair.dst)
        )
        texts.append(f"{src} -> {dst} {_WORDS[pair.decision.allowed]}")
    if len(texts) <= _MAX_PAIRS_SHOWN:
        return ", ".join(texts)
    counts = [
        f"{sum(p.decision.allowed is verdict for p in pairs)} {word}"
        for verdict, word in _WORDS.items()
        if any(p.decision.allowed is verdict for p in pairs)
    ]
    # One example of each verdict tells more than the first six of one.
    examples = [
        next(text for text, pair in zip(texts, pairs, strict=True) if pair.decision.allowed is verdict)
        for verdict in _WORDS
        if any(pair.decision.allowed is verdict for pair in pairs)
    ]
    return f"{', '.join(counts)} of {len(pairs)} pairs, for example {', '.join(examples)}"


def end_name(end: Endpoint) -> str:
    """How an answer calls an end."""
    if end.namespace and end.name:
        return f"{end.namespace}/{end.name}"
    return end.name or end.ip or end.cidr or end.entity or "?"
