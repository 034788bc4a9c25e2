"""FD809."""

from __future__ import annotations

from msgspec.structs import replace

from flowdiag.diagnose.case import Case
from flowdiag.diagnose.needs import Needs
from flowdiag.diagnose.rule import Rule
from flowdiag.diagnose.wording import end_text
from flowdiag.model.finding import Finding
from flowdiag.model.report import Severity

__all__ = ["SilentNode"]


class SilentNode(Rule):
    """Nothing was recorded on the node of the other end.

    Signature:
        Records name the nodes that wrote them, and none was written by the node on which the other end of
        the refused connection runs.

    Advice:
        Bring that node's flows or logs too: without them nobody can see whether the connection would also
        be refused there, or whether it has ever arrived.

    Guard:
        Silent where records name no node, where the other end is no pod with a known node, and where both
        ends run on one node.  It changes no diagnosis: the refusal itself was recorded.

    References:
        https://github.com/cilium/hubble/issues/460
    """

    code = "FD809"
    slug = "silent-node"
    title = "No records of one node while {source} was refused by {destination}"
    severity = Severity.INFO
    needs = Needs.PODS

    def annotate(self, case: Case, finding: Finding) -> Finding:
        """See `Rule.annotate`."""
        seen = case.context.recording
        pod = case.peer.pod
        if not seen or pod is None or pod.node is None or case.flow.distinct.node is None:
            return finding
        if pod.node in seen or case.same_node is not False:
            return finding
        text = (
            f"Nothing was recorded on {pod.node}, where {end_text(case.peer)} runs: what its side would have "
            "done is not seen (FD809)."
        )
        return replace(finding, limits=(*finding.limits, text))
