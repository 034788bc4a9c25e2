"""The CNI's own pods and settings: where they run, which ConfigMaps hold what policies depend on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from msgspec import Struct

__all__ = ["Agent", "agent_of", "config_map_of"]


class Agent(Struct, frozen=True):
    """A component of a CNI, by the labels of its pods."""

    cni: str
    label: tuple[str, str]
    config: str | None = None
    """The ConfigMap, in the pods' namespace, that holds its settings."""
    role: str = "agent"
    """``agent`` on every node; ``other`` elsewhere (operators, controllers, Typha, Whisker)."""


# Labels from the charts and manifests: Cilium 1.19, Calico v3.30 (manifests and operator), Antrea v2.2, amazon-vpc-cni
# v1.19, kube-flannel v0.26, kindnet v1.8, weave v2.8, kube-router v2.4, OVN-Kubernetes (OpenShift 4.16), kube-proxy.
_AGENTS = (
    Agent("cilium", ("k8s-app", "cilium"), "cilium-config"),
    Agent("cilium", ("k8s-app", "cilium-envoy")),
    Agent("cilium", ("k8s-app", "hubble-relay"), role="other"),
    Agent("cilium", ("io.cilium/app", "operator"), role="other"),
    Agent("calico", ("k8s-app", "calico-node"), "calico-config"),
    Agent("calico", ("k8s-app", "canal")),
    Agent("calico", ("k8s-app", "calico-typha"), role="other"),
    Agent("calico", ("k8s-app", "calico-kube-controllers"), role="other"),
    Agent("calico", ("k8s-app", "whisker"), role="other"),
    Agent("calico", ("k8s-app", "goldmane"), role="other"),
    Agent("antrea", ("component", "antrea-agent"), "antrea-config"),
    Agent("antrea", ("component", "antrea-controller"), role="other"),
    Agent("aws", ("k8s-app", "aws-node"), "amazon-vpc-cni"),
    Agent("flannel", ("app", "flannel"), "kube-flannel-cfg"),
    Agent("kindnet", ("app", "kindnet")),
    Agent("kindnet", ("k8s-app", "kube-network-policies")),
    Agent("weave", ("name", "weave-net")),
    Agent("kube-router", ("k8s-app", "kube-router")),
    Agent("ovn", ("app", "ovnkube-node")),
    Agent("ovn", ("app", "ovnkube-control-plane"), role="other"),
)
_BY_LABEL = {one.label: one for one in _AGENTS}
_LABELS = tuple(dict.fromkeys(one.label[0] for one in _AGENTS))


def agent_of(labels: Mapping[str, Any]) -> Agent | None:
    """The component that a pod with these labels is of."""
    for key in _LABELS:
        value = labels.get(key)
        if isinstance(value, str) and (agent := _BY_LABEL.get((key, value))) is not None:
            return agent
    return None


def config_map_of(pods: Iterable[tuple[str, Mapping[str, Any]]]) -> list[tuple[str, str]]:
    """(namespace, name) of the ConfigMaps to ask for, from (namespace, labels) of pods."""
    found = {
        (namespace, agent.config)
        for namespace, labels in pods
        if (agent := agent_of(labels)) is not None and agent.config is not None
    }
    return sorted(found)
