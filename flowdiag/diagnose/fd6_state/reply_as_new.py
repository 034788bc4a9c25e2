"""FD602."""

from __future__ import annotations

from collections.abc import Iterator

from flowdiag.diagnose.agent_messages import agent_messages
from flowdiag.diagnose.aws_agent import opened_untracked
from flowdiag.diagnose.case import Case
from flowdiag.diagnose.confidence import Basis
from flowdiag.diagnose.replies import EPHEMERAL_FROM
from flowdiag.diagnose.rule import Rule
from flowdiag.diagnose.signs import Sign
from flowdiag.diagnose.wording import end_text, port_text
from flowdiag.model.finding import Finding
from flowdiag.model.flow import Flow
from flowdiag.model.report import Confidence, Severity
from flowdiag.model.time import NS

__all__ = ["ReplyAsNew"]

_SAID = ("conntrack-full", "map-pressure", "agent-started", "agent-crashed")
_TRACKED_S = 21600
"""Cilium keeps an established TCP connection for six hours (``bpf-ct-timeout-regular-tcp``)."""


class ReplyAsNew(Rule):
    """A reply of an allowed connection was judged as a new one.

    Signature:
        The way back of the refused packets was allowed before, within the life of a conntrack entry: the
        refused port is a client's ephemeral one and a source port is the server's; or the record itself
        is a reply.  No SYN among the flags, but for an answer's (SYN, ACK).

    Advice:
        Do not add an ingress rule for ephemeral ports.  Look at conntrack: a full map, garbage collection,
        an agent restart, an asymmetric path.  AWS's agent does not track what a pod opens before its policies
        are enforced, in its first seconds.

    Guard:
        A SYN opens a new connection, whatever its ports; then this is silent.

    References:
        https://github.com/cilium/cilium/issues/41045
        https://github.com/cilium/cilium/issues/48556
    """

    code = "FD602"
    slug = "reply-judged-as-new"
    title = "Replies between {source} and {destination} are refused as if they were new connections"
    severity = Severity.MEDIUM
    signs = (Sign.POLICY | Sign.NO_SYN,)
    specificity = 92

    def diagnose(self, case: Case) -> Iterator[Finding]:
        """See `Rule.diagnose`."""
        distinct = case.flow.distinct
        opens = "SYN" in distinct.tcp_flags and not distinct.turned
        if opens or case.not_policy or distinct.l7 is not None:
            return
        src, dst = end_text(case.flow.src), end_text(case.flow.dst)
        if distinct.turned:
            before = [
                flow
                for flow in case.context.allowed_between(case.flow.src, case.flow.dst)
                if flow.distinct.port == case.port and self._before(flow, case)
            ]
            # Who answers a SYN has got it.
            answered = "SYN" in distinct.tcp_flags
            seen = "was allowed before" if before else "is not in the records"
            if answered and not before:
                seen += f", but {dst} got it, since it answers (SYN, ACK)"
            yield self._finding(
                case,
                f"Replies of {dst} to {src} ({port_text(case)}) were refused; the connection itself {seen}.",
                sure=bool(before) or answered,
                most=Confidence.DERIVED if before else Confidence.LIKELY,
            )
            return
        if case.port is None or case.port < EPHEMERAL_FROM:
            return
        for flow in case.context.allowed_between(case.flow.dst, case.flow.src):
            if flow.distinct.port in distinct.source_ports and self._before(flow, case):
                yield self._finding(
                    case,
                    (
                        f"{src} answers {dst} from port {flow.distinct.port}, which {dst} was allowed to "
                        "call, and the answer was refused as a new connection."
                    ),
                    sure=True,
                )
                return

    def _finding(
        self, case: Case, summary: str, *, sure: bool, most: Confidence = Confidence.DERIVED
    ) -> Finding:
        agent = agent_messages(case, *_SAID, before_s=3600)
        untracked = opened_untracked(case)
        return self.finding(
            case,
            summary=(summary if untracked is None else f"{summary[:-1]}{untracked[0]}.") + agent.text,
            said=agent.said,
            advice=(
                "Add no rule for ephemeral ports: look at conntrack (map pressure, garbage collection), agent "
                "restarts and asymmetric paths at that time."
                if untracked is None
                else f"Add no rule for ephemeral ports. {untracked[1]}"
            ),
            basis=Basis.STATE if sure else Basis.PATTERN,
            most=most,
            cause_key="reply",
        )

    @staticmethod
    def _before(flow: Flow, case: Case) -> bool:
        if flow.first is None or case.flow.last is None or flow.last is None or case.flow.first is None:
            return False
        return flow.first <= case.flow.last and case.flow.first - flow.last <= _TRACKED_S * NS
