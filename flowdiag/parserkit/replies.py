"""Whether a record that does not say so is of a reply: by its TCP flags and its ports."""

from __future__ import annotations

__all__ = ["TCP_FLAGS", "flag_bits", "flags_of_letters", "looks_like_reply", "port_kind", "port_kinds"]

TCP_FLAGS: tuple[str, ...] = ("FIN", "SYN", "RST", "PSH", "ACK", "URG", "ECE", "CWR", "NS")
"""Flags in the order of their bits in `Lane.flags`."""

_LETTERS = {
    "S": "SYN",
    "A": "ACK",
    ".": "ACK",
    "P": "PSH",
    "U": "URG",
    "F": "FIN",
    "R": "RST",
    "E": "ECE",
    "W": "CWR",
}
"""As tcpdump writes them (its ACK is the dot), and NSX."""
_BITS = {flag: 1 << number for number, flag in enumerate(TCP_FLAGS)}
_SYN, _SYN_ACK = _BITS["SYN"], _BITS["SYN"] | _BITS["ACK"]

_EPHEMERAL = 32_768
"""First port that Linux gives to clients (``net.ipv4.ip_local_port_range``)."""

# Ports below 1024, and those that servers in clusters usually listen on above it.
_SERVICE_PORTS = frozenset(
    {1433, 1521, 2049, 2379, 2380, 3000, 3100, 3306, 4222, 4317, 4318, 5000, 5432, 5671, 5672, 6379, 6443}
    | {7000, 7946, 8000, 8080, 8081, 8086, 8443, 8472, 8500, 8888, 9000, 9042, 9090, 9092, 9093, 9100}
    | {9153, 9200, 9300, 9443, 10250, 10255, 10256, 11211, 15012, 15017, 15021, 27017}
)


def flags_of_letters(letters: str) -> tuple[str, ...] | None:
    """TCP flags by their letters, as in ``S.`` or ``SEW``; other letters are left out, ``None`` where none is left."""
    return tuple(_LETTERS[letter] for letter in letters if letter in _LETTERS) or None


def flag_bits(flags: tuple[str, ...] | None) -> int:
    """Bits of TCP flags by name, any case; names that are none count nothing."""
    bits = 0
    for flag in flags or ():
        bits |= _BITS.get(flag.upper(), 0)
    return bits


def looks_like_reply(flags: int, source_port: int | None, destination_port: int | None) -> bool:
    """Whether a record that does not say so is of a reply: it goes back to a client.

    Hubble leaves ``is_reply`` out of drops, and a dropped reply then reads as a connection to a client's
    port.  SYN and ACK together are a server's answer; a SYN alone never is one; else a well-known
    source port and an ephemeral destination port tell.

    Args:
        flags: as `flag_bits` gives them, 0 where there are none or none are known.
        source_port: as recorded.
        destination_port: as recorded.
    """
    handshake = flags & _SYN_ACK
    if handshake == _SYN_ACK:
        return True
    if handshake == _SYN or source_port is None or destination_port is None:
        return False
    return destination_port >= _EPHEMERAL and (0 < source_port < 1024 or source_port in _SERVICE_PORTS)


def port_kind(port: int) -> int:
    """The kind of a port: `looks_like_reply` gives the same answer for any two ports of one kind."""
    if port > 65_535:
        return 4
    if port >= _EPHEMERAL:
        return 3
    if port == 0:
        return 0
    return 1 if port < 1024 or port in _SERVICE_PORTS else 2


def port_kinds() -> bytes:
    """Give `port_kind` for every port, by its number.  Only spans and servers' ports are asked for: all of them take 5 ms."""
    kinds = bytearray(65_536)
    for begin, end in ((0, 1), (1, 1024), (1024, _EPHEMERAL), (_EPHEMERAL, 65_536)):
        kinds[begin:end] = bytes([port_kind(begin)]) * (end - begin)
    for port in _SERVICE_PORTS:
        kinds[port] = port_kind(port)
    return bytes(kinds)
