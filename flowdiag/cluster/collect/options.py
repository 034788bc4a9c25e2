"""What a collection is asked for, and its bounds."""

from __future__ import annotations

from datetime import datetime

from msgspec import Struct

from flowdiag.cluster.live.options import ClusterOptions

__all__ = ["NO_ROOM", "CollectOptions", "stamp"]

NO_ROOM = "out of room (--max-size)"


class CollectOptions(Struct, frozen=True, kw_only=True):
    """What is collected, and how much of it at most."""

    cluster: ClusterOptions
    """Its namespaces, if any, are the only ones of which namespaced objects are read."""
    since_s: int = 3600
    max_bytes: int = 1 << 30
    """Of everything, before it is compressed."""
    max_file: int = 64 << 20
    within_s: float = 600.0
    skip: tuple[str, ...] = ()
    """Of ``flows``, ``logs``, ``files``."""
    full: bool = False
    """Whole objects, but for values of environment variables."""


def stamp(moment: datetime) -> str:
    """An instant as a bundle writes it: RFC 3339, UTC, whole seconds."""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
