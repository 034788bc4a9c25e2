"""Reports over time: what is new, known and gone between two of them.

This room compares reports by their problems' fingerprints; it reads no evidence and renders nothing.
"""

from flowdiag.history.diff import DiffEntry, ReportDiff, diff_reports

__all__ = ["DiffEntry", "ReportDiff", "diff_reports"]
