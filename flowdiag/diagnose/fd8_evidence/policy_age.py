"""FD804."""

from __future__ import annotations

from msgspec.structs import replace

from flowdiag.diagnose.case import Case
from flowdiag.diagnose.confidence import policy_times
from flowdiag.diagnose.needs import Needs
from flowdiag.diagnose.relabelled import label_times
from flowdiag.diagnose.rule import Rule
from flowdiag.model.finding import Finding
from flowdiag.model.report import Confidence, Severity

__all__ = ["PolicySnapshotAge"]


class PolicySnapshotAge(Rule):
    """The policies or labels at hand may not be those of the time of the refusals.

    Signature:
        The snapshot was taken before the refusals, or a policy that the replay rests on was last changed
        after them or at a time that nothing tells (no generation, no managedFields); or labels of an end's pod
        or namespace were written after them, and no audit log tells what they were.

    Advice:
        Bring a dump from the time, or an audit log; `kubectl get -o yaml --show-managed-fields` tells when
        a spec was last written.

    Guard:
        A later snapshot of a policy whose spec was not written since (generation 1, or managedFields that
        say so) is as good as one from the time; so are labels that Cilium's record carries.

    References:
        https://kubernetes.io/docs/reference/using-api/server-side-apply/#managedfields
        https://github.com/skyhook-io/radar/pull/1752
    """

    code = "FD804"
    slug = "policy-snapshot-age"
    title = "The policies for {source} and {destination} are of another time"
    severity = Severity.INFO
    needs = Needs.POLICIES

    def annotate(self, case: Case, finding: Finding) -> Finding:
        """Mark findings that rest on the replay."""
        if finding.confidence is Confidence.RECORDED:
            return finding
        texts = [*policy_times(case), *label_times(case)]
        if not texts:
            return finding
        limits = tuple(limit for limit in finding.limits if limit not in texts)
        word = Confidence.LIKELY if finding.confidence is Confidence.DERIVED else finding.confidence
        return replace(finding, confidence=word, limits=(*limits, *(f"{text} (FD804)" for text in texts)))
