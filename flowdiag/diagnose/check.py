"""What an audit check is: a small class per code, as a diagnosis is, that looks at the cluster and not at a refusal."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from typing import ClassVar

from msgspec import Struct

from flowdiag.model.flow import Flow
from flowdiag.model.objects import Snapshot
from flowdiag.model.report import ReportEndpoint, Severity
from flowdiag.parserkit.registry import Broken, load_all
from flowdiag.policy import PolicySet

__all__ = ["CHECKS", "Check", "Concern", "Scene", "broken_checks", "checks"]

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
    """Another one than the check's."""
    source: ReportEndpoint | None = None
    destination: ReportEndpoint | None = None
    protocol: str | None = None
    port: int | None = None
    first: int | None = None
    """Nanoseconds, where it rests on traffic."""
    last: int | None = None
    notes: tuple[str, ...] = ()


class Check:
    """Base of an audit check; its docstring has the sections of a `flowdiag.diagnose.rule.Rule`."""

    code: ClassVar[str]
    slug: ClassVar[str]
    severity: ClassVar[Severity]

    def look(self, scene: Scene) -> Iterator[Concern]:
        """Yield what is wrong; nothing where the state that it takes to tell is missing."""
        del scene
        yield from ()


@cache
def _load() -> tuple[tuple[Check, ...], tuple[Broken, ...]]:
    loaded, broken = load_all(CHECKS)
    found: list[Check] = []
    for one in loaded:
        if isinstance(one.plugin, Check) and one.plugin.code == one.name:
            found.append(one.plugin)
        else:
            broken.append(
                Broken(
                    name=one.name,
                    distribution=one.distribution,
                    version=one.version,
                    error=f"{one.name} is no check of that code",
                )
            )
    return tuple(sorted(found, key=lambda check: check.code)), tuple(broken)


def checks() -> tuple[Check, ...]:
    """Every check that loads, by code."""
    return _load()[0]


def broken_checks() -> Iterable[Broken]:
    """Checks that could not be loaded; the report warns of them."""
    return _load()[1]
