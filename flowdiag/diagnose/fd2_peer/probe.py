"""FD209."""

from __future__ import annotations

from collections.abc import Iterator

from flowdiag.diagnose.case import Case
from flowdiag.diagnose.confidence import Basis
from flowdiag.diagnose.first_sight import PROBES_OF_AMBIENT
from flowdiag.diagnose.needs import Needs
from flowdiag.diagnose.rule import Rule
from flowdiag.diagnose.signs import Sign
from flowdiag.diagnose.wording import end_text
from flowdiag.model.endpoint import EndpointKind
from flowdiag.model.event import Direction
from flowdiag.model.finding import Finding
from flowdiag.model.objects import Pod, Probe
from flowdiag.model.report import Confidence, Severity

__all__ = ["ProbeFromNode"]


class ProbeFromNode(Rule):
    """The kubelet's probes of a pod on its own node are refused.

    The API says that the node a pod runs on can always reach it, so this is rarely a policy's mistake.

    Signature:
        Ingress from the pod's own node to a port that one of its probes names; the distance between
        records is the probe's period.  Or from the address that Istio's ambient mode gives all probes.

    Advice:
        Look at the CNI's handling of host traffic and at host policies; as a workaround allow the node's
        range on the probe's port (Cilium: `fromEntities: [host]`).  Istio's address is outside the cluster to
        policies: allow 169.254.7.127/32.

    Guard:
        Another node's address is no kubelet of this pod, and a port that no probe names is no probe,
        whatever its rhythm.

    References:
        https://github.com/cilium/cilium/issues/18183
        https://github.com/kubernetes-sigs/kube-network-policies/issues/65
        https://istio.io/latest/docs/ambient/usage/networkpolicy/
    """

    code = "FD209"
    slug = "probe-from-node"
    title = "Probes of {destination} on {port} from {source} are refused"
    severity = Severity.HIGH
    needs = Needs.PODS
    signs = (Sign.POLICY | Sign.FROM_HOST,)
    specificity = 84

    def diagnose(self, case: Case) -> Iterator[Finding]:
        """See `Rule.diagnose`."""
        pod, src = case.flow.dst.pod, case.flow.src
        if pod is None or case.not_policy or case.direction is Direction.EGRESS:
            return
        ambient = src.ip in PROBES_OF_AMBIENT
        own = src.kind is EndpointKind.NODE and src.name is not None and src.name == pod.node
        if not own and not ambient:
            return
        probe = next((one for one in pod.probes if self._port(pod, one) == case.port), None)
        if probe is None:
            return
        steady = case.flow.distinct.interval_s
        in_step = steady is not None and abs(steady - probe.period_s) <= max(1.0, 0.2 * probe.period_s)
        rhythm = (
            f", every {steady:.0f} s as the probe's period says" if in_step and steady is not None else ""
        )
        node = "the entity host (fromEntities)" if case.context.by_identity else "the node's addresses"
        yield self.finding(
            case,
            summary=(
                f"{end_text(src)} is refused on {case.port}/{case.protocol}, the {probe.kind} probe's port of "
                f"{end_text(case.flow.dst)}{rhythm}."
            ),
            advice=(
                f"Istio's ambient mode makes {src.ip} the source of the kubelet's probes, which no policy takes for the "
                "node: allow it as an ipBlock on that port (Cilium: fromCIDR)."
                if ambient
                else "A node may always reach its own pods: look at the CNI's host settings and host policies. "
                f"Workaround: allow {node} on that port."
            ),
            basis=Basis.STATE,
            most=Confidence.DERIVED if in_step or ambient else Confidence.LIKELY,
            cause_key="probe-of-ambient" if ambient else "probe",
            limits=()
            if in_step or ambient
            else ("No steady rhythm was seen, so another process may ask there.",),
        )

    @staticmethod
    def _port(pod: Pod, probe: Probe) -> int | None:
        if isinstance(probe.port, int):
            return probe.port
        return next((one.port for one in pod.ports if one.name == probe.port), None)
