"""A running cluster's objects for a watch: read again at intervals, with what changed between two readings.

A policy that is applied while somebody watches decides from then on; one that is deleted refused what was refused
before.  So a later reading takes the place of the earlier one, and the versions of policies that it does not hold any
more are told as changes, as an audit log would.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from flowdiag.analysis.objects import StateInputs, live_state, read_state
from flowdiag.analysis.options import StateOptions
from flowdiag.cluster import Manifest
from flowdiag.cluster.policies import last_spec_write
from flowdiag.cluster.wanted import POLICY_KINDS
from flowdiag.model.errors import ClusterError
from flowdiag.model.event import ChangeEvent, ObjectRef, TimeSource
from flowdiag.model.objects import PolicyObject
from flowdiag.model.report import ReportWarning, general_warning
from flowdiag.model.time import moment_text, rfc3339_seconds

__all__ = ["AGAIN_S", "Objects", "Told"]

AGAIN_S = 30.0
"""Between two readings at least."""
_SHARE = 20
"""And so many times as long as the last one took: a large cluster is asked less often."""
_WITHIN_S = 15.0
"""For how long a reading may hold up a report; the objects that are there stay if it takes longer."""
_CODE = "objects-old"

Told = tuple[str, ChangeEvent]
"""The name of the cluster, and what changed there."""
_Policies = Mapping[tuple[str, str, str, str], tuple[PolicyObject, ...]]


class Objects(Struct):
    """The cluster's objects as one process holds them.

    `current` is asked for each report; it reads a running cluster again where that is due.
    """

    options: StateOptions
    inputs: StateInputs
    due: float
    """Of the monotonic clock."""
    readings: int = 1
    warnings: tuple[ReportWarning, ...] = ()
    """That they could not be read again."""
    seen: int = 0
    """Changes that were found."""

    @classmethod
    def read(cls, options: StateOptions) -> Objects:
        """Read them for the first time.

        Raises:
            InputError, ClusterError: they cannot be read.
        """
        began = time.monotonic()
        inputs = read_state(options.paths, options.live)
        return cls(options, inputs, _due(began))

    def again(self) -> list[Told]:
        """Read a running cluster again if that is due; what changed in it since the reading before."""
        live = self.options.live
        began = time.monotonic()
        if live is None or began < self.due:
            return []
        try:
            state = live_state(live, within_s=_WITHIN_S)
        except ClusterError as error:
            self.due = _due(began)
            taken = self.inputs.taken
            then = f" of {moment_text(taken)}" if taken is not None else ""
            text = f"the cluster's objects{then} are used: they could not be read again ({error})"
            self.warnings = (general_warning(_CODE, text),)
            return []
        self.due, self.warnings = _due(began), ()
        if state is None:
            return []
        before = self.inputs.manifests[state.name]
        found = list(_differences(before, state.manifest, self.inputs.taken, state.taken, self.seen))
        self.seen += len(found)
        self.readings += 1
        manifests = {**self.inputs.manifests, state.name: state.manifest}
        self.inputs = replace(self.inputs, manifests=manifests, taken=state.taken)
        return [(state.name, event) for event in found]


def _due(began: float) -> float:
    now = time.monotonic()
    return now + max(AGAIN_S, _SHARE * (now - began))


def _differences(
    before: Manifest, after: Manifest, since: int | None, until: int, seen: int
) -> Iterator[ChangeEvent]:
    """Yield the policies that were changed or deleted; when they were made they say themselves."""
    old, new = _policies(before), _policies(after)
    number = seen
    for key, versions in old.items():
        group, kind, namespace, name = key
        now = new.get(key)
        if now is None and ((group, kind) in after.unread or (group, kind) not in after.kinds):
            continue  # nobody looked
        if now is not None and _specs(now) == _specs(versions):
            continue
        number += 1
        yield ChangeEvent(
            line=number,
            at=_moment(versions, now, since, until),
            time_source=TimeSource.RECORD,
            object=ObjectRef(kind=kind, group=group, namespace=namespace or None, name=name),
            change="deleted" if now is None else "updated",
            before=_body(versions),
            after=None if now is None else _body(now),
        )


def _policies(manifest: Manifest) -> _Policies:
    found: dict[tuple[str, str, str, str], tuple[PolicyObject, ...]] = {}
    for entry in manifest.entries:
        if entry.key[:2] in POLICY_KINDS:
            held = entry.value if isinstance(entry.value, tuple) else (entry.value,)
            found[entry.key] = tuple(one for one in held if isinstance(one, PolicyObject))
    return found


def _specs(versions: tuple[PolicyObject, ...]) -> list[dict[str, Any]]:
    return [one.spec for one in versions]


def _moment(
    before: tuple[PolicyObject, ...], after: tuple[PolicyObject, ...] | None, since: int | None, until: int
) -> int:
    """When it changed: as the object says, else by the end of the time between the two readings."""
    if after is None:
        told = max((one.deleted for one in before if one.deleted is not None), default=None)
    else:
        written = (last_spec_write(one.managed) for one in after)
        told = max((at for at in written if at is not None), default=None)
    return until if told is None or (since is not None and told < since) else min(told, until)


def _body(versions: tuple[PolicyObject, ...]) -> dict[str, Any]:
    """The object as a log of changes holds it."""
    one = versions[0]
    meta: dict[str, Any] = {
        "name": one.ref.name,
        "uid": one.uid,
        "generation": one.generation,
        "labels": one.labels,
        "annotations": one.annotations,
    }
    if one.ref.namespace is not None:
        meta["namespace"] = one.ref.namespace
    if one.created is not None:
        meta["creationTimestamp"] = rfc3339_seconds(one.created)
    body: dict[str, Any] = {"apiVersion": one.api_version, "kind": one.ref.kind, "metadata": meta}
    plain = [each.spec for each in versions if each.spec_index is None]
    several = [each.spec for each in versions if each.spec_index is not None]
    if plain:
        body["spec"] = plain[0]
    if several:
        body["specs"] = several
    return body
