"""Addresses of pods that their status does not have: those on networks beside the cluster's own.

Format: the annotation that Multus v4 writes of every network of a pod (k8s.v1.cni.cncf.io/network-status), and OVN-Kubernetes of a
primary user-defined one, which is then the pod's default network in place of the cluster's, though ``status.podIPs`` are not of it;
GKE's of a pod's further networks (GoogleCloudPlatform/gke-networking-api ``apis/network/v1/annotations.go``).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import msgspec

from flowdiag.cluster.addresses import canonical_ips
from flowdiag.cluster.meta import as_list, as_map
from flowdiag.model.objects import Pod

__all__ = ["other_addresses", "primary_addresses", "primary_networks"]

# network-status: '[{"name":"cilium","ips":["10.0.0.5"],"default":true},{"name":"shop/macvlan","ips":["192.168.50.7"]}]'
# '[{"name":"ovn-kubernetes","interface":"eth0","ips":["10.131.0.35"]},{"name":"ovn-kubernetes","interface":"ovn-udn1",
#   "ips":["10.0.0.4"],"default":true}]'                                                   OpenShift 4.17 and later
# pod-ips: '[{"networkName":"blue","ip":"10.1.0.5"}]'
_OF_GKE = "networking.gke.io/pod-ips"
# k8s.ovn.org/pod-networks: '{"default":{"ip_addresses":["10.131.0.35/23"],"role":"infrastructure-locked"},
#   "shop/blue":{"ip_addresses":["10.200.0.4/16"],"role":"primary"}}'                     OVN-Kubernetes 1.0 and later
_OF_OVN = "k8s.ovn.org/pod-networks"
_STATUS = ("k8s.v1.cni.cncf.io/network-status", "k8s.v1.cni.cncf.io/networks-status")


def primary_addresses(annotations: Mapping[str, str], ips: Sequence[str]) -> tuple[str, ...]:
    """Those of a pod's default network, where that is not the one of its status, whose addresses `ips` are.

    The status' network is then listed beside it: the annotation of a restored pod may be of another cluster.
    """
    networks = primary_networks(annotations)
    listed = [text for one in networks.values() for text in as_list(as_map(one).get("ip_addresses"))]
    own = [ip for ip in canonical_ips(str(text).partition("/")[0] for text in listed) if ip not in ips]
    if own:
        return tuple(own)
    others = {
        ip
        for one in _listed(annotations, _STATUS)
        if as_map(one).get("default") is not True
        for ip in canonical_ips(as_list(as_map(one).get("ips")))
    }
    if ips and others.isdisjoint(ips):
        return ()
    return tuple(_addresses(annotations, ips, default=True))


def primary_networks(annotations: Mapping[str, str]) -> dict[str, object]:
    """The primary network of a pod, by namespace and name, where OVN-Kubernetes notes one that is not the cluster's."""
    try:
        networks = as_map(msgspec.json.decode(annotations.get(_OF_OVN, "{}")))
    except (msgspec.DecodeError, RecursionError):
        return {}
    return {
        key: one for key, one in networks.items() if key != "default" and as_map(one).get("role") == "primary"
    }


def other_addresses(pod: Pod) -> Iterator[str]:
    """Those of further networks: to policies they are outside."""
    if pod.template:
        return
    yield from _addresses(pod.annotations, pod.ips, default=False)
    of_gke = [as_map(one).get("ip") for one in _listed(pod.annotations, (_OF_GKE,))]
    yield from (ip for ip in canonical_ips(of_gke) if ip not in pod.ips)


def _addresses(annotations: Mapping[str, str], ips: Sequence[str], *, default: bool) -> Iterator[str]:
    for one in _listed(annotations, _STATUS):
        if (as_map(one).get("default") is True) is default:
            yield from (ip for ip in canonical_ips(as_list(as_map(one).get("ips"))) if ip not in ips)


def _listed(annotations: Mapping[str, str], keys: tuple[str, ...]) -> list[object]:
    """What the first of these annotations lists."""
    text = next((annotations[key] for key in keys if key in annotations), None)
    if text is None:
        return []
    try:
        return as_list(msgspec.json.decode(text))
    except (msgspec.DecodeError, RecursionError):
        return []
