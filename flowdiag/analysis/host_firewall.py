"""Whether records show that Cilium's host firewall is on, where no settings of its agent were read.

Source: Cilium ``bpf/bpf_host.c`` and ``bpf/lib/host_firewall.h``: policies of a node's own end are asked in the host
firewall alone, so that a refusal at that end, or one that audit mode let through, tells that it is on.
"""

from __future__ import annotations

from msgspec.structs import replace

from flowdiag.model.cilium import RESERVED_IDENTITIES
from flowdiag.model.event import Cause, Direction, Verdict
from flowdiag.model.objects import Snapshot
from flowdiag.model.tally import DistinctFlow
from flowdiag.policy.compile.cilium_state import HOST_FIREWALL_SEEN
from flowdiag.tally import Tally

__all__ = ["with_host_firewall"]

_VERDICTS = (Verdict.DENIED, Verdict.AUDITED)


def with_host_firewall(snapshot: Snapshot, tally: Tally | None) -> Snapshot:
    """Give the snapshot with what records tell of the host firewall, if its policies leave that open.

    Args:
        snapshot: the cluster's objects.
        tally: the records; ``None`` where none were read.
    """
    if tally is None or any(key.startswith("cilium.") for key in snapshot.config):
        return snapshot
    if not any(
        policy.ref.kind == "CiliumClusterwideNetworkPolicy" and policy.spec.get("nodeSelector") is not None
        for policy in snapshot.policies
    ):
        return snapshot
    if not any(_at_a_host(flow) for flow in tally.view().flows(_VERDICTS)):
        return snapshot
    return replace(snapshot, config={**snapshot.config, HOST_FIREWALL_SEEN: "true"})


def _at_a_host(flow: DistinctFlow) -> bool:
    """Whether policies of a node's own end refused it."""
    if flow.turned or flow.l7 is not None or flow.direction is None:
        return False
    if flow.verdict is Verdict.DENIED and flow.cause is not Cause.POLICY:
        return False
    end = flow.dst if flow.direction is Direction.INGRESS else flow.src
    word = RESERVED_IDENTITIES.get(end.identity) if end.identity is not None else end.entity
    return word == "host"
