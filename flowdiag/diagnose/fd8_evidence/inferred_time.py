"""FD803."""

from __future__ import annotations

from msgspec.structs import replace

from flowdiag.diagnose.case import Case
from flowdiag.diagnose.confidence import lower
from flowdiag.diagnose.rule import Rule
from flowdiag.model.event import TimeSource
from flowdiag.model.finding import Finding
from flowdiag.model.report import Confidence, Severity

__all__ = ["InferredTime"]


class InferredTime(Rule):
    """The records' year (or their whole time) was inferred.

    Signature:
        The stamps hold no year, as in syslog, or no time at all.

    Advice:
        Give `--year` and `--tz`; then policies of the right time are asked.

    Guard:
        Stamps of the record or of its envelope are taken as they are; so is a year that the reader gave (`--year`).

    References:
        https://www.rfc-editor.org/rfc/rfc3164#section-4.1.2
        https://github.com/log2timeline/plaso
    """

    code = "FD803"
    slug = "inferred-time"
    title = "When {source} was refused by {destination} is inferred"
    severity = Severity.INFO

    def annotate(self, case: Case, finding: Finding) -> Finding:
        """See `Rule.annotate`."""
        if case.flow.distinct.time_source is not TimeSource.INFERRED_YEAR or case.context.year_given:
            return finding
        text = "The records hold no year, so it was inferred (FD803); --year settles it."
        word = finding.confidence
        if word is Confidence.DERIVED:
            word = lower(word, Confidence.LIKELY)
        return replace(finding, confidence=word, limits=(*finding.limits, text))
