"""FD601."""

from __future__ import annotations

from collections.abc import Iterator

from flowdiag.cluster.passing import got_past
from flowdiag.diagnose.agent_messages import agent_messages
from flowdiag.diagnose.case import Case
from flowdiag.diagnose.confidence import Basis
from flowdiag.diagnose.early import OVER_S, YOUNG_S, nameless, young
from flowdiag.diagnose.rule import Rule
from flowdiag.diagnose.signs import Sign
from flowdiag.diagnose.wording import end_text, seconds
from flowdiag.model.finding import Finding
from flowdiag.model.report import Confidence, Severity
from flowdiag.model.time import NS

__all__ = ["StartUpWindow"]

_SAID = (
    "identity-changed",
    "identity-allocation-failed",
    "endpoint-labels-missing",
    "endpoint-stale-policy",
    "endpoint-regeneration-failed",
    "endpoint-programmed",
)
"""Messages of an agent that was still busy with the pod."""
_NOT_READY = ("DROP_EP_NOT_READY", "DROP_HOST_NOT_READY")


class StartUpWindow(Rule):
    """Refused in the first seconds of a pod's life, and no more after.

    Signature:
        The first refusal comes within ten seconds of a pod's start (or the reason says that the endpoint
        was not ready), the burst ends within half a minute, and the replay does not refuse; or the record
        has the young pod still as `init` or `unknown`.

    Advice:
        Let the application retry, or delay it with an init container; no rule is wrong.

    Guard:
        Where the replay refuses the pod by its labels, its age is a coincidence.  A burst that goes on is no
        start-up.

    References:
        https://github.com/cilium/cilium/issues/35993
        https://github.com/aws/aws-network-policy-agent/issues/345
    """

    code = "FD601"
    slug = "start-up-window"
    title = "{source} was refused by {destination} in the first seconds of a pod"
    severity = Severity.LOW
    signs = (Sign.OPEN, Sign.POLICY | Sign.IDENTITY)
    specificity = 88

    def diagnose(self, case: Case) -> Iterator[Finding]:
        """See `Rule.diagnose`."""
        first, last = case.flow.first, case.flow.last
        early = nameless(case)
        if (
            first is None
            or last is None
            or (case.replay_agrees and early is None)
            or (case.not_policy and case.reason not in _NOT_READY)
        ):
            return
        pods = [early.one] if early is not None else young(case)
        if not pods:
            return
        pod, start = max(pods, key=lambda one: one[1])
        again = any(
            flow.last is not None and flow.last > last and got_past(flow, case.direction)
            for flow in case.context.allowed_alike(case.flow)
        )
        after = " and was allowed later" if again else ""
        agent = agent_messages(case, *_SAID, before_s=YOUNG_S, after_s=OVER_S)
        yield self.finding(
            case,
            summary=(
                f"{end_text(case.flow.src)} was refused {seconds(first - start)} after pod "
                f"{pod.namespace}/{pod.name} started{after}{early.text if early is not None else ''}.{agent.text}"
            ),
            said=agent.said,
            age_s=round((first - start) / NS, 3),
            advice="Retry in the application, or wait in an init container; no rule needs a change.",
            basis=Basis.STATE,
            most=Confidence.DERIVED if again else Confidence.LIKELY,
            cause_key="start-up",
            nearest=() if early is not None else None,
            limits=() if again else ("No allowed record of the same call was seen afterwards.",),
        )
