"""One refused flow through every rule; what comes out does not depend on the rules' order."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache

from msgspec import Struct

from flowdiag.diagnose.case import Case
from flowdiag.diagnose.confidence import CONFIDENCES
from flowdiag.diagnose.managed import with_manager
from flowdiag.diagnose.needs import Needs
from flowdiag.diagnose.registry import rules
from flowdiag.diagnose.rule import Rule
from flowdiag.model.finding import Finding
from flowdiag.model.policy import NearestRule

__all__ = ["diagnose", "leading"]

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
        _able(case.has, case.passed) if catalogue is None else _met(catalogue, case.has, passed=case.passed)
    )
    return tuple(_qualified(case, finding, asked) for finding in _found(case, asked))


def leading(case: Case) -> Finding | None:
    """Give the first of `diagnose`'s findings alone, which costs a part of all of them."""
    asked = _able(case.has, case.passed)
    found = _found(case, asked)
    return _qualified(case, found[0], asked) if found else None


def _found(case: Case, asked: _Asked) -> list[Finding]:
    found = [(rule, finding) for rule in asked.finding for finding in rule.diagnose(case)]
    if len(found) > 1:
        rank: dict[NearestRule, int] = {}
        for index, nearest in enumerate(case.nearest):
            rank.setdefault(nearest, index)
        found.sort(
            key=lambda pair: (
                -pair[0].specificity,
                rank.get(pair[1].nearest[0], _NOT_NEAREST) if pair[1].nearest else _NOT_NEAREST,
                CONFIDENCES.index(pair[1].confidence),
                pair[1].code,
                pair[1].cause_key,
            )
        )
    return [finding for _, finding in found]


def _qualified(case: Case, finding: Finding, asked: _Asked) -> Finding:
    for rule in asked.qualifying:
        finding = rule.annotate(case, finding)
    return with_manager(case, finding)


class _Asked(Struct, frozen=True):
    """Rules whose needs are met, by what they do: most only find, a few only qualify."""

    finding: tuple[Rule, ...]
    qualifying: tuple[Rule, ...]
    """In the order of their codes."""


@cache
def _able(has: Needs, passed: bool) -> _Asked:
    """Registered rules whose needs are met; few combinations of needs ever occur."""
    return _met(rules(), has, passed=passed)


def _met(catalogue: Iterable[Rule], has: Needs, *, passed: bool) -> _Asked:
    able = [rule for rule in catalogue if rule.needs & has == rule.needs and rule.passed is passed]
    return _Asked(
        finding=tuple(rule for rule in able if type(rule).diagnose is not Rule.diagnose),
        qualifying=tuple(
            sorted(
                (rule for rule in able if type(rule).annotate is not Rule.annotate), key=lambda one: one.code
            )
        ),
    )
