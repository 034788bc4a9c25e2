"""FQDNNetworkPolicies that a controller turns into NetworkPolicies, in clusters of any dataplane.

Source: GoogleCloudPlatform/gke-fqdnnetworkpolicies-golang, v1alpha3, 2021 to 2024: rules with ``to``, and a
NetworkPolicy of the same name for each.  GKE's own kind, which Dataplane V2 enforces, has rules with ``matches``.
"""

from __future__ import annotations

from flowdiag.model.objects import PolicyObject

__all__ = ["FQDN_POLICY", "of_controller"]

FQDN_POLICY = ("networking.gke.io", "FQDNNetworkPolicy")


def of_controller(policy: PolicyObject) -> str | None:
    """Why one that a controller turns into a NetworkPolicy counts for nothing itself; ``None`` for any other."""
    if (policy.ref.group, policy.ref.kind) != FQDN_POLICY:
        return None
    rules = policy.spec.get("egress")
    if not isinstance(rules, list) or not any(isinstance(rule, dict) and "to" in rule for rule in rules):
        return None
    return "its controller writes a NetworkPolicy of the same name, which counts in its place"
