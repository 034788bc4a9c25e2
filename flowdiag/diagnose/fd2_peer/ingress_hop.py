"""FD213."""

from __future__ import annotations

from collections.abc import Iterator

from flowdiag.diagnose.case import Case
from flowdiag.diagnose.context import PROXY_LABEL
from flowdiag.diagnose.needs import Needs
from flowdiag.diagnose.rule import Rule
from flowdiag.diagnose.signs import Sign
from flowdiag.diagnose.wording import end_text, isolating_text, rule_text
from flowdiag.model.event import Direction
from flowdiag.model.finding import Finding
from flowdiag.model.policy import Condition
from flowdiag.model.report import Confidence, Severity

__all__ = ["IngressHop"]

_ENTITY = "ingress"


class IngressHop(Rule):
    """Cilium's Ingress or Gateway proxy is an end of its own, and a policy leaves it out.

    What comes through it is checked twice: from the client to the proxy, and from the proxy to the
    backend.  To the backend's policies the client is the entity `ingress`, neither `world` nor a pod.

    Signature:
        Either end is the reserved identity 8 (`ingress`), and the replay refuses it by default; a rule that
        admits `world`, a range or the client's pods came near.  People see HTTP 403.

    Advice:
        On the backend allow `fromEntities: [ingress]`; where a cluster-wide policy selects every endpoint,
        allow the clients to, and the backends from, `reserved:ingress`.

    Guard:
        Where a rule does admit the proxy, and the request inside the connection was refused, the request is
        at fault (FD504).  An ingress controller that runs as ordinary pods has pod labels, not identity 8.

    References:
        https://github.com/cilium/cilium/issues/30073
        https://github.com/cilium/cilium/issues/47617
        https://docs.cilium.io/en/stable/network/servicemesh/ingress/
    """

    code = "FD213"
    slug = "ingress-hop"
    title = "{source} cannot reach {destination} on {port}: policy leaves out the Ingress or Gateway proxy"
    severity = Severity.HIGH
    needs = Needs.POLICIES
    signs = (Sign.CILIUM | Sign.DEFAULT | Sign.PROXY,)
    specificity = 97

    def diagnose(self, case: Case) -> Iterator[Finding]:
        """See `Rule.diagnose`."""
        if not case.context.by_identity or not case.default_denied:
            return
        enforcer, peer = case.context.is_proxy(case.enforcer), case.context.is_proxy(case.peer)
        if (not enforcer and not peer) or case.missing_one(Condition.L7):
            return
        inward = case.direction is Direction.INGRESS
        isolating = isolating_text(case) or "a policy"
        verb = "isolates" if len(case.isolating) <= 1 else "isolate"
        near = next(
            (
                rule
                for _, rule, condition in case.singles
                if condition in (Condition.ENTITY, Condition.IP, Condition.POD, Condition.NAMESPACE)
            ),
            None,
        )
        if enforcer:
            word, other = ("ingress", "from") if inward else ("egress", "to")
            summary = (
                f"{isolating} {verb} the Ingress and Gateway proxy itself for {word}, and no rule there "
                f"admits {end_text(case.peer)}."
            )
            advice = (
                f"In a CiliumClusterwideNetworkPolicy that selects {PROXY_LABEL}, allow it {other} "
                f"{end_text(case.peer)}, or keep it out of the isolating policy's endpointSelector."
            )
        else:
            word = "fromEntities" if inward else "toEntities"
            told = f"{rule_text(near)} came nearest" if near is not None else "no rule came near"
            summary = (
                f"Policy sees the Ingress or Gateway proxy (entity {_ENTITY}) {'before' if inward else 'behind'} "
                f"{end_text(case.enforcer)}, and {isolating} does not admit it; {told}."
            )
            advice = f"Allow {word}: [{_ENTITY}] on {case.port}, for the hop between proxy and {end_text(case.enforcer)}."
        yield self.finding(
            case,
            first=near,
            summary=summary,
            advice=advice,
            cause_key=f"proxy:{'self' if enforcer else 'peer'}",
            most=Confidence.DERIVED,
        )
