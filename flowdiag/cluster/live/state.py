"""What diagnosis needs of a cluster, kind by kind, and the state made of it.

Some permissions are usually missing: what is refused costs that kind only, is said, and comes with the RBAC
rule that would allow it.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from enum import StrEnum

import msgspec
from msgspec import Struct

from flowdiag.cluster.agents import config_map_of
from flowdiag.cluster.live.api import Api
from flowdiag.cluster.live.connect import connect
from flowdiag.cluster.live.discovery import Discovery, Served, discover
from flowdiag.cluster.live.errors import ApiError, ForbiddenError, NotServedError
from flowdiag.cluster.live.kinds import KINDS, Kind
from flowdiag.cluster.live.lists import Listed, check_object, read_list
from flowdiag.cluster.live.options import ClusterOptions
from flowdiag.cluster.manifests import NOT_READ, Manifest, StateProblem, read_manifest
from flowdiag.model.errors import ClusterError
from flowdiag.model.interrupts import awaited

__all__ = [
    "CONFIG_MAPS",
    "LiveState",
    "Outcome",
    "Reading",
    "all_refused",
    "read_live",
    "read_objects",
    "rules",
    "said",
    "unread",
]

CONFIG_MAPS = Kind("", "configmaps", "ConfigMap", ("v1",))
"""Read one by one, by name."""
_TOGETHER = 4
"""Lists asked for at a time: enough to hide the way to the server, too few to be throttled by it."""


class Outcome(StrEnum):
    """What became of a kind."""

    READ = "read"
    REFUSED = "refused"
    ABSENT = "absent"
    """Not served, so that there is none."""
    FAILED = "failed"


class Reading(Struct, frozen=True, kw_only=True):
    """One kind, asked for."""

    kind: Kind
    outcome: Outcome
    listed: Listed | None = None
    namespaces: tuple[str, ...] | None = None
    """The namespaces that were read; ``None`` for the whole cluster."""
    refused: tuple[str, ...] = ()
    """Where it was refused: namespaces, or ``*`` for the whole cluster."""
    verb: str = "list"
    reason: str = ""


class LiveState(Struct, frozen=True, kw_only=True):
    """The cluster's objects at one moment."""

    name: str
    """``cluster CONTEXT``: what reports call this input."""
    manifest: Manifest
    taken: int
    """Nanoseconds."""
    bytes: int


def read_live(options: ClusterOptions, *, within_s: float | None) -> LiveState:
    """Read a running cluster's objects.

    Args:
        options: which cluster.
        within_s: for how long it is asked at most.

    Raises:
        UsageError: options that contradict each other.
        ClusterError: the cluster cannot be reached, does not accept the credentials, or refuses everything.
    """
    api = connect(options)
    if within_s is not None:
        api.deadline = time.monotonic() + within_s
    taken = time.time_ns()
    readings = list(read_objects(api, KINDS, namespaces=options.namespaces))
    if all(one.outcome is not Outcome.READ for one in readings):
        raise all_refused(api, readings)
    name = f"cluster {api.name}"
    manifest = Manifest(input=name)
    size = 0
    for one in readings:
        if one.listed is None:
            continue
        data = one.listed.document(b",")
        size += len(data)
        part = read_manifest(name, data)
        manifest.entries += part.entries
        manifest.problems += part.problems
        manifest.kinds |= part.kinds
    manifest.unread |= {(kind.group, kind.kind) for kind in unread(readings)}
    manifest.problems += (StateProblem(code=NOT_READ, message=text, input=name) for text in said(readings))
    return LiveState(name=name, manifest=manifest, taken=taken, bytes=size)


def all_refused(api: Api, readings: Sequence[Reading]) -> ClusterError:
    """The error where nothing at all could be read."""
    refused = [one for one in readings if one.outcome is Outcome.REFUSED]
    if not refused:
        first = next((one.reason for one in readings if one.reason), "nothing is served")
        return ClusterError(f"cluster {api.name} ({api.server}): nothing can be read: {first}")
    return ClusterError(
        f"cluster {api.name} ({api.server}): everything is forbidden: {refused[0].reason}",
        hint="give the user the rights of deploy/rbac/read.yaml, or name a namespace that may be read: -n NAMESPACE",
    )


def read_objects(
    api: Api, kinds: Sequence[Kind], *, namespaces: Sequence[str], only: bool = False
) -> Iterator[Reading]:
    """Yield every kind's objects in the order of `kinds`, the CNI's ConfigMaps last.

    Args:
        api: the cluster.
        kinds: what is wanted.
        namespaces: read these where the whole cluster is refused; the context's own if empty.
        only: read namespaced kinds nowhere else.

    Raises:
        LostError: the cluster cannot be asked any more.
        ApiError: it does not say what it serves.
    """
    found = discover(api, kinds)
    fallback = tuple(namespaces) or ((api.namespace,) if api.namespace else ())
    served = {one.kind: one for one in found.served}
    pods: list[tuple[str, dict[str, str]]] = []
    with ThreadPoolExecutor(_TOGETHER) as pool:
        futures: dict[Kind, Future[Reading]] = {}
        try:
            # An interrupt may come as soon as the first of them is under way.
            for kind, one in served.items():
                futures[kind] = pool.submit(_read, api, one, fallback, only and one.kind.namespaced)
            for kind in kinds:
                reading = awaited(futures[kind]) if kind in futures else _unread(kind, found)
                if kind.plural == "pods" and reading.listed is not None:
                    pods = _labels(reading.listed)
                yield reading
        except BaseException:
            # An interrupt, or the cluster is lost: the other requests are not to be waited for.
            api.break_off()
            for future in futures.values():
                future.cancel()
            raise
    yield _settings(api, config_map_of(pods))


def _read(api: Api, served: Served, fallback: Sequence[str], only: bool) -> Reading:
    kind = served.kind
    try:
        if not only:
            return Reading(kind=kind, outcome=Outcome.READ, listed=read_list(api, served))
        whole = ""
    except ForbiddenError as error:
        whole = str(error)
    except NotServedError:
        return Reading(kind=kind, outcome=Outcome.ABSENT)
    except ApiError as error:
        return Reading(kind=kind, outcome=Outcome.FAILED, reason=str(error))
    if kind.plural == "namespaces":
        return _one_by_one(api, served, fallback, whole)
    if not kind.namespaced:
        return Reading(kind=kind, outcome=Outcome.REFUSED, refused=("*",), reason=whole)
    return _in_namespaces(api, served, fallback, whole)


def _in_namespaces(api: Api, served: Served, namespaces: Sequence[str], whole: str) -> Reading:
    """A kind in some namespaces; `whole` says why the cluster as a whole was not read, if it was tried."""
    items: list[msgspec.Raw] = []
    read: list[str] = []
    refused: list[str] = ["*"] if whole else []
    reason = whole
    for namespace in namespaces:
        try:
            listed = read_list(api, served, namespace)
        except ForbiddenError as error:
            refused.append(namespace)
            reason = reason or str(error)
        except NotServedError:
            return Reading(kind=served.kind, outcome=Outcome.ABSENT)
        except ApiError as error:
            return Reading(kind=served.kind, outcome=Outcome.FAILED, reason=str(error))
        else:
            items += listed.items
            read.append(namespace)
    return _partly(served, items, read, refused, reason)


def _one_by_one(api: Api, served: Served, names: Sequence[str], whole: str) -> Reading:
    """Namespaces by name: a Role inside one allows to get it (it counts as an object in itself)."""
    items: list[msgspec.Raw] = []
    read: list[str] = []
    for name in names:
        try:
            items.append(msgspec.Raw(api.get(f"{served.path()}/{name}")))
        except ApiError:
            continue
        read.append(name)
    return _partly(served, items, read, ["*"], whole)


def _partly(
    served: Served, items: Iterable[msgspec.Raw], read: Sequence[str], refused: Sequence[str], reason: str
) -> Reading:
    kind = served.kind
    if not read:
        return Reading(kind=kind, outcome=Outcome.REFUSED, refused=tuple(refused), reason=reason)
    return Reading(
        kind=kind,
        outcome=Outcome.READ,
        listed=Listed(tuple(items), served.api_version, f"{kind.kind}List"),
        namespaces=tuple(read),
        refused=tuple(refused),
        reason=reason,
    )


def _unread(kind: Kind, found: Discovery) -> Reading:
    for failed, reason in found.failed:
        if failed == kind:
            return Reading(kind=kind, outcome=Outcome.FAILED, reason=reason)
    return Reading(kind=kind, outcome=Outcome.ABSENT)


class _Meta(Struct, frozen=True):
    namespace: str = ""
    labels: dict[str, str] | None = None


class _Labelled(Struct):
    metadata: _Meta = _Meta()


def _labels(listed: Listed) -> list[tuple[str, dict[str, str]]]:
    """(namespace, labels) of each object."""
    metas = (msgspec.json.decode(one, type=_Labelled).metadata for one in listed.items)
    return [(meta.namespace, meta.labels or {}) for meta in metas]


def _settings(api: Api, names: Sequence[tuple[str, str]]) -> Reading:
    """The CNI's ConfigMaps that are there."""
    items: list[msgspec.Raw] = []
    refused: list[str] = []
    reason = ""
    for namespace, name in names:
        try:
            path = f"/api/v1/namespaces/{namespace}/configmaps/{name}"
            found = api.get(path)
            check_object(found, f"GET {path}")
            items.append(msgspec.Raw(found))
        except NotServedError:
            continue
        except ApiError as error:
            refused.append(f"{namespace}/{name}")
            reason = str(error)
    outcome = Outcome.READ if items else Outcome.REFUSED if refused else Outcome.ABSENT
    listed = Listed(tuple(items), "v1", "ConfigMapList") if items else None
    return Reading(
        kind=CONFIG_MAPS, outcome=outcome, listed=listed, refused=tuple(refused), verb="get", reason=reason
    )


# --- what must be said --------------------------------------------------------------------------------


def rules(readings: Iterable[Reading]) -> list[str]:
    """RBAC rules, as lines of YAML, for all that was refused: one an API group and verb."""
    groups: dict[tuple[str, str], list[str]] = defaultdict(list)
    for one in readings:
        if one.refused:
            groups[(one.kind.group, one.verb)].append(one.kind.plural)
    return [_rule(group, plurals, verb) for (group, verb), plurals in groups.items()]


def _rule(group: str, plurals: Sequence[str], verb: str) -> str:
    names = ", ".join(f'"{one}"' for one in plurals)
    return f'{{apiGroups: ["{group}"], resources: [{names}], verbs: ["{verb}"]}}'


def unread(readings: Iterable[Reading]) -> list[Kind]:
    """Kinds that are served and of which nothing was given."""
    return [one.kind for one in readings if one.outcome in (Outcome.REFUSED, Outcome.FAILED)]


def said(readings: Iterable[Reading]) -> Iterator[str]:
    """One sentence for all kinds of an API group that share a fate."""
    groups: dict[tuple[str, str, str], list[Reading]] = defaultdict(list)
    for one in readings:
        if one.outcome is Outcome.FAILED or one.refused:
            where = ", ".join(one.namespaces or ()) if one.outcome is Outcome.READ else ""
            fate = f"read in {where} alone" if where else str(one.outcome)
            groups[(one.kind.group, one.verb, fate)].append(one)
    for (group, verb, fate), members in groups.items():
        kinds = ", ".join(one.kind.resource for one in members)
        if fate == Outcome.FAILED:
            yield f"{kinds}: {members[0].reason}"
            continue
        rule = _rule(group, [one.kind.plural for one in members], verb)
        where = "forbidden" if fate == Outcome.REFUSED else f"forbidden in the whole cluster, {fate}"
        yield f"{kinds}: {where}; the rule that allows it: {rule}"
