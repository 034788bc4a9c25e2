"""Addresses that are plainly public, told without `ipaddress`, whose objects and ranges take ten times as long."""

from __future__ import annotations

from socket import AF_INET, inet_pton

__all__ = ["is_plainly_public"]

# First octets of which some addresses are not public (IANA's registry of special-purpose IPv4 addresses), and
# multicast.
_SPECIAL = frozenset({0, 10, 100, 127, 169, 172, 192, 198, 203, *range(224, 256)})
_PUBLIC = frozenset(str(octet) for octet in range(256)) - {str(octet) for octet in _SPECIAL}


def is_plainly_public(text: str) -> bool:
    """Whether it is an IPv4 address whose first octet tells that everybody may reach it; false for some that are public."""
    if text.partition(".")[0] not in _PUBLIC:
        return False
    try:
        inet_pton(AF_INET, text)
    except (OSError, ValueError):
        return False
    return True
