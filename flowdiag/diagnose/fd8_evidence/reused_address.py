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
    """An address changed its owner meanwhile, several pods claim it, or the pod of that name is a later one.

    Signature:
        The flow's records straddle a change of owner, an end has more than one possible owner, or the state's pod
        was created after the records that name it (a StatefulSet's, say), so that its labels may be others.

    Advice:
        Bring records that name pods (Hubble), or pods with their start and end times.

    Guard:
        An end that the record itself names is certain, whoever else had the address; so are the labels that a
        record carries, where the enforcer goes by these.

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
        later = next((one.pod for one in (flow.src, flow.dst) if _later(case, one)), None)
        if end is None and later is None and not flow.ambiguous:
            return finding
        if end is None and later is not None:
            text = (
                f"Pod {later.namespace}/{later.name} of the state was created after these records: the one before it "
                "may have had other labels (FD808)."
            )
        elif end is not None:
            text = f"{end.ip or 'An address'} may be any of {a_list(end.candidates)} (FD808)."
        else:
            text = "An address changed its owner while these records were written (FD808)."
        word = finding.confidence
        if word is Confidence.DERIVED:
            word = lower(word, Confidence.LIKELY)
        return replace(finding, confidence=word, limits=(*finding.limits, text))


def _later(case: Case, end: Endpoint) -> bool:
    """Whether the state has only a successor of the pod that the records name."""
    if case.context.by_identity and end.identity_labels:
        return False
    pod, last = end.pod, case.flow.last
    return pod is not None and pod.created is not None and last is not None and pod.created > last


def _several(end: Endpoint) -> bool:
    return end.pod is None and len(end.candidates) > 1
