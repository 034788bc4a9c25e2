"""FD810."""

from __future__ import annotations

from collections.abc import Iterator

from flowdiag.cluster.addresses import INSIDE, in_any
from flowdiag.diagnose.case import Case
from flowdiag.diagnose.confidence import policy_times
from flowdiag.diagnose.fd8_evidence.policy_kinds import kinds_not_read
from flowdiag.diagnose.needs import Needs
from flowdiag.diagnose.rule import Rule
from flowdiag.diagnose.wording import end_text, isolating_text, policy_text
from flowdiag.model.endpoint import Endpoint, EndpointKind
from flowdiag.model.event import PORT_PROTOCOLS, PolicyHit
from flowdiag.model.finding import Finding
from flowdiag.model.policy import Dialect
from flowdiag.model.report import Confidence, Severity
from flowdiag.model.time import NS
from flowdiag.policy.addresses import parse_address

__all__ = ["EnforcementGap"]

_SETTLED_S = 3600
"""Connections that were open before a policy may live on: so long after a change nothing is said of those."""
_SYN_SETTLED_S = 30
"""After so long a dataplane has a policy, and a connection that begins then meets it."""
_START_UP_S = 60


class EnforcementGap(Rule):
    """Traffic passed that the policies of its time refuse.

    Signature:
        A record says that a connection was let through on one end, and the replay of the policies that
        held then refuses it on that end, whatever is unknown.

    Advice:
        Find out whether the end is policed at all: the agent's health on that node, an enforcement mode, an
        endpoint that the agent does not manage, a policy kind that this CNI does not enforce.  Until then
        take the policy for ineffective there.

    Guard:
        A wrong alarm costs trust, so it is silent where the record may be right after all: replies, nodes
        and host network, ends that are not known, private addresses of nobody (a pod may have gone), a pod in its first minute, policies that changed within
        the hour before (open connections may outlive a change; half a minute where the record shows the
        connection's beginning), policies whose text of that time is not known, kinds of policy of this CNI
        that were not read, an allowing policy in the record that the state lacks, and audit mode.

    References:
        https://github.com/antrea-io/antrea/issues/6844
        https://github.com/aws/aws-network-policy-agent/issues/345
    """

    code = "FD810"
    slug = "enforcement-gap"
    title = "{source} reached {destination} on {port}, which the known policies refuse"
    severity = Severity.MEDIUM
    needs = Needs.POLICIES | Needs.PODS
    passed = True

    def diagnose(self, case: Case) -> Iterator[Finding]:
        """See `Rule.diagnose`."""
        end, flow = case.end, case.flow
        if end is None or end.allowed is not False or end.unknown or end.uncertain:
            return
        shape = flow.distinct
        if shape.turned or flow.ambiguous or flow.first is None or shape.protocol not in PORT_PROTOCOLS:
            return
        if shape.port is None or not _policed(case.enforcer, flow.first) or not _known(case.peer):
            return
        context = case.context
        if kinds_not_read(context) or not _settled(case) or _unread(case, shape.policies):
            return
        if context.snapshot.config.get("cilium.policy-audit-mode", "").lower() == "true":
            return
        if end.decided_by is not None:
            why = f"{policy_text(end.decided_by.policy)} {end.decided_by.rule} denies it"
        else:
            verb = "isolates" if len(case.isolating) == 1 else "isolate"
            why = f"{isolating_text(case)} {verb} it and no rule admits this"
        limits = policy_times(case)
        if context.dialect is Dialect.KUBERNETES:
            limits.append("Which CNI enforces the policies here is not known from the inputs.")
        node = f" on {shape.node}" if shape.node else ""
        yield self.finding(
            case,
            summary=(
                f"The record says that the {case.direction} side of {end_text(case.enforcer)} let it "
                f"through{node}, but {why}."
            ),
            advice=(
                "Look whether the end is policed at all: the CNI agent's health on that node, its enforcement "
                "mode, whether it manages this endpoint. Bring the policies of that time if these are others."
            ),
            most=Confidence.POSSIBLE if limits else Confidence.LIKELY,
            cause_key="gap",
            limits=tuple(limits[len(policy_times(case)) :]),
        )


def _policed(end: Endpoint, at: int) -> bool:
    pod = end.pod
    if pod is None or pod.host_network or pod.template or not pod.live:
        return False
    began = pod.started or pod.created
    return began is None or began <= at - _START_UP_S * NS


def _known(end: Endpoint) -> bool:
    if end.kind is EndpointKind.POD:
        return end.pod is not None and not end.pod.host_network
    if end.kind is not EndpointKind.EXTERNAL:
        return False
    address = parse_address(end.ip or "")
    # A pod that is gone from the state looks like any other address of its range.
    return address is not None and in_any(str(address), INSIDE) is None


def _settled(case: Case) -> bool:
    """Whether the policies that refuse held so long before that the connection began under them."""
    first = case.flow.first or 0
    begins = "SYN" in case.flow.distinct.tcp_flags
    limit = first - (_SYN_SETTLED_S if begins else _SETTLED_S) * NS
    for ref in case.involved:
        for version in case.context.policy(ref):
            moments = (version.created, version.valid_from, version.valid_until, version.deleted)
            if any(moment is not None and limit < moment <= (case.at or first) for moment in moments):
                return False
    return True


def _unread(case: Case, recorded: tuple[PolicyHit, ...]) -> bool:
    """Whether the record names a policy as the one that allowed which the state does not have."""
    known = {(policy.ref.namespace, policy.ref.name) for policy in case.context.snapshot.policies}
    return any(
        hit.effect == "allow" and hit.name is not None and (hit.namespace, hit.name) not in known
        for hit in recorded
    )
