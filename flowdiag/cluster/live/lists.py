"""One kind's whole list, page by page."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Struct

from flowdiag.cluster.live.api import Api
from flowdiag.cluster.live.discovery import Served
from flowdiag.cluster.live.errors import ApiError, ExpiredError

__all__ = ["PAGE", "Listed", "check_object", "read_list"]

PAGE = 500
"""Objects a page, as kubectl asks for."""
_ATTEMPTS = 3


class Listed(Struct, frozen=True):
    """Items as the server wrote them."""

    items: tuple[msgspec.Raw, ...]
    api_version: str
    list_kind: str

    def document(self, between: bytes = b",\n") -> bytes:
        """A typed list, by default one item a line."""
        head = msgspec.json.encode({"apiVersion": self.api_version, "kind": self.list_kind})
        return b"".join((head[:-1], b',"items":[', between.join(bytes(one) for one in self.items), b"]}\n"))


class _ListMeta(Struct, frozen=True, rename={"token": "continue"}):
    token: str = ""


class _Page(Struct):
    metadata: _ListMeta = _ListMeta()
    items: list[msgspec.Raw] | None = None


class _Meta(Struct):
    name: str = ""
    namespace: str = ""
    labels: dict[str, str] | None = None


class _Object(Struct):
    metadata: _Meta


def check_object(raw: msgspec.Raw | bytes, what: str) -> None:
    """Hold what a server gave for an object to what every object is; it may be anybody's server.

    Raises:
        ApiError: it is none, or is nested too deeply.
    """
    try:
        msgspec.json.decode(raw, type=_Object)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise ApiError(f"{what}: no object ({_fault(error)})", hint="is this an API server?") from error


def _fault(error: Exception) -> str:
    return "nested too deeply" if isinstance(error, RecursionError) else str(error)


def read_list(api: Api, served: Served, namespace: str | None = None) -> Listed:
    """All objects of a kind, in the cluster or in one namespace.

    A continue token lives some minutes (etcd's compaction); when it has expired the pages so far belong to
    a state that can no longer be finished, so the list begins anew, at last in one piece.

    Args:
        api: the cluster.
        served: the kind.
        namespace: ``None`` for all.

    Raises:
        ApiError: the list cannot be read.
    """
    for attempt in range(_ATTEMPTS):
        limit = PAGE if attempt < _ATTEMPTS - 1 else 0
        try:
            items = _pages(api, served.path(namespace), limit)
        except ExpiredError:
            continue
        return Listed(tuple(items), served.api_version, f"{served.kind.kind}List")
    raise ExpiredError(f"GET {served.path(namespace)}: the list changed faster than it could be read")


def _pages(api: Api, path: str, limit: int) -> list[msgspec.Raw]:
    items: list[msgspec.Raw] = []
    token = ""
    seen = set()
    while True:
        query: list[tuple[str, str]] = [("limit", str(limit))] if limit else []
        if token:
            query.append(("continue", token))
        page = _decode(api.get(path, query), path)
        for item in page.items or ():
            check_object(item, f"GET {path}")
            items.append(item)
        token = page.metadata.token
        if not token:
            return items
        if token in seen:
            raise ApiError(f"GET {path}: the server repeats a page")
        seen.add(token)


def _decode(body: bytes, path: str) -> Any:
    try:
        return msgspec.json.decode(body, type=_Page)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise ApiError(
            f"GET {path}: not a list of objects ({_fault(error)})", hint="is this an API server?"
        ) from error
