"""The kinds of objects that diagnosis reads, and how the API calls them.

Order is that of reading.  `versions` are tried where the server does not say what it serves; else the
server's own order decides.  Sources: Kubernetes v1.31 API reference, network-policy-api v0.1.7, Cilium v1.19
``pkg/k8s/apis``, Calico v3.30 ``manifests/crds.yaml``, Antrea v2.2, OVN-Kubernetes, aws-network-policy-controller,
Istio v1.24.
"""

from __future__ import annotations

from msgspec import Struct

__all__ = ["KINDS", "Kind"]


class Kind(Struct, frozen=True):
    """One kind as the API serves it."""

    group: str
    plural: str
    kind: str
    versions: tuple[str, ...]
    namespaced: bool = True

    @property
    def resource(self) -> str:
        """``networkpolicies.networking.k8s.io``, as kubectl names it."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    def rule(self, *verbs: str) -> str:
        """The RBAC rule that allows it, as one line of YAML."""
        words = ", ".join(f'"{verb}"' for verb in verbs)
        return f'{{apiGroups: ["{self.group}"], resources: ["{self.plural}"], verbs: [{words}]}}'


def _core(plural: str, kind: str, *, namespaced: bool = True) -> Kind:
    return Kind("", plural, kind, ("v1",), namespaced)


def _calico(plural: str, kind: str, *, namespaced: bool = False) -> tuple[Kind, Kind]:
    return (
        Kind("projectcalico.org", plural, kind, ("v3",), namespaced),
        Kind("crd.projectcalico.org", plural, kind, ("v1",), namespaced),
    )


_CILIUM = ("v2", "v2alpha1")

KINDS: tuple[Kind, ...] = (
    _core("namespaces", "Namespace", namespaced=False),
    _core("nodes", "Node", namespaced=False),
    _core("pods", "Pod"),
    _core("services", "Service"),
    Kind("discovery.k8s.io", "endpointslices", "EndpointSlice", ("v1", "v1beta1")),
    _core("serviceaccounts", "ServiceAccount"),
    _core("replicationcontrollers", "ReplicationController"),
    Kind("apps", "deployments", "Deployment", ("v1",)),
    Kind("apps", "replicasets", "ReplicaSet", ("v1",)),
    Kind("apps", "statefulsets", "StatefulSet", ("v1",)),
    Kind("apps", "daemonsets", "DaemonSet", ("v1",)),
    Kind("batch", "jobs", "Job", ("v1",)),
    Kind("batch", "cronjobs", "CronJob", ("v1", "v1beta1")),
    Kind("networking.k8s.io", "networkpolicies", "NetworkPolicy", ("v1",)),
    Kind("networking.k8s.io", "ingresses", "Ingress", ("v1",)),
    Kind("policy.networking.k8s.io", "adminnetworkpolicies", "AdminNetworkPolicy", ("v1alpha1",), False),
    Kind(
        "policy.networking.k8s.io",
        "baselineadminnetworkpolicies",
        "BaselineAdminNetworkPolicy",
        ("v1alpha1",),
        False,
    ),
    Kind("policy.networking.k8s.io", "clusternetworkpolicies", "ClusterNetworkPolicy", ("v1alpha2",), False),
    Kind("cilium.io", "ciliumnetworkpolicies", "CiliumNetworkPolicy", _CILIUM),
    Kind("cilium.io", "ciliumclusterwidenetworkpolicies", "CiliumClusterwideNetworkPolicy", _CILIUM, False),
    Kind("cilium.io", "ciliumidentities", "CiliumIdentity", _CILIUM, False),
    Kind("cilium.io", "ciliumendpoints", "CiliumEndpoint", _CILIUM),
    Kind("cilium.io", "ciliumendpointslices", "CiliumEndpointSlice", _CILIUM, False),
    Kind("cilium.io", "ciliumnodes", "CiliumNode", _CILIUM, False),
    Kind("cilium.io", "ciliumcidrgroups", "CiliumCIDRGroup", _CILIUM, False),
    Kind("cilium.io", "ciliumegressgatewaypolicies", "CiliumEgressGatewayPolicy", ("v2",), False),
    Kind("cilium.io", "ciliumlocalredirectpolicies", "CiliumLocalRedirectPolicy", _CILIUM),
    Kind("cilium.io", "ciliumenvoyconfigs", "CiliumEnvoyConfig", _CILIUM),
    Kind("cilium.io", "ciliumclusterwideenvoyconfigs", "CiliumClusterwideEnvoyConfig", _CILIUM, False),
    *_calico("networkpolicies", "NetworkPolicy", namespaced=True),
    *_calico("globalnetworkpolicies", "GlobalNetworkPolicy"),
    *_calico("stagednetworkpolicies", "StagedNetworkPolicy", namespaced=True),
    *_calico("stagedglobalnetworkpolicies", "StagedGlobalNetworkPolicy"),
    *_calico("stagedkubernetesnetworkpolicies", "StagedKubernetesNetworkPolicy", namespaced=True),
    *_calico("tiers", "Tier"),
    *_calico("networksets", "NetworkSet", namespaced=True),
    *_calico("globalnetworksets", "GlobalNetworkSet"),
    *_calico("hostendpoints", "HostEndpoint"),
    *_calico("ippools", "IPPool"),
    *_calico("felixconfigurations", "FelixConfiguration"),
    *_calico("kubecontrollersconfigurations", "KubeControllersConfiguration"),
    Kind("projectcalico.org", "profiles", "Profile", ("v3",), False),
    Kind("crd.antrea.io", "networkpolicies", "NetworkPolicy", ("v1beta1", "v1alpha1")),
    Kind("crd.antrea.io", "clusternetworkpolicies", "ClusterNetworkPolicy", ("v1beta1", "v1alpha1"), False),
    Kind("crd.antrea.io", "tiers", "Tier", ("v1beta1", "v1alpha1"), False),
    Kind("crd.antrea.io", "groups", "Group", ("v1beta1", "v1alpha3")),
    Kind("crd.antrea.io", "clustergroups", "ClusterGroup", ("v1beta1", "v1alpha3"), False),
    Kind("crd.antrea.io", "egresses", "Egress", ("v1beta1", "v1alpha2"), False),
    Kind("k8s.ovn.org", "egressfirewalls", "EgressFirewall", ("v1",)),
    Kind("k8s.ovn.org", "egressips", "EgressIP", ("v1",), False),
    Kind("k8s.cni.cncf.io", "multi-networkpolicies", "MultiNetworkPolicy", ("v1beta2", "v1beta1")),
    Kind("networking.k8s.aws", "policyendpoints", "PolicyEndpoint", ("v1alpha1",)),
    Kind("networking.k8s.aws", "applicationnetworkpolicies", "ApplicationNetworkPolicy", ("v1alpha1",)),
    Kind("networking.k8s.aws", "clusternetworkpolicies", "ClusterNetworkPolicy", ("v1alpha1",), False),
    Kind("networking.gke.io", "fqdnnetworkpolicies", "FQDNNetworkPolicy", ("v1alpha3", "v1alpha1")),
    Kind("security.istio.io", "authorizationpolicies", "AuthorizationPolicy", ("v1", "v1beta1")),
    Kind("config.openshift.io", "networks", "Network", ("v1",), False),
    Kind(
        "admissionregistration.k8s.io",
        "mutatingwebhookconfigurations",
        "MutatingWebhookConfiguration",
        ("v1",),
        False,
    ),
    Kind(
        "admissionregistration.k8s.io",
        "validatingwebhookconfigurations",
        "ValidatingWebhookConfiguration",
        ("v1",),
        False,
    ),
    Kind("apiregistration.k8s.io", "apiservices", "APIService", ("v1",), False),
    Kind("monitoring.coreos.com", "servicemonitors", "ServiceMonitor", ("v1",)),
    Kind("monitoring.coreos.com", "podmonitors", "PodMonitor", ("v1",)),
)
"""Secrets are never among them, and ConfigMaps are read by name only (`flowdiag.cluster.agents`)."""
