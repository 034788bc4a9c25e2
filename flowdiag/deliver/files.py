"""Files that are whole or not there."""

from __future__ import annotations

import errno
import os
import shlex
import tempfile
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from flowdiag.model.errors import FlowdiagError
from flowdiag.model.interrupts import held_back

__all__ = ["CannotWriteError", "check_no_input", "check_writable", "write_file"]


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
    if target.exists() and not target.is_file():
        return  # a device or a pipe
    for name in inputs:
        for one in (Path(name), Path(name.partition("!")[0])):
            with suppress(OSError, ValueError):
                # What both name need not be there yet: a history.
                if one.absolute() == target.absolute() or one.samefile(target):
                    raise CannotWriteError(
                        f"{path}: this is an input, and would be replaced", hint="name another file"
                    )


def write_file(path: str, content: str | bytes) -> None:
    """Write whole or not at all: a reader never sees half a report.

    Raises:
        CannotWriteError: the file cannot be written.
    """
    target = Path(path)
    data = content.encode("utf-8", "backslashreplace") if isinstance(content, str) else content
    try:
        if target.exists() and not target.is_file():
            target.write_bytes(data)  # a pipe or a device takes it as it comes
            return
        name = ""
        try:
            with held_back():
                handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
            with os.fdopen(handle, "wb") as stream:
                stream.write(data)
            mask = os.umask(0)
            os.umask(mask)
            Path(name).chmod(0o666 & ~mask)
            Path(name).replace(target)
        except BaseException:
            with suppress(OSError):
                if name:
                    Path(name).unlink()
            raise
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
        hint = "make room, or name a file elsewhere" if full else "is the folder there, and writable?"
        raise CannotWriteError(f"{path}: {error.strerror or error}", hint=hint) from error
