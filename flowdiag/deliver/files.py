"""Files that are whole or not there."""

from __future__ import annotations

import os
import tempfile
from contextlib import suppress
from pathlib import Path

from flowdiag.model.errors import FlowdiagError

__all__ = ["CannotWriteError", "write_file"]


class CannotWriteError(FlowdiagError):
    """A file or object cannot be written."""

    code = "usage"


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
        handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
        try:
            with os.fdopen(handle, "wb") as stream:
                stream.write(data)
            mask = os.umask(0)
            os.umask(mask)
            Path(name).chmod(0o666 & ~mask)
            Path(name).replace(target)
        except BaseException:
            with suppress(OSError):
                Path(name).unlink()
            raise
    except OSError as error:
        raise CannotWriteError(
            f"{path}: {error.strerror or error}", hint="is the folder there, and writable?"
        ) from error
