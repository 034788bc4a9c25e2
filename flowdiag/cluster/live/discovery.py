"""Which of the kinds this API server serves, and under which version.

``/apis`` names the groups, ``/apis/GROUP/VERSION`` their resources (kubernetes.io/docs/reference/using-api/
api-concepts, "unaggregated discovery"); any signed-in user may ask, unless somebody took that away.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

import msgspec
from msgspec import Struct

from flowdiag.cluster.live.api import Api
from flowdiag.cluster.live.errors import ApiError, ForbiddenError, NotServedError
from flowdiag.cluster.live.kinds import Kind

__all__ = ["Discovery", "Served", "discover"]


class Served(Struct, frozen=True):
    """A kind and the version to ask for."""

    kind: Kind
    version: str
    sure: bool = True
    """The server said so; else it is a guess, and a 404 means that the kind is absent."""

    @property
    def api_version(self) -> str:
        """``networking.k8s.io/v1``."""
        return f"{self.kind.group}/{self.version}" if self.kind.group else self.version

    def path(self, namespace: str | None = None) -> str:
        """Of its list."""
        root = f"/apis/{self.api_version}" if self.kind.group else f"/api/{self.version}"
        inside = f"/namespaces/{namespace}" if namespace is not None else ""
        return f"{root}{inside}/{self.kind.plural}"


class Discovery(Struct, frozen=True, kw_only=True):
    """What of the wanted kinds there is."""

    served: tuple[Served, ...]
    """In the order of the wanted kinds."""
    absent: tuple[Kind, ...]
    """The server knows no such kind, so that there is no such object."""
    failed: tuple[tuple[Kind, str], ...]
    """It is not known: the group's own server did not answer (an APIService that is down)."""


class _Version(Struct):
    version: str = ""


class _Group(Struct, rename="camel"):
    name: str = ""
    versions: list[_Version] = []
    preferred_version: _Version | None = None


class _GroupList(Struct):
    groups: list[_Group] = []


class _Resource(Struct):
    name: str = ""
    kind: str = ""
    verbs: list[str] = []


class _ResourceList(Struct):
    resources: list[_Resource] = []


def discover(api: Api, wanted: Sequence[Kind]) -> Discovery:
    """Ask what is served.

    A Calico API server serves the objects of ``crd.projectcalico.org`` again as ``projectcalico.org/v3``;
    then only the latter is read.

    Raises:
        LostError, ApiError: nothing can be asked at all.
    """
    by_group: dict[str, list[Kind]] = defaultdict(list)
    for kind in wanted:
        by_group[kind.group].append(kind)
    try:
        groups = {one.name: one for one in msgspec.json.decode(api.get("/apis"), type=_GroupList).groups}
    except (ForbiddenError, NotServedError, msgspec.MsgspecError):
        return _guessed(wanted)
    served: dict[Kind, Served] = {}
    failed: dict[Kind, str] = {}
    for name, kinds in by_group.items():
        versions = ["v1"] if name == "" else _versions(groups.get(name))
        left = list(kinds)
        for version in versions:
            if not left:
                break
            try:
                plurals = _resources(api, name, version)
            except ForbiddenError:
                served.update({kind: Served(kind, version, sure=False) for kind in left})
                left = []
                continue
            except (ApiError, msgspec.MsgspecError) as error:
                failed.update(dict.fromkeys(left, str(error)))
                continue
            here = [kind for kind in left if plurals.get(kind.plural) == kind.kind]
            served.update({kind: Served(kind, version) for kind in here})
            left = [kind for kind in left if kind not in here]
    for kind in served:
        failed.pop(kind, None)
    _drop_doubles(served)
    return Discovery(
        served=tuple(served[kind] for kind in wanted if kind in served),
        absent=tuple(kind for kind in wanted if kind not in served and kind not in failed),
        failed=tuple((kind, failed[kind]) for kind in wanted if kind in failed),
    )


def _versions(group: _Group | None) -> list[str]:
    """A group's versions, the preferred one first."""
    if group is None:
        return []
    names = [one.version for one in group.versions]
    first = group.preferred_version.version if group.preferred_version is not None else ""
    return sorted(names, key=lambda name: name != first)


def _resources(api: Api, group: str, version: str) -> dict[str, str]:
    """Plural to kind, of what can be listed."""
    body = api.get(f"/apis/{group}/{version}" if group else f"/api/{version}")
    found = msgspec.json.decode(body, type=_ResourceList).resources
    return {one.name: one.kind for one in found if "list" in one.verbs}


def _drop_doubles(served: dict[Kind, Served]) -> None:
    again = {kind.plural for kind in served if kind.group == "projectcalico.org"}
    for kind in [one for one in served if one.group == "crd.projectcalico.org" and one.plural in again]:
        del served[kind]


def _guessed(wanted: Iterable[Kind]) -> Discovery:
    return Discovery(
        served=tuple(Served(kind, version, sure=False) for kind in wanted for version in kind.versions[:1]),
        absent=(),
        failed=(),
    )
