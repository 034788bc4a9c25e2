"""A command in a container, over WebSocket.

The subresource ``exec`` speaks channels: the first byte of a frame says which (0 stdin, 1 stdout, 2 stderr,
3 the result as a Status object); v5 adds 255 for a channel that was closed.  Source: Kubernetes
``staging/src/k8s.io/apimachinery/pkg/util/remotecommand``, v4.channel.k8s.io (1.4) and v5.channel.k8s.io (1.30).
The client's own stream module is not used: it sends no impersonation headers, so that a command would run
with more rights than were asked for, and it holds all output in memory.
"""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import urlencode, urlsplit

import msgspec
from msgspec import Struct

from flowdiag.cluster.live.api import Api
from flowdiag.cluster.live.errors import ApiError, CutShortError, answered
from flowdiag.model.digits import is_digits, whole

__all__ = ["Finished", "run_in_pod"]

_STDOUT, _STDERR, _RESULT = 1, 2, 3
_PROTOCOLS = ["v5.channel.k8s.io", "v4.channel.k8s.io"]
_MAX_STDERR = 1 << 14


class Finished(Struct, frozen=True):
    """How a command ended."""

    code: int
    stderr: str


class _Cause(Struct):
    reason: str = ""
    message: str = ""


class _Details(Struct):
    causes: list[_Cause] = []


class _Result(Struct):
    status: str = ""
    message: str = ""
    details: _Details | None = None


_LOOK_UP_S = 0.5
"""So often a command that says nothing is left for a look at the deadline, which an interrupt moves up."""


def run_in_pod(
    api: Api,
    pod: tuple[str, str],
    container: str,
    command: Sequence[str],
    sink: Callable[[bytes], None],
    *,
    limit: int,
    within_s: float,
) -> Finished:
    """Run a command, hand its output over piece by piece, and wait for its end.

    Args:
        api: the cluster.
        pod: namespace and name.
        container: its name.
        command: program and arguments; no shell is involved.
        sink: called with standard output.
        limit: bytes of standard output after which the connection is closed.
        within_s: seconds after which it is closed.

    Raises:
        ForbiddenError: the user may not run commands there.
        CutShortError: a bound was met; `sink` had the beginning.
        ApiError: no such pod or container, no WebSocket, or the container cannot run it.
        LostError: the credentials are not accepted any more.
    """
    import websocket

    namespace, name = pod
    path = f"/api/v1/namespaces/{namespace}/pods/{name}/exec"
    query = [("container", container), ("stdout", "true"), ("stderr", "true")]
    query += [("command", word) for word in command]
    what = f"exec {command[0]} in {namespace}/{name}"
    try:
        socket = _open(api, path, query)
    except websocket.WebSocketBadStatusException as error:
        raise answered(error.status_code, error.resp_body or b"", what) from error
    except (websocket.WebSocketException, OSError) as error:
        # Plain requests may go well all the same: some proxies let no WebSocket through.
        raise ApiError(
            f"{what}: no WebSocket to {api.server}: {error or error.__class__.__name__}"
        ) from error
    try:
        return _read(api, socket, sink, what, limit, time.monotonic() + within_s)
    except websocket.WebSocketException as error:
        raise CutShortError(f"{what}: the connection was cut ({error})") from error
    except OSError as error:
        raise CutShortError(f"{what}: {error}") from error
    finally:
        socket.close(timeout=1)


def _open(api: Api, path: str, query: Sequence[tuple[str, str]]) -> Any:
    import websocket
    from kubernetes.client.rest import should_bypass_proxies

    configuration = api.client.configuration
    options: dict[str, Any] = {
        "subprotocols": _PROTOCOLS,
        "header": [f"{key}: {value}" for key, value in api.headers().items()],
        "timeout": api.timeout_s,
        "redirect_limit": 0,
    }
    proxy = urlsplit(configuration.proxy or "")
    if proxy.hostname and not should_bypass_proxies(api.host, configuration.no_proxy or ""):
        options |= {
            "http_proxy_host": proxy.hostname,
            "http_proxy_port": proxy.port or 80,
            "proxy_type": "http",
        }
        if proxy.username:
            options["http_proxy_auth"] = (proxy.username, proxy.password or "")
    else:
        options["http_no_proxy"] = ["*"]
    socket = websocket.WebSocket(sslopt=_trust(configuration), skip_utf8_validation=True)
    api.breaker.add(socket)
    socket.connect(f"ws{api.host.removeprefix('http')}{path}?{urlencode(query)}", **options)
    return socket


def _trust(configuration: Any) -> dict[str, Any]:
    """What the REST client was told of certificates, in websocket-client's words."""
    trust: dict[str, Any] = {"cert_reqs": ssl.CERT_REQUIRED if configuration.verify_ssl else ssl.CERT_NONE}
    if not configuration.verify_ssl or configuration.assert_hostname is False:
        trust["check_hostname"] = False
    for ours, theirs in (
        ("ssl_ca_cert", "ca_certs"),
        ("cert_file", "certfile"),
        ("key_file", "keyfile"),
        ("tls_server_name", "server_hostname"),
    ):
        if value := getattr(configuration, ours, None):
            trust[theirs] = value
    return trust


def _read(
    api: Api, socket: Any, sink: Callable[[bytes], None], what: str, limit: int, until: float
) -> Finished:
    import websocket

    size = 0
    stderr = bytearray()
    while True:
        left = min(until, api.deadline) - time.monotonic()
        if left <= 0:
            raise CutShortError(f"{what}: not at its end in time")
        socket.settimeout(min(left, _LOOK_UP_S))
        try:
            opcode, data = socket.recv_data()
        except websocket.WebSocketTimeoutException:
            continue
        if opcode == websocket.ABNF.OPCODE_CLOSE:
            raise CutShortError(f"{what}: the connection ended without a result")
        if not data:
            continue
        channel, body = data[0], data[1:]
        if channel == _STDOUT:
            sink(body[: limit - size])
            size += len(body)
            if size > limit:
                raise CutShortError(f"{what}: longer than {limit} bytes")
        elif channel == _STDERR:
            stderr += body[: _MAX_STDERR - len(stderr)]
        elif channel == _RESULT:
            return _finished(body, bytes(stderr).decode("utf-8", "replace"), what)


def _finished(body: bytes, stderr: str, what: str) -> Finished:
    try:
        result = msgspec.json.decode(body, type=_Result)
    except msgspec.MsgspecError as error:
        raise ApiError(f"{what}: no result that can be read") from error
    if result.status == "Success":
        return Finished(0, stderr)
    for cause in result.details.causes if result.details is not None else ():
        if cause.reason == "ExitCode" and is_digits(cause.message):
            return Finished(whole(cause.message), stderr)
    raise ApiError(f"{what}: {result.message[:300] or 'it could not be run'}")
