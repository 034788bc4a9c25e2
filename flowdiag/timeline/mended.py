"""Problems that the policies of the end let pass: what to say of them in place of how to mend them.

Most sources record refusals only.  So it is not seen that traffic passes since, and the policy that was made for it is
the only sign.
"""

from __future__ import annotations

from msgspec import Struct

from flowdiag.timeline.drafts import ConnectionDraft, ProblemDraft
from flowdiag.timeline.ends import end_name

__all__ = ["Ended", "ended"]

_MOST = 3


class Ended(Struct, frozen=True):
    """What is said of a problem that was mended since, in whole or in part."""

    advice: str | None = None
    """In place of the diagnosis' own, where all of it passes."""
    notes: tuple[str, ...] = ()
    """Where a part of it passes."""
    over: bool = False
    """What mends all of it came after the last refusal."""


def ended(draft: ProblemDraft, *, seen: bool) -> Ended:
    """Look for what lets the problem's connections pass since.

    Args:
        draft: the problem.
        seen: they were recorded to pass after the last refusal.
    """
    mended = {index: text for index, one in enumerate(draft.connections) if (text := _text(one)) is not None}
    if len(mended) < len(draft.connections):
        told = [(draft.connections[index], text) for index, text in mended.items()][:_MOST]
        return Ended(
            notes=tuple(
                f"{_called(one)} passes since, as far as the policies tell: {text}." for one, text in told
            )
        )
    texts = list(dict.fromkeys(mended.values()))
    more = f"; and {len(texts) - _MOST} more" if len(texts) > _MOST else ""
    advice = f"Mended since: {'; '.join(texts[:_MOST])}{more}."
    if not seen:
        advice += " If it is refused still, look for an agent that lags behind."
    return Ended(advice, over=all(_over(one) for one in draft.connections))


def _text(one: ConnectionDraft) -> str | None:
    """Say what would let the last of its refusals pass; ``None`` where any of them would be refused again."""
    mended = [refusal.finding.mended for refusal in one.refusals]
    last = max(one.refusals, key=lambda refusal: (refusal.flow.last or -1, refusal.flow.count))
    found = last.finding.mended
    return found.text or None if found is not None and None not in mended else None


def _over(one: ConnectionDraft) -> bool:
    moments = [
        refusal.finding.mended.at if refusal.finding.mended is not None else None for refusal in one.refusals
    ]
    return one.last is not None and all(at is not None and at > one.last for at in moments)


def _called(one: ConnectionDraft) -> str:
    port = f" {one.port}/{one.protocol}" if one.port is not None and one.protocol else ""
    return f"{end_name(one.source)} -> {end_name(one.destination)}{port}"
