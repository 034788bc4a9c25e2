"""What a diagnosis is: one small class per code, whose docstring is its documentation."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator, Mapping
from functools import cache
from types import MappingProxyType
from typing import ClassVar

from flowdiag.diagnose.case import Case
from flowdiag.diagnose.confidence import Basis, judge
from flowdiag.diagnose.needs import Needs
from flowdiag.diagnose.signs import Sign
from flowdiag.model.finding import Finding, Said
from flowdiag.model.policy import DecidedBy, NearestRule, PolicyRef
from flowdiag.model.report import Confidence, Counterfactual, Severity

__all__ = ["SECTIONS", "Rule", "sections"]

SECTIONS = ("Signature", "Advice", "Guard", "References")
"""Sections that every rule's docstring has."""


class Rule:
    """Base of a diagnosis.

    A rule either explains a case (`diagnose`) or qualifies what others found (`annotate`); both are
    pure, see one case, and never depend on which rules ran before.
    """

    code: ClassVar[str]
    slug: ClassVar[str]
    title: ClassVar[str]
    """Template with ``{source}``, ``{destination}``, ``{port}``; speaks of workloads."""
    severity: ClassVar[Severity]
    needs: ClassVar[Needs] = Needs.NONE
    """State without which the rule stays silent."""
    signs: ClassVar[tuple[int, ...]] = (Sign.ANY,)
    """What a case must look like for `diagnose` to have anything to say: all bits of one of these."""
    passed: ClassVar[bool] = False
    """Whether it is about traffic that was let through; all others are about refusals."""
    specificity: ClassVar[int] = 50
    """Which finding speaks for a flow that several rules explain: the greatest."""
    specificity_where: ClassVar[Mapping[int, int]] = MappingProxyType({})
    """Another specificity by a sign that a case shows (`flowdiag.diagnose.signs`); the first that it has counts."""

    def rank(self, signs: int) -> int:
        """How specific it is for cases of these signs."""
        return next(
            (level for sign, level in self.specificity_where.items() if signs & sign == sign),
            self.specificity,
        )

    def diagnose(self, case: Case) -> Iterator[Finding]:
        """Yield what is wrong, at most a few findings; called only where `needs` are met and `signs` seen."""
        del case
        yield from ()

    def annotate(self, case: Case, finding: Finding) -> Finding:
        """Give the finding back, qualified by what this rule knows; called only where `needs` are met."""
        del case
        return finding

    def finding(
        self,
        case: Case,
        *,
        summary: str,
        advice: str = "",
        basis: Basis = Basis.REPLAY,
        candidates: int = 1,
        most: Confidence = Confidence.RECORDED,
        cause_key: str = "",
        first: NearestRule | None = None,
        title: str | None = None,
        severity: Severity | None = None,
        decided_by: DecidedBy | None = None,
        isolating: tuple[PolicyRef, ...] | None = None,
        nearest: tuple[NearestRule, ...] | None = None,
        limits: tuple[str, ...] = (),
        counterfactual: Counterfactual | None = None,
        said: tuple[Said, ...] = (),
        age_s: float | None = None,
        elsewhere: bool = False,
    ) -> Finding:
        """Build a finding of this rule.

        Args:
            case: what it is about.
            summary: one sentence with names, wanted and found values.
            advice: what to do, one or two sentences.
            basis: what it rests on; the confidence follows from it.
            candidates: how many rules fit equally well.
            most: the surest word that the rule's guard admits.
            cause_key: the missed condition and its wanted value, or what else makes one cause.
            first: the nearest rule that it is about; it is shown before the others.
            title: another template than the class's.
            severity: another one than the class's.
            decided_by: the rule that decided, if another than the replay's.
            isolating: isolating policies, if others than the replay's (from the record).
            nearest: rules that missed, if others than the replay's: none, where no rule is mistaken.
            limits: more sentences on what kept the confidence down.
            counterfactual: a proved proposal.
            said: messages of components that it rests on or quotes.
            age_s: seconds between a pod's start and the first refusal, where that is what it is about.
            elsewhere: what is to be changed is no policy.
        """
        word, reasons = judge(
            case, basis, candidates=candidates, most=most, near=first is not None and not first.unknown
        )
        if nearest is None:
            nearest = case.nearest
        if first is not None:
            nearest = (first, *(rule for rule in nearest if rule != first))
        decided = decided_by
        if decided is None and case.end is not None and case.of_rules:
            decided = case.end.decided_by
        return Finding(
            code=self.code,
            age_s=age_s,
            elsewhere=elsewhere,
            slug=self.slug,
            title=title if title is not None else self.title,
            severity=severity if severity is not None else self.severity,
            confidence=word,
            direction=str(case.direction) if case.direction is not None else None,
            isolating=case.isolating if isolating is None else isolating,
            decided_by=decided,
            nearest=nearest,
            cause_key=cause_key,
            summary=summary,
            advice=advice,
            references=self.references(),
            counterfactual=counterfactual,
            said=said,
            limits=(*reasons, *limits),
        )

    @classmethod
    def references(cls) -> tuple[str, ...]:
        """Addresses in the docstring's References section."""
        return _references(cls.__doc__ or "")


@cache
def _references(documentation: str) -> tuple[str, ...]:
    return tuple(_cut(documentation).get("References", "").split())


_HEADER = re.compile(r"(?m)^(Signature|Advice|Guard|References):\s*$")


def sections(rule: type[object]) -> dict[str, str]:
    """Cut a rule's or check's docstring into its sections; the text before the first is under ``""``."""
    return _cut(rule.__doc__ or "")


def _cut(documentation: str) -> dict[str, str]:
    parts = _HEADER.split(inspect.cleandoc(documentation))
    found = {"": parts[0].strip()}
    for name, body in zip(parts[1::2], parts[2::2], strict=True):
        found[name] = inspect.cleandoc(body).strip()
    return found
