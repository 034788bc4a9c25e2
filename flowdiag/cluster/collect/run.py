"""One collection, from a cluster to an archive, bounded in time and size."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event
from typing import Any

import msgspec
from msgspec import Struct
from urllib3.exceptions import HTTPError

from flowdiag import __version__
from flowdiag.cluster.collect.bundle import Fate, Item, Partial, Told
from flowdiag.cluster.collect.fetch import Bounds, fetch
from flowdiag.cluster.collect.plan import HubbleItem, LogItem, components, plan
from flowdiag.cluster.collect.strip import strip
from flowdiag.cluster.live.api import Api
from flowdiag.cluster.live.connect import connect
from flowdiag.cluster.live.errors import ApiError, CutShortError, ForbiddenError, NotServedError
from flowdiag.cluster.live.kinds import KINDS, Kind
from flowdiag.cluster.live.lists import Listed
from flowdiag.cluster.live.options import ClusterOptions
from flowdiag.cluster.live.state import (
    CONFIG_MAPS,
    Outcome,
    Reading,
    all_refused,
    read_objects,
    rules,
    said,
    unread,
)
from flowdiag.cluster.wanted import UNREAD_KINDS
from flowdiag.model.errors import ClusterError

__all__ = ["SCHEMA", "CollectOptions", "Collected", "collect"]

SCHEMA = "flowdiag.bundle/1"
_EVENTS = Kind("", "events", "Event", ("v1",))
_PLANNED_BY = ("pods", "services")
"""Kinds that say what else there is to ask for: read again when a collection goes on."""
_TOGETHER = 4
_NO_ROOM = "out of room (--max-size)"

Progress = Callable[[int, int | None, str], None]
Stage = Callable[[str | None], None]


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


class Collected(Struct, frozen=True, kw_only=True):
    """What came of it."""

    archive: Path
    bytes: int
    fates: tuple[Fate, ...]
    rules: tuple[str, ...]
    """RBAC rules that were missing."""
    resumed: bool


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
    return Told(SCHEMA, api.host, api.name, asked, _rfc3339(now), now.strftime("%Y%m%d-%H%M%S"))


def _rfc3339(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


class _StoppedError(Exception):
    """Another thread ended the run."""


class _Run:
    def __init__(
        self, api: Api, options: CollectOptions, partial: Partial, progress: Progress | None
    ) -> None:
        self.api = api
        self.options = options
        self.partial = partial
        self._progress = progress or (lambda *_: None)
        self._until = api.deadline = time.monotonic() + options.within_s
        self._stop = Event()
        self._refused: dict[tuple[str, str], str] = {}
        self._rules: list[str] = []
        self._pods: Listed | None = None
        self._services: Listed | None = None
        self._exported: str | None = None
        self._no_room: list[Kind] = []

    # --- objects ----------------------------------------------------------------------------------------

    def objects(self) -> list[Reading]:
        """Fetch every kind that is not there yet."""
        wanted = [
            kind
            for kind in (*KINDS, _EVENTS)
            if kind.plural in _PLANNED_BY or not self.partial.done(kind.resource)
        ]
        only = bool(self.options.cluster.namespaces)
        readings = []
        for one in read_objects(self.api, wanted, namespaces=self.options.cluster.namespaces, only=only):
            readings.append(one)
            self._keep(one)
            self._progress(self.partial.size, None, one.kind.resource)
        self._rules += rules(readings)
        self._note_unread(readings)
        return readings

    def _keep(self, reading: Reading) -> None:
        kind, listed = reading.kind, reading.listed
        if kind.group == "" and kind.plural == "pods":
            self._pods = listed
        elif kind.group == "" and kind.plural == "services":
            self._services = listed
        elif kind == CONFIG_MAPS and listed is not None:
            self._exported = _export_path(listed)
        sort = "events" if kind == _EVENTS else "objects"
        if listed is None:
            self.partial.note(
                Fate(
                    what=kind.resource,
                    kind=sort,
                    fate=_FATES[reading.outcome],
                    reason=reading.reason,
                    rule=next(iter(rules([reading])), ""),
                )
            )
            return
        path: str | None
        if kind == _EVENTS:
            path, data = "events/events.jsonl" if listed.items else None, self._lines(listed, kind)
        else:
            path, data = f"state/{kind.resource}.json", self._document(listed, kind)
        before = self.partial.fates.get(kind.resource)
        size = self.partial.size - (before.bytes if before is not None else 0) + len(data)
        if size > self.options.max_bytes:
            self._no_room.append(kind)
            self.partial.note(Fate(kind.resource, sort, "left", reason=_NO_ROOM))
            return
        if path is not None:
            self.partial.place(path).write_bytes(data)
        where = f"read in {', '.join(reading.namespaces)} alone" if reading.namespaces is not None else ""
        self.partial.note(
            Fate(
                what=kind.resource,
                kind=sort,
                fate="collected",
                path=path,
                bytes=len(data),
                count=len(listed.items),
                at=_rfc3339(datetime.now(UTC)),
                reason="; ".join(text for text in (where, reading.reason) if text),
                rule=next(iter(rules([reading])), ""),
            )
        )

    def _note_unread(self, readings: Sequence[Reading]) -> None:
        """Lay beside the objects which kinds are missing: who reads them must not take them for absent."""
        path = "state/unread.json"
        texts = list(said(readings))
        if self._no_room:
            texts.append(f"{', '.join(one.resource for one in self._no_room)}: {_NO_ROOM}")
        if not texts:
            self.partial.fates.pop("unread", None)
            return
        group, kind = UNREAD_KINDS
        note = {
            "apiVersion": f"{group}/v1",
            "kind": kind,
            "metadata": {"name": "unread"},
            "spec": {
                "kinds": [
                    {"group": one.group, "kind": one.kind} for one in (*unread(readings), *self._no_room)
                ],
                "messages": texts,
            },
        }
        data = msgspec.json.encode(note)
        self.partial.place(path).write_bytes(data)
        self.partial.note(Fate("unread", "note", "collected", path=path, bytes=len(data)))

    def _document(self, listed: Listed, kind: Kind) -> bytes:
        items = (msgspec.Raw(msgspec.json.encode(one)) for one in self._stripped(listed, kind))
        return Listed(tuple(items), listed.api_version, listed.list_kind).document()

    def _lines(self, listed: Listed, kind: Kind) -> bytes:
        """Each object on a line of its own, and saying what it is: Events are evidence, not state."""
        head = {"kind": kind.kind, "apiVersion": listed.api_version}
        return b"".join(msgspec.json.encode(head | one) + b"\n" for one in self._stripped(listed, kind))

    def _stripped(self, listed: Listed, kind: Kind) -> Iterator[dict[str, Any]]:
        for raw in listed.items:
            yield strip(msgspec.json.decode(raw), kind.kind, full=self.options.full)

    # --- flows, logs, files -----------------------------------------------------------------------------

    def rest(self) -> None:
        """Fetch what lies beside objects, several things at a time."""
        found = components(self._pods) if self._pods is not None else []
        items = [
            one for one in plan(found, self._services, self.options.skip) if not self.partial.done(one.what)
        ]
        with ThreadPoolExecutor(_TOGETHER) as pool:
            futures: list[Future[None]] = []
            try:
                # An interrupt may come as soon as the first of them is under way.
                futures += (pool.submit(self._fetch, item) for item in items)
                for item, future in zip(items, futures, strict=True):
                    future.result()
                    self._progress(self.partial.size, None, item.what)
            except BaseException:
                # An interrupt, or the cluster is lost: nobody is to wait for the others.
                self._stop.set()
                self.api.deadline = 0.0
                for future in futures:
                    future.cancel()
                raise

    def _fetch(self, item: Item) -> None:
        fate = self._left(item) or self._refused_before(item) or self._fetched(item)
        if self._stop.is_set() and fate.fate != "collected":
            # The end of the run cut it, not its bounds: noted as cut it would not be asked for again.
            raise _StoppedError
        if fate.fate == "refused":
            self._refused.setdefault(_gate(item), fate.reason)
        self.partial.note(fate)

    def _left(self, item: Item) -> Fate | None:
        if time.monotonic() > self._until:
            return Fate(item.what, item.kind, "left", reason="out of time (--within)")
        if self.partial.size >= self.options.max_bytes:
            return Fate(item.what, item.kind, "left", reason=_NO_ROOM)
        return None

    def _refused_before(self, item: Item) -> Fate | None:
        """What was refused once in a namespace is not asked for pod by pod."""
        reason = self._refused.get(_gate(item))
        return (
            None if reason is None else Fate(item.what, item.kind, "refused", reason=reason, rule=item.rule)
        )

    def _fetched(self, item: Item) -> Fate:
        target = self.partial.place(item.path)
        began = datetime.now(UTC)
        bounds = Bounds(
            since=began - timedelta(seconds=self.options.since_s),
            limit=max(1, min(self.options.max_file, self.options.max_bytes - self.partial.size)),
            within_s=max(1.0, self._until - time.monotonic()),
            exported=self._exported,
        )
        fate, reason = "collected", ""
        with target.open("wb") as stream:

            def write(data: bytes) -> None:
                if self._stop.is_set():
                    raise _StoppedError
                stream.write(data)

            try:
                reason = fetch(self.api, item, write, bounds)
            except ForbiddenError as error:
                return Fate(item.what, item.kind, "refused", reason=str(error), rule=item.rule)
            except (ApiError, HTTPError) as error:
                if _never_there(item, error):
                    return Fate(item.what, item.kind, "absent", reason=str(error))
                fate, reason = ("cut" if isinstance(error, CutShortError) else "failed"), str(error)
            size = stream.tell()
        if fate != "collected" and not size:
            fate = "failed"
        kept = size > 0
        return Fate(
            what=item.what,
            kind=item.kind,
            fate="cut" if fate == "failed" and kept else fate,
            path=item.path if kept else None,
            bytes=size,
            at=_rfc3339(began),
            reason=reason,
        )

    # --- the end ----------------------------------------------------------------------------------------

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
                    "finished": _rfc3339(datetime.now(UTC)),
                    "missing_rules": missing,
                    "items": fates,
                }
            ),
            indent=1,
        )
        size = self.partial.pack(manifest)
        return Collected(
            archive=self.partial.archive, bytes=size, fates=fates, rules=missing, resumed=self.partial.resumed
        )


_OBJECTS = ("objects", "events")
_FATES = {Outcome.REFUSED: "refused", Outcome.ABSENT: "absent", Outcome.FAILED: "failed"}


def _never_there(item: Item, error: Exception) -> bool:
    """There is nothing to be missed: a file or a service that the cluster does not have.

    A pod that was listed a moment ago and is not found took its evidence with it, which is a loss; of the life
    before a restart the kubelet may have kept nothing, and says so with 400 (kubelet 1.33: ``previous
    terminated container "x" in pod "y" not found``).
    """
    if isinstance(item, LogItem) and item.previous:
        return isinstance(error, ApiError) and error.status in (400, 404)
    return isinstance(error, NotServedError) and not isinstance(item, LogItem | HubbleItem)


def _gate(item: Item) -> tuple[str, str]:
    """What is granted together: by one rule, in a namespace where it has one."""
    return item.rule, getattr(item, "namespace", "")


class _ConfigMap(Struct):
    data: dict[str, str] | None = None


def _export_path(listed: Listed) -> str | None:
    """Where Cilium's agents write flows to; an absolute path, or there is none."""
    for raw in listed.items:
        path = (msgspec.json.decode(raw, type=_ConfigMap).data or {}).get("hubble-export-file-path", "")
        if path.startswith("/"):
            return path
    return None
