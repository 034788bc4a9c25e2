"""The kinds that the test server serves: what a cluster's discovery says of them."""

from typing import NamedTuple


class Served(NamedTuple):
    group: str
    version: str
    plural: str
    kind: str
    namespaced: bool = True
    short: tuple = ()

    @property
    def api_version(self):
        return f"{self.group}/{self.version}" if self.group else self.version


CORE = (
    Served("", "v1", "namespaces", "Namespace", False, ("ns",)),
    Served("", "v1", "nodes", "Node", False, ("no",)),
    Served("", "v1", "pods", "Pod", True, ("po",)),
    Served("", "v1", "services", "Service", True, ("svc",)),
    Served("", "v1", "serviceaccounts", "ServiceAccount", True, ("sa",)),
    Served("", "v1", "replicationcontrollers", "ReplicationController", True, ("rc",)),
    Served("", "v1", "configmaps", "ConfigMap", True, ("cm",)),
    Served("", "v1", "secrets", "Secret"),
    Served("", "v1", "events", "Event", True, ("ev",)),
    Served("discovery.k8s.io", "v1", "endpointslices", "EndpointSlice"),
    Served("apps", "v1", "deployments", "Deployment", True, ("deploy",)),
    Served("apps", "v1", "replicasets", "ReplicaSet", True, ("rs",)),
    Served("apps", "v1", "statefulsets", "StatefulSet", True, ("sts",)),
    Served("apps", "v1", "daemonsets", "DaemonSet", True, ("ds",)),
    Served("batch", "v1", "jobs", "Job"),
    Served("batch", "v1", "cronjobs", "CronJob", True, ("cj",)),
    Served("networking.k8s.io", "v1", "networkpolicies", "NetworkPolicy", True, ("netpol",)),
    Served("networking.k8s.io", "v1", "ingresses", "Ingress", True, ("ing",)),
    Served("admissionregistration.k8s.io", "v1", "mutatingwebhookconfigurations", "MutatingWebhookConfiguration", False),
    Served(
        "admissionregistration.k8s.io", "v1", "validatingwebhookconfigurations", "ValidatingWebhookConfiguration", False
    ),
    Served("apiregistration.k8s.io", "v1", "apiservices", "APIService", False),
)  # fmt: skip

ADMIN = (
    Served("policy.networking.k8s.io", "v1alpha1", "adminnetworkpolicies", "AdminNetworkPolicy", False),
    Served(
        "policy.networking.k8s.io",
        "v1alpha1",
        "baselineadminnetworkpolicies",
        "BaselineAdminNetworkPolicy",
        False,
    ),
    Served("policy.networking.k8s.io", "v1alpha2", "clusternetworkpolicies", "ClusterNetworkPolicy", False),
)

CILIUM = (
    Served("cilium.io", "v2", "ciliumnetworkpolicies", "CiliumNetworkPolicy", True, ("cnp",)),
    Served(
        "cilium.io",
        "v2",
        "ciliumclusterwidenetworkpolicies",
        "CiliumClusterwideNetworkPolicy",
        False,
        ("ccnp",),
    ),
    Served("cilium.io", "v2", "ciliumidentities", "CiliumIdentity", False),
    Served("cilium.io", "v2", "ciliumendpoints", "CiliumEndpoint"),
    Served("cilium.io", "v2", "ciliumnodes", "CiliumNode", False),
    Served("cilium.io", "v2", "ciliumlocalredirectpolicies", "CiliumLocalRedirectPolicy"),
    Served("cilium.io", "v2", "ciliumenvoyconfigs", "CiliumEnvoyConfig"),
    Served("cilium.io", "v2", "ciliumclusterwideenvoyconfigs", "CiliumClusterwideEnvoyConfig", False),
    Served("cilium.io", "v2", "ciliumcidrgroups", "CiliumCIDRGroup", False),
    Served("cilium.io", "v2", "ciliumegressgatewaypolicies", "CiliumEgressGatewayPolicy", False),
    Served("cilium.io", "v2alpha1", "ciliumendpointslices", "CiliumEndpointSlice", False),
)

_CALICO_KINDS = (
    ("networkpolicies", "NetworkPolicy", True),
    ("globalnetworkpolicies", "GlobalNetworkPolicy", False),
    ("stagednetworkpolicies", "StagedNetworkPolicy", True),
    ("stagedglobalnetworkpolicies", "StagedGlobalNetworkPolicy", False),
    ("stagedkubernetesnetworkpolicies", "StagedKubernetesNetworkPolicy", True),
    ("tiers", "Tier", False),
    ("networksets", "NetworkSet", True),
    ("globalnetworksets", "GlobalNetworkSet", False),
    ("hostendpoints", "HostEndpoint", False),
    ("ippools", "IPPool", False),
    ("felixconfigurations", "FelixConfiguration", False),
    ("kubecontrollersconfigurations", "KubeControllersConfiguration", False),
)
CALICO_CRD = tuple(Served("crd.projectcalico.org", "v1", *one) for one in _CALICO_KINDS)
CALICO_V3 = (
    *(Served("projectcalico.org", "v3", *one) for one in _CALICO_KINDS),
    Served("projectcalico.org", "v3", "profiles", "Profile", False),
)

OTHERS = (
    Served("crd.antrea.io", "v1beta1", "networkpolicies", "NetworkPolicy"),
    Served("crd.antrea.io", "v1beta1", "clusternetworkpolicies", "ClusterNetworkPolicy", False),
    Served("crd.antrea.io", "v1beta1", "tiers", "Tier", False),
    Served("crd.antrea.io", "v1beta1", "groups", "Group"),
    Served("crd.antrea.io", "v1beta1", "clustergroups", "ClusterGroup", False),
    Served("crd.antrea.io", "v1beta1", "egresses", "Egress", False),
    Served("k8s.ovn.org", "v1", "egressfirewalls", "EgressFirewall"),
    Served("k8s.ovn.org", "v1", "egressips", "EgressIP", False),
    Served("k8s.cni.cncf.io", "v1beta1", "multi-networkpolicies", "MultiNetworkPolicy"),
    Served("networking.k8s.aws", "v1alpha1", "policyendpoints", "PolicyEndpoint"),
    Served("networking.k8s.aws", "v1alpha1", "applicationnetworkpolicies", "ApplicationNetworkPolicy"),
    Served("networking.k8s.aws", "v1alpha1", "clusternetworkpolicies", "ClusterNetworkPolicy", False),
    Served("networking.gke.io", "v1alpha3", "fqdnnetworkpolicies", "FQDNNetworkPolicy"),
    Served("security.istio.io", "v1", "authorizationpolicies", "AuthorizationPolicy"),
    Served("config.openshift.io", "v1", "networks", "Network", False),
    Served("monitoring.coreos.com", "v1", "servicemonitors", "ServiceMonitor"),
    Served("monitoring.coreos.com", "v1", "podmonitors", "PodMonitor"),
)

EVERYTHING = (*CORE, *ADMIN, *CILIUM, *CALICO_CRD, *OTHERS)
