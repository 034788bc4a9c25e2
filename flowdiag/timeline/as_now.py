"""Ends as they can be tried on the cluster, where pods have ended or were created anew since they were recorded."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec.structs import replace

from flowdiag.model.endpoint import Endpoint
from flowdiag.model.objects import Pod
from flowdiag.model.report import ReportEndpoint

__all__ = ["NOBODY", "as_now"]

NOBODY = ReportEndpoint(kind="unknown")
"""Nobody that a command could be run in, or asked."""
_RESTARTED = frozenset({"Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "ReplicationController"})
"""Kinds of workloads that have another pod where one has ended."""


def as_now(view: ReportEndpoint, ends: Iterable[tuple[Endpoint, int | None]]) -> ReportEndpoint:
    """An end as it can be tried: without pods that have ended, in which nothing runs and which nothing answers for.

    Where records name pods and no addresses, or addresses of earlier pods of the same name, it has an address that
    the pods have.

    Args:
        view: the end as the report shows it.
        ends: each endpoint that was folded into it, and when its last record was made.
    """
    over, left = set[tuple[str, str | None]](), set[tuple[str | None, str | None]]()
    has = set[str]()
    before, since = set[str](), set[str]()
    for end, last in ends:
        pod = end.pod
        if pod is not None and pod.live and (end.ip is None or not view.ips):
            has.update(pod.ips[:1])
        if pod is not None and pod.live and end.ip is not None and _of_an_earlier(pod, end.ip, last):
            before.add(end.ip)
            has.update(pod.ips[:1])
        elif end.ip is not None:
            since.add(end.ip)
        if pod is not None and not pod.live:
            over.add((pod.name, end.ip))
        else:
            left.add((pod.name if pod is not None else end.name, end.ip))
    if gone := before - since:
        view = replace(view, ips=tuple(ip for ip in view.ips if ip not in gone))
    if not over:
        return replace(view, ips=(min(has),)) if has and not view.ips else view
    if not left and view.workload is not None and view.workload.kind not in _RESTARTED:
        return NOBODY
    names, ips = ({pair[place] for pair in over} - {pair[place] for pair in left} for place in (0, 1))
    return replace(
        view,
        pods=tuple(name for name in view.pods if name not in names),
        ips=tuple(ip for ip in view.ips if ip not in ips) or tuple(sorted(has)[:1]),
    )


def _of_an_earlier(pod: Pod, ip: str, last: int | None) -> bool:
    """Whether a record of this address is of an earlier pod of the same name (a StatefulSet's, created anew)."""
    if last is None or pod.created is None or not pod.ips:
        return False
    return ip not in pod.ips and last < pod.created
