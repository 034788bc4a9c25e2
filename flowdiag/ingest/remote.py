"""Objects in buckets and on servers, through fsspec: listed, and read by byte range where they lie.

``s3://bucket/prefix``, ``gs://...`` and ``az://...`` name an object or all objects under a prefix; fsspec knows
more schemes, and each takes its credentials from where its own tools look for them (environment, profile,
instance role).
"""

from __future__ import annotations

import errno
import io
import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, BinaryIO, TypeVar, cast

from msgspec import Struct

from flowdiag.ingest.problems import InputProblem
from flowdiag.model.interrupts import awaited
from flowdiag.model.urls import shown

__all__ = ["RemoteError", "RemoteObject", "at_once", "is_remote", "listing", "open_raw", "why_cut"]

_SCHEME = re.compile(r"([a-z][a-z0-9+.-]{1,20})://")
_BLOCK_BYTES = 8 << 20
"""Bytes a request asks for; what is read on behind them is asked for with them."""
_BUFFER_BYTES = 1 << 17
_AT_ONCE = 16
"""Requests at a time; many, since they wait for the network and not for the processor."""
_LIBRARIES = {"s3": "s3fs", "s3a": "s3fs", "gs": "gcsfs", "gcs": "gcsfs", "az": "adlfs", "abfs": "adlfs"}
_CREDENTIALS = {
    "s3": "set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (and AWS_ENDPOINT_URL for a server "
    "that is not Amazon's)",
    "gs": "run gcloud auth application-default login, or set GOOGLE_APPLICATION_CREDENTIALS",
    "az": "set AZURE_STORAGE_ACCOUNT_NAME and AZURE_STORAGE_ACCOUNT_KEY, or AZURE_STORAGE_CONNECTION_STRING",
}
_ELSEWHERE = "download it, and name the file"
"""What helps with an address that is no bucket's: fsspec may know its scheme, and what its errors mean is not known here."""
_BROKEN = frozenset({"ClientPayloadError", "HTTPClientError", "ServiceRequestError", "ServiceResponseError"})
"""What aiohttp (under s3fs and gcsfs), botocore and azure-core raise when a connection ends too soon, or says nothing."""
_ALIASES = {"s3a": "s3", "gcs": "gs", "abfs": "az", "abfss": "az"}

T = TypeVar("T")
R = TypeVar("R")


class RemoteObject(Struct, frozen=True):
    """One object."""

    url: str
    size: int


class RemoteError(OSError):
    """An object store does not give what is asked of it; `strerror` says why and what to do.

    Args:
        code: of the `InputProblem` that comes of it.
        message: words.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(0, message)
        self.code = code

    def problem(self, path: str) -> InputProblem:
        """As a value, without what may be secret in the address."""
        named = shown(path)
        return InputProblem(named, self.code, (self.strerror or "").replace(path, named))


def is_remote(path: str) -> bool:
    """Whether a path names something behind a scheme."""
    return _SCHEME.match(path) is not None


def open_raw(path: str, *, listed: int | None = None) -> BinaryIO:
    """A file or an object for reading, as stored; it can be sought.

    Args:
        path: where.
        listed: bytes that an object had when it was listed: one of which ranges are read must be that one still.

    Raises:
        OSError: it cannot be opened; `RemoteError` for what is behind a scheme.
    """
    if not is_remote(path):
        return cast("BinaryIO", Path(path).open("rb"))
    try:
        files, inner = _files(path)
        raw = files.open(inner, "rb", block_size=_BLOCK_BYTES, cache_type="readahead")
    except Exception as error:
        raise _said(error, path) from error
    if listed is not None and raw.size != listed:
        raw.close()
        raise RemoteError(
            "unreadable",
            f"it had {listed:,} bytes when it was listed and has {raw.size:,} now: it is still written to; "
            "read it when it rests",
        )
    # fsspec's own readline takes no limit.
    return io.BufferedReader(_Object(raw, path), _BUFFER_BYTES)


class _Object(io.RawIOBase):
    """An object that is read: the libraries' errors of the network are no OSError, and readers know what to do with one."""

    def __init__(self, file: Any, url: str) -> None:
        self._file = file
        self._url = url

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        return int(self._file.seek(offset, whence))

    def tell(self) -> int:
        return int(self._file.tell())

    def readinto(self, buffer: Any, /) -> int:
        try:
            data = self._file.read(len(buffer))
        except OSError:
            raise
        except Exception as error:
            raise _said(error, self._url) from error
        buffer[: len(data)] = data
        return len(data)

    def close(self) -> None:
        self._file.close()
        super().close()


def listing(url: str) -> list[RemoteObject]:
    """The object that `url` names, or all below it as a prefix, sorted; hidden and empty ones left out.

    Raises:
        RemoteError: there is nothing, or it cannot be asked for.
    """
    try:
        files, inner = _files(url)
        found = files.find(inner.rstrip("/"), detail=True)
        if not found:
            files.info(inner.rstrip("/"))  # tells whether it is the bucket that does not exist
    except Exception as error:
        raise _said(error, url) from error
    top = len(inner.rstrip("/"))
    objects = [
        RemoteObject(files.unstrip_protocol(name), int(info.get("size") or 0))
        for name, info in sorted(found.items())
        if info.get("type") == "file" and not any(part.startswith(".") for part in name[top:].split("/"))
    ]
    kept = [one for one in objects if one.size]
    if not kept:
        raise RemoteError("missing", "no object there has content; look at what the prefix holds")
    return kept


def at_once(ask: Callable[[T], R], things: Sequence[T], paths: Iterable[str]) -> list[R]:
    """``[ask(thing) for thing in things]``, several at a time where any of `paths` is behind a network."""
    if len(things) < 2 or not any(is_remote(path) for path in paths):
        return [ask(thing) for thing in things]
    # It brings logging with it, which nobody else of a run has use for.
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(_AT_ONCE) as threads:
        futures = [threads.submit(ask, thing) for thing in things]
        try:
            return [awaited(future) for future in futures]
        except BaseException:
            for future in futures:
                future.cancel()
            raise


def _files(url: str) -> tuple[Any, str]:
    """The store and the path inside it."""
    from fsspec.core import url_to_fs

    files, inner = url_to_fs(url)
    return files, str(inner)


def _said(error: Exception, url: str) -> RemoteError:
    """What an object store's library raised, as what happened and what to do."""
    if isinstance(error, RemoteError):
        return error
    match = _SCHEME.match(url)
    scheme = match[1] if match else ""
    family = _ALIASES.get(scheme, scheme)
    names = {kind.__name__ for kind in type(error).__mro__}
    text = " ".join(str(error).split())[:300]
    if isinstance(error, ImportError) or "Protocol not known" in text:
        if family not in _CREDENTIALS and "Protocol not known" in text:
            return RemoteError(
                "missing-extra", f"nothing here reads {scheme}://; s3://, gs:// and az:// are known"
            )
        library = _LIBRARIES.get(scheme, "fsspec")
        return RemoteError(
            "missing-extra",
            f'reading {scheme}:// needs {library}, which is not installed: pip install "flowdiag[remote]"',
        )
    ways = _CREDENTIALS.get(family, _ELSEWHERE)
    if names & {
        "NoCredentialsError",
        "PartialCredentialsError",
        "CredentialRetrievalError",
        "ProfileNotFound",
    }:
        return RemoteError("no-permission", f"no credentials were found; {ways}")
    if isinstance(error, FileNotFoundError) and family not in _CREDENTIALS:
        return RemoteError("missing", f"nothing is there, or nobody answers; {_ELSEWHERE}")
    if isinstance(error, FileNotFoundError):
        return RemoteError(
            "missing", "no such bucket or object; check its name, and the account and region that are asked"
        )
    if isinstance(error, PermissionError) or "Forbidden" in names:
        return RemoteError(
            "no-permission", f"access is refused ({text}); the identity needs to list and read there; {ways}"
        )
    if names & {"EndpointConnectionError", "ConnectionError", "ClientConnectorError", "ConnectTimeoutError"}:
        return RemoteError(
            "unreadable", f"the store cannot be reached ({text}); check the network and its address"
        )
    if names & _BROKEN:
        return RemoteError("unreadable", f"the connection to the store broke ({text}); read it again")
    if isinstance(error, OSError) and error.errno == errno.EBUSY:
        return RemoteError(
            "unreadable",
            f"the store asks for fewer requests ({text}); try again later, or with fewer workers",
        )
    return RemoteError("unreadable", f"{type(error).__name__}: {text}; {ways}")


def why_cut(error: Exception) -> str:
    """What ended the reading of a file or an object, in words."""
    # s3fs asks for the version that it opened: "[Errno 16] The remote file corresponding to filename ... and Etag ... no longer exists."
    if isinstance(error, OSError) and error.errno == errno.EBUSY and "Etag" in str(error):
        return "the object was written anew meanwhile"
    if isinstance(error, RemoteError):
        return error.strerror or str(error)
    return str(error)
