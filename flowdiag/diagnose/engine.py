"""Asking every rule about one refused flow; the result does not depend on the order of the rules."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

from msgspec import Struct

from flowdiag.diagnose.case import Case
from flowdiag.diagnose.confidence import CONFIDENCES
from flowdiag.diagnose.managed import with_manager
from flowdiag.diagnose.needs import Needs
from flowdiag.diagnose.registry import rules
from flowdiag.diagnose.rule import Rule
from flowdiag.model.finding import Finding
from flowdiag.model.policy import NearestRule

__all__ = ["diagnose", "leading_finding"]

_NOT_NEAREST = 1_000_000


def diagnose(case: Case, catalogue: Iterable[Rule] | None = None) -> tuple[Finding, ...]:
    """Explain one refused flow.

    Args:
        case: the flow and what is known around it.
        catalogue: the rules to ask; every registered one if not given.

    Returns:
        Findings, best first: the most specific rule, then the nearest missed rule that it is about, then
        the surest.  Empty where nothing is known of the refusal.
    """
    asked = (
        _able(case.has, case.passed, case.signs)
        if catalogue is None
        else _met(catalogue, case.has, case.signs, passed=case.passed)
    )
    found = [
        one
        for alike in asked.finding
        for one in _ranked(case, [finding for rule in alike for finding in rule.diagnose(case)])
    ]
    return tuple(_qualified(case, finding, asked) for finding in found)


def leading_finding(case: Case) -> Finding | None:
    """Give only the first of `diagnose`'s findings, which costs a fraction of giving all."""
    asked = _able(case.has, case.passed, case.signs)
    for alike in asked.finding:
        found: list[Finding] = []
        for rule in alike:
            found += rule.diagnose(case)
        if found:
            return _qualified(case, _ranked(case, found)[0], asked)
    return None


def _ranked(case: Case, found: list[Finding]) -> list[Finding]:
    """Findings of rules that are equally specific, best first."""
    if len(found) > 1:
        rank: dict[NearestRule, int] = {}
        for index, nearest in enumerate(case.nearest):
            rank.setdefault(nearest, index)
        found.sort(
            key=lambda one: (
                rank.get(one.nearest[0], _NOT_NEAREST) if one.nearest else _NOT_NEAREST,
                CONFIDENCES.index(one.confidence),
                one.code,
                one.cause_key,
            )
        )
    return found


def _qualified(case: Case, finding: Finding, asked: _Asked) -> Finding:
    for rule in asked.qualifying:
        finding = rule.annotate(case, finding)
    return with_manager(case, finding)


class _Asked(Struct, frozen=True):
    """The rules that can say something of a case: most make findings, and a few only qualify those of others."""

    finding: tuple[tuple[Rule, ...], ...]
    """Grouped by how specific they are, the most specific first."""
    qualifying: tuple[Rule, ...]
    """In the order of their codes."""


@lru_cache(maxsize=4096)
def _able(has: Needs, passed: bool, signs: int) -> _Asked:
    """Registered rules that can speak; few combinations of needs and signs ever occur."""
    return _met(rules(), has, signs, passed=passed)


def _met(catalogue: Iterable[Rule], has: Needs, signs: int, *, passed: bool) -> _Asked:
    able = [rule for rule in catalogue if rule.needs & has == rule.needs and rule.passed is passed]
    levels: dict[int, list[Rule]] = {}
    for rule in able:
        shown = any(signs & wanted == wanted for wanted in rule.signs)
        if shown and type(rule).diagnose is not Rule.diagnose:
            levels.setdefault(rule.rank(signs), []).append(rule)
    return _Asked(
        finding=tuple(tuple(levels[level]) for level in sorted(levels, reverse=True)),
        qualifying=tuple(
            sorted(
                (rule for rule in able if type(rule).annotate is not Rule.annotate), key=lambda one: one.code
            )
        ),
    )
