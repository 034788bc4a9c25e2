"""The objects of a collection: stripped, laid down by kind, with a note of those that could not be read."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec
from msgspec import Struct

from flowdiag.cluster.collect.bundle import Fate, Partial
from flowdiag.cluster.collect.masks import masked_bytes
from flowdiag.cluster.collect.options import NO_ROOM, CollectOptions, stamp
from flowdiag.cluster.collect.strip import is_policy, strip
from flowdiag.cluster.live.kinds import Kind
from flowdiag.cluster.live.lists import Listed
from flowdiag.cluster.live.state import CONFIG_MAPS, Outcome, Reading, rules, said, unread
from flowdiag.cluster.wanted import UNREAD_KINDS

__all__ = ["EVENTS", "Objects"]

EVENTS = Kind("", "events", "Event", ("v1",))
# An absolute path; `stdout` is the agent's log (cilium 1.19, `--hubble-export-file-path`).
_EXPORT = re.compile(r"/.*", re.DOTALL)
_FATES = {Outcome.REFUSED: "refused", Outcome.ABSENT: "absent", Outcome.FAILED: "failed"}


class Objects:
    """Keeps what was read of each kind.

    Args:
        partial: the collection under way.
        options: how much of it there may be.
    """

    def __init__(self, partial: Partial, options: CollectOptions) -> None:
        self._partial = partial
        self._options = options
        self._no_room: list[Kind] = []
        self.pods: Listed | None = None
        self.services: Listed | None = None
        self.namespaces: frozenset[str] | None = None
        """The names of all there are; ``None`` where they could not be listed."""
        self.exported: str | None = None
        """Where Cilium's agents write flows to."""
        self.hubble = True
        """Whether Cilium's agents keep flows, as far as their settings tell."""

    def keep(self, reading: Reading) -> None:
        """Lay one kind's objects down, or note why they are not there."""
        kind, listed = reading.kind, reading.listed
        if kind.group == "" and kind.plural == "pods":
            self.pods = listed
        elif kind.group == "" and kind.plural == "services":
            self.services = listed
        elif kind.group == "" and kind.plural == "namespaces":
            if listed is not None and reading.namespaces is None:
                self.namespaces = _names(listed)
        elif kind == CONFIG_MAPS and listed is not None:
            self.exported = next(
                filter(_EXPORT.fullmatch, _settings(listed, "hubble-export-file-path")), None
            )
            self.hubble = "false" not in _settings(listed, "enable-hubble")
        sort = "events" if kind == EVENTS else "objects"
        if listed is None:
            self._partial.note(
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
        if kind == EVENTS:
            path, data = "events/events.jsonl" if listed.items else None, self._lines(listed, kind)
        else:
            path, data = f"state/{kind.resource}.json", self._document(listed, kind)
        before = self._partial.fates.get(kind.resource)
        size = self._partial.size - (before.bytes if before is not None else 0) + len(data)
        if size > self._options.max_bytes:
            self._no_room.append(kind)
            self._partial.note(Fate(kind.resource, sort, "left", reason=NO_ROOM))
            return
        if path is not None:
            self._partial.place(path).write_bytes(data)
        where = f"read in {', '.join(reading.namespaces)} alone" if reading.namespaces is not None else ""
        self._partial.note(
            Fate(
                what=kind.resource,
                kind=sort,
                fate="collected",
                path=path,
                bytes=len(data),
                count=len(listed.items),
                at=stamp(datetime.now(UTC)),
                reason="; ".join(text for text in (where, reading.reason) if text),
                rule=next(iter(rules([reading])), ""),
            )
        )

    def note_unread(self, readings: Sequence[Reading]) -> None:
        """Lay beside the objects which kinds are missing: who reads them must not take them for absent."""
        path = "state/unread.json"
        texts = list(said(readings))
        if self._no_room:
            texts.append(f"{', '.join(one.resource for one in self._no_room)}: {NO_ROOM}")
        if not texts:
            self._partial.fates.pop("unread", None)
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
        self._partial.place(path).write_bytes(data)
        self._partial.note(Fate("unread", "note", "collected", path=path, bytes=len(data)))

    def _document(self, listed: Listed, kind: Kind) -> bytes:
        texts = (msgspec.json.encode(one) for one in self._stripped(listed, kind))
        # What a policy asks of requests is what it is; a password in the URL of a proxy or a webhook decides nothing.
        whole = is_policy(kind.group, kind.kind)
        items = (msgspec.Raw(text if whole else masked_bytes(text)) for text in texts)
        return Listed(tuple(items), listed.api_version, listed.list_kind).document()

    def _lines(self, listed: Listed, kind: Kind) -> bytes:
        """Each object on a line of its own, and saying what it is: Events are evidence, not state."""
        head = {"kind": kind.kind, "apiVersion": listed.api_version}
        return b"".join(
            masked_bytes(msgspec.json.encode(head | one)) + b"\n" for one in self._stripped(listed, kind)
        )

    def _stripped(self, listed: Listed, kind: Kind) -> Iterator[dict[str, Any]]:
        for raw in listed.items:
            yield strip(msgspec.json.decode(raw), kind.group, kind.kind, full=self._options.full)


class _ConfigMap(Struct):
    data: dict[str, str] | None = None


class _Meta(Struct):
    name: str = ""


class _Named(Struct):
    metadata: _Meta = msgspec.field(default_factory=_Meta)


def _names(listed: Listed) -> frozenset[str]:
    """Names of objects."""
    return frozenset(msgspec.json.decode(raw, type=_Named).metadata.name for raw in listed.items)


def _settings(listed: Listed, key: str) -> list[str]:
    """What the CNIs' ConfigMaps say of a setting."""
    found = []
    for raw in listed.items:
        try:
            value = (msgspec.json.decode(raw, type=_ConfigMap).data or {}).get(key)
        except msgspec.MsgspecError:
            continue  # no API server gives such a ConfigMap
        if value is not None:
            found.append(value)
    return found
