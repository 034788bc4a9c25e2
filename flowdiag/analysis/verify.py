"""Queries against expected answers, and the queries that are true today."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from flowdiag.analysis.ask import Asker
from flowdiag.analysis.query_file import Query
from flowdiag.model.errors import FlowdiagError, UsageError
from flowdiag.model.event import WorkloadRef
from flowdiag.report.query_types import QueryResult, query_result

__all__ = ["init_queries", "verify_queries"]

_MAX_INIT = 20_000


def verify_queries(asker: Asker, queries: Iterable[Query]) -> Iterator[QueryResult]:
    """Answer each query in order; one that cannot be resolved fails alone."""
    for index, query in enumerate(queries):
        error = query.problem
        allowed = egress = ingress = None
        if error is None:
            # The API's default: a port without a protocol is TCP.
            protocol = query.protocol or ("TCP" if query.port is not None else None)
            try:
                answer = asker.ask(query.src, query.dst, protocol, query.port)
            except FlowdiagError as failure:
                error = f"{failure}; {failure.hint}" if failure.hint else str(failure)
            else:
                allowed, egress, ingress, error = answer.allowed, answer.egress, answer.ingress, answer.error
        if error is None and query.allowed is None:
            error = "nothing expected: the query has no allowed"
        yield query_result(
            index,
            query.src,
            query.dst,
            query.protocol,
            query.port,
            expected=query.allowed,
            allowed=allowed,
            egress=egress,
            ingress=ingress,
            error=error,
        )


def init_queries(asker: Asker) -> tuple[list[dict[str, Any]], int]:
    """Queries that are true today: every workload to every declared port of every other.

    Returns:
        The queries, and how many pairs were left out because their answer is unknown or mixed.

    Raises:
        UsageError: there are more than a person would keep.
    """
    ports: dict[str, set[tuple[str, int]]] = {}
    for pod in asker.snapshot.pods:
        if not pod.live or pod.host_network:
            continue
        owner = pod.workload or WorkloadRef("Pod", pod.name)
        name = f"{pod.namespace}/{owner.name}"
        ports.setdefault(name, set()).update((port.protocol, port.port) for port in pod.ports)
    total = len(ports) * sum(len(own) for own in ports.values())
    if total > _MAX_INIT:
        raise UsageError(
            f"{total} queries are more than a team would keep",
            hint="name the state of the namespaces that matter: --state NAMESPACE.yaml",
        )
    queries: list[dict[str, Any]] = []
    left_out = 0
    for dst, own in sorted(ports.items()):
        for protocol, port in sorted(own):
            for src in sorted(ports):
                if src == dst:
                    continue
                answer = asker.ask(src, dst, protocol, port)
                if answer.allowed is None:
                    left_out += 1
                    continue
                queries.append(
                    {"src": src, "dst": dst, "protocol": protocol, "port": port, "allowed": answer.allowed}
                )
    return queries, left_out
