"""Sentences on the page: their moments are ``<time>`` elements, so that a reader may see them in the own zone."""

from __future__ import annotations

from typing import Any

from flowdiag.report.escape import MAX_TEXT, visible
from flowdiag.report.spoken import NOBODY, Foreign, pieces
from flowdiag.report.times import Clock

__all__ = ["SAID", "said"]

SAID = Clock(named=True)
"""Moments as a report's sentences write them, for the sentences that the page makes itself."""


def said(text: str, clock: Clock, limit: int = MAX_TEXT, among: Foreign = NOBODY) -> Any:
    """Markup of a sentence, at most `limit` characters of it; `clock` says its moments where no script does.

    `among` are the names that its report holds.
    """
    from markupsafe import Markup

    parts = []
    for part, moment in pieces(visible(text, limit), among):
        shown = None if moment is None else clock.known(moment)
        if shown is None:
            parts.append(Markup.escape(part))
        else:
            parts.append(
                Markup('<time class="said" datetime="{0}" title="{0}">{1}</time>').format(moment, shown)
            )
    return Markup("").join(parts)
