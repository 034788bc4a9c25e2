"""FD808."""

from __future__ import annotations

from msgspec.structs import replace

from flowdiag.diagnose.case import Case
from flowdiag.diagnose.confidence import lower
from flowdiag.diagnose.rule import Rule
from flowdiag.diagnose.wording import a_list
from flowdiag.model.endpoint import Endpoint
from flowdiag.model.finding import Finding
from flowdiag.model.report import Confidence, Severity

__all__ = ["ReusedAddress"]


class ReusedAddress(Rule):
    """An address changed its owner meanwhile, or several pods claim it.

    Signature:
        The flow's records straddle a change of owner, or an end has more than one possible owner.

    Advice:
        Bring records that name pods (Hubble), or pods with their start and end times.

    Guard:
        An end that the record itself names is certain, whoever else had the address.

    References:
        https://github.com/openshift/enhancements/pull/617
        https://github.com/kubernetes/kubernetes/issues/92697
    """

    code = "FD808"
    slug = "reused-address"
    title = "Who {source} or {destination} was at that time is not certain"
    severity = Severity.INFO

    def annotate(self, case: Case, finding: Finding) -> Finding:
        """See `Rule.annotate`."""
        flow = case.flow
        end = flow.src if _several(flow.src) else flow.dst if _several(flow.dst) else None
        if end is None and not flow.ambiguous:
            return finding
        if end is not None:
            text = f"{end.ip or 'An address'} may be any of {a_list(end.candidates)} (FD808)."
        else:
            text = "An address changed its owner while these records were written (FD808)."
        word = finding.confidence
        if word is Confidence.DERIVED:
            word = lower(word, Confidence.LIKELY)
        return replace(finding, confidence=word, limits=(*finding.limits, text))


def _several(end: Endpoint) -> bool:
    return end.pod is None and len(end.candidates) > 1
