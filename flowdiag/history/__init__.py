"""Reports over time: what is new, known, gone and accepted, and the file that remembers it.

This room compares reports by their problems' fingerprints; it reads no evidence and renders nothing.
"""

from flowdiag.history.accept import Acceptance, Accepted, accept, concerns, parse_acceptances
from flowdiag.history.database import HistoryError
from flowdiag.history.diff import DiffEntry, ReportDiff, diff_reports
from flowdiag.history.earlier import OTHER_CLUSTER
from flowdiag.history.recording import Recorded
from flowdiag.history.status import Key, Verdicts, compare, keys_of
from flowdiag.history.store import History, read_run, scope_of_run

__all__ = [
    "OTHER_CLUSTER",
    "Acceptance",
    "Accepted",
    "DiffEntry",
    "History",
    "HistoryError",
    "Key",
    "Recorded",
    "ReportDiff",
    "Verdicts",
    "accept",
    "compare",
    "concerns",
    "diff_reports",
    "keys_of",
    "parse_acceptances",
    "read_run",
    "scope_of_run",
]
