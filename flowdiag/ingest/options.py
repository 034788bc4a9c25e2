"""How inputs are read; the command line fills it through `flowdiag.analysis`."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, tzinfo

from msgspec import Struct, field

__all__ = ["ListedEvents", "ReadOptions", "StateSniff"]

StateSniff = Callable[[bytes], float]
"""How surely a head is cluster objects, 0 to 1; given by the room above that knows manifests."""


ListedEvents = Callable[[bytes], tuple[dict[str, list[bytes]], bool]]
"""The records among an input of cluster objects by what they are called, a line each, and whether it holds nothing else;
given by the same room."""


class ReadOptions(Struct, frozen=True, kw_only=True):
    """Defaults read everything and detect formats."""

    format: str | None = None
    """A parser's name, taken for every input that is not cluster objects."""
    zone: tzinfo = UTC
    """What stamps without a zone are in."""
    year: int | None = None
    """The year of stamps without one."""
    only_denied: bool = False
    """Skip lines unread that cannot be refused traffic, where the parser promises to know them."""
    keep_raw: bool = False
    """Events keep the record's text; folding never needs it."""
    since: int | None = None
    """Fold no flow record before it, nanoseconds; those without a time are folded."""
    until: int | None = None
    """As `since`, of records after it."""
    processes: int | None = None
    """Worker processes; ``None`` decides by size, 1 stays in this process."""
    scheduler: str | None = None
    """Address of a Dask scheduler whose workers read instead."""
    state_sniff: StateSniff | None = None
    listed_events: ListedEvents | None = None
    pod_nodes: dict[str, str] = field(default_factory=dict)
    """Pods in their node's network to that node, for lines that a wrapper says are of such a pod's log."""
    endpoint_ids: dict[str, dict[int, str]] = field(default_factory=dict)
    """Node name to its Cilium endpoint ids, where the state has them."""
