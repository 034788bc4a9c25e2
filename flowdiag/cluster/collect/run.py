"""One collection, from a cluster to an archive, bounded in time and size."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from flowdiag import __version__
from flowdiag.cluster.collect.bundle import Fate, Partial, Told
from flowdiag.cluster.collect.evidence import EvidenceItems, Progress
from flowdiag.cluster.collect.objects import EVENTS, Objects
from flowdiag.cluster.collect.options import CollectOptions, stamp
from flowdiag.cluster.collect.plan import components, plan
from flowdiag.cluster.live.api import Api
from flowdiag.cluster.live.connect import IN_CLUSTER, connect
from flowdiag.cluster.live.kinds import KINDS
from flowdiag.cluster.live.state import Outcome, Reading, all_refused, read_objects, rules
from flowdiag.model.errors import ClusterError

__all__ = ["SCHEMA", "Collected", "collect"]

SCHEMA = "flowdiag.bundle/1"
_PLANNED_BY = ("pods", "services")
"""Kinds that say what else there is to ask for: read again when a collection goes on."""

_OBJECTS = ("objects", "events")
_NO_HUBBLE = "Hubble is off: cilium-config has enable-hubble: false"
Stage = Callable[[str | None], None]


class Collected(Struct, frozen=True, kw_only=True):
    """What came of it."""

    archive: Path
    context: str | None
    """The kubeconfig's context that was used; ``None`` inside the cluster."""
    bytes: int
    fates: tuple[Fate, ...]
    rules: tuple[str, ...]
    """RBAC rules that were missing."""
    resumed: bool
    strange: tuple[str, ...] = ()
    """Namespaces that were asked for and that the cluster does not have."""


def collect(
    options: CollectOptions, archive: Path, progress: Progress | None = None, stage: Stage | None = None
) -> Collected:
    """Collect into `archive`, going on from an earlier collection that was interrupted.

    Args:
        options: which cluster, and what of it.
        archive: a ``.tar.gz``.
        progress: told the bytes that are there, and of what the last were.
        stage: told what is waited for that brings no bytes.

    Raises:
        UsageError: the archive cannot be written, or an unfinished collection asked for something else.
        ClusterError: the cluster cannot be reached or refuses everything; what was fetched is kept.
    """
    tell: Stage = stage or (lambda _: None)
    tell("asking the cluster for its objects")
    api = connect(options.cluster)
    run = _Run(api, options, Partial(archive, _told(api, options)), progress)
    try:
        readings = run.objects()
    except ClusterError:
        run.partial.drop_if_empty()
        raise
    if not run.partial.fates or all(one.outcome is not Outcome.READ for one in readings):
        run.partial.drop_if_empty()
        raise all_refused(api, readings)
    tell("asking for flows, logs and files")
    run.rest()
    tell("packing the archive")
    return run.finish()


def _told(api: Api, options: CollectOptions) -> Told:
    now = datetime.now(UTC)
    asked: dict[str, Any] = {
        "namespaces": list(options.cluster.namespaces),
        "as": options.cluster.as_user,
        "as_groups": list(options.cluster.as_groups),
        "as_uid": options.cluster.as_uid,
        "since_s": options.since_s,
        "max_bytes": options.max_bytes,
        "max_file": options.max_file,
        "skip": list(options.skip),
        "full": options.full,
    }
    return Told(SCHEMA, api.server, api.name, asked, stamp(now), now.strftime("%Y%m%d-%H%M%S"))


class _Run:
    def __init__(
        self, api: Api, options: CollectOptions, partial: Partial, progress: Progress | None
    ) -> None:
        self.api = api
        self.options = options
        self.partial = partial
        self._progress = progress or (lambda *_: None)
        self._until = api.deadline = time.monotonic() + options.within_s
        self._rules: list[str] = []
        self._objects = Objects(partial, options)

    def objects(self) -> list[Reading]:
        """Fetch every kind that is not there yet."""
        wanted = [
            kind
            for kind in (*KINDS, EVENTS)
            if kind.plural in _PLANNED_BY or not self.partial.done(kind.resource)
        ]
        only = bool(self.options.cluster.namespaces)
        readings = []
        for one in read_objects(self.api, wanted, namespaces=self.options.cluster.namespaces, only=only):
            readings.append(one)
            self._objects.keep(one)
            self._progress(self.partial.size, None, one.kind.resource)
        self._rules += rules(readings)
        self._objects.note_unread(readings)
        return readings

    def rest(self) -> None:
        """Fetch what lies beside objects."""
        objects = self._objects
        found = components(objects.pods) if objects.pods is not None else []
        items = plan(found, objects.services, self.options.skip, hubble=objects.hubble)
        if not objects.hubble and "flows" not in self.options.skip:
            self.partial.note(Fate("flows of Cilium's agents (Hubble)", "flows", "absent", reason=_NO_HUBBLE))
        EvidenceItems(
            self.api,
            self.partial,
            self.options,
            until=self._until,
            exported=objects.exported,
            progress=self._progress,
        ).fetch([one for one in items if not self.partial.done(one.what)])

    def finish(self) -> Collected:
        """Write the archive."""
        fates = tuple(sorted(self.partial.fates.values(), key=lambda one: (one.kind, one.what)))
        beside = (one.rule for one in fates if one.fate == "refused" and one.kind not in _OBJECTS)
        missing = tuple(dict.fromkeys((*self._rules, *beside)))
        if not any(one.kind == "logs" for one in fates) and "logs" not in self.options.skip:
            fates += (Fate("logs", "logs", "absent", reason="no CNI pods among the pods that may be read"),)
        manifest = msgspec.json.format(
            msgspec.json.encode(
                {
                    **msgspec.structs.asdict(self.partial.told),
                    "generator": f"flowdiag {__version__}",
                    "finished": stamp(datetime.now(UTC)),
                    "missing_rules": missing,
                    "items": fates,
                }
            ),
            indent=1,
        )
        size = self.partial.pack(manifest)
        return Collected(
            archive=self.partial.archive,
            context=None if self.api.name == IN_CLUSTER else self.api.name,
            bytes=size,
            fates=fates,
            rules=missing,
            resumed=self.partial.resumed,
            strange=self._strange(),
        )

    def _strange(self) -> tuple[str, ...]:
        there = self._objects.namespaces
        asked = self.options.cluster.namespaces
        return () if there is None else tuple(one for one in asked if one not in there)
