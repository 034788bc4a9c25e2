"""What the layout of a bundle says about one of its files."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from enum import StrEnum
from functools import cached_property

from msgspec import Struct

from flowdiag.model.time import from_datetime

__all__ = ["Hint", "Layout", "Role", "Rule", "stamp"]


class Role(StrEnum):
    """What a file of a recognised bundle is there for."""

    EVIDENCE = "evidence"
    STATE = "state"
    NOISE = "noise"
    """Known, and of no use here: metrics, HTML, tables for people."""
    ERRORS = "errors"
    """Says what the collector was not allowed to read."""
    ENDPOINTS = "endpoints"
    """An agent's list of its node's endpoints: neither records nor cluster objects, but it names numbers."""


class Hint(Struct, frozen=True, kw_only=True):
    """What is known of a file before it is opened; everything unknown is ``None``."""

    layout: str | None = None
    role: Role | None = None
    prefer: str | None = None
    """The parser to take where two claim the file."""
    node: str | None = None
    namespace: str | None = None
    pod: str | None = None
    container: str | None = None
    taken: int | None = None
    """When the bundle was collected, nanoseconds, from its name."""


class Rule(Struct, frozen=True, dict=True):
    """Files whose path below the layout's top matches `path` (from its start) have this role.

    Named groups ``node``, ``namespace``, ``pod`` and ``container`` give the context.
    """

    path: str
    role: Role
    prefer: str | None = None

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        """Of `path`, made when it is asked for: only files of a recognised bundle are held to rules, and only its own."""
        return re.compile(self.path)


class Layout(Struct, frozen=True, kw_only=True):
    """A kind of bundle.

    `mark` is searched in the path of each file; group ``top`` is the part of the path in front of the
    layout's own tree, ``stamp`` (optional) the time of collection.  A bundle is recognised when files match
    every one of `marks` with the same top.
    """

    name: str
    marks: tuple[re.Pattern[str], ...]
    rules: tuple[Rule, ...]
    """The first that matches holds; files without a rule are looked at like any other."""


def stamp(text: str | None) -> int | None:
    """Nanoseconds of ``YYYYMMDD-hhmmss`` or ``YYYYMMDD_hhmmss``; collectors write no zone, UTC is assumed."""
    if text is None:
        return None
    try:
        moment = datetime.strptime(text.replace("_", "-"), "%Y%m%d-%H%M%S").replace(tzinfo=UTC)
    except ValueError:
        return None
    return from_datetime(moment)
