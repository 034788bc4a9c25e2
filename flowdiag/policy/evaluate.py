"""The compiled policies of a snapshot, and what they decide for a connection.

Egress at the source and ingress at the destination are separate decisions; both must allow.
Policies are evaluated on the direction of the connection: replies of an allowed connection need no rule,
so callers turn replies round first.  A pod to itself is not covered by any of the APIs.
"""

from __future__ import annotations

from flowdiag.model.endpoint import Endpoint, EndpointKind
from flowdiag.model.event import L7, PORT_PROTOCOLS, Direction, Icmp
from flowdiag.model.policy import ConnectionDecision, EndDecision
from flowdiag.policy.end_policies import EndPolicies
from flowdiag.policy.facts import OUTSIDE
from flowdiag.policy.several import Asked, any_port, at_name, at_number

__all__ = ["PolicySet"]

_LOOPBACK = "a pod's connection to itself is not covered by policy; enforcers differ"


class PolicySet(EndPolicies):
    """Every policy of a snapshot, compiled for one dialect.  Read-only; build it with `compile_policies`."""

    def evaluate(
        self,
        src: Endpoint,
        dst: Endpoint,
        protocol: str | None,
        port: int | str | None,
        *,
        icmp: Icmp | None = None,
        l7: L7 | None = None,
        at: int | None = None,
        walk: bool = False,
        nearest: bool | Direction = True,
    ) -> ConnectionDecision:
        """Would a new connection be allowed, decided by what, nearest to what?

        Args:
            src: the client.
            dst: the server, behind any Service.
            protocol: ``TCP``, ``UDP``, ``SCTP``, ``ICMP`` ...; ``None`` is any of the first three.
            port: the port on the destination, a name that it declares, or ``None`` for any port.
            icmp: type and code.
            l7: the request, for languages whose rules look into it.
            at: when, in nanoseconds; policies and labels of that time count.  ``None`` is now.
            walk: tell the walk too.
            nearest: look for the nearest rules where it is not allowed, at one end alone if that is told;
                without them it is several times faster, which pays where only verdicts are compared.

        Raises:
            ValueError: both ends are outside the cluster.
        """
        source, destination = self.facts(src, dst, at)
        if source.kind in OUTSIDE and destination.kind in OUTSIDE:
            raise ValueError("both ends are outside the cluster")
        if _same_pod(src, dst):
            if self.dataplane.loopback:
                end = EndDecision(allowed=True)
                return ConnectionDecision(allowed=True, egress=end, ingress=end)
            end = EndDecision(allowed=None, unknown=(_LOOPBACK,))
            return ConnectionDecision(allowed=None, egress=end, ingress=end)
        if isinstance(port, str) and protocol is not None and protocol not in PORT_PROTOCOLS:
            port = None
        if isinstance(port, str):
            return at_name(self, Asked(source, destination, protocol, at, walk, nearest), port)
        if protocol is None or (port is None and protocol in PORT_PROTOCOLS):
            return any_port(self, Asked(source, destination, protocol, at, walk, nearest), port)
        traffic = self.traffic(protocol, port, icmp, l7)
        return at_number(self, source, destination, traffic, at, walk, nearest)


def _same_pod(src: Endpoint, dst: Endpoint) -> bool:
    """Whether both ends are one pod; a workload's template stands for several pods and is not one."""
    if src.kind is not EndpointKind.POD or dst.kind is not EndpointKind.POD:
        return False
    if src.pod is not None and dst.pod is not None:
        return src.pod is dst.pod and not src.pod.template and not src.pod.host_network
    return (
        src.cluster == dst.cluster
        and src.name is not None
        and (src.namespace, src.name) == (dst.namespace, dst.name)
    )
