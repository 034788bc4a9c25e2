"""Addresses as they may be shown: without user, password, query and fragment."""

from __future__ import annotations

from urllib.parse import urlsplit, urlunsplit

__all__ = ["is_url", "shown"]


def is_url(text: str) -> bool:
    """Whether it is an address rather than a path: ``s3://bucket/reports``."""
    return "://" in text


def shown(address: str) -> str:
    """An address without what may be secret in it; a path as it is."""
    if not is_url(address):
        return address
    try:
        parts = urlsplit(address)
    except ValueError:
        return f"{address.partition('://')[0]}://(unreadable)"
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))
