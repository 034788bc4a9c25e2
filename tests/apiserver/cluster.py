"""A small cluster for the test server: two applications, one default deny, Cilium's agent."""


def _meta(name, namespace=None, labels=None, **more):
    meta = {
        "name": name,
        "uid": f"uid-{namespace}-{name}",
        "creationTimestamp": "2026-11-03T08:00:00Z",
        **more,
    }
    if namespace:
        meta["namespace"] = namespace
    if labels:
        meta["labels"] = labels
    return meta


def namespace(name):
    return {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": _meta(name, labels={"kubernetes.io/metadata.name": name}),
    }


def node(name, ip):
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": _meta(name),
        "spec": {"podCIDR": "10.42.0.0/24"},
        "status": {"addresses": [{"type": "InternalIP", "address": ip}]},
    }


def pod(namespace, name, ip, labels, *, port=8080, host_network=False, containers=("app",)):
    env = [
        {"name": "DB_PASSWORD", "value": "hunter2-in-env"},
        {"name": "FROM", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}},
    ]
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": _meta(
            name,
            namespace,
            labels,
            annotations={
                "vault.hashicorp.com/agent-inject-template": "hunter2-in-annotation",
                "kubectl.kubernetes.io/last-applied-configuration": '{"env":"hunter2-in-applied"}',
            },
        ),
        "spec": {
            "nodeName": "node-1",
            "hostNetwork": host_network,
            "containers": [
                {
                    "name": one,
                    "image": "registry.example/app:1",
                    "env": env,
                    "args": ["--password=hunter2-in-args"],
                    "ports": [{"containerPort": port, "name": "http"}],
                }
                for one in containers
            ],
        },
        "status": {
            "phase": "Running",
            "podIP": ip,
            "podIPs": [{"ip": ip}],
            "hostIP": "192.0.2.11",
            "startTime": "2026-11-03T08:00:01Z",
            "containerStatuses": [{"name": one, "state": {"running": {}}, "restartCount": 0} for one in containers],
        },
    }  # fmt: skip


def policy(namespace, name, spec):
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": _meta(name, namespace, generation=1),
        "spec": spec,
    }


def small(extra=()):
    """shop/web may not reach data/db: a default deny in data."""
    return [
        *(namespace(one) for one in ("shop", "data", "kube-system")),
        node("node-1", "192.0.2.11"),
        pod("shop", "web-1", "10.42.0.10", {"app": "web"}),
        pod("data", "db-1", "10.42.0.20", {"app": "db"}, port=5432),
        pod("kube-system", "cilium-abcde", "192.0.2.11", {"k8s-app": "cilium"}, host_network=True, containers=("cilium-agent",)),
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": _meta("db", "data"),
            "spec": {"clusterIP": "10.43.0.7", "selector": {"app": "db"}, "ports": [{"port": 5432, "targetPort": 5432}]},
        },
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": _meta("cilium-config", "kube-system"),
            "data": {"enable-policy": "default", "policy-audit-mode": "false"},
        },
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": _meta("app-settings", "shop"), "data": {"k": "hunter2-in-configmap"}},
        {"apiVersion": "v1", "kind": "Secret", "metadata": _meta("s", "shop"), "data": {"k": "aHVudGVyMi1pbi1zZWNyZXQ="}},
        policy("data", "default-deny", {"podSelector": {}, "policyTypes": ["Ingress"]}),
        *extra,
    ]  # fmt: skip
