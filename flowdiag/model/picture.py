"""What is known of a stream at a moment, while it is followed."""

from __future__ import annotations

from msgspec import Struct

from flowdiag.model.report import Report

__all__ = ["Picture"]


class Picture(Struct, frozen=True, kw_only=True):
    """How a stream runs, and the report of its last minutes."""

    newest: int | None
    """Time of the newest record, nanoseconds."""
    window: int
    """How far back the reports reach, nanoseconds."""
    records: int
    """All records since the start."""
    rate: float
    """Records a second, over the last seconds."""
    report: Report | None
    """The last one that was made; the same value until the next."""
    failed: str | None = None
    """Why the last attempt at a report gave none."""
    unread: str | None = None
    """What of the stream came to no record, in words."""
