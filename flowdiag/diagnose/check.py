"""Audit checks: like diagnoses, one small class per code, but they look at the cluster and not at a refusal."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from typing import Any, ClassVar

import msgspec
from msgspec import Struct

from flowdiag.diagnose.foreign import UnsoundError, holding, named_fault
from flowdiag.model.flow import Flow
from flowdiag.model.objects import Snapshot
from flowdiag.model.report import ReportEndpoint, Severity
from flowdiag.parserkit.registry import Broken, Registered, load_all
from flowdiag.policy import PolicySet

__all__ = ["Check", "Concern", "Looked", "Scene", "broken_checks", "checks", "look"]

CHECKS = "flowdiag.checks"
"""Entry point group; an entry's name is the check's code."""


class Scene(Struct, frozen=True, kw_only=True):
    """What checks look at: the state, its policies, and what was seen to pass."""

    snapshot: Snapshot
    policies: PolicySet
    allowed: Sequence[Flow]
    """Every allowed flow, ends resolved; empty where allowed traffic was not read."""
    namespaces: frozenset[str] = frozenset()
    """Only these were asked for; empty is all."""


class Concern(Struct, frozen=True, kw_only=True):
    """What a check or the audit itself found: no refusal, so it has no count."""

    key: tuple[str, ...]
    """What stays the same when it is met again."""
    title: str
    summary: str
    advice: str
    severity: Severity | None = None
    """In place of the check's own severity."""
    source: ReportEndpoint | None = None
    destination: ReportEndpoint | None = None
    protocol: str | None = None
    port: int | None = None
    first: int | None = None
    """Nanoseconds, where it rests on traffic."""
    last: int | None = None
    notes: tuple[str, ...] = ()


_MOST = 100_000
"""The most concerns of one check; a check that gives more would never end."""
_ENCODER = msgspec.msgpack.Encoder()
_CONCERN = msgspec.msgpack.Decoder(Concern)


class Check:
    """Base of an audit check; its docstring has the sections of a `flowdiag.diagnose.rule.Rule`."""

    code: ClassVar[str]
    slug: ClassVar[str]
    severity: ClassVar[Severity]

    def look(self, scene: Scene) -> Iterator[Concern]:
        """Yield what is wrong; nothing where the state that it takes to tell is missing."""
        del scene
        yield from ()


class Looked(Struct, frozen=True):
    """What checks found, and which of them failed."""

    found: tuple[tuple[Check, Concern], ...]
    failed: tuple[str, ...]
    """A sentence on each that did."""


def look(scene: Scene) -> Looked:
    """Ask every check; one of another distribution that fails is left out, with a warning."""
    found: list[tuple[Check, Concern]] = []
    failed: list[str] = []
    for plugin in _load()[0]:
        check: Check = plugin.plugin
        if not plugin.foreign:
            found.extend((check, concern) for concern in check.look(scene))
            continue
        concerns, why = holding(lambda check=check: check.look(scene), _sound, _MOST)  # type: ignore[misc]
        found.extend((check, concern) for concern in concerns)
        if why is not None:
            failed.append(f"check {plugin.origin} {why}; what it looks for is not known")
    return Looked(tuple(found), tuple(failed))


def _sound(concern: Any) -> Concern:
    if not isinstance(concern, Concern):
        raise UnsoundError(f"gives no Concern but {type(concern).__name__}")
    try:
        found: Concern = _CONCERN.decode(_ENCODER.encode(concern))
    except (msgspec.MsgspecError, TypeError, ValueError, OverflowError, RecursionError) as error:
        raise UnsoundError(f"gives a Concern whose parts are not what they must be: {error}") from error
    return found


def check_fault(name: str, plugin: Any) -> str | None:
    """What keeps an object from being a check; ``None`` where nothing does."""
    if not isinstance(plugin, Check):
        return "a check is a flowdiag.diagnose.check.Check"
    return named_fault(name, plugin)


@cache
def _load() -> tuple[tuple[Registered, ...], tuple[Broken, ...]]:
    loaded, broken = load_all(CHECKS, check_fault)
    return tuple(sorted(loaded, key=lambda one: one.name)), tuple(broken)


def checks() -> tuple[Check, ...]:
    """Every check that loads, by code."""
    return tuple(one.plugin for one in _load()[0])


def broken_checks() -> Iterable[Broken]:
    """Checks that could not be loaded; the report warns of them."""
    return _load()[1]
