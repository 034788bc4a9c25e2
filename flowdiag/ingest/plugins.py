"""The registered parsers, loaded once a process."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any, cast

from flowdiag.ingest.problems import InputProblem
from flowdiag.parserkit import Parser, registry

__all__ = ["GROUP", "parser_named", "parsers"]

GROUP = "flowdiag.parsers"


def parsers() -> tuple[Sequence[Parser], Sequence[InputProblem]]:
    """All parsers that load, by name; broken ones are named as problems of ``plugins``."""
    registered, broken = registry.load_all(GROUP)
    problems = [
        InputProblem(
            "plugins",
            "broken-plugin",
            f"parser {plugin.name} of {plugin.distribution} {plugin.version} does not load: {plugin.error}",
        )
        for plugin in broken
    ]
    return [cast("Parser", plugin.plugin) for plugin in registered], problems


@cache
def parser_named(name: str) -> Any:
    """One parser, by the name of its entry point.

    Raises:
        UsageError: there is none.
        PluginError: it is broken.
    """
    return registry.load(GROUP, name).plugin
