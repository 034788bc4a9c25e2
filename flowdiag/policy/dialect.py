"""Who enforces, and what follows from it: how kinds combine and what an ipBlock matches.

Source: the NetworkPolicy API leaves open whether ipBlock matches pod addresses and what becomes of ICMP;
Calico, Antrea and the address-based enforcers match pods by address, Cilium and GKE Dataplane V2 (which is
Cilium) go by identity and do not (cilium issues 9209, 9998, 19601).  OVN's ACL of a default deny and Antrea's
IngressDefaultRule and EgressDefaultRule drop whatever the protocol is, and both log ICMP that they refused.  So does
AWS's agent (aws/aws-network-policy-agent ``pkg/ebpf/c``, 2023 to 2026), which looks into no ICMPv6 at all.
"""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct
from msgspec.structs import replace

from flowdiag.model.objects import Snapshot
from flowdiag.model.policy import CILIUM_DIALECTS, Dialect, IpBlockPods
from flowdiag.policy.enforcers import enforcers
from flowdiag.policy.model import Outcome
from flowdiag.policy.names_controller import FQDN_POLICY, of_controller

__all__ = ["PLAIN", "Traits", "detect_dialect", "dialects_seen", "traits_of"]


class Traits(Struct, frozen=True):
    """What of the API's open ends is settled here."""

    range_pods: Outcome
    """Do address ranges match pod addresses?"""
    range_nodes: Outcome
    """Do they match node addresses?"""
    other_protocols: Outcome
    """Does isolation close ICMP and other protocols, and do rules with ports leave them closed?
    `Outcome.MATCH`: yes; `Outcome.UNKNOWN`: differs."""
    nodes_in_namespace: bool = False
    """Host network traffic may be selected by a namespace's labels."""
    host_pods: bool = False
    """A peer's selectors mean pods in the host's network, by their nodes' addresses."""
    sees_services: bool = False
    """Egress is held against a Service's own address, before that is translated."""
    types_ignored: bool = False
    """Rules count whatever ``policyTypes`` says (Cilium's translation)."""
    never_policed: frozenset[str] = frozenset()
    """Protocols that pass whatever policies say."""
    every_namesake: bool = False
    """A port's name that two containers of a pod declare stands for both numbers; elsewhere enforcers differ."""


_TRAITS = {
    Dialect.KUBERNETES: Traits(Outcome.UNKNOWN, Outcome.MATCH, Outcome.UNKNOWN),
    Dialect.CALICO: Traits(Outcome.MATCH, Outcome.MATCH, Outcome.MATCH, every_namesake=True),
    Dialect.CILIUM: Traits(Outcome.MISS, Outcome.MISS, Outcome.MATCH, types_ignored=True),
    Dialect.AWS: Traits(
        Outcome.MATCH,
        Outcome.MATCH,
        Outcome.MATCH,
        host_pods=True,
        sees_services=True,
        never_policed=frozenset({"ICMPv6"}),
    ),
    Dialect.OVN: Traits(
        Outcome.MATCH, Outcome.MATCH, Outcome.MATCH, nodes_in_namespace=True, every_namesake=True
    ),
    Dialect.ANTREA: Traits(Outcome.MATCH, Outcome.MATCH, Outcome.MATCH),
    Dialect.GKE: Traits(Outcome.MISS, Outcome.MISS, Outcome.MATCH, types_ignored=True),
}


def traits_of(dialect: Dialect, ip_block_pods: IpBlockPods, config: dict[str, str]) -> Traits:
    """Settle the traits for a dialect, a forced answer for pods, and the CNI's settings.

    Args:
        dialect: who enforces.
        ip_block_pods: what the caller forces, or auto.
        config: `Snapshot.config`; ``cilium.policy-cidr-match-mode`` holds ``nodes`` and ``pods``.
    """
    traits = _TRAITS[dialect]
    pods, nodes = traits.range_pods, traits.range_nodes
    if dialect in CILIUM_DIALECTS:
        modes = config.get("cilium.policy-cidr-match-mode", "").replace(",", " ").split()
        pods = Outcome.MATCH if "pods" in modes else pods
        nodes = Outcome.MATCH if "nodes" in modes else nodes
    if ip_block_pods is IpBlockPods.MATCH:
        pods = Outcome.MATCH
    elif ip_block_pods is IpBlockPods.NO_MATCH:
        pods = Outcome.MISS
    return replace(traits, range_pods=pods, range_nodes=nodes)


# Words that parsers and cluster readers use for the CNI, and the dialect that each means.
_BY_CNI = {
    "cilium": Dialect.CILIUM,
    "hubble": Dialect.CILIUM,
    "calico": Dialect.CALICO,
    "canal": Dialect.CALICO,
    "aws": Dialect.AWS,
    "aws-vpc-cni": Dialect.AWS,
    "ovn": Dialect.OVN,
    "ovn-kubernetes": Dialect.OVN,
    "kube-ovn": Dialect.OVN,
    "antrea": Dialect.ANTREA,
    "gke": Dialect.GKE,
    "gke-dataplane-v2": Dialect.GKE,
}
PLAIN = frozenset({"aci", "kindnet", "kube-router", "weave"})
"""CNIs whose records tell that they enforce the plain API: kube-network-policies (in kindnet, or by itself), kube-router,
weave-npc, the OpFlex agent of Cisco ACI."""

_OF_GOOGLE = "networking.gke.io"
"""Its ManagedCertificate, ServiceNetworkEndpointGroup, HealthCheckPolicy and others are in clusters of any dataplane."""
_OF_DATAPLANE = ("NetworkPolicy", "NetworkLogging")
"""How the kinds end that Dataplane V2 alone has."""
_OF_RETINA = {("cilium.io", "CiliumEndpoint"), ("cilium.io", "CiliumIdentity")}
"""Kinds that Retina's operator keeps beside any CNI (microsoft/retina ``operator/cilium-crds``, 2024 to 2026)."""
_BY_GROUP = {
    "cilium.io": Dialect.CILIUM,
    "projectcalico.org": Dialect.CALICO,
    "crd.projectcalico.org": Dialect.CALICO,
    "crd.antrea.io": Dialect.ANTREA,
    "security.antrea.tanzu.vmware.com": Dialect.ANTREA,
    "k8s.ovn.org": Dialect.OVN,
    "networking.k8s.aws": Dialect.AWS,
    _OF_GOOGLE: Dialect.GKE,
}


def detect_dialect(snapshot: Snapshot, cnis_seen: Iterable[str], *, agents: bool = True) -> Dialect:
    """Work out who enforces, from the evidence first, the agents that run second and the objects third.

    Args:
        snapshot: its pods, policies, other objects and settings are looked at.
        cnis_seen: names of CNIs as the evidence's parsers say them; one that is known decides if it is
            the only one, and one of the plain API alone where there is no other.
        agents: look at the CNI's own pods, too.

    Returns:
        The dialect; `Dialect.KUBERNETES` where nothing tells, or where two contradict.
    """
    cnis = [*cnis_seen]
    seen = dialects_seen(cnis)
    if not seen and not PLAIN.isdisjoint(cnis):
        return Dialect.KUBERNETES
    # Dataplane V2 gives its own log of policies, and Hubble's records as any Cilium does.
    if seen == CILIUM_DIALECTS:
        return Dialect.GKE
    if len(seen) > 1:
        return Dialect.KUBERNETES
    if seen and seen != {Dialect.CILIUM}:
        return seen.pop()
    told = _by_cluster(snapshot, agents=agents)
    return told if not seen or told in CILIUM_DIALECTS else Dialect.CILIUM


def _by_cluster(snapshot: Snapshot, *, agents: bool) -> Dialect:
    """What the agents that run and the objects say; `Dialect.KUBERNETES` where they say nothing, or contradict."""
    found = _by_objects(snapshot)
    if agents:
        running = {*enforcers(snapshot, found).values()}
        if len(running) > 1:
            return Dialect.KUBERNETES
        found |= running
    if found == CILIUM_DIALECTS:
        return Dialect.GKE
    return found.pop() if len(found) == 1 else Dialect.KUBERNETES


def dialects_seen(cnis: Iterable[str]) -> set[Dialect]:
    """What evidence of these CNIs says of who enforces; those that enforce nothing of their own say nothing."""
    return {_BY_CNI[name] for name in (each.lower() for each in cnis) if name in _BY_CNI}


def _by_objects(snapshot: Snapshot) -> set[Dialect]:
    kinds = (
        {(policy.ref.group, policy.ref.kind) for policy in snapshot.policies}
        | {(other.group, other.kind) for other in snapshot.others}
        | snapshot.kinds_seen
    )
    named = [policy for policy in snapshot.policies if (policy.ref.group, policy.ref.kind) == FQDN_POLICY]
    if named and all(map(of_controller, named)):
        kinds -= {FQDN_POLICY}
    if any(pod.labels.get("k8s-app") == "retina" for pod in snapshot.pods):
        kinds -= _OF_RETINA
    found = {
        _BY_GROUP[group]
        for group, kind in kinds
        if group in _BY_GROUP and (group != _OF_GOOGLE or kind.endswith(_OF_DATAPLANE))
    }
    settings = {key.split(".")[0] for key in snapshot.config}
    if snapshot.config.get("aws.enable-network-policy-controller") == "false":
        settings.discard("aws")
    found |= {_BY_CNI[name] for name in settings if name in _BY_CNI}
    if any(pod.kind == "WorkloadEndpoint" for pod in snapshot.pods):
        found.add(Dialect.CALICO)
    return found
