"""When a refused connection was seen to pass: before its refusals, and after the last of them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from flowdiag.cluster.passing import got_past
from flowdiag.model.flow import Flow
from flowdiag.timeline.ends import EndKey, end_key
from flowdiag.timeline.group import ConnectionDraft, ProblemDraft

__all__ = ["AllowedIndex"]


class AllowedIndex:
    """When a refused connection was seen allowed, by its ends at workload level, protocol and port."""

    def __init__(self, allowed: Iterable[Flow]) -> None:
        self._flows: dict[tuple[EndKey, EndKey, str | None, int | None], list[Flow]] = defaultdict(list)
        for flow in allowed:
            distinct = flow.distinct
            key = (end_key(flow.src), end_key(flow.dst), distinct.protocol, distinct.port)
            self._flows[key].append(flow)

    def first_after(self, draft: ProblemDraft, last: int | None) -> int | None:
        """First allowed record after the problem's last refusal, if every connection has one."""
        if last is None:
            return None
        firsts = []
        for connection in draft.connections:
            after = [
                max(flow.first or 0, bucket.start)
                for flow in self._flows.get(_ends(connection), ())
                if got_past(flow, connection.finding.direction)
                for bucket in flow.buckets
                if bucket.start is not None and bucket.start + bucket.width > last and (flow.last or 0) > last
            ]
            later = [at for at in after if at > last]
            if not later:
                return None
            firsts.append(min(later))
        return max(firsts) if firsts else None

    def worked_before(self, draft: ProblemDraft, at: int) -> bool:
        """Whether every connection of the problem was seen to pass before an instant."""
        return all(
            any(
                flow.first is not None and flow.first < at and got_past(flow, connection.finding.direction)
                for flow in self._flows.get(_ends(connection), ())
            )
            for connection in draft.connections
        )


def _ends(connection: ConnectionDraft) -> tuple[EndKey, EndKey, str | None, int | None]:
    return (connection.source, connection.destination, connection.protocol, connection.port)
