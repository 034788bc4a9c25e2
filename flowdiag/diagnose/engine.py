"""One refused flow through every rule; what comes out does not depend on the rules' order."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache

from flowdiag.diagnose.case import Case
from flowdiag.diagnose.confidence import CONFIDENCES
from flowdiag.diagnose.managed import with_manager
from flowdiag.diagnose.needs import Needs
from flowdiag.diagnose.registry import rules
from flowdiag.diagnose.rule import Rule
from flowdiag.model.finding import Finding
from flowdiag.model.policy import NearestRule

__all__ = ["diagnose"]

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
    asked = _able(case.has) if catalogue is None else _met(catalogue, case.has)
    found = [(rule, finding) for rule in asked for finding in rule.diagnose(case)]
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
    qualified = []
    for _, finding in found:
        result = finding
        for rule in sorted(asked, key=_code):
            result = rule.annotate(case, result)
        qualified.append(with_manager(case, result))
    return tuple(qualified)


@cache
def _able(has: Needs) -> tuple[Rule, ...]:
    """Registered rules whose needs are met; few combinations of needs ever occur."""
    return _met(rules(), has)


def _met(catalogue: Iterable[Rule], has: Needs) -> tuple[Rule, ...]:
    return tuple(rule for rule in catalogue if rule.needs & has == rule.needs)


def _code(rule: Rule) -> str:
    return rule.code
