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
    """An address without what may be secret in it; a path as it is."""
    if not is_url(address):
        return address
    scheme, _, rest = address.partition("://")
    host, slash, path = re.split("[?#]", rest, maxsplit=1)[0].partition("/")
    host = host.rpartition("@")[2]
    # What looks like no host and port may be a password that holds a slash.
    return f"{scheme}://{host}{slash}{path}" if _HOST.fullmatch(host) else f"{scheme}://(unreadable)"
