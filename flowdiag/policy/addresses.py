"""Which of the policies' address ranges an address lies in, for any number of ranges at once.

Every range that any policy names gets a bit.  An address is looked up once per prefix length in use,
not once per range, and the answer is two bit sets: surely inside, and possibly inside (a range of
addresses that is only partly inside, or an end whose address is not known).
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import islice

from msgspec import Struct

from flowdiag.cluster.addresses import packed_ip
from flowdiag.policy.bitsets import packed

__all__ = ["Address", "Hits", "Network", "Places", "RangeTable", "families", "parse_address", "parse_network"]

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@lru_cache(maxsize=65536)
def parse_address(text: str) -> Address | None:
    """Read an address, IPv4-mapped IPv6 as IPv4; ``None`` for anything else."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address


def families(texts: Iterable[str]) -> dict[int, str]:
    """The first of these addresses of each family, by 4 and 6, in their order."""
    found: dict[int, str] = {}
    for text in texts:
        address = parse_address(text)
        if address is not None:
            found.setdefault(address.version, text)
    return found


@lru_cache(maxsize=65536)
def parse_network(text: str) -> Network:
    """Read a CIDR with host bits masked; a bare address is its own /32 or /128.

    Raises:
        ValueError: not a CIDR.
    """
    return ipaddress.ip_network(text.strip(), strict=False)


class Hits(Struct, frozen=True):
    """Bits of the ranges that contain an end for sure, and of those that may."""

    sure: int = 0
    maybe: int = 0


class Places(Struct, frozen=True):
    """Bits of some of the table's ranges, shifted so that the first of them is bit 0: small for one range, wherever it is.

    Unshifted, the bits of 100,000 ranges, each in an integer of its own, would take 600 MB.
    """

    first: int = 0
    bits: int = 0

    @property
    def whole(self) -> int:
        """The same bits at their places."""
        return self.bits << self.first

    def among(self, mask: int) -> int:
        """Give a number that is not 0 if any of them is in a mask."""
        return (mask >> self.first) & self.bits if mask else 0


class RangeTable:
    """The ranges of one policy set, and the lookup of addresses in them."""

    def __init__(self) -> None:
        # Places rather than bits; see `Places`.
        self._places: dict[Network, int] = {}
        self._bits: dict[int, int] = {}
        self._lengths: dict[int, dict[int, dict[int, int]]] = {4: {}, 6: {}}
        self._seen: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._places)

    def copy(self) -> RangeTable:
        """Give a table of its own with the same ranges at the same bits; more can be added to it."""
        other = RangeTable()
        other._places = dict(self._places)
        other._bits = dict(self._bits)
        other._lengths = {
            version: {length: dict(found) for length, found in lengths.items()}
            for version, lengths in self._lengths.items()
        }
        return other

    def networks(self, first: int) -> tuple[Network, ...]:
        """Give the ranges from a place on, in the order in which they were added."""
        return tuple(islice(self._places, first, None))

    def _place(self, network: Network) -> int:
        place = self._places.get(network)
        if place is None:
            place = self._places[network] = len(self._places)
            by_length = self._lengths[network.version].setdefault(network.prefixlen, {})
            shift = network.max_prefixlen - network.prefixlen
            by_length[int(network.network_address) >> shift] = place
            self._seen.clear()
        return place

    def bit(self, network: Network) -> int:
        """Give the range's bit (a power of two), the same for the same range, and one object for all who ask."""
        place = self._place(network)
        bit = self._bits.get(place)
        if bit is None:
            bit = self._bits[place] = 1 << place
        return bit

    def bits(self, networks: Sequence[Network]) -> int:
        """Give the bits of several ranges; linear in their number."""
        return self.bit(networks[0]) if len(networks) == 1 else self.places(networks).whole

    def places(self, networks: Sequence[Network]) -> Places:
        """Give the places of several ranges; linear in their number and in how far they stand apart."""
        places = [self._place(network) for network in networks]
        first = min(places, default=0)
        return Places(first, packed([place - first for place in places]))

    def of_address(self, text: str) -> int | None:
        """Bits of the ranges that hold the address; ``None`` if the text is no address."""
        known = self._seen.get(text)
        if known is not None:
            return known
        packed = packed_ip(text)
        if packed is None:
            return None
        bits = 0
        number, width = int.from_bytes(packed), 8 * len(packed)
        for length, networks in self._lengths[4 if width == 32 else 6].items():
            place = networks.get(number >> (width - length))
            if place is not None:
                bits |= 1 << place
        if len(self._seen) >= 1 << 20:
            self._seen.clear()
        self._seen[text] = bits
        return bits

    def of_range(self, network: Network) -> Hits:
        """Hits of a whole range of addresses: partly inside is only maybe."""
        sure = maybe = 0
        for other, place in self._places.items():
            if other.version != network.version:
                continue
            if other.overlaps(network):
                bit = 1 << place
                maybe |= bit
                if other.prefixlen <= network.prefixlen:
                    sure |= bit
        return Hits(sure, maybe)

    def everything(self) -> int:
        """Bits of all ranges: what an unknown address may lie in."""
        return (1 << len(self._places)) - 1

    def cuts(self, version: int) -> set[int]:
        """Addresses at which a range of this family begins or has just ended: between two, all lie in the same ranges."""
        edges: set[int] = set()
        for network in self._places:
            if network.version == version:
                first = int(network.network_address)
                edges.update((first, first + network.num_addresses))
        return edges
