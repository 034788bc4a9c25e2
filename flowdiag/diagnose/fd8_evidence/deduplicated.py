"""FD805."""

from __future__ import annotations

from msgspec.structs import replace

from flowdiag.diagnose.case import Case
from flowdiag.diagnose.rule import Rule
from flowdiag.diagnose.seen import same_node
from flowdiag.model.finding import Finding
from flowdiag.model.report import Severity

__all__ = ["Deduplicated"]

# Antrea writes one line for what repeats within a second; who writes Events of drops leaves out what repeats within minutes.
_FOLDING = {
    "antrea-np-log": "The log folds repeats within a second into a line at its end: counts are lower bounds, and the first "
    "packet may lie up to a second before (FD805).",
    "antrea-traceflow": "A Traceflow is one packet that somebody sent, or picked, to see what becomes of it: it does not tell how "
    "often that happens (FD805).",
    "kubernetes-events": "Events leave out what repeats within minutes, and end after an hour: counts are lower bounds "
    "(FD805).",
}


class Deduplicated(Rule):
    """The log drops repeats, so counts are too small.

    Signature:
        The format folds repeats (Antrea's np.log within one second, Events within minutes, a Traceflow is
        one packet), or a rate limit is known to have been active while the refusals happened.

    Advice:
        Read counts as lower bounds; raise the limit for the time of the search.

    Guard:
        A rate limit on another node, or outside the refusals' time, changes nothing.

    References:
        https://github.com/antrea-io/antrea/issues/4748
        https://docs.tigera.io/calico/latest/network-policy/policy-rules/log-rules
    """

    code = "FD805"
    slug = "deduplicated-log"
    title = "Repeats of {source} to {destination} are not in the log"
    severity = Severity.INFO

    def annotate(self, case: Case, finding: Finding) -> Finding:
        """See `Rule.annotate`."""
        folding = _FOLDING.get(case.flow.distinct.parser)
        if folding is None and not (case.context.gaps and self._limited(case)):
            return finding
        text = folding or "The log was rate limited meanwhile: counts are lower bounds (FD805)."
        return replace(finding, limits=(*finding.limits, text))

    @staticmethod
    def _limited(case: Case) -> bool:
        first, last, node = case.flow.first, case.flow.last, case.flow.distinct.node
        if first is None or last is None:
            return False
        for gap in case.context.gaps:
            if gap.kind != "rate-limited" or gap.since is None:
                continue
            end = gap.until if gap.until is not None else gap.since
            here = gap.node is None or node is None or same_node(gap.node, node)
            if here and gap.since <= last and end >= first:
                return True
        return False
