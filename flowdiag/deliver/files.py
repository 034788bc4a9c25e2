"""Writing files so that each is there as a whole, or not at all."""

from __future__ import annotations

import errno
import os
import shlex
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from flowdiag.model.errors import FlowdiagError
from flowdiag.model.interrupts import held_back

__all__ = ["CannotWriteError", "GrowingFile", "check_no_input", "check_writable", "write_file"]


class CannotWriteError(FlowdiagError):
    """A file or object cannot be written."""

    code = "usage"


def check_writable(path: str) -> None:
    """Say before the work what would be in the way of `write_file` after it, as far as can be known.

    Raises:
        CannotWriteError: the folder is missing or read-only, or the path is a folder.
    """
    target = Path(path)
    try:
        folder, special, there = (
            target.is_dir(),
            target.exists() and not target.is_file(),
            target.parent.is_dir(),
        )
    except OSError as error:
        # A folder on the way to it may not be entered.
        raise CannotWriteError(f"{path}: {error.strerror or error}", hint="is the folder yours?") from error
    if folder:
        raise CannotWriteError(f"{path}: this is a folder", hint="name a file in it")
    if special:
        place = target  # a pipe or a device is written to itself
    else:
        place = target.parent
        if not there:
            raise CannotWriteError(
                f"{path}: there is no folder {place}", hint=f"mkdir -p {shlex.quote(str(place))}"
            )
    if not os.access(place, os.W_OK):
        raise CannotWriteError(
            f"{path}: {place} cannot be written to", hint="is it yours, and not read-only?"
        )


def check_no_input(path: str, inputs: Iterable[str]) -> None:
    """Keep evidence and cluster objects from being replaced by what is made of them.

    Args:
        path: where something is to be written.
        inputs: names of what is read, of archives' members too (``bundle.tar.gz!pods.json``).

    Raises:
        CannotWriteError: it is one of the inputs.
    """
    target = Path(path)
    there = target.stat() if target.exists() else None
    if there is not None and not target.is_file():
        return  # a device or a pipe
    place = target.absolute()
    for one in {name for given in inputs for name in (given, given.partition("!")[0])}:
        with suppress(OSError, ValueError):
            # What both name need not be there yet: a history.
            if Path(one).absolute() == place or (
                there is not None and os.path.samestat(Path(one).stat(), there)
            ):
                raise CannotWriteError(
                    f"{path}: this is an input, and would be replaced", hint="name another file"
                )


def write_file(path: str, content: str | bytes) -> None:
    """Write whole or not at all: a reader never sees half a report.

    Raises:
        CannotWriteError: the file cannot be written.
    """
    file = GrowingFile(path)
    try:
        file.write(content.encode("utf-8", "backslashreplace") if isinstance(content, str) else content)
        file.keep()
    finally:
        file.drop()


class GrowingFile:
    """A file that is written piece by piece, and is there once all of it is: `keep`, else `drop`.

    Args:
        path: its name.  A pipe or a device takes what is written as it comes.
    """

    def __init__(self, path: str) -> None:
        self._path, self._target = path, Path(path)
        self._made: Path | None = None
        self._stream: BinaryIO | None = None

    def write(self, data: bytes) -> None:
        """Add to it.

        Raises:
            CannotWriteError: it cannot be written.
        """
        with self._told():
            self._opened().write(data)

    def keep(self) -> None:
        """Put the file in its place; it replaces what was there before.

        Raises:
            CannotWriteError: it cannot be written.
        """
        with self._told():
            self._opened().close()
            if self._made is None:
                return
            mask = os.umask(0)
            os.umask(mask)
            self._made.chmod(0o666 & ~mask)
            self._made.replace(self._target)
            self._made = None

    def drop(self) -> None:
        """Leave what was there before; nothing after `keep`."""
        with suppress(OSError):
            if self._stream is not None:
                self._stream.close()
        with suppress(OSError):
            if self._made is not None:
                self._made.unlink()
        self._made = None

    def _opened(self) -> BinaryIO:
        if self._stream is None and self._target.exists() and not self._target.is_file():
            self._stream = self._target.open("wb")
        elif self._stream is None:
            # Not before somebody can drop it.
            with held_back():
                handle, name = tempfile.mkstemp(dir=self._target.parent, prefix=f".{self._target.name}.")
                self._made = Path(name)
            self._stream = os.fdopen(handle, "wb")
        return self._stream

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            full = error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
            hint = "make room, or name a file elsewhere" if full else "is the folder there, and writable?"
            raise CannotWriteError(f"{self._path}: {error.strerror or error}", hint=hint) from error
