"""Requests to one API server: patience, retries, bounds, and errors in words.

The connection, TLS, proxies and credentials are the kubernetes client's; retrying is urllib3's `Retry`
(429 and 5xx with Retry-After or backoff, lost connections), and here a body that was cut is asked for again.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Iterator, Sequence
from threading import Lock
from typing import Any
from urllib.parse import urlencode

from urllib3 import HTTPHeaderDict
from urllib3.exceptions import HTTPError, MaxRetryError, ProtocolError, ReadTimeoutError
from urllib3.util.retry import Retry
from urllib3.util.timeout import Timeout

from flowdiag.cluster.live.breaking import Breaker
from flowdiag.cluster.live.errors import CutShortError, TimedOutError, UnreachableError, answered
from flowdiag.model.errors import ClusterError
from flowdiag.model.urls import shown

__all__ = ["RETRIES", "Api", "Query"]

Query = Sequence[tuple[str, str]]

RETRIES = Retry(
    total=6,
    connect=2,
    read=1,
    redirect=0,
    status=4,
    other=0,
    allowed_methods=("GET",),
    status_forcelist=(429, 500, 502, 503, 504),
    backoff_factor=0.4,
    backoff_max=8,
    backoff_jitter=0.2,
    raise_on_status=False,
    retry_after_max=30,
)
_CUT_RETRIES = 3
_CHUNK = 1 << 16
_MAX_BODY = 512 << 20
_CONNECT_S = 10.0
_WHOLE_FACTOR = 4
"""How many times the timeout for silence a whole body may take before it is given up."""


class Api:
    """One cluster.  Safe to use from several threads.

    Args:
        client: the kubernetes client's ApiClient.
        name: what the user calls the cluster: the context.
        namespace: the context's own.
        impersonate: headers sent with every request.
        timeout_s: how long a request may be silent.
    """

    def __init__(
        self,
        client: Any,
        *,
        name: str,
        namespace: str | None,
        impersonate: Sequence[tuple[str, str]],
        timeout_s: float,
    ) -> None:
        self.client = client
        self.name = name
        self.namespace = namespace
        self.timeout_s = timeout_s
        self.deadline = math.inf
        """Of the monotonic clock; nothing is asked or read after it.  It may be moved up at any time."""
        self.breaker = Breaker()
        self.breaker.watch(client.rest_client.pool_manager)
        self._impersonate = tuple(impersonate)
        self._credentials = Lock()

    @property
    def host(self) -> str:
        """The server's URL."""
        return str(self.client.configuration.host)

    @property
    def server(self) -> str:
        """The same as it may be shown and written down: a kubeconfig's may hold user and password."""
        return shown(self.host)

    def break_off(self) -> None:
        """Break off all requests, and make no more: every thread that waits for an answer gets an error at once."""
        self.deadline = 0.0
        self.breaker.break_off()

    def headers(self, accept: str = "application/json") -> HTTPHeaderDict:
        """Credentials and impersonation, fresh: a token may be renewed between two requests."""
        headers = HTTPHeaderDict({"Accept": accept, "User-Agent": "flowdiag"})
        with self._credentials:
            # The client's own way to put it into a request takes other arguments from release to release.
            token = self.client.configuration.auth_settings().get("BearerToken")
        if token is not None and token["value"]:
            headers[token["key"]] = token["value"]
        for key, value in self._impersonate:
            headers.add(key, value)
        return headers

    def get(self, path: str, query: Query = ()) -> bytes:
        """The whole body of an answer in JSON.

        Raises:
            ApiError, LostError: by what the server answered, or that it did not.
        """
        cut: Exception | None = None
        for attempt in range(_CUT_RETRIES):
            if attempt:
                time.sleep(0.3 * 2**attempt)
            try:
                return b"".join(
                    self.stream(
                        path,
                        query,
                        accept="application/json",
                        limit=_MAX_BODY,
                        within_s=self.timeout_s * _WHOLE_FACTOR,
                    )
                )
            except (ProtocolError, ReadTimeoutError) as error:
                cut = error
        raise CutShortError(
            f"GET {path}: the answer was cut short {_CUT_RETRIES} times ({cut.__class__.__name__})"
        )

    def stream(
        self,
        path: str,
        query: Query = (),
        *,
        accept: str = "*/*",
        headers: Query = (),
        limit: int,
        within_s: float,
    ) -> Iterator[bytes]:
        """Pieces of a body as they come.

        Args:
            path: below the server's URL.
            query: of the request.
            accept: the content type that is wanted.
            headers: more of them.
            limit: bytes after which nothing more is read.
            within_s: seconds after which nothing more is read.

        Raises:
            CutShortError: `limit` or `within_s` was met; what was yielded is the beginning.
            ApiError, LostError: as for `get`.
            ProtocolError, ReadTimeoutError: the connection broke in the middle (urllib3's own).
        """
        response = self._open(path, query, accept, headers)
        try:
            if response.status >= 300:
                raise answered(response.status, response.read(1 << 16, decode_content=True), f"GET {path}")
            size, began = 0, time.monotonic()
            while piece := response.read1(_CHUNK, decode_content=True):
                size += len(piece)
                if size > limit:
                    yield piece[: len(piece) - (size - limit)]
                    raise CutShortError(f"GET {path}: longer than {limit} bytes")
                yield piece
                if time.monotonic() > min(began + within_s, self.deadline):
                    raise CutShortError(f"GET {path}: not at its end after {time.monotonic() - began:.0f} s")
            response.release_conn()
        finally:
            response.close()

    def patch(self, path: str, body: dict[str, Any]) -> None:
        """Change an object, once: a request that changes something is not repeated.

        Raises:
            ApiError, LostError: as for `get`.
        """
        kind = ("Content-Type", "application/strategic-merge-patch+json")
        response = self._open(path, (), "application/json", [kind], method="PATCH", body=body)
        try:
            answer = response.read(1 << 16, decode_content=True)
        finally:
            response.close()
        if response.status >= 300:
            raise answered(response.status, answer, f"PATCH {path}")

    def _open(
        self,
        path: str,
        query: Query,
        accept: str,
        more: Query,
        *,
        method: str = "GET",
        body: dict[str, Any] | None = None,
    ) -> Any:
        if time.monotonic() > self.deadline:
            raise TimedOutError(f"{method} {path}: out of time")
        url = f"{self.host}{path}" + (f"?{urlencode(query)}" if query else "")
        headers = self.headers(accept)
        headers["Accept-Encoding"] = "gzip"
        headers.update(more)
        if body is not None:
            headers.setdefault("Content-Type", "application/json")
        try:
            # The client's connections; what it wraps around them differs from release to release.
            return self.client.rest_client.pool_manager.request(
                method,
                url,
                headers=headers,
                body=None if body is None else json.dumps(body).encode(),
                preload_content=False,
                timeout=Timeout(connect=min(_CONNECT_S, self.timeout_s), read=self.timeout_s),
            )
        except MaxRetryError as error:
            raise self._unreachable(error.reason or error) from error
        except (HTTPError, OSError) as error:
            raise self._unreachable(error) from error

    def _unreachable(self, error: Exception) -> ClusterError:
        if isinstance(error, ReadTimeoutError):
            return TimedOutError(
                f"cluster {self.name} ({self.server}) did not answer within {self.timeout_s:g} s",
                hint="wait longer with --request-timeout 2m",
            )
        text = str(getattr(error, "reason", None) or error).rpartition(": ")[2] or error.__class__.__name__
        hint = "is the address right, and is a VPN or proxy needed? kubectl cluster-info asks the same server"
        if "certificate" in str(error).lower():
            text = str(error).replace("\n", " ")
            hint = "the server's certificate is not signed by the authority that the kubeconfig names"
        return UnreachableError(
            f"cluster {self.name} ({self.server}) cannot be reached: {text[:300]}", hint=hint
        )
