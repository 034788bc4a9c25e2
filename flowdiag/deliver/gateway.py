"""Metrics to a Prometheus Pushgateway.

One PUT replaces the group's metrics as a whole; the body is the text format, which the reporter makes.
Source: Pushgateway 1.x, README "API".
"""

from __future__ import annotations

from urllib.parse import unquote, urlsplit, urlunsplit

from flowdiag.model.errors import UsageError
from flowdiag.model.urls import shown

__all__ = ["check_gateway", "push"]

_TIMEOUT_S = 10.0
_TRIES = 3
_JOB = "/metrics/job/flowdiag"


def check_gateway(address: str) -> None:
    """Say at the beginning what would fail at the end.

    Raises:
        UsageError: it is no address of the web.
    """
    wrong = _no_address(address)
    if wrong is not None:
        raise UsageError(f"--pushgateway {wrong}", hint="write http://pushgateway:9091")


def _no_address(address: str) -> str | None:
    try:
        parts = urlsplit(address)
    except ValueError:
        return f"{shown(address)}: not an address"
    if parts.scheme not in ("http", "https") or not parts.netloc.rpartition("@")[2]:
        return f"{shown(address)}: not an http or https address"
    return None


def push(address: str, exposition: str) -> str | None:
    """Put metrics.

    Args:
        address: ``http://pushgateway:9091``, or with the group of one's own:
            ``http://pushgateway:9091/metrics/job/flowdiag/cluster/blue``; user and password may stand in it.
        exposition: the text format.

    Returns:
        A sentence on why it failed, ``None`` if it did not.
    """
    import urllib3
    from urllib3.exceptions import HTTPError, LocationValueError, MaxRetryError

    wrong = _no_address(address)
    if wrong is not None:
        return wrong
    parts = urlsplit(address)
    host = parts.netloc.rpartition("@")[2]
    path = parts.path if "/metrics/job" in parts.path else parts.path.rstrip("/") + _JOB
    headers = {"Content-Type": "text/plain; version=0.0.4; charset=utf-8"}
    if parts.username is not None:
        login = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        headers |= urllib3.make_headers(basic_auth=login)
    retries = urllib3.Retry(
        _TRIES, backoff_factor=0.3, status_forcelist=(429, 502, 503, 504), allowed_methods=None
    )
    try:
        with urllib3.PoolManager(timeout=_TIMEOUT_S, retries=retries) as pool:
            answer = pool.request(
                "PUT",
                urlunsplit((parts.scheme, host, path, parts.query, "")),
                body=exposition.encode(),
                headers=headers,
            )
    except MaxRetryError as error:
        return f"{shown(address)}: metrics could not be pushed: {_why(error.reason)}"
    except (HTTPError, LocationValueError) as error:
        return f"{shown(address)}: metrics could not be pushed: {_why(error)}"
    if answer.status >= 300:
        return f"{shown(address)}: metrics were refused with status {answer.status}"
    return None


def _why(error: Exception | None) -> str:
    """Say why in words, without the address, which the library's own text would repeat."""
    from urllib3.exceptions import NewConnectionError, ResponseError, SSLError
    from urllib3.exceptions import TimeoutError as NoAnswerError

    if isinstance(error, NewConnectionError):
        return "nobody answers there"
    if isinstance(error, NoAnswerError):
        return f"no answer within {_TIMEOUT_S:.0f} s"
    if isinstance(error, SSLError):
        return "the certificate or TLS version is not accepted"
    if isinstance(error, ResponseError):
        return str(error)
    return type(error).__name__
