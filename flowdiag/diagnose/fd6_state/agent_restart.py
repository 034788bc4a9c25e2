"""FD608."""

from __future__ import annotations

from collections.abc import Iterator

from flowdiag.diagnose.case import Case
from flowdiag.diagnose.confidence import Basis
from flowdiag.diagnose.needs import Needs
from flowdiag.diagnose.rule import Rule
from flowdiag.diagnose.signs import Sign
from flowdiag.diagnose.wording import end_text
from flowdiag.model.finding import Finding, Said
from flowdiag.model.report import Confidence, Severity
from flowdiag.model.time import NS, moment_text

__all__ = ["AgentRestart"]

_SIGNALS = ("agent-started", "agent-shutdown", "agent-crashed")
_WINDOW_S = 120
"""An agent that restarts regenerates its endpoints within about two minutes."""


class AgentRestart(Rule):
    """Refusals on one node while its agent restarted or was upgraded.

    Signature:
        The agent of the recording node started, stopped or crashed within two minutes of the refusals,
        which end soon after, and the replay does not refuse.

    Advice:
        Nothing to change in policies; roll agents slower, and look at why the agent restarted.

    Guard:
        Refusals that go on long after the restart, or that the policies explain, have another cause.

    References:
        https://github.com/cilium/cilium/issues/48556
        https://github.com/cilium/cilium/issues/2644
    """

    code = "FD608"
    slug = "agent-restart"
    title = "{source} was refused by {destination} while an agent restarted"
    severity = Severity.MEDIUM
    needs = Needs.LOGS
    signs = (Sign.POLICY | Sign.OPEN,)
    specificity = 86

    def diagnose(self, case: Case) -> Iterator[Finding]:
        """See `Rule.diagnose`."""
        first, last, node = case.flow.first, case.flow.last, case.flow.distinct.node
        if case.not_policy or case.replay_agrees or node is None or first is None or last is None:
            return
        found = [
            signal
            for code in _SIGNALS
            for signal in case.context.signals_near(code, node, first, first, before_s=_WINDOW_S, after_s=5)
            if signal.node is not None
        ]
        if not found:
            return
        latest = max(found, key=lambda one: (one.at, one.signal))
        if last - latest.at > _WINDOW_S * NS:
            return
        what = {"agent-started": "started", "agent-shutdown": "stopped"}.get(latest.signal, "crashed")
        yield self.finding(
            case,
            summary=(
                f"The agent on {node} {what} at {moment_text(latest.at)}, and "
                f"{end_text(case.flow.src)} was refused only around that time."
            ),
            advice="No policy needs a change: find out why the agent restarted, and roll agents one at a time.",
            basis=Basis.STATE,
            most=Confidence.LIKELY,
            cause_key=f"agent-restart:{node}",
            said=tuple(Said(one.at, one.text) for one in sorted(found, key=lambda one: (one.at, one.text))),
        )
