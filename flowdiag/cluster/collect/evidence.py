"""Flows, logs and files of a collection: fetched side by side, each within the bounds of the whole."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from threading import Event

from urllib3.exceptions import HTTPError

from flowdiag.cluster.collect.bundle import Fate, Item, Partial
from flowdiag.cluster.collect.fetch import Bounds, fetch
from flowdiag.cluster.collect.masks import Masking
from flowdiag.cluster.collect.newest import Newest
from flowdiag.cluster.collect.options import NO_ROOM, CollectOptions, stamp
from flowdiag.cluster.collect.plan import HubbleItem, LogItem
from flowdiag.cluster.live.api import Api
from flowdiag.cluster.live.errors import ApiError, CutShortError, ForbiddenError, NotServedError
from flowdiag.model.interrupts import awaited

__all__ = ["EvidenceItems", "Progress"]

_TOGETHER = 4

Progress = Callable[[int, int | None, str], None]
"""Bytes that are there, of how many if that is known, and what the last of them were of."""


class _StoppedError(Exception):
    """Another thread ended the run."""


class EvidenceItems:
    """Fetches what a collection takes beside objects.

    Args:
        api: the cluster.
        partial: the collection under way.
        options: its bounds.
        until: when it is to end, on the monotonic clock.
        exported: where Cilium's agents write flows to.
        progress: told after each.
    """

    def __init__(
        self,
        api: Api,
        partial: Partial,
        options: CollectOptions,
        *,
        until: float,
        exported: str | None,
        progress: Progress,
    ) -> None:
        self._api = api
        self._partial = partial
        self._options = options
        self._until = until
        self._exported = exported
        self._progress = progress
        self._stop = Event()
        self._refused: dict[tuple[str, str], str] = {}

    def fetch(self, items: Sequence[Item]) -> None:
        """Fetch all of it, several things at a time."""
        with ThreadPoolExecutor(_TOGETHER) as pool:
            futures: list[Future[None]] = []
            try:
                # An interrupt may come as soon as the first of them is under way.
                futures += (pool.submit(self._fetch_one, item) for item in items)
                for item, future in zip(items, futures, strict=True):
                    awaited(future)
                    self._progress(self._partial.size, None, item.what)
            except BaseException:
                # After an interrupt, or when the cluster is lost, the others are not waited for.
                self._stop.set()
                self._api.break_off()
                for future in futures:
                    future.cancel()
                raise

    def _fetch_one(self, item: Item) -> None:
        fate = self._left(item) or self._refused_before(item) or self._fetched(item)
        if self._stop.is_set() and fate.fate != "collected":
            # It was the end of the run that cut it, and not its bounds.  Noted as cut, it would not be asked for
            # again.
            raise _StoppedError
        if fate.fate == "refused":
            self._refused.setdefault(_gate(item), fate.reason)
        self._partial.note(fate)

    def _left(self, item: Item) -> Fate | None:
        if time.monotonic() > self._until:
            return Fate(item.what, item.kind, "left", reason="out of time (--within)")
        if self._partial.size >= self._options.max_bytes:
            return Fate(item.what, item.kind, "left", reason=NO_ROOM)
        return None

    def _refused_before(self, item: Item) -> Fate | None:
        """Whether it was refused before in this namespace; then it is not tried for each pod."""
        reason = self._refused.get(_gate(item))
        return (
            None if reason is None else Fate(item.what, item.kind, "refused", reason=reason, rule=item.rule)
        )

    def _fetched(self, item: Item) -> Fate:
        target = self._partial.place(item.path)
        began = datetime.now(UTC)
        bounds = Bounds(
            since=began - timedelta(seconds=self._options.since_s),
            limit=max(1, min(self._options.max_file, self._options.max_bytes - self._partial.size)),
            within_s=max(1.0, self._until - time.monotonic()),
            exported=self._exported,
        )
        fate, reason = "collected", ""
        with target.open("w+b") as stream:
            kept = Newest(stream, bounds.limit)

            def write(data: bytes) -> None:
                if self._stop.is_set():
                    raise _StoppedError
                shown(data)

            shown = Masking(kept)
            try:
                reason = fetch(self._api, item, write, bounds)
            except ForbiddenError as error:
                return Fate(item.what, item.kind, "refused", reason=str(error), rule=item.rule)
            except (ApiError, HTTPError) as error:
                if _never_there(item, error):
                    return Fate(item.what, item.kind, "absent", reason=str(error))
                fate, reason = ("cut" if isinstance(error, CutShortError) else "failed"), str(error)
            shown.end()
            if kept.end():
                fate, reason = "cut", f"longer than {bounds.limit:,} bytes: the latest of them are kept"
            size = kept.size
        if fate != "collected" and not size:
            fate = "failed"
        return Fate(
            what=item.what,
            kind=item.kind,
            fate="cut" if fate == "failed" and size else fate,
            path=item.path if size else None,
            bytes=size,
            at=stamp(began),
            reason=reason,
        )


def _never_there(item: Item, error: Exception) -> bool:
    """There is nothing to be missed: a file or a service that the cluster does not have.

    A pod that was listed a moment ago and is not found took its evidence with it, which is a loss; of the life
    before a restart, and of a pod that was evicted, the kubelet may have kept nothing, and says so with 400 (kubelet
    1.33: ``previous terminated container "x" in pod "y" not found``, ``container "x" in pod "y" is not available``).
    """
    if isinstance(item, LogItem) and (item.previous or item.ended):
        return isinstance(error, ApiError) and error.status in (400, 404)
    return isinstance(error, NotServedError) and not isinstance(item, LogItem | HubbleItem)


def _gate(item: Item) -> tuple[str, str]:
    """Name what is granted together: by one RBAC rule, and per namespace for what is in one."""
    return item.rule, getattr(item, "namespace", "")
