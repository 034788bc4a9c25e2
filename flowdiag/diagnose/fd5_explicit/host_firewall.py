"""FD507."""

from __future__ import annotations

from collections.abc import Iterator

from flowdiag.diagnose.case import Case
from flowdiag.diagnose.confidence import Basis
from flowdiag.diagnose.rule import Rule
from flowdiag.diagnose.signs import Sign
from flowdiag.diagnose.wording import end_text, isolating_text, port_text
from flowdiag.diagnose.written_ranges import range_of_node
from flowdiag.model.endpoint import EndpointKind
from flowdiag.model.finding import Finding
from flowdiag.model.report import Confidence, Severity

__all__ = ["HostFirewall"]

_TUNNELS = frozenset({("UDP", 4789), ("4", None)})
"""Of IPIP the kernel prints the number."""


class HostFirewall(Rule):
    """A node's own firewall refused: a host policy or a host endpoint.

    Signature:
        The refusing end is a node (Hubble's `host`), by policy.

    Advice:
        Look at host policies (CiliumClusterwideNetworkPolicy with a nodeSelector, Calico HostEndpoint and
        failsafe ports); NetworkPolicies never select nodes.  Tunnel packets (VXLAN, IPIP) that Felix drops
        come from a host that it does not know as a node, and concern no policy.

    Guard:
        A node as the refused peer is FD205 or FD207, also where a node refuses it.  Traffic forwarded through a node to its pods is
        refused at the pod, which is the destination then.  What a rule of the host's policies admits
        (a failsafe port, say) they did not refuse.

    References:
        https://docs.cilium.io/en/stable/security/host-firewall/
        https://docs.tigera.io/calico/latest/reference/host-endpoints/overview
    """

    code = "FD507"
    slug = "host-firewall"
    title = "The host firewall of {destination} refuses {source} on {port}"
    severity = Severity.MEDIUM
    signs = (Sign.POLICY | Sign.BY_HOST,)
    specificity = 83

    def diagnose(self, case: Case) -> Iterator[Finding]:
        """See `Rule.diagnose`."""
        if case.not_policy or case.direction is None or case.denied_by_rule or case.recorded_denies:
            return
        end = case.enforcer
        if end.kind is not EndpointKind.NODE and end.entity not in ("host", "remote-node"):
            return
        if case.end is not None and case.end.allowed is True and case.end.decided_by is not None:
            return
        if range_of_node(case) is not None:
            return
        replayed = case.end is not None and case.end.allowed is False
        if not replayed and _is_tunnel(case):
            yield self._tunnel(case)
            return
        names = f" by {isolating_text(case)}" if case.isolating else ""
        egress = case.direction == "egress"
        yield self.finding(
            case,
            title="The host firewall of {source} refuses calls to {destination} on {port}"
            if egress
            else None,
            summary=f"{end_text(end)} refused {end_text(case.peer)} on {port_text(case)}{names}: no host rule admits it.",
            advice=(
                "Look at host policies (nodeSelector of CiliumClusterwideNetworkPolicy, Calico HostEndpoints and "
                "their failsafe ports); a NetworkPolicy never selects a node."
            ),
            basis=Basis.REPLAY if replayed else Basis.STATE,
            most=Confidence.DERIVED if replayed else Confidence.LIKELY,
            cause_key="host-firewall",
        )

    def _tunnel(self, case: Case) -> Finding:
        """Felix lets in tunnels of its nodes alone, in the same chain and with the same prefix in the log."""
        node, sender = end_text(case.enforcer), end_text(case.peer)
        return self.finding(
            case,
            title="{destination} takes no tunnel packets from {source}, which is no node to Felix",
            summary=(
                f"{node} dropped {port_text(case)} from {sender}: Felix takes VXLAN and IPIP from the nodes that it knows "
                "alone, whatever the policies say, and none of those at hand refuses it."
            ),
            advice=(
                f"See whether {sender} is a node of this cluster that Felix on {node} does not know (no Calico addresses on "
                "its Node yet, Typha or the datastore behind), or one of another cluster; no policy is concerned."
            ),
            basis=Basis.STATE,
            most=Confidence.LIKELY,
            cause_key="tunnel",
        )


def _is_tunnel(case: Case) -> bool:
    """VXLAN at its usual port, or IPIP, that a node's Felix dropped on its way in and logged (``calico-drop``)."""
    distinct = case.flow.distinct
    felix = distinct.parser == "netfilter" and case.reason == "policy-denied" and case.direction == "ingress"
    return felix and (distinct.protocol, case.port) in _TUNNELS
