"""Answers in which nothing was found: a query met no record, and whoever asked kept what the tool printed all the same."""

from __future__ import annotations

import re
from typing import Any

import msgspec

from flowdiag.ingest.envelopes.fitting import DAMAGED

__all__ = ["nothing_inside"]

MOST_BYTES = 1 << 14
"""Statistics stand beside the empty list, and little else."""
# "-- No entries --", perhaps below "-- Journal begins at Mon 2026-01-05 10:00:00 UTC, ends at ... --"   journalctl of systemd 252
_NO_ENTRIES = re.compile(
    rb"(?:-- (?:Logs begin|Journal begins) at [^\n]{0,200} --\n)?-- No entries --\s{0,8}"
)
# Where the records stand: gcloud's and jq's arrays apart, Loki's and Prometheus' answer, Elasticsearch's, CloudWatch's
# events and its query, Datadog's two searches, a table of Azure's query API.
_PLACES = (
    ("data", "result"),
    ("hits", "hits"),
    ("events",),
    ("results",),
    ("data",),
    ("logs",),
    ("tables", "rows"),
)


def nothing_inside(head: bytes) -> str | None:
    """Say that an input is an answer without a record; ``None`` for anything else.

    Args:
        head: all of a small input.
    """
    if len(head) > MOST_BYTES:
        return None
    text = head.strip()
    found = _NO_ENTRIES.fullmatch(text) is not None
    if not found and text[:1] in (b"[", b"{"):
        try:
            answer = msgspec.json.decode(text)
        except DAMAGED:
            return None
        found = answer == [] or any(_is_empty(answer, place) for place in _PLACES)
    return "an answer without a record: nothing met the query, its filter or its time" if found else None


def _is_empty(answer: Any, place: tuple[str, ...]) -> bool:
    """Whether there is a list at this place, with nothing in it; on the way to it a list stands for its only element."""
    for key in place:
        if isinstance(answer, list) and len(answer) == 1:
            (answer,) = answer
        if not isinstance(answer, dict):
            return False
        answer = answer.get(key)
    return isinstance(answer, list) and not answer
