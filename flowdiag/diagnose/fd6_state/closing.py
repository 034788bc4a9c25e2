"""FD606."""

from __future__ import annotations

from collections.abc import Iterator

from flowdiag.diagnose.case import Case
from flowdiag.diagnose.confidence import Basis
from flowdiag.diagnose.needs import Needs
from flowdiag.diagnose.rule import Rule
from flowdiag.diagnose.signs import Sign
from flowdiag.diagnose.wording import end_text, seconds
from flowdiag.model.finding import Finding
from flowdiag.model.objects import Pod
from flowdiag.model.report import Confidence, Severity
from flowdiag.model.time import NS

__all__ = ["ClosingTraffic"]

_WITHIN_S = 60
_CLOSING = frozenset({"FIN", "RST", "ACK", "PSH"})


class ClosingTraffic(Rule):
    """The last packets of connections whose pod is gone.

    Signature:
        Only FIN, RST and bare ACK packets, to or from a pod that ended less than a minute before.

    Advice:
        Nothing: both sides give up by themselves.  Frequent ones point to clients that do not close.

    Guard:
        A SYN among them is a client that still calls the old address.  Without the pod's end in the state
        nothing is said: late packets of a living pod are not noise.

    References:
        https://github.com/cilium/cilium/issues/46508
        https://github.com/cilium/cilium/issues/13451
    """

    code = "FD606"
    slug = "closing-traffic"
    title = "Closing packets between {source} and {destination} after a pod ended"
    severity = Severity.INFO
    needs = Needs.PODS
    signs = (Sign.NO_SYN,)
    specificity = 95

    def diagnose(self, case: Case) -> Iterator[Finding]:
        """See `Rule.diagnose`."""
        flags, first, last = case.flow.distinct.tcp_flags, case.flow.first, case.flow.last
        if not flags or flags - _CLOSING or first is None or last is None:
            return
        for end in (case.flow.src, case.flow.dst):
            ended = self._ended(end.pod) if end.pod is not None else None
            if ended is None or not first - ended >= 0 or last - ended > _WITHIN_S * NS:
                continue
            yield self.finding(
                case,
                summary=f"{end_text(end)} ended {seconds(first - ended)} before these {'/'.join(sorted(flags))} packets.",
                advice="Nothing to do: both sides give up by themselves.",
                basis=Basis.STATE,
                most=Confidence.DERIVED,
                cause_key="closing",
            )
            return

    @staticmethod
    def _ended(pod: Pod) -> int | None:
        return pod.finished if pod.finished is not None else pod.deleted
