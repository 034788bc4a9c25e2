"""FD605."""

from __future__ import annotations

from collections.abc import Iterator

from flowdiag.diagnose.agent_messages import agent_messages
from flowdiag.diagnose.case import Case
from flowdiag.diagnose.confidence import Basis
from flowdiag.diagnose.end_signs import UNMANAGED_IDENTITY
from flowdiag.diagnose.rule import Rule
from flowdiag.diagnose.signs import Sign
from flowdiag.diagnose.wording import end_text
from flowdiag.model.finding import Finding
from flowdiag.model.report import Severity

__all__ = ["UnmanagedPod"]

_SAID = ("agent-started", "endpoint-labels-missing", "endpoint-regeneration-failed")
"""The start that the pod was older than, or the trouble of taking it over."""
_BEFORE_S = 86_400
"""A pod stays unmanaged for as long as nobody restarts it."""


class UnmanagedPod(Rule):
    """A pod that Cilium does not manage: it ran before the CNI did.

    Signature:
        The record gives an end the reserved identity `unmanaged` (3).

    Advice:
        Restart the pod, so that Cilium sets up its network; until then no selector matches it.

    Guard:
        Other reserved identities (`init`, `health`, `unknown`) are other stories.

    References:
        https://github.com/cilium/cilium/issues/26388
        https://docs.cilium.io/en/stable/operations/troubleshooting/#ensure-pod-is-managed-by-cilium
    """

    code = "FD605"
    slug = "unmanaged-pod"
    title = "{source} is refused by {destination}: a pod is not managed by the CNI"
    severity = Severity.HIGH
    signs = (Sign.UNMANAGED,)
    specificity = 93

    def diagnose(self, case: Case) -> Iterator[Finding]:
        """See `Rule.diagnose`."""
        distinct = case.flow.distinct
        pairs = ((distinct.src, case.flow.src), (distinct.dst, case.flow.dst))
        for peer, end in pairs:
            if peer.entity != "unmanaged" and peer.identity != UNMANAGED_IDENTITY:
                continue
            agent = agent_messages(case, *_SAID, before_s=_BEFORE_S)
            yield self.finding(
                case,
                summary=(
                    f"The record calls {end_text(end)} unmanaged: it was started before the CNI took over."
                    f"{agent.text}"
                ),
                said=agent.said,
                advice="Restart that pod; as long as it is unmanaged, no selector matches it.",
                basis=Basis.RECORD,
                cause_key="unmanaged",
            )
            return
