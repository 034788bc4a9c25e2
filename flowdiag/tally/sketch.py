"""How many ports and ends stand behind flows that were folded together."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["Sketch"]

_KEPT = 256
_FEW = 64
_SPACE = 1 << 64


class Sketch:
    """Exact ports (a bitmap) and the smallest hashes of the ends, from which their number is estimated.

    The estimate is exact up to 255 ends and within some 6 % beyond (k minimum values).
    """

    __slots__ = ("hashes", "ports")

    def __init__(self) -> None:
        self.ports = 0
        self.hashes: set[int] = set()

    @classmethod
    def of(cls, ports: bytes, hashes: list[int]) -> Sketch:
        """The sketch with these parts."""
        sketch = cls()
        sketch.ports = int.from_bytes(ports, "little")
        sketch.hashes = set(hashes)
        return sketch

    def ports_bytes(self) -> bytes:
        """The bitmap, least port first."""
        return self.ports.to_bytes((self.ports.bit_length() + 7) // 8, "little")

    def note(self, port: int | None, end: int | None) -> None:
        """Note a flow by its port, and by the 64-bit hash of the end that was folded away."""
        if port is not None and 0 <= port <= 65_535:
            self.ports |= 1 << port
        if end is not None:
            self.hashes.add(end)
            self._trim()

    def note_ports(self, ports: Sequence[int]) -> None:
        """Note flows with these ports; a number that is no port is left out."""
        if len(ports) < _FEW:
            for port in ports:
                self.note(port, None)
            return
        bits = bytearray(8192)
        for port in ports:
            if 0 <= port <= 65_535:
                bits[port >> 3] |= 1 << (port & 7)
        self.ports |= int.from_bytes(bits, "little")

    def note_ends(self, ends: Sequence[int]) -> None:
        """Flows with these hashes of ends."""
        self.hashes.update(ends)
        self._trim()

    def absorb(self, other: Sketch) -> None:
        """Union."""
        self.ports |= other.ports
        self.hashes |= other.hashes
        self._trim()

    def _trim(self) -> None:
        if len(self.hashes) > 4 * _KEPT:
            self.hashes = set(sorted(self.hashes)[:_KEPT])

    @property
    def port_count(self) -> int:
        """Distinct ports, exactly."""
        return self.ports.bit_count()

    @property
    def only_port(self) -> int | None:
        """The port, where there is one only."""
        return self.ports.bit_length() - 1 if self.ports.bit_count() == 1 else None

    @property
    def end_count(self) -> int:
        """About how many distinct ends."""
        smallest = sorted(self.hashes)[:_KEPT]
        if len(smallest) < _KEPT:
            return len(smallest)
        return round((_KEPT - 1) * _SPACE / smallest[-1])
