"""Plugins by entry point: built-in ones and a stranger's alike.

Loading is lazy and by name; a plugin that cannot be imported, is nothing of its kind or has a name that is taken
becomes a `Broken` value, which the report shows as a warning.  ``FLOWDIAG_PLUGINS`` = ``all`` (default), ``none`` (built-in ones only) or
a comma list of distributions limits what is loaded.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable
from functools import lru_cache
from importlib.metadata import Distribution, EntryPoint, EntryPoints, entry_points
from typing import Any, cast

from msgspec import Struct

from flowdiag import __version__
from flowdiag.model.errors import PluginError, UsageError

__all__ = ["Broken", "Fault", "Registered", "available", "load", "load_all"]

_OWN = "flowdiag"

Fault = Callable[[str, Any], str | None]
"""Called with a plugin and its name; says what keeps it from being one of its kind, or ``None``."""


class Registered(Struct, frozen=True, kw_only=True):
    """A plugin that loaded; `plugin` is an instance if the entry point named a class, else the object."""

    name: str
    distribution: str | None
    version: str | None
    plugin: Any

    @property
    def origin(self) -> str:
        """As sentences name it: ``acme-text of flowdiag-acme 0.1.0``."""
        return _origin(self)

    @property
    def foreign(self) -> bool:
        """Whether another distribution than flowdiag's own has it."""
        return self.distribution != _OWN


class Broken(Struct, frozen=True, kw_only=True):
    """A plugin that could not be loaded, and why."""

    name: str
    distribution: str | None
    version: str | None
    error: str

    @property
    def origin(self) -> str:
        """As sentences name it: ``acme-text of flowdiag-acme 0.1.0``."""
        return _origin(self)


def _origin(plugin: Registered | Broken) -> str:
    if plugin.distribution is None:
        return plugin.name
    return f"{plugin.name} of {plugin.distribution} {plugin.version}"


def available(group: str) -> dict[str, EntryPoint]:
    """Entry points of `group` by name, sorted; nothing is imported.

    A name that two distributions claim stays with flowdiag's own, else with the first by distribution.
    """
    found: dict[str, EntryPoint] = {}
    for point in _wanted(group):
        found.setdefault(point.name, point)
    return dict(sorted(found.items()))


def _wanted(group: str) -> list[EntryPoint]:
    """Entry points that ``FLOWDIAG_PLUGINS`` lets in, flowdiag's own first, then by distribution."""
    names = {_normal(name) for name in os.environ.get("FLOWDIAG_PLUGINS", "all").split(",")}
    named = [(_dist(point)[0], point) for point in _installed(tuple(sys.path)).select(group=group)]
    return [
        point
        for distribution, point in sorted(named, key=lambda one: (one[0] != _OWN, one[0] or "", one[1].value))
        if distribution == _OWN or "all" in names or _normal(distribution or "") in names
    ]


def _normal(name: str) -> str:
    """A distribution's name as installers compare it: ``Flowdiag_Acme`` is ``flowdiag-acme``."""
    return re.sub(r"[-_.]+", "-", name.strip()).lower()


def _taken(group: str) -> list[Broken]:
    """Entry points whose name another distribution has, and holds."""
    points = available(group)
    found = []
    for point in _wanted(group):
        winner = points[point.name]
        # One distribution may be on the path twice, in a checkout and installed.
        if point is winner or (_dist(point)[0], point.value) == (_dist(winner)[0], winner.value):
            continue
        distribution, version = _dist(point)
        owner = _dist(winner)[0]
        whose = "flowdiag itself" if owner == _OWN else owner
        error = f"{point.name} is a name that {whose} has; give it another one"
        found.append(Broken(name=point.name, distribution=distribution, version=version, error=error))
    return found


@lru_cache(maxsize=4)
def _installed(_search_path: tuple[str, ...]) -> EntryPoints:
    """Entry points of what is installed there: each look goes through every distribution, and a run asks for four groups.

    What is installed while a process runs is not its own: modules that it has loaded stay as they were, too.
    """
    # Python 3.11 gives another type than later ones, with the same methods.
    return cast("EntryPoints", entry_points())


def load(group: str, name: str, fault: Fault | None = None) -> Registered:
    """Load one plugin; `fault` looks at what it is.

    Raises:
        UsageError: there is none of this name.
        PluginError: it is broken.
    """
    points = available(group)
    if name not in points:
        from difflib import get_close_matches

        near = get_close_matches(name, points, n=3)
        hint = f"did you mean {' or '.join(near)}?" if near else f"known: {', '.join(points) or 'none'}"
        # "flowdiag.parsers": what is meant by the name is one of these.
        raise UsageError(f"no {group.rpartition('.')[2].removesuffix('s')} {name!r}", hint=hint)
    result = _load(points[name], fault)
    if isinstance(result, Broken):
        raise PluginError(
            f"{result.origin} is broken: {result.error}",
            hint="mend or uninstall it, or leave it out: FLOWDIAG_PLUGINS=none",
        )
    return result


def load_all(group: str, fault: Fault | None = None) -> tuple[list[Registered], list[Broken]]:
    """Load every plugin of `group`, by name; those that do not load, or that `fault` objects to, come as `Broken`."""
    registered: list[Registered] = []
    broken: list[Broken] = []
    for point in available(group).values():
        result = _load(point, fault)
        if isinstance(result, Registered):
            registered.append(result)
        else:
            broken.append(result)
    return registered, broken + _taken(group)


def _dist(point: EntryPoint) -> tuple[str | None, str | None]:
    return _named(point.dist) if point.dist else (None, None)


@lru_cache(maxsize=256)
def _named(distribution: Distribution) -> tuple[str, str]:
    """Name and version; asking a distribution parses its metadata anew, which adds up over its plugins."""
    return distribution.name, distribution.version


def _load(point: EntryPoint, fault: Fault | None) -> Registered | Broken:
    distribution, version = _dist(point)
    try:
        target = point.load()
        plugin = target() if isinstance(target, type) else target
        error = fault(point.name, plugin) if fault is not None else None
    except (Exception, SystemExit) as raised:  # noqa: BLE001 - a stranger's module may raise anything at import, or
        # leave; one broken plugin must cost itself only, and its error is shown.
        error = _said(raised)
    if error is not None:
        return Broken(name=point.name, distribution=distribution, version=version, error=error)
    return Registered(name=point.name, distribution=distribution, version=version, plugin=plugin)


def _said(raised: BaseException) -> str:
    """An error of a stranger's module in one line."""
    text = " ".join(f"{type(raised).__name__}: {raised}".split())
    if isinstance(raised, ImportError) and (raised.name or "").partition(".")[0] == _OWN:
        return f"{text}; it is made for another flowdiag than {__version__}"
    return text
