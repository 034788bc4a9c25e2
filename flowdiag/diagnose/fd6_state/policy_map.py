"""FD604."""

from __future__ import annotations

from collections.abc import Iterator

from flowdiag.diagnose.agent_messages import agent_messages
from flowdiag.diagnose.case import Case
from flowdiag.diagnose.confidence import Basis
from flowdiag.diagnose.needs import Needs
from flowdiag.diagnose.rule import Rule
from flowdiag.diagnose.signs import Sign
from flowdiag.diagnose.wording import end_text
from flowdiag.model.finding import Finding
from flowdiag.model.report import Confidence, Severity
from flowdiag.model.time import moment_text

__all__ = ["PolicyMapFull"]

_SIGNALS = ("policy-map-full", "policy-map-error")
_BEFORE_S = 3600
"""A full map stays full; the agent repeats its message while it tries."""
_AFTER_S = 300
_ANYBODY = (
    "Whether it is the agent of {} is not known: its log says no node, and its name no pod of the state (a file for each "
    "agent of a sysdump does)."
)


class PolicyMapFull(Rule):
    """An endpoint's policy map was full, so what the policies allow could not be installed.

    Signature:
        The agent on the recording node said that it failed to add a policy map key, around the time of
        the refusals, and the replay does not refuse.

    Advice:
        Raise `bpf-policy-map-max` (16384 by default, up to 65536), and simplify rules that expand to many
        entries: CIDR lists, toFQDNs, toEntities.

    Guard:
        A message of another node's agent has nothing to do with it; and what the policies refuse anyway
        needs no full map.

    References:
        https://github.com/cilium/cilium/issues/8060
        https://github.com/cilium/cilium/issues/19279
    """

    code = "FD604"
    slug = "policy-map-full"
    title = "{source} is refused by {destination}: a policy map is full"
    severity = Severity.HIGH
    needs = Needs.LOGS
    signs = (Sign.POLICY | Sign.OPEN,)
    specificity = 89

    def diagnose(self, case: Case) -> Iterator[Finding]:
        """See `Rule.diagnose`."""
        node = case.flow.distinct.node
        if case.not_policy or case.replay_agrees or node is None:
            return
        found = [
            signal
            for code in _SIGNALS
            for signal in case.context.signals_near(
                code, node, case.flow.first, case.flow.last, before_s=_BEFORE_S, after_s=_AFTER_S
            )
        ]
        if not found:
            return
        placed = [signal for signal in found if signal.node is not None]
        at = min(signal.at for signal in placed or found)
        whose = f"The agent on {node}" if placed else "An agent, whose log does not tell of which node it is,"
        agent = agent_messages(case, *_SIGNALS, before_s=_BEFORE_S, after_s=_AFTER_S)
        yield self.finding(
            case,
            summary=(
                f"{whose} could not install policy entries from {moment_text(at)} on "
                f"(policy map), and {end_text(case.enforcer)} refused {end_text(case.peer)} then."
                f"{agent.text}"
            ),
            said=agent.said,
            advice="Raise bpf-policy-map-max and simplify rules that expand to many entries (CIDRs, toFQDNs).",
            basis=Basis.STATE,
            most=Confidence.LIKELY if placed else Confidence.POSSIBLE,
            cause_key=f"policy-map:{node}",
            limits=(
                "The agent's message names an endpoint number, which was not tied to this pod.",
                *(() if placed else (_ANYBODY.format(node),)),
            ),
        )
