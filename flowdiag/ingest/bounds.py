"""Bounds on what is unpacked.  The module that unpacks is only loaded for archives, so they are not in it."""

from __future__ import annotations

from msgspec import Struct

__all__ = ["Limits"]


class Limits(Struct, frozen=True, kw_only=True):
    """Bounds on what one command line's archives may unfold to."""

    members: int = 200_000
    ratio: int = 400
    """Unpacked to packed size of an archive; text logs stay below 60, DEFLATE ends at 1,032."""
    ratio_from: int = 256 << 20
    """Bytes below which the ratio is not looked at: small things cannot hurt."""
    total: int = 64 << 30
    """Bytes on disk over all archives."""

    def unfolds(self, unpacked: int, packed: int) -> bool:
        """Whether an archive of `packed` bytes gave more than a log would: `unpacked` so far."""
        return unpacked > self.ratio_from and unpacked > packed * self.ratio
