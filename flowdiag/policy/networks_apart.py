"""Pods in networks that nothing joins: no packet passes between them, whatever policies say.

Source: ovn-kubernetes/ovn-kubernetes ``docs/features/user-defined-networks/user-defined-networks.md`` (2024 to 2026): a
primary network stands in place of the cluster's, whose addresses of such a pod only the kubelet reaches, and ports that
the annotation ``k8s.ovn.org/open-default-ports`` names; out of such a network the API server and the cluster's DNS are
reached.  A ClusterNetworkConnect may join two of them.
"""

from __future__ import annotations

from flowdiag.model.objects import Snapshot
from flowdiag.policy.facts import Facts

__all__ = ["answering_lookups", "networks_apart"]

_DNS = 53


def answering_lookups(snapshot: Snapshot) -> frozenset[str]:
    """Namespaces with a Service for lookups of names, which every network reaches."""
    return frozenset(
        service.namespace
        for service in snapshot.services
        if any(entry.port == _DNS for entry in service.ports)
    )


def networks_apart(source: Facts, destination: Facts, lookups: frozenset[str]) -> str | None:
    """Why no packet comes from one pod to another in another network; ``None`` where none is known.

    Args:
        source: the client.
        destination: the server.
        lookups: namespaces that `answering_lookups` found.
    """
    if source.kind != "pod" or destination.kind != "pod" or source.namespace == destination.namespace:
        return None
    one, other = source.network, destination.network
    if "" in {each.name for each in (one, other) if each is not None}:
        return None
    if one is not None and other is not None:
        if one.name == other.name:
            return None
        return (
            f"their networks {source.namespace}/{one.name} and {destination.namespace}/{other.name} are apart: nothing "
            "passes from one to the other, whatever policies say, but where a ClusterNetworkConnect or the routers "
            "outside join them"
        )
    if other is not None:
        if other.opened:
            return None
        return (
            f"{destination.text} is in the network {destination.namespace}/{other.name}, and pods of the cluster's own "
            "network do not reach it there, whatever policies say, but through a node port or a load balancer's address"
        )
    if one is None or destination.namespace in lookups:
        return None
    return (
        f"{source.text} is in the network {source.namespace}/{one.name}, and does not reach pods of the cluster's own "
        "network, whatever policies say, but DNS and what a node port or a load balancer's address leads to"
    )
