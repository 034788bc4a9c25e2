"""The bundles people collect, by the shape of their trees.

Sources: cilium-cli ``sysdump/constants.go``; ``calicoctl cluster diags`` and ``node diags``; openshift/must-gather
``collection-scripts`` and ``oc adm inspect``; replicatedhq/troubleshoot ``pkg/collect``; kubectl
``clusterinfo_dump.go``; awslabs/amazon-eks-ami log collector; antrea ``antctl supportbundle``.
"""

from __future__ import annotations

import re

from flowdiag.ingest.bundles.hints import Layout, Role, Rule

__all__ = ["LAYOUTS"]

_TS = r"\d{8}-\d{6}"
_NS = r"(?P<namespace>[a-z0-9][a-z0-9-]{0,62})"
_POD = r"(?P<pod>[a-z0-9][a-z0-9.-]{0,252})"
_CONTAINER = r"(?P<container>[a-z0-9][a-z0-9-]{0,62})"
_NODE = r"(?P<node>[A-Za-z0-9][A-Za-z0-9.-]{0,252})"
_TOP = r"^(?P<top>(?:.{0,1000}/)?)"


_SYSDUMP = Layout(
    name="cilium-sysdump",
    # "cilium-sysdump-20240501-101112/k8s-pods-20240501-101112.yaml"  cilium-cli 0.16
    marks=(
        re.compile(
            _TOP
            + rf"(?:k8s-(?:pods|nodes|namespaces)|cilium-?configmap|cilium\w{{1,40}})-(?P<stamp>{_TS})\.yaml$"
        ),
    ),
    rules=(
        Rule(rf"hubble-flows-{_POD}-{_TS}\.json(?:\.gz)?$", Role.EVIDENCE, "hubble-json"),
        Rule(
            # The pod is matched as short as possible: container names hold dashes too.
            r"logs-(?P<pod>[a-z0-9][a-z0-9.-]{0,252}?)-(?P<container>cilium-agent|cilium-envoy|cilium-operator|clustermesh-apiserver|etcd|kvstoremesh"
            r"|hubble-relay|hubble-ui|frontend|backend|mount-cgroup|mount-bpf-fs|clean-cilium-state|apply-sysctl-overwrites"
            r"|install-cni-binaries|config|aws-node|aws-eks-nodeagent|[a-z0-9]{1,63})-\d{8}-\d{6}(?:-prev)?\.log(?:-prev)?$",
            Role.EVIDENCE,
        ),
        Rule(
            # "cilium-bugtool-cilium-x7k2p-20240501-101112/cmd/cilium-endpoint-list.md", in a tarball below a
            # folder of its own; 1.15 and later call the command cilium-dbg
            r"cilium-bugtool-(?P<pod>[a-z0-9][a-z0-9.-]{0,252}?)-\d{8}-\d{6}(?:\.tar)?/(?:[^/]{1,200}/)?"
            r"cmd/cilium(?:-dbg)?-endpoint-list[^/]{0,60}\.(?:md|json|txt)$",
            Role.ENDPOINTS,
        ),
        Rule(r"cilium-helm-(?:values|metadata)-", Role.NOISE),
        Rule(
            r"(?:hubble-observe|metrics|gops|cniconf|cilium-bugtool|hubble-bugtool|pprof|trace)-", Role.NOISE
        ),
        Rule(r"cilium-sysdump\.log$|.*\.(?:html|txt|md|prom|png|pb\.gz)$", Role.NOISE),
        Rule(rf"[a-z0-9-]{{1,100}}-{_TS}\.(?:yaml|json)$", Role.STATE),
    ),
)

_CALICO_CLUSTER = Layout(
    name="calico-cluster-diags",
    # "calico-diagnostics-20240501_101112/cluster/pods.yaml"  calicoctl v3.29
    marks=(re.compile(r"^(?P<top>(?:.{0,1000}/)?calico-diagnostics-(?P<stamp>\d{8}_\d{6})/)"),),
    rules=(
        Rule(r"links/", Role.NOISE),
        Rule(r"cluster/[^/]{1,200}\.yaml$", Role.STATE),
        Rule(rf"nodes/{_NODE}/{_NS}/{_POD}\.{_CONTAINER}\.previous\.log$", Role.EVIDENCE),
        Rule(rf"nodes/{_NODE}/{_NS}/{_POD}\.log$", Role.EVIDENCE),
        Rule(
            rf"nodes/{_NODE}/(?:iptables-(?:legacy|nft)-save|nft-ruleset|bpf-[a-z-]{{1,40}})\.txt$",
            Role.EVIDENCE,
        ),
        Rule(r".*\.txt$", Role.NOISE),
    ),
)

_CALICO_NODE = Layout(
    name="calico-node-diags",
    # "diagnostics/ipv4_tables", "diagnostics/logs/cni/cni.log"  calicoctl v3.27 node diags
    marks=(
        re.compile(r"^(?P<top>(?:.{0,1000}/)?diagnostics/)(?:ipv4_tables|ipv4_route|ipsets)$"),
        re.compile(
            r"^(?P<top>(?:.{0,1000}/)?diagnostics/)(?:hostname|date|ipv6_route|ipv6_tables|nft_ruleset)$"
        ),
    ),
    rules=(
        Rule(r"logs/|(?:journalctl_calico_node|ipv[46]_tables|nft_ruleset)$", Role.EVIDENCE),
        Rule(r"[a-z0-9_]{1,60}$", Role.NOISE),
    ),
)

_MUST_GATHER = Layout(
    name="must-gather",
    # "must-gather.local.123/quay-io-.../namespaces/shop/core/pods.yaml", "inspect.local.5/namespaces/..."  oc 4.16
    marks=(
        re.compile(
            r"^(?P<top>(?:.{0,1000}?/)??)(?:namespaces/[a-z0-9-]{1,63}/(?:core|apps|pods|networking\.k8s\.io)/|"
            r"cluster-scoped-resources/[a-z0-9.-]{1,253}/)"
        ),
    ),
    rules=(
        Rule(
            rf"namespaces/{_NS}/pods/{_POD}/{_CONTAINER}/[^/]{{1,63}}/logs/"
            rf"(?:rotated/[^/]{{1,255}}|(?:current|previous|previous\.insecure)\.log)$",
            Role.EVIDENCE,
        ),
        Rule(r"audit_logs/[^/]{1,100}/(?P<node>[^/]{1,253}?)-audit[^/]{0,100}\.log(?:\.gz)?$", Role.EVIDENCE),
        Rule(
            r".*audit_logs_listing$|.*\.html$|(?:.*/)?(?:version|timestamp|gather-debug\.log|gather\.logs)$",
            Role.NOISE,
        ),
        Rule(r"(?:namespaces|cluster-scoped-resources)/.{1,600}\.ya?ml$", Role.STATE),
    ),
)

_MUST_GATHER_ROOT = Layout(
    name="must-gather",
    # "must-gather.local.5531/timestamp", "inspect.local.88/event-filter.html"   oc 4.16: beside the folder of each image
    marks=(re.compile(r"^(?P<top>(?:.{0,1000}/)?(?:must-gather|inspect)\.local\.\d{1,20}/)"),),
    rules=(Rule(r"(?:timestamp|version|must-gather\.logs?|event-filter\.html)$", Role.NOISE),),
)

_TROUBLESHOOT = Layout(
    name="troubleshoot",
    # "support-bundle-2024-05-01T10_11_12/cluster-resources/network-policy/shop.json"  troubleshoot v0.95
    marks=(re.compile(_TOP + r"cluster-resources/(?:namespaces\.json|nodes\.json|pods/|resources\.json)"),),
    rules=(
        Rule(r"cluster-resources/.{1,400}-errors\.json$", Role.ERRORS),
        Rule(
            rf"cluster-resources/pods/logs/{_NS}/{_POD}/(?P<container>[a-z0-9][a-z0-9-]{{0,62}}?)(?:-previous)?\.log$",
            Role.EVIDENCE,
        ),
        Rule(r"cluster-resources/(?:groups|resources)\.json$", Role.NOISE),
        Rule(r"cluster-resources/.{1,400}\.(?:json|ya?ml)$", Role.STATE),
        Rule(r"(?:analysis|version|execution-data)[^/]{0,60}(?:/|\.json$|\.ya?ml$)|.*\.html$", Role.NOISE),
    ),
)

_CLUSTER_INFO = Layout(
    name="cluster-info-dump",
    # "dump/nodes.json", "dump/kube-system/pods.json", "dump/kube-system/weave-net-2xkzp/logs.txt"  kubectl v1.30
    marks=(
        re.compile(_TOP + r"nodes\.(?:json|yaml)$"),
        re.compile(_TOP + r"[a-z0-9-]{1,63}/pods\.(?:json|yaml)$"),
    ),
    rules=(
        Rule(rf"{_NS}/{_POD}/logs\.txt$", Role.EVIDENCE),
        Rule(r"(?:[a-z0-9-]{1,63}/)?[a-z-]{1,63}\.(?:json|yaml)$", Role.STATE),
    ),
)

_EKS = Layout(
    name="eks-logs",
    # "eks_i-0123456789abcdef0_2024-05-01_1011-UTC_0.7.6/var_log/aws-routed-eni/network-policy-agent.log"
    marks=(re.compile(_TOP + r"var_log/(?:aws-routed-eni|messages|syslog|containers|pods)"),),
    rules=(
        Rule(r"var_log/aws-routed-eni/", Role.EVIDENCE),
        Rule(r"var_log/(?:messages|syslog|kern\.log)", Role.EVIDENCE),
        Rule(
            r"(?:kernel|kubelet|containerd|docker|ipamd|nodeadm|sandbox-image)/.{0,200}\.log$", Role.EVIDENCE
        ),
        Rule(
            r"(?:networking|cni|storage|system|modinfo|sysctls|gpu|throttles|cfn|bottlerocket|soci)/",
            Role.NOISE,
        ),
    ),
)

_ANTREA = Layout(
    name="antrea-bundle",
    # "support-bundles_20240501T101112Z/agent_node-1/logs/networkpolicy/np.log"  antctl v2.2
    marks=(
        re.compile(_TOP + r"agent_[A-Za-z0-9.-]{1,253}/(?:logs|agentinfo|flows|iptables|networkpolicies)"),
    ),
    rules=(
        Rule(rf"agent_{_NODE}/logs/", Role.EVIDENCE),
        Rule(r"controller_[^/]{1,253}/logs/", Role.EVIDENCE),
        Rule(r"(?:agent|controller)_[^/]{1,253}/", Role.NOISE),
        Rule(r"clusterinfo$", Role.STATE),
    ),
)

_OWN = Layout(
    name="flowdiag-bundle",
    # "flowdiag-bundle-20261103-120000/state/pods.json"  flowdiag collect (flowdiag/cluster/collect)
    marks=(re.compile(rf"^(?P<top>(?:.{{0,1000}}/)?flowdiag-bundle-(?P<stamp>{_TS})/)"),),
    rules=(
        Rule(r"manifest\.json$", Role.NOISE),
        Rule(r"state/[^/]{1,253}\.json$", Role.STATE),
        Rule(r"events/[^/]{1,253}\.jsonl$", Role.EVIDENCE, "kubernetes-events"),
        Rule(rf"flows/hubble/{_NODE}/{_POD}\.json$", Role.EVIDENCE, "hubble-json"),
        Rule(r"flows/whisker/", Role.EVIDENCE),
        Rule(
            rf"logs/{_NS}/{_POD}/(?P<container>[a-z0-9][a-z0-9-]{{0,62}}?)(?:\.previous)?\.log$",
            Role.EVIDENCE,
        ),
        Rule(rf"nodes/{_NODE}/", Role.EVIDENCE),
    ),
)

LAYOUTS: tuple[Layout, ...] = (
    _OWN,
    _TROUBLESHOOT,
    _MUST_GATHER,
    _MUST_GATHER_ROOT,
    _SYSDUMP,
    _CALICO_CLUSTER,
    _CALICO_NODE,
    _EKS,
    _ANTREA,
    _CLUSTER_INFO,
)
"""In the order they are tried; the first that has a rule for a file says what it is."""
