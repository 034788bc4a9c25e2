"""Errors of requests to an API server."""

from __future__ import annotations

import re
from typing import Any

import msgspec

from flowdiag.model.errors import ClusterError

__all__ = [
    "ApiError",
    "CutShortError",
    "ExpiredError",
    "ForbiddenError",
    "LostError",
    "NotServedError",
    "TimedOutError",
    "UnauthorizedError",
    "UnreachableError",
    "answered",
    "said",
]

_MAX_TEXT = 400


class ApiError(ClusterError):
    """One request failed, others may not; `status` is the HTTP status, 0 where there was none."""

    status: int = 0

    def __init__(self, message: str, *, hint: str = "", status: int | None = None) -> None:
        super().__init__(message, hint=hint)
        if status is not None:
            self.status = status


class LostError(ClusterError):
    """No further request can succeed, so there is no use in going on."""


class UnreachableError(LostError):
    """No connection, or no trust."""


class UnauthorizedError(LostError):
    """The credentials are not accepted."""


class CutShortError(ApiError):
    """The answer began and did not end within its bounds."""


class TimedOutError(ApiError):
    """The server took the request and kept silent."""


class ForbiddenError(ApiError):
    """The user may not do this."""

    status = 403


class NotServedError(ApiError):
    """There is no such thing here."""

    status = 404


class ExpiredError(ApiError):
    """The continue token is too old: the list must begin anew."""

    status = 410


_BY_STATUS: dict[int, type[ApiError]] = {403: ForbiddenError, 404: NotServedError, 410: ExpiredError}


class _Status(msgspec.Struct):
    """``meta/v1 Status``, as far as it is read."""

    kind: str = ""
    message: str = ""
    reason: str = ""


def answered(status: int, body: bytes, what: str) -> ClusterError:
    """The error for an answer with a status that is none of success.

    Args:
        status: of HTTP.
        body: a Status object, or whatever a proxy in between wrote.
        what: the request, for the message.
    """
    text = said(body)
    message = f"{what}: {text or 'no reason given'} (HTTP {status})"
    if status == 401:
        return UnauthorizedError(message, hint="are the credentials still valid? kubectl auth whoami")
    return _BY_STATUS.get(status, ApiError)(message, status=status)


def said(body: bytes) -> str:
    """The message of a Status, or the first words of anything else, printable and short."""
    try:
        status: Any = msgspec.json.decode(body, type=_Status)
        text = status.message or status.reason
    except msgspec.MsgspecError:
        text = "" if body[:200].lstrip().startswith(b"<") else body[:_MAX_TEXT].decode("utf-8", "replace")
    text = "".join(c if c.isprintable() else " " for c in text)
    return re.sub(r" {2,}", " ", text).strip()[:_MAX_TEXT]
