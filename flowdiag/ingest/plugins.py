"""The registered parsers, loaded once a process."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any, cast

from flowdiag.ingest.problems import InputProblem
from flowdiag.parserkit import Parser, registry
from flowdiag.parserkit.foreign import ForeignParser
from flowdiag.parserkit.promises import parser_fault
from flowdiag.parserkit.registry import Broken, Registered

__all__ = ["GROUP", "loaded", "parser_named", "parsers"]

GROUP = "flowdiag.parsers"


def loaded() -> tuple[list[Registered], list[Broken]]:
    """All parsers by name, and what is registered as one and is none."""
    return registry.load_all(GROUP, _fault)


def parsers() -> tuple[Sequence[Parser], Sequence[InputProblem]]:
    """All parsers that load, by name; broken ones are named as problems of ``plugins``."""
    registered, broken = loaded()
    problems = [
        InputProblem(
            "plugins",
            "broken-plugin",
            f"parser {plugin.origin} does not load: {plugin.error}",
        )
        for plugin in broken
    ]
    return [cast("Parser", _held(plugin)) for plugin in registered], problems


@cache
def parser_named(name: str) -> Any:
    """One parser, by the name of its entry point.

    Raises:
        UsageError: there is none.
        PluginError: it is broken.
    """
    return _held(registry.load(GROUP, name, _fault))


def _fault(name: str, plugin: Any) -> str | None:
    return parser_fault(plugin, name)


def _held(plugin: Registered) -> Any:
    """A parser; a stranger's held to its promises."""
    return ForeignParser(plugin.plugin, f"parser {plugin.origin}") if plugin.foreign else plugin.plugin
