"""What plots are of: all of the evidence's time, or the part where the denials are."""

from __future__ import annotations

from msgspec import UNSET, UnsetType
from msgspec.structs import replace

from flowdiag.model.report import Outside, Report
from flowdiag.report.times import Clock

__all__ = ["outside_text", "plotted"]


def plotted(report: Report) -> Report:
    """Give the report for drawing: its counts are those of the part of the time that plots show."""
    if isinstance(report.plot, UnsetType):
        return report
    return replace(report, buckets=report.plot.buckets, plot=UNSET)


def outside_text(report: Report, clock: Clock) -> list[str]:
    """A sentence for each of the records that no plot shows."""
    if isinstance(report.plot, UnsetType):
        return []
    return [_sentence(one, clock) for one in report.plot.outside]


def _sentence(one: Outside, clock: Clock) -> str:
    begin = f"{clock.text(one.first)}"
    if one.count == 1:
        return f"1 record at {begin}, outside of the plots"
    end = "" if one.first == one.last else f" to {clock.text(one.last)}"
    return f"{one.count:,} records {'from' if end else 'at'} {begin}{end}, outside of the plots"
