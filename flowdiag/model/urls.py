"""Addresses as they may be shown: without user, password, query and fragment."""

from __future__ import annotations

import re

__all__ = ["is_url", "shown"]

# bucket, pushgateway:9091, [2001:db8::1]:9091
_HOST = re.compile(r"(?:[^:\[\]]*|\[[0-9A-Fa-f:.%]*\])(?::[0-9]*)?")


def is_url(text: str) -> bool:
    """Whether it is an address rather than a path: ``s3://bucket/reports``."""
    return "://" in text


def shown(address: str) -> str:
    """Give an address without the parts that may be secret; a path stays as it is."""
    if not is_url(address):
        return address
    scheme, _, rest = address.partition("://")
    host, slash, path = re.split("[?#]", rest, maxsplit=1)[0].partition("/")
    host = host.rpartition("@")[2]
    # If it does not look like a host and port, it may be a password with a slash in it.
    return f"{scheme}://{host}{slash}{path}" if _HOST.fullmatch(host) else f"{scheme}://(unreadable)"
