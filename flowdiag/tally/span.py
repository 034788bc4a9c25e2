"""Which of many records count, by their times, where a run asks for a part of the evidence.

This is decided before records are counted: a bucket is as wide as all of its flow's records make it, so that one minute
could not be taken out of a day's log afterwards.
"""

from __future__ import annotations

import numpy as np

from flowdiag.tally.grouping import I64, Mask
from flowdiag.tally.limits import Limits

__all__ = ["inside"]


def inside(ats: I64, limits: Limits) -> Mask | None:
    """Which of these times, nanoseconds and -1 for none, count; ``None`` where all do."""
    if limits.since is None and limits.until is None:
        return None
    found = np.ones(len(ats), bool)
    if limits.since is not None:
        found &= (ats >= limits.since) | (ats < 0)
    if limits.until is not None:
        found &= ats <= limits.until
    return found
