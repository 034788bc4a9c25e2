"""FD305."""

from __future__ import annotations

from collections.abc import Iterator

from flowdiag.diagnose.case import Case
from flowdiag.diagnose.confidence import Basis
from flowdiag.diagnose.needs import Needs
from flowdiag.diagnose.rule import Rule
from flowdiag.diagnose.signs import LINKERD_PORT, MESH_PORT, Sign
from flowdiag.diagnose.some_pod import some_pod
from flowdiag.diagnose.wording import end_text
from flowdiag.model.endpoint import Endpoint
from flowdiag.model.finding import Finding
from flowdiag.model.policy import Condition
from flowdiag.model.report import Confidence, Severity

__all__ = ["MeshTunnel"]

# "ambient.istio.io/redirection: enabled" on pods that istio-cni took in (Istio v1.21 and later), and
# "istio.io/dataplane-mode: ambient" on namespaces or pods.
_ANNOTATION = ("ambient.istio.io/redirection", "enabled")
_LABEL = ("istio.io/dataplane-mode", "ambient")
# "linkerd.io/control-plane-ns: linkerd" on pods with a proxy, whose port 4143 has this name (linkerd2 2.9 to 2.19).
_PROXIED, _PROXY = "linkerd.io/control-plane-ns", "linkerd-proxy"
_TIMED_OUT = "tunnel-timed-out"
"""In ztunnel's access log: it opened a tunnel that nobody answered."""
_OF_PORT = (Condition.PORT, Condition.PROTOCOL)


class MeshTunnel(Rule):
    """A mesh wraps all traffic into one port (Istio's ambient mode 15008, Linkerd 4143), which the policies do not allow.

    Signature:
        Refused on 15008/TCP, and an end's pod or namespace is in ambient mode; or the mesh's ztunnel says that it
        waited there in vain, and the policies at hand refuse it, or none were read.  Refused on 4143/TCP, and the
        destination's pod has Linkerd's proxy.

    Advice:
        Allow the mesh's port on ingress beside the application's port.  Which ports of the application may be called
        through it, NetworkPolicy can tell no more: policies of the mesh can.

    Guard:
        Either port without a sign of its mesh is an ordinary port; a pod that opted out
        (`istio.io/dataplane-mode: none`) is not in the mesh whatever its namespace says.  Where the nearest rule
        takes the port, by its number or with all others, its peers are what kept the call out.  That ztunnel waited
        in vain proves no policy: without a replay it is possible at most, since a node or a pod that is gone looks
        the same.

    References:
        https://github.com/istio/ztunnel/pull/1229
        https://github.com/istio/istio/issues/52742
        https://istio.io/latest/docs/ambient/usage/networkpolicy/
        https://linkerd.io/2/common-errors/network-policy
        https://github.com/linkerd/linkerd2/issues/15246
    """

    code = "FD305"
    slug = "mesh-tunnel-port"
    title = "The mesh's tunnel from {source} to {destination} ({port}) does not get through"
    severity = Severity.HIGH
    needs = Needs.NONE
    signs = (Sign.POLICY | Sign.MESH_PORT,)
    specificity = 76

    def diagnose(self, case: Case) -> Iterator[Finding]:
        """See `Rule.diagnose`."""
        if case.port not in (MESH_PORT, LINKERD_PORT) or case.protocol != "TCP" or case.not_policy:
            return
        if case.port == LINKERD_PORT:
            yield from self._linkerd(case)
            return
        waited = case.reason == _TIMED_OUT
        ends = [end for end in (case.flow.dst, case.flow.src) if waited or self._ambient(case, end)]
        if not ends or (case.end is not None and case.end.allowed is True) or _open_for_others(case):
            return
        if waited and not case.replay_agrees:
            yield from self._waited(case)
            return
        yield self.finding(
            case,
            summary=(
                f"{end_text(ends[0])} is in Istio's ambient mode, where calls arrive on 15008/TCP, and "
                "no policy allows that port."
            ),
            advice="Allow 15008/TCP next to the application's port on ingress (and egress, where isolated).",
            basis=Basis.REPLAY if case.end is not None else Basis.STATE,
            most=Confidence.DERIVED if case.end is not None else Confidence.LIKELY,
            cause_key="hbone",
        )

    def _linkerd(self, case: Case) -> Iterator[Finding]:
        """Linkerd's proxies give every call between meshed pods the port of the inbound one."""
        pod = some_pod(case.context, case.flow.dst)
        if pod is None or not (_PROXIED in pod.labels or any(one.name == _PROXY for one in pod.ports)):
            return
        if (case.end is not None and case.end.allowed is True) or _open_for_others(case):
            return
        yield self.finding(
            case,
            summary=(
                f"{end_text(case.flow.dst)} has Linkerd's proxy, at which calls of meshed pods arrive on 4143/TCP whatever "
                "port they are for, and no policy allows that port."
            ),
            advice=(
                "Allow 4143/TCP next to the application's port on ingress (and egress, where isolated). Which of its ports "
                "may be called is then for Linkerd's Server and AuthorizationPolicy to say."
            ),
            basis=Basis.REPLAY if case.end is not None else Basis.STATE,
            most=Confidence.DERIVED if case.end is not None else Confidence.LIKELY,
            cause_key="linkerd",
        )

    def _waited(self, case: Case) -> Iterator[Finding]:
        """What ztunnel itself supposes, where no replay can tell."""
        if case.decision is not None:
            return
        yield self.finding(
            case,
            summary=(
                f"The ztunnel of {end_text(case.flow.src)} waited in vain for {end_text(case.flow.dst)} on 15008/TCP, as "
                "it does where a NetworkPolicy does not allow that port."
            ),
            advice=(
                "If policies isolate either end, allow 15008/TCP next to the application's port; if none does, look for a "
                "node, a pod or an address that is gone."
            ),
            basis=Basis.PATTERN,
            cause_key="hbone",
        )

    @staticmethod
    def _ambient(case: Case, end: Endpoint) -> bool:
        pod = some_pod(case.context, end)
        if pod is None:
            return False
        own = pod.labels.get(_LABEL[0])
        if own is not None:
            return own == _LABEL[1]
        if pod.annotations.get(_ANNOTATION[0]) == _ANNOTATION[1]:
            return True
        namespace = case.context.snapshot.namespaces.get(pod.namespace)
        return namespace is not None and namespace.labels.get(_LABEL[0]) == _LABEL[1]


def _open_for_others(case: Case) -> bool:
    """Whether the rule that came nearest takes the mesh's port, by its number or with all others, and not from this peer."""
    near = case.missing_one(Condition.PORT) or case.nearest
    return bool(near) and not any(miss.condition in _OF_PORT for miss in near[0].misses)
