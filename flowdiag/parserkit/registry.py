"""Plugins by entry point: built-in ones and a stranger's alike.

Loading is lazy and by name; a plugin that cannot be imported becomes a `Broken` value, which the
report shows as a warning.  ``FLOWDIAG_PLUGINS`` = ``all`` (default), ``none`` (built-in ones only) or
a comma list of distributions limits what is loaded.
"""

from __future__ import annotations

import os
import sys
from functools import lru_cache
from importlib.metadata import Distribution, EntryPoint, EntryPoints, entry_points
from typing import Any, cast

from msgspec import Struct

from flowdiag.model.errors import PluginError, UsageError

__all__ = ["Broken", "Registered", "available", "load", "load_all"]

_OWN = "flowdiag"


class Registered(Struct, frozen=True, kw_only=True):
    """A plugin that loaded; `plugin` is an instance if the entry point named a class, else the object."""

    name: str
    distribution: str | None
    version: str | None
    plugin: Any


class Broken(Struct, frozen=True, kw_only=True):
    """A plugin that could not be loaded, and why."""

    name: str
    distribution: str | None
    version: str | None
    error: str


def available(group: str) -> dict[str, EntryPoint]:
    """Entry points of `group` by name, sorted; nothing is imported.

    A name that two distributions claim stays with flowdiag's own, else with the first by distribution.
    """
    wanted = os.environ.get("FLOWDIAG_PLUGINS", "all")
    found: dict[str, EntryPoint] = {}
    named = [(_dist(point)[0], point) for point in _installed(tuple(sys.path)).select(group=group)]
    for distribution, point in sorted(named, key=lambda one: (one[0] != _OWN, one[0] or "")):
        if distribution != _OWN and wanted != "all" and distribution not in wanted.split(","):
            continue
        found.setdefault(point.name, point)
    return dict(sorted(found.items()))


@lru_cache(maxsize=4)
def _installed(_search_path: tuple[str, ...]) -> EntryPoints:
    """Entry points of what is installed there: each look goes through every distribution, and a run asks for four groups.

    What is installed while a process runs is not its own: modules that it has loaded stay as they were, too.
    """
    # What Python 3.11 gives has another name, and is asked alike.
    return cast("EntryPoints", entry_points())


def load(group: str, name: str) -> Registered:
    """Load one plugin.

    Raises:
        UsageError: there is none of this name.
        PluginError: it is broken.
    """
    points = available(group)
    if name not in points:
        known = ", ".join(points) or "none"
        raise UsageError(f"no plugin {name!r} in {group}", hint=f"known: {known}")
    result = _load(points[name])
    if isinstance(result, Broken):
        raise PluginError(f"{name} of {result.distribution} {result.version} is broken: {result.error}")
    return result


def load_all(group: str) -> tuple[list[Registered], list[Broken]]:
    """Load every plugin of `group`, by name; broken ones come apart."""
    registered: list[Registered] = []
    broken: list[Broken] = []
    for point in available(group).values():
        result = _load(point)
        if isinstance(result, Registered):
            registered.append(result)
        else:
            broken.append(result)
    return registered, broken


def _dist(point: EntryPoint) -> tuple[str | None, str | None]:
    return _named(point.dist) if point.dist else (None, None)


@lru_cache(maxsize=256)
def _named(distribution: Distribution) -> tuple[str, str]:
    """Name and version; asking a distribution parses its metadata anew, which adds up over its plugins."""
    return distribution.name, distribution.version


def _load(point: EntryPoint) -> Registered | Broken:
    distribution, version = _dist(point)
    try:
        target = point.load()
        plugin = target() if isinstance(target, type) else target
    except Exception as error:  # noqa: BLE001 - a stranger's module may raise anything at import; one
        # broken plugin must cost itself only, and its error is shown.
        return Broken(
            name=point.name,
            distribution=distribution,
            version=version,
            error=f"{type(error).__name__}: {error}",
        )
    return Registered(name=point.name, distribution=distribution, version=version, plugin=plugin)
