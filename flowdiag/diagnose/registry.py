"""The catalogue: diagnoses by entry point, built-in ones and a stranger's alike."""

from __future__ import annotations

from functools import cache

from flowdiag.diagnose.foreign import hold, rule_fault
from flowdiag.diagnose.rule import Rule
from flowdiag.parserkit.registry import Broken, load_all

__all__ = ["GROUP", "broken_rules", "rules"]

GROUP = "flowdiag.diagnoses"
"""Entry point group; an entry's name is the rule's code."""


@cache
def _load() -> tuple[tuple[Rule, ...], tuple[Broken, ...]]:
    loaded, broken = load_all(GROUP, rule_fault)
    return tuple(sorted(map(hold, loaded), key=lambda rule: rule.code)), tuple(broken)


def rules() -> tuple[Rule, ...]:
    """Every diagnosis that loads, by code."""
    return _load()[0]


def broken_rules() -> tuple[Broken, ...]:
    """Diagnoses that could not be loaded; the report warns of them."""
    return _load()[1]
