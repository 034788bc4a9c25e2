"""Files that are read as a whole: how much of one is taken."""

from __future__ import annotations

import sys
from pathlib import Path

from flowdiag.model.errors import InputError

__all__ = ["read_whole"]


def read_whole(name: str, most: int) -> bytes:
    """What a file holds, or standard input for ``-``.

    Args:
        name: the file.
        most: bytes; a device or a pipe may never end.

    Raises:
        InputError: it holds more.
        OSError: it cannot be read.
    """
    if name == "-":
        data = sys.stdin.buffer.read(most + 1)
    else:
        with Path(name).open("rb") as stream:
            data = stream.read(most + 1)
    if len(data) > most:
        raise InputError(f"{name}: larger than {most >> 20} MiB")
    return data
