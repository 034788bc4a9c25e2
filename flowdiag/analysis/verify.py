"""Query files: unit tests for policies (CONTRACT: Queries)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from flowdiag.analysis.ask import Asker
from flowdiag.model.errors import FlowdiagError, InputError, UsageError
from flowdiag.model.event import WorkloadRef
from flowdiag.report.query_types import QueryResult, query_result

__all__ = ["Query", "init_queries", "read_queries", "verify_queries"]

_MAX_BYTES = 64 << 20
_PROTOCOLS = {"TCP", "UDP", "SCTP", "ICMP", "ICMPv6"}
_MAX_INIT = 20_000


class Query(msgspec.Struct, frozen=True, kw_only=True):
    """One question with its expected answer; what is wrong with it is said by `problem`."""

    src: str
    dst: str
    protocol: str | None = None
    port: int | str | None = None
    allowed: bool | None = None
    problem: str | None = None


def read_queries(name: str, data: bytes) -> list[Query]:
    """Read a query file, JSON or YAML.

    A query that makes no sense stays in the list with its `Query.problem`: it fails alone.

    Raises:
        InputError: the file as a whole is no query file.
    """
    if len(data) > _MAX_BYTES:
        raise InputError(f"{name}: larger than {_MAX_BYTES >> 20} MiB")
    document = _document(name, data)
    rows = document.get("queries") if isinstance(document, dict) else document
    if not isinstance(rows, list):
        raise InputError(
            f"{name}: no list of queries in it",
            hint='write {"queries": [{"src": "a/x", "dst": "b/y", "protocol": "TCP", "port": 80, "allowed": true}]}',
        )
    return [_query(row) for row in rows]


def _document(name: str, data: bytes) -> Any:
    try:
        return msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError):
        pass
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        return yaml.load(data, Loader=loader)  # noqa: S506 - both are safe loaders
    except (yaml.YAMLError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f" (line {mark.line + 1})" if mark is not None else ""
        raise InputError(f"{name}: neither JSON nor YAML{where}") from error


def _query(row: Any) -> Query:
    if not isinstance(row, dict):
        return Query(src="", dst="", problem="not a query: an object with src and dst is wanted")
    src, dst = row.get("src"), row.get("dst")
    protocol, port, allowed = row.get("protocol"), row.get("port"), row.get("allowed")
    problem = None
    if not isinstance(src, str) or not isinstance(dst, str):
        problem = "src and dst must be texts"
    elif protocol is not None and protocol not in _PROTOCOLS:
        problem = f"protocol {protocol!r} is none of TCP, UDP, SCTP, ICMP, ICMPv6"
    elif isinstance(port, bool) or not isinstance(port, int | str | None):
        problem = f"port {port!r} is neither a number nor a name"
    elif isinstance(port, int) and not 0 <= port <= 65535:
        problem = f"port {port} is out of range"
    elif not isinstance(allowed, bool | None):
        problem = f"allowed {allowed!r} is neither true nor false"
    return Query(
        src=src if isinstance(src, str) else str(src),
        dst=dst if isinstance(dst, str) else str(dst),
        protocol=protocol if isinstance(protocol, str) else None,
        port=port if isinstance(port, int | str) and not isinstance(port, bool) else None,
        allowed=allowed if isinstance(allowed, bool) else None,
        problem=problem,
    )


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
