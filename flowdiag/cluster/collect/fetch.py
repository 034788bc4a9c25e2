"""How each thing beside objects is fetched: streams of bytes with bounds."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from msgspec import Struct

from flowdiag.cluster.collect.bundle import Item
from flowdiag.cluster.collect.plan import HubbleItem, LogItem, NodeItem, WhiskerItem
from flowdiag.cluster.live.api import Api
from flowdiag.cluster.live.errors import ApiError, CutShortError
from flowdiag.cluster.live.exec import run_in_pod

__all__ = ["Bounds", "Write", "fetch"]

Write = Callable[[bytes], None]
_AGENT = "cilium-agent"
_READ = 16


class Bounds(Struct, frozen=True, kw_only=True):
    """What limits one fetch."""

    since: datetime
    """Nothing older is wanted."""
    limit: int
    """Bytes that are kept."""
    within_s: float
    exported: str | None = None
    """The file that Cilium's agents export flows to, if they do."""

    @property
    def read(self) -> int:
        """Bytes that are read of what gives its oldest first, for its latest; few logs are longer."""
        return self.limit * _READ


def fetch(api: Api, item: Item, write: Write, bounds: Bounds) -> str:
    """Stream one thing into `write`.

    Returns:
        A remark on how it was fetched; mostly empty.

    Raises:
        CutShortError: a bound was met; what was read by then is written.
        ApiError, LostError: see `flowdiag.cluster.live.errors`.
        HTTPError: the connection broke in the middle (urllib3's).
    """
    if isinstance(item, LogItem):
        return _log(api, item, write, bounds)
    if isinstance(item, HubbleItem):
        return _hubble(api, item, write, bounds)
    if isinstance(item, WhiskerItem):
        age = _age(bounds)
        path = f"/api/v1/namespaces/{item.namespace}/services/whisker:8081/proxy/whisker-backend/flows"
        # One JSON document, which is nothing without its beginning.
        return _stream(api, path, [("startTimeGte", str(-age))], write, bounds, limit=bounds.limit)
    if isinstance(item, NodeItem):
        # The end of a file is the latest; kubelet serves files with Range.
        headers = [("Range", f"bytes=-{bounds.limit}"), ("Accept-Encoding", "identity")]
        return _stream(api, f"/api/v1/nodes/{item.node}/proxy/logs/{item.file}", [], write, bounds, headers)
    raise TypeError(item)


def _stream(
    api: Api,
    path: str,
    query: list[tuple[str, str]],
    write: Write,
    bounds: Bounds,
    headers: list[tuple[str, str]] | None = None,
    limit: int | None = None,
) -> str:
    for piece in api.stream(
        path, query, limit=limit or bounds.read, within_s=bounds.within_s, headers=headers or ()
    ):
        write(piece)
    return ""


def _age(bounds: Bounds) -> int:
    """Seconds back to `Bounds.since`."""
    return max(1, round((datetime.now(UTC) - bounds.since).total_seconds()))


def _log(api: Api, item: LogItem, write: Write, bounds: Bounds) -> str:
    query = [
        ("container", item.container),
        ("timestamps", "true"),
        ("sinceTime", bounds.since.strftime("%Y-%m-%dT%H:%M:%SZ")),
    ]
    if item.previous:
        query.append(("previous", "true"))
    return _stream(api, f"/api/v1/namespaces/{item.namespace}/pods/{item.pod}/log", query, write, bounds)


def _hubble(api: Api, item: HubbleItem, write: Write, bounds: Bounds) -> str:
    """The exporter's file, which reaches further back, else the agent's ring buffer; never both."""
    pod = (item.namespace, item.pod)
    if bounds.exported is not None:
        tail = ["tail", "-c", str(bounds.limit), bounds.exported]
        got = _Counting(write)
        try:
            run_in_pod(api, pod, _AGENT, tail, got, limit=bounds.limit, within_s=bounds.within_s)
        except CutShortError:
            if got.bytes:
                raise
        else:
            if got.bytes:
                return f"read from {bounds.exported}"
    observe = ["hubble", "observe", "--since", f"{_age(bounds)}s", "-o", "jsonpb"]
    done = run_in_pod(api, pod, _AGENT, observe, write, limit=bounds.read, within_s=bounds.within_s)
    if done.code:
        raise ApiError(f"hubble observe ended with {done.code}: {' '.join(done.stderr.split())[:300]}")
    return ""


class _Counting:
    def __init__(self, write: Write) -> None:
        self._write = write
        self.bytes = 0

    def __call__(self, data: bytes) -> None:
        self.bytes += len(data)
        self._write(data)
