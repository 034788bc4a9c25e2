"""Folders that reports are kept in: on disk, or whatever fsspec knows (``s3://``, ``gs://`` ...)."""

from __future__ import annotations

import errno
import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol

from flowdiag.deliver.files import CannotWriteError, write_file
from flowdiag.model.errors import UsageError
from flowdiag.model.urls import is_url, shown

__all__ = ["LocalPlace", "Place", "RemotePlace", "place_of"]


_STORES = {"s3", "s3a", "gs", "gcs", "abfs", "abfss", "az", "oci", "oss"}
"""Protocols of object stores, as fsspec calls them."""


class Place(Protocol):
    """A folder.  Names hold no slash; every call may raise `CannotWriteError`."""

    @property
    def key(self) -> str:
        """What the folder is known by in the history, without secrets."""
        ...

    def read(self, name: str) -> bytes | None:
        """The content, or ``None`` where there is no such file."""
        ...

    def write(self, name: str, data: bytes) -> None:
        """Write whole or not at all."""
        ...

    def delete(self, name: str) -> None:
        """Delete a file; one that is not there is no error."""
        ...


class LocalPlace:
    """A folder on disk, made if it is not there."""

    def __init__(self, path: Path) -> None:
        self._path = path.absolute()
        try:
            self._path.mkdir(parents=True, exist_ok=True)
        except FileExistsError as error:
            raise CannotWriteError(f"{path}: {os.strerror(errno.ENOTDIR)}") from error
        except OSError as error:
            raise CannotWriteError(f"{path}: {error.strerror or error}") from error

    @property
    def key(self) -> str:
        """See `Place.key`."""
        return str(self._path)

    def read(self, name: str) -> bytes | None:
        """See `Place.read`."""
        try:
            return (self._path / name).read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise CannotWriteError(f"{self._path / name}: {error.strerror or error}") from error

    def write(self, name: str, data: bytes) -> None:
        """See `Place.write`."""
        write_file(str(self._path / name), data)

    def delete(self, name: str) -> None:
        """See `Place.delete`."""
        try:
            with suppress(FileNotFoundError):
                (self._path / name).unlink()
        except OSError as error:
            raise CannotWriteError(f"{self._path / name}: {error.strerror or error}") from error

    def link(self, name: str, target: str) -> bool:
        """Point a symbolic link at another file of the folder; false where links cannot be made or it is none.

        The link is swapped by renaming, so that a reader finds the old one or the new one.
        """
        link = self._path / name
        if link.exists() and not link.is_symlink():
            return False
        fresh = self._path / f".{name}.{os.getpid()}"
        try:
            with suppress(FileNotFoundError):
                fresh.unlink()
            fresh.symlink_to(target)
            fresh.replace(link)
        except OSError:
            return False
        return True

    def linked(self, name: str) -> str | None:
        """Where a symbolic link of the folder points, ``None`` where it is none."""
        link = self._path / name
        return str(link.readlink()) if link.is_symlink() else None


class RemotePlace:
    """A folder that fsspec reaches."""

    def __init__(self, url: str) -> None:
        try:
            import fsspec
        except ImportError:
            raise UsageError(
                f"{shown(url)}: object storage needs another package", hint='pip install "flowdiag[remote]"'
            ) from None
        self._url = shown(url).rstrip("/")
        try:
            self._files, self._root = fsspec.url_to_fs(url.rstrip("/"))
            # Object stores have no folders, and making one there means making the bucket.
            if not _STORES & set(_protocols(self._files)):
                self._files.makedirs(self._root, exist_ok=True)
        except ImportError as error:
            raise UsageError(f"{self._url}: {error}", hint='pip install "flowdiag[remote]"') from None
        except ValueError as error:
            raise UsageError(f"{self._url}: not an address that fsspec knows") from error
        except storage_errors() as error:
            raise self._cannot(error) from error

    @property
    def key(self) -> str:
        """See `Place.key`."""
        return self._url

    def read(self, name: str) -> bytes | None:
        """See `Place.read`."""
        try:
            data: Any = self._files.cat_file(f"{self._root}/{name}")
        except FileNotFoundError:
            return None
        except storage_errors() as error:
            raise self._cannot(error) from error
        return bytes(data)

    def write(self, name: str, data: bytes) -> None:
        """See `Place.write`: object stores show an object when it is there as a whole."""
        try:
            self._files.pipe_file(f"{self._root}/{name}", data)
        except storage_errors() as error:
            raise self._cannot(error) from error

    def delete(self, name: str) -> None:
        """See `Place.delete`."""
        try:
            with suppress(FileNotFoundError):
                self._files.rm_file(f"{self._root}/{name}")
        except storage_errors() as error:
            raise self._cannot(error) from error

    def _cannot(self, error: BaseException) -> CannotWriteError:
        # The library's own text may hold the address as it was given.
        why = error.strerror if isinstance(error, OSError) else None
        return CannotWriteError(f"{self._url}: {why or type(error).__name__}")


def _protocols(files: Any) -> tuple[str, ...]:
    return (files.protocol,) if isinstance(files.protocol, str) else tuple(files.protocol)


def storage_errors() -> tuple[type[BaseException], ...]:
    """What the libraries behind fsspec raise besides `OSError`, of those that are loaded."""
    found: list[type[BaseException]] = [OSError]
    for module, name in (
        ("botocore.exceptions", "BotoCoreError"),
        ("botocore.exceptions", "ClientError"),
        ("aiohttp", "ClientError"),
        ("gcsfs.retry", "HttpError"),
        ("google.auth.exceptions", "GoogleAuthError"),
    ):
        kind = getattr(sys.modules.get(module), name, None)
        if isinstance(kind, type) and issubclass(kind, BaseException):
            found.append(kind)
    return tuple(found)


def place_of(target: str) -> Place:
    """The folder at a path or address.

    Raises:
        UsageError: nothing here can reach it.
        CannotWriteError: it cannot be made.
    """
    return RemotePlace(target) if is_url(target) else LocalPlace(Path(target))
