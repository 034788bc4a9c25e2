"""Who enforces, by the agents that run: the CNI's own pods among the cluster's objects.

An agent runs on every node as a DaemonSet's pod, so one that runs tells more than objects of its kinds, which
stay behind when a CNI is replaced.  Labels and names: `flowdiag.cluster.agents`; GKE Dataplane V2 runs Cilium's
agent as the DaemonSet ``anetd``.
"""

from __future__ import annotations

from collections.abc import Collection

from flowdiag.cluster.agents import agent_of
from flowdiag.model.objects import Pod, Snapshot
from flowdiag.model.policy import Dialect

__all__ = ["enforcers"]

_BY_CNI = {
    "cilium": Dialect.CILIUM,
    "gke": Dialect.GKE,
    "calico": Dialect.CALICO,
    "antrea": Dialect.ANTREA,
    "ovn": Dialect.OVN,
    "aws": Dialect.AWS,
    # They enforce the plain API, and have no dialect of their own.
    "weave": Dialect.KUBERNETES,
    "kube-router": Dialect.KUBERNETES,
    "kube-network-policies": Dialect.KUBERNETES,
}


def enforcers(snapshot: Snapshot, told: Collection[Dialect] = ()) -> dict[str, Dialect]:
    """Give the CNIs whose enforcing agent runs, with the dialect of each; empty where none is seen.

    aws-node gives pods their addresses whether or not it enforces, so that it counts beside another enforcer only
    where its ConfigMap says that it does.

    Args:
        snapshot: its pods and settings are looked at.
        told: enforcers that other objects tell of.
    """
    found = {
        cni: _BY_CNI[cni]
        for pod in snapshot.pods
        if _runs(pod) and (cni := _cni(pod)) is not None and cni in _BY_CNI
    }
    others = {*found.values(), *told} - {Dialect.AWS}
    if others and snapshot.config.get("aws.enable-network-policy-controller") != "true":
        found.pop("aws", None)
    return dict(sorted(found.items()))


def _runs(pod: Pod) -> bool:
    """Whether a DaemonSet's pod runs on a node; without a node and a phase it may be a manifest that was never applied."""
    return (
        not pod.template
        and pod.phase == "Running"
        and pod.node is not None
        and pod.owner is not None
        and pod.owner.kind == "DaemonSet"
    )


def _cni(pod: Pod) -> str | None:
    agent = agent_of(pod.labels)
    if agent is None or agent.role != "agent":
        return None
    if agent.cni == "cilium" and pod.owner is not None and pod.owner.name == "anetd":
        return "gke"
    # kindnet enforces since kind v0.24 and nothing before, and nobody runs it beside another on purpose.
    return agent.label[1] if agent.cni == "kindnet" else agent.cni
