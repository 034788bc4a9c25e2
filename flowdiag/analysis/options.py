"""What a caller can ask of a run.  The command line fills these from its options."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, tzinfo

from msgspec import Struct

from flowdiag.cluster.event_lists import listed_events
from flowdiag.cluster.live.options import ClusterOptions
from flowdiag.cluster.state_sniff import sniff_state
from flowdiag.ingest import ReadOptions
from flowdiag.model.policy import IpBlockPods

__all__ = ["EvidenceOptions", "Progress", "Selection", "Stage", "StateOptions", "read_options"]

Progress = Callable[[int, int | None, str], None]
"""Called with bytes done, bytes in all (if known) and the input at hand."""

Stage = Callable[[str | None], None]
"""Called with what begins to be done beside reading, and with ``None`` where that ends and no other begins."""


class EvidenceOptions(Struct, frozen=True, kw_only=True):
    """How inputs are read."""

    format: str | None = None
    """A parser's name, forced on every input; ``None`` detects."""
    zone: tzinfo = UTC
    """What times without a zone are in."""
    year: int | None = None
    only_denied: bool = False
    """Read refused traffic alone; the report's allowed total is then unknown."""
    processes: int | None = None
    """Worker processes; ``None`` decides by size."""
    scheduler: str | None = None
    """Address of a Dask scheduler, ``tcp://host:8786``, whose workers read the evidence."""
    checksum: bool = False


class StateOptions(Struct, frozen=True, kw_only=True):
    """Cluster objects beside the evidence, and how policies are read."""

    paths: tuple[str, ...] = ()
    live: ClusterOptions | None = None
    """Read them from this cluster besides, now; they win over those of the paths."""
    taken: int | None = None
    """When the objects were taken, nanoseconds."""
    dialect: str = "auto"
    ip_block_pods: IpBlockPods = IpBlockPods.AUTO


class Selection(Struct, frozen=True, kw_only=True):
    """Which part of the evidence counts.  Times are nanoseconds and inclusive."""

    since: int | None = None
    until: int | None = None
    namespaces: tuple[str, ...] = ()
    from_pod: str | None = None
    """``[namespace/]name`` of a pod or workload."""
    to_pod: str | None = None
    to_port: int | None = None
    protocol: str | None = None
    verdicts: tuple[str, ...] = ()

    @property
    def everything(self) -> bool:
        """Nothing is left out."""
        return self == Selection()


def read_options(
    evidence: EvidenceOptions, selection: Selection | None = None, *, keep_raw: bool = False
) -> ReadOptions:
    """What the reading room takes; it is told here what cluster objects look like."""
    return ReadOptions(
        format=evidence.format,
        zone=evidence.zone,
        year=evidence.year,
        only_denied=evidence.only_denied,
        keep_raw=keep_raw,
        since=None if selection is None else selection.since,
        until=None if selection is None else selection.until,
        processes=evidence.processes,
        scheduler=evidence.scheduler,
        state_sniff=sniff_state,
        listed_events=listed_events,
    )
