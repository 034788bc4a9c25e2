"""What earlier runs of a history could see, held against what this one can: what it cannot see is not gone."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from collections.abc import Set as AbstractSet

from flowdiag.history.kept import Glance, glance
from flowdiag.history.status import Key
from flowdiag.model.report import Report, ReportWarning, general_warning

__all__ = ["OTHER_CLUSTER", "EarlierRuns"]

OTHER_CLUSTER = "other-cluster"
"""Code of the warning that the run before was of another cluster."""
_NO_OBJECTS = "no cluster objects were read, and when they were seen some were"


class EarlierRuns:
    """The runs before this one, as far as their reports are kept.

    Args:
        connection: of the history.
        report: of this run.
        unread: what it could not read.
    """

    def __init__(self, connection: sqlite3.Connection, report: Report, unread: frozenset[str]) -> None:
        self._connection = connection
        self._cluster = report.cluster.name
        self._flows = report.totals.flows
        self._objects = report.evidence.snapshot.source is not None
        self._unread = unread
        self.why = "what cannot be read now was read when they were seen"

    def overlooked(
        self, scope: str, absent: AbstractSet[Key], by_objects: AbstractSet[Key]
    ) -> frozenset[Key]:
        """Absent problems that this run may only have been unable to see; they must not be called gone.

        The run that saw a problem last may have read more than this one, or another cluster.  Where that run's report
        is not kept any more, a problem that is absent is gone.  What the run of a baseline could read is not known:
        its problems are overlooked as soon as this run could not read something.

        Args:
            scope: what the run looks at.
            absent: problems that it does not show.
            by_objects: those of a baseline that nobody finds without the cluster's objects.
        """
        if not absent or not (self._unread or self._cluster or not self._flows or not self._objects):
            return frozenset()
        rows = self._connection.execute(
            "SELECT fingerprint, number, last_run FROM problem WHERE scope = ?", (scope,)
        ).fetchall()
        last_runs = {(fingerprint, number): run for fingerprint, number, run in rows}
        proves = {run: self._proves(run) for run in {last_runs[key] for key in absent if key in last_runs}}
        found = set()
        for key in absent:
            if key in last_runs:
                proved = proves[last_runs[key]]
            elif not self._objects and key in by_objects:
                self.why, proved = _NO_OBJECTS, False
            else:
                proved = not self._unread
            if not proved:
                found.add(key)
        return frozenset(found)

    def other_cluster(self, before: tuple[int, str] | None) -> Iterator[ReportWarning]:
        """Yield a warning if the run before was of another cluster: "new" and "known" then compare two clusters.

        Args:
            before: its number and time; ``None`` if there is none.
        """
        if before is None or self._cluster is None:
            return
        seen = self._seen(before[0])
        if seen is not None and self._differs(seen):
            # Without the names: a report with tokens has none for the other one.
            yield general_warning(
                OTHER_CLUSTER,
                f"run {before[0]}, which this one is compared with, read records of another cluster: what is new and "
                "known is of both; give each cluster a history of its own",
            )

    def _proves(self, run: int) -> bool:
        """Whether this run could have seen all that an earlier one saw, so that what is absent now is gone."""
        seen = self._seen(run)
        if seen is None:
            return True
        if self._differs(seen):
            self.why = "they were seen in records of another cluster"
            return False
        if not self._flows and seen.totals.allowed:
            # Where only refusals are logged, none of them is peace; what told of all traffic is never without any.
            self.why = "no flow was read, and when they were seen passing ones were"
            return False
        if not self._objects and seen.evidence.snapshot.source is not None:
            # A refusal is another problem where no policy is known to isolate, and what lies in objects is not seen.
            self.why = _NO_OBJECTS
            return False
        return self._unread <= seen.warned

    def _differs(self, seen: Glance) -> bool:
        return None not in (self._cluster, seen.cluster.name) and self._cluster != seen.cluster.name

    def _seen(self, run: int) -> Glance | None:
        """What the report of a run tells; ``None`` if it is not kept any more."""
        kept = self._connection.execute("SELECT report FROM run WHERE id = ?", (run,)).fetchone()
        return None if kept is None or kept[0] is None else glance(kept[0])
