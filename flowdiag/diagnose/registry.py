"""The catalogue: diagnoses by entry point, built-in ones and a stranger's alike."""

from __future__ import annotations

from functools import cache

from flowdiag.diagnose.rule import Rule
from flowdiag.parserkit.registry import Broken, load_all

__all__ = ["GROUP", "broken_rules", "rules"]

GROUP = "flowdiag.diagnoses"
"""Entry point group; an entry's name is the rule's code."""


@cache
def _load() -> tuple[tuple[Rule, ...], tuple[Broken, ...]]:
    loaded, broken = load_all(GROUP)
    found: list[Rule] = []
    for one in loaded:
        if isinstance(one.plugin, Rule) and one.plugin.code == one.name:
            found.append(one.plugin)
        else:
            reason = f"{one.name} is no diagnosis of that code"
            broken.append(
                Broken(name=one.name, distribution=one.distribution, version=one.version, error=reason)
            )
    return tuple(sorted(found, key=lambda rule: rule.code)), tuple(broken)


def rules() -> tuple[Rule, ...]:
    """Every diagnosis that loads, by code."""
    return _load()[0]


def broken_rules() -> tuple[Broken, ...]:
    """Diagnoses that could not be loaded; the report warns of them."""
    return _load()[1]
