"""Credentials masked in what is copied from the cluster: logs, flows and Events hold what programs wrote there."""

from __future__ import annotations

from collections.abc import Callable

from flowdiag.model.masking import masked

__all__ = ["Masking", "masked_bytes"]

_LONGEST = 1 << 20
"""Bytes of a line that are kept until its end comes; of a longer one each such piece is looked at by itself."""


def masked_bytes(data: bytes) -> bytes:
    """Whole lines, of any encoding that ASCII is a part of; see `flowdiag.model.masking.masked`."""
    # Latin-1 gives every byte a character and takes it back.
    return masked(data.decode("latin-1")).encode("latin-1")


class Masking:
    """Writes what it is given as whole lines without credentials.

    Args:
        write: takes the bytes.
    """

    def __init__(self, write: Callable[[bytes], object]) -> None:
        self._write = write
        self._rest = bytearray()

    def __call__(self, data: bytes) -> None:
        """Take a piece of the stream."""
        self._rest += data
        whole = data.rfind(b"\n") + 1
        end = len(self._rest) - len(data) + whole if whole else len(self._rest)
        if whole or end > _LONGEST:
            self._write(masked_bytes(bytes(self._rest[:end])))
            del self._rest[:end]

    def end(self) -> None:
        """Write what came behind the last newline."""
        if self._rest:
            self._write(masked_bytes(bytes(self._rest)))
            self._rest.clear()
