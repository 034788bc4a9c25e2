"""When a refused connection was seen to pass: before its refusals, and after the last of them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from flowdiag.cluster.passing import got_past
from flowdiag.model.endpoint import EndpointKind
from flowdiag.model.flow import Flow
from flowdiag.model.time import moment_text
from flowdiag.timeline.drafts import ConnectionDraft, ProblemDraft
from flowdiag.timeline.ends import EndKey, end_key

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
                for flow in self._past(connection)
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
            any(flow.first is not None and flow.first < at for flow in self._past(connection))
            for connection in draft.connections
        )

    def passed_before(self, draft: ProblemDraft, first: int | None) -> str | None:
        """Say until when the problem's connections were seen to pass before its first refusal; ``None`` where none was.

        Where some pass while they are refused, no moment parts the two, and that is said.
        """
        if first is None:
            return None
        mixed = [apart for one in draft.connections if (apart := self._meanwhile(one)) is not None]
        if mixed:
            some = f"{len(mixed):,} of {len(draft.connections):,} connections were "
            some = "" if len(mixed) == len(draft.connections) else some
            apart = f", {mixed[0]}" if mixed[0] and len(set(mixed)) == 1 else ""
            return f"{some}seen to pass in the same time as well{apart}"
        lasts = [_last_before(self._past(connection), first) for connection in draft.connections]
        seen = [last for last in lasts if last is not None]
        if not seen:
            return None
        who = "" if len(seen) == len(lasts) else f"{len(seen):,} of {len(lasts):,} connections were "
        latest, exact = max(seen)
        until = "as late as" if exact else "at least until"
        return f"{who}seen to pass before, {until} {moment_text(latest)}"

    def _meanwhile(self, connection: ConnectionDraft) -> str | None:
        """What tells apart what passed between its refusals, empty where nothing does; ``None`` where nothing passed."""
        begun, ended = connection.first, connection.last
        if begun is None or ended is None:
            return None
        between = [
            flow
            for flow in self._past(connection)
            if any(moment is not None and begun < moment < ended for moment in (flow.first, flow.last))
        ]
        if not between:
            return None
        refused = {_pods(refusal.flow) for refusal in connection.refusals}
        if any(None in (pods := _pods(flow)) or pods in refused for flow in between):
            return ""
        inside = {_inside(refusal.flow) for refusal in connection.refusals}
        same = {_inside(flow) in inside for flow in between}
        if len(same) > 1:
            return ""
        return "at other addresses" if same.pop() else "between other pods"

    def _past(self, connection: ConnectionDraft) -> list[Flow]:
        """Allowed flows that show a refused connection to pass its refusing end.

        What a proxy refuses is a request: that its connection passes says nothing of it.
        """
        if connection.refusals[0].flow.distinct.l7 is not None:
            return []
        return [
            flow
            for flow in self._flows.get(_ends(connection), ())
            if got_past(flow, connection.finding.direction)
        ]


def _pods(flow: Flow) -> tuple[str | None, str | None]:
    """What tells the pods of a workload apart."""
    return flow.src.name or flow.src.ip, flow.dst.name or flow.dst.ip


def _inside(flow: Flow) -> tuple[str | None, str | None]:
    """As `_pods`, without what is outside of the cluster: a name has several addresses there, of both families."""
    src, dst = _pods(flow)
    outside = EndpointKind.EXTERNAL
    return None if flow.src.kind is outside else src, None if flow.dst.kind is outside else dst


def _last_before(flows: Iterable[Flow], first: int) -> tuple[int, bool] | None:
    """When they were seen to pass last before `first`, and whether that is exact.

    Of what went on, counts by the minute tell: it passed in the minute that begins then, or later.
    """
    found = []
    for flow in flows:
        if flow.first is None or flow.last is None or flow.first >= first:
            continue
        if flow.last < first:
            found.append((flow.last, True))
            continue
        begun = (b.start for b in flow.buckets if b.start is not None and b.start + b.width <= first)
        found.append((max((flow.first, *begun)), False))
    return max(found, default=None)


def _ends(connection: ConnectionDraft) -> tuple[EndKey, EndKey, str | None, int | None]:
    return (connection.source, connection.destination, connection.protocol, connection.port)
