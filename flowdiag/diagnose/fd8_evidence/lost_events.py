"""FD801."""

from __future__ import annotations

from msgspec.structs import replace

from flowdiag.diagnose.case import Case
from flowdiag.diagnose.confidence import lower
from flowdiag.diagnose.rule import Rule
from flowdiag.diagnose.seen import same_node
from flowdiag.model.finding import Finding
from flowdiag.model.report import Confidence, Severity
from flowdiag.model.time import moment_text
from flowdiag.model.words import plural

__all__ = ["LostEvents"]


class LostEvents(Rule):
    """Records were lost while the refusals happened.

    Signature:
        A gap (lost events, a rate limit, a silent node) on the recording node overlaps the time from the
        first to the last refused record.

    Advice:
        Counts are lower bounds there, and "never allowed meanwhile" cannot be said.  A larger ring buffer
        or a static export loses less.

    Guard:
        A gap on another node, or outside the refusals' time, changes nothing.  A name in the record
        stays recorded: lost records do not weaken what was written.

    References:
        https://github.com/cilium/hubble/issues/1737
        https://github.com/cilium/cilium/issues/44725
    """

    code = "FD801"
    slug = "lost-events"
    title = "Records were lost while {source} was refused by {destination}"
    severity = Severity.INFO

    def annotate(self, case: Case, finding: Finding) -> Finding:
        """See `Rule.annotate`."""
        if not case.context.gaps:
            return finding
        first, last, node = case.flow.first, case.flow.last, case.flow.distinct.node
        if first is None or last is None:
            return finding
        lost: int | None = 0
        spans: list[tuple[int, int]] = []
        for gap in case.context.gaps:
            begin, end = gap.since, gap.until if gap.until is not None else gap.since
            if gap.kind == "rate-limited" or begin is None or end is None or begin > last or end < first:
                continue
            if gap.node is not None and node is not None and not same_node(gap.node, node):
                continue
            spans.append((begin, end))
            lost = None if gap.lost is None or lost is None else lost + gap.lost
        if not spans:
            return finding
        what = "An unknown number of records" if not lost else plural(lost, "record")
        where = f" on {node}" if node else ""
        begin, end = min(span[0] for span in spans), max(span[1] for span in spans)
        since, until = (moment_text(moment) for moment in (begin, end))
        when = f"at {since}" if since == until else f"between {since} and {until}"
        verb = "was" if lost == 1 else "were"
        text = f"{what} {verb} lost{where} {when} (FD801): counts are lower bounds."
        word = finding.confidence
        if word is Confidence.DERIVED and finding.code in ("FD102", "FD601", "FD602"):
            # These rest on what else was seen, or was not.
            word = lower(word, Confidence.LIKELY)
        return replace(finding, confidence=word, limits=(*finding.limits, text))
