"""The cluster that generated exports come from: its workloads, who calls whom, its policies and its objects.

Everything hangs on the seed.  Traffic that the generator writes as allowed is allowed by these policies, and what
it writes as refused is refused by them: replaying an export against the state finds no disagreement.
"""

import json
import random

CLUSTER = "bench"
WORDS = (
    "order cart user stock price search media mail audit ledger quote route geo rank feed auth".split()  # noqa: SIM905
)
ROLES = {
    "api": 8080,
    "web": 8443,
    "worker": 9090,
    "cache": 6379,
    "db": 5432,
    "gateway": 8081,
    "sync": 7000,
    "store": 9000,
}
HTTP = frozenset({"api", "gateway"})
PARTNERS = [(f"198.51.100.{n}", f"partner-{n}.example.com") for n in range(1, 120)]
"""Outside ends that everybody may call."""
STRANGERS = [f"203.0.113.{n}" for n in range(1, 250)]
"""Outside ends that namespaces with an egress policy may not call."""
VISITORS = [f"192.0.2.{n}" for n in range(1, 250)]
"""Outside ends that call the gateways."""
RELEASES = ("1.14", "1.16", "1.19")
"""Nodes are in the middle of an upgrade; each release writes other fields."""


def dumps(value):
    """Compact JSON."""
    return json.dumps(value, separators=(",", ":"))


class Workload:
    """A Deployment: its pods, and the workloads that it calls."""

    def __init__(self, number, namespace, name, role):
        self.namespace, self.name, self.role = namespace, name, role
        self.identity = 20_000 + number
        self.port = ROLES[role]
        self.service_ip = f"10.250.{number // 250}.{number % 250 + 1}"
        self.labels = {"app.kubernetes.io/name": name, "app.kubernetes.io/part-of": namespace, "tier": role}
        self.v6 = number % 10 == 0
        self.isolated = False
        self.pods = []
        self.calls = []

    def end_labels(self):
        """Labels as Hubble shows them: those that identities are made of."""
        labels = [f"k8s:{key}={value}" for key, value in self.labels.items()]
        labels += [
            f"k8s:app.kubernetes.io/instance={self.name}",
            f"k8s:helm.sh/chart={self.name}-2.{self.identity % 30}.1",
            f"k8s:io.cilium.k8s.namespace.labels.kubernetes.io/metadata.name={self.namespace}",
            f"k8s:io.cilium.k8s.namespace.labels.team=team-{self.identity % 7}",
            f"k8s:io.cilium.k8s.policy.cluster={CLUSTER}",
            f"k8s:io.cilium.k8s.policy.serviceaccount={self.name}",
            f"k8s:io.kubernetes.pod.namespace={self.namespace}",
        ]
        return sorted(labels)


class Pod:
    """A pod, with its endpoint as JSON text: as its own node sees it, and as others do."""

    def __init__(self, number, workload, node):
        self.workload, self.node = workload, node
        self.name = f"{workload.name}-{workload.identity:x}7c9d-{number:05x}"
        self.ip = f"10.{16 + node}.{number // 250 % 250}.{number % 250 + 1}"
        self.ip6 = f"2001:db8:{node:x}::{number:x}"
        self.address = self.ip6 if workload.v6 else self.ip
        self.mac = (
            f"0a:58:{node & 255:02x}:{number >> 16 & 255:02x}:{number >> 8 & 255:02x}:{number & 255:02x}"
        )
        end = {
            "identity": workload.identity,
            "cluster_name": CLUSTER,
            "namespace": workload.namespace,
            "labels": workload.end_labels(),
            "pod_name": self.name,
            "workloads": [{"name": workload.name, "kind": "Deployment"}],
        }
        self.far = dumps(end)
        self.near = dumps({"ID": number % 4000 + 10} | end)

    def seen_from(self, node):
        """The endpoint as the agent of `node` writes it."""
        return self.near if node == self.node else self.far


class World:
    """Everything but the clock.

    Two thousand pods are five hundred workloads in fifty namespaces, with about five hundred policies: most
    workloads say who may call them, half of the namespaces refuse all other ingress, and a third say what may be
    called outside.

    Attributes:
        refused: pairs of workloads of which the first tries to call the second, and may not.
        strays: workloads that try to call outside ends that they may not call.
    """

    def __init__(self, pods, seed):
        self.rng = random.Random(seed)
        self.nodes = max(3, pods // 60)
        spaces = max(2, pods // 40)
        self.namespaces = [f"{WORDS[n % len(WORDS)]}-{n}" for n in range(spaces - 1)]
        self.default_deny = set(self.namespaces[::2])
        self.egress = set(self.namespaces[::3])
        self.workloads = self._workloads(max(spaces, pods // 4), pods - 2)
        self.dns = Workload(len(self.workloads), "kube-system", "coredns", "api")
        self.dns.port = 53
        self.dns.pods = [Pod(pods + n, self.dns, n % self.nodes) for n in range(2)]
        self._call_graph()
        self.callers = {id(workload): [] for workload in self.workloads}
        for workload in self.workloads:
            for called in workload.calls:
                self.callers[id(called)].append(workload)

    def _workloads(self, count, pods):
        rng = self.rng
        roles = list(ROLES)
        found = []
        for number in range(count):
            namespace = self.namespaces[number % len(self.namespaces)]
            role = roles[number // len(self.namespaces) % len(roles)]
            name = f"{rng.choice(WORDS)}-{role}-{number // len(self.namespaces)}"
            workload = Workload(number, namespace, name, role)
            workload.isolated = namespace in self.default_deny or rng.random() < 0.9
            found.append(workload)
        # Every workload has a pod; the others fall where they fall.
        owners = found[:pods] + [rng.choice(found) for _ in range(pods - len(found))]
        for number, workload in enumerate(owners):
            workload.pods.append(Pod(number, workload, rng.randrange(self.nodes)))
        return [workload for workload in found if workload.pods]

    def _call_graph(self):
        rng = self.rng
        # A few workloads are called by many, most by few.
        weights = [1 / (rank + 3) for rank in range(len(self.workloads))]
        popular = rng.sample(self.workloads, len(self.workloads))
        isolated = [workload for workload in self.workloads if workload.isolated]
        for workload in self.workloads:
            half = {id(w): w for w in rng.choices(popular, weights, k=4)}
            half |= {id(w): w for w in rng.sample(self.workloads, min(3, len(self.workloads)))}
            workload.calls = [called for called in half.values() if called is not workload]
        self.refused = []
        for workload in self.workloads:
            called = {id(one) for one in workload.calls} | {id(workload)}
            other = rng.choice(isolated)
            if rng.random() < 0.5 and id(other) not in called:
                self.refused.append((workload, other))
        closed = [workload for workload in self.workloads if workload.namespace in self.egress]
        self.strays = rng.sample(closed, len(closed) // 4)

    def policies(self):
        """The NetworkPolicies as the API server has them."""
        found = [
            _policy("default-deny", namespace, {"podSelector": {}, "policyTypes": ["Ingress"]})
            for namespace in sorted(self.default_deny)
        ]
        for namespace in sorted(self.egress):
            outside = [{"ipBlock": {"cidr": cidr}} for cidr in ("198.51.100.0/24", "10.250.0.0/16")]
            spec = {
                "podSelector": {},
                "policyTypes": ["Egress"],
                "egress": [{"to": [{"namespaceSelector": {}}]}, {"to": outside}],
            }
            found.append(_policy("only-known-outside", namespace, spec))
        for workload in self.workloads:
            if not workload.isolated:
                continue
            peers = [
                {
                    "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": caller.namespace}},
                    "podSelector": {"matchLabels": {"app.kubernetes.io/name": caller.name}},
                }
                for caller in self.callers[id(workload)]
            ]
            if workload.role == "gateway":
                peers.append({"ipBlock": {"cidr": "192.0.2.0/24"}})
            spec = {
                "podSelector": {"matchLabels": {"app.kubernetes.io/name": workload.name}},
                "policyTypes": ["Ingress"],
                "ingress": [{"from": peers, "ports": [{"port": workload.port}]}] if peers else [],
            }
            found.append(_policy(f"callers-of-{workload.name}", workload.namespace, spec))
        return found

    def objects(self):
        """File name -> list of objects, as ``kubectl get -o json`` has them."""
        every = [*self.workloads, self.dns]
        return {
            "pods": [_pod(pod) for workload in every for pod in workload.pods],
            "namespaces": [
                {
                    "apiVersion": "v1",
                    "kind": "Namespace",
                    "metadata": _meta(name, labels={"kubernetes.io/metadata.name": name}),
                }
                for name in [*sorted(self.namespaces), "kube-system"]
            ],
            "nodes": [
                {
                    "apiVersion": "v1",
                    "kind": "Node",
                    "metadata": _meta(f"worker-{n}"),
                    "status": {"addresses": [{"type": "InternalIP", "address": node_ip(n)}]},
                }
                for n in range(self.nodes)
            ],
            "services": [_service(workload) for workload in every],
            "networkpolicies": self.policies(),
        }


def node_ip(node):
    """A node's own address."""
    return f"192.168.{node // 250}.{node % 250 + 1}"


def write_state(folder, world):
    """Lists as ``kubectl get -o json`` prints them."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, items in world.objects().items():
        (folder / f"{name}.json").write_text(dumps({"apiVersion": "v1", "kind": "List", "items": items}))


def _meta(name, namespace=None, **more):
    """Metadata of an object that was there from the start."""
    found = {"name": name, "creationTimestamp": "2026-03-01T00:00:00Z", "generation": 1, **more}
    return found | ({"namespace": namespace} if namespace else {})


def _policy(name, namespace, spec):
    kind = {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy"}
    return kind | {"metadata": _meta(name, namespace), "spec": spec}


def _pod(pod):
    workload = pod.workload
    template = f"{workload.identity:x}7c9d"
    owner = {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "controller": True,
        "name": f"{workload.name}-{template}",
    }
    labels = workload.labels | {"pod-template-hash": template}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": _meta(pod.name, workload.namespace, labels=labels, ownerReferences=[owner]),
        "spec": {
            "nodeName": f"worker-{pod.node}",
            "serviceAccountName": workload.name,
            "containers": [{"name": "main", "ports": [{"containerPort": workload.port}]}],
        },
        "status": {
            "phase": "Running",
            "podIP": pod.ip,
            "podIPs": [{"ip": pod.ip}, {"ip": pod.ip6}],
            "hostIP": node_ip(pod.node),
            "startTime": "2026-03-01T00:00:00Z",
        },
    }


def _service(workload):
    port = {"port": 80, "targetPort": workload.port, "protocol": "TCP"}
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": _meta(workload.name, workload.namespace),
        "spec": {"clusterIP": workload.service_ip, "selector": workload.labels, "ports": [port]},
    }
