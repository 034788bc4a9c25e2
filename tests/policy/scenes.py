"""Small clusters for policy tests."""

from flowdiag.model.endpoint import Endpoint, EndpointKind
from flowdiag.model.event import WorkloadRef
from flowdiag.model.objects import ContainerPort, Namespace, Pod, PolicyObject, RawObject, Snapshot
from flowdiag.model.policy import PolicyRef
from flowdiag.policy.ends import pod_endpoint


def pod(namespace, name, labels=None, *, ip=None, ports=(), node="n1", before=(), **more):
    """A running pod; `ports` are (name, number, protocol)."""
    return Pod(
        namespace=namespace,
        name=name,
        labels=labels or {},
        ips=(ip,) if ip else (),
        ports=tuple(ContainerPort(*each) for each in ports),
        node=node,
        labels_before=before,
        **({"phase": "Running", "workload": WorkloadRef("Pod", name)} | more),
    )


def pod_end(one):
    """The endpoint of a pod."""
    return pod_endpoint(one)


def outside(ip):
    """An address outside the cluster."""
    return Endpoint(kind=EndpointKind.EXTERNAL, ip=ip)


def net_policy(
    namespace, name, spec, *, kind="NetworkPolicy", group="networking.k8s.io", version="v1", **more
):
    """A policy object with this spec."""
    return PolicyObject(
        ref=PolicyRef(kind, group, namespace, name), api_version=f"{group}/{version}", spec=spec, **more
    )


def raw(kind, name, spec, *, group="projectcalico.org", namespace=None, labels=None):
    """Any other object."""
    metadata = {"name": name, "labels": labels or {}} | ({"namespace": namespace} if namespace else {})
    return RawObject(
        kind=kind,
        group=group,
        namespace=namespace,
        name=name,
        api_version=f"{group}/v3",
        body={"kind": kind, "metadata": metadata, "spec": spec},
    )


def port(number, protocol=None, end=None):
    """A NetworkPolicy port."""
    given = {"port": number, "protocol": protocol, "endPort": end}
    return {key: value for key, value in given.items() if value is not None}


def snapshot(pods, policies=(), *, namespaces=None, **more):
    """A snapshot; namespaces get their name label and the labels given."""
    names = {each.namespace for each in pods} | set(namespaces or {})
    return Snapshot(
        pods=tuple(pods),
        policies=tuple(policies),
        namespaces={
            name: Namespace(
                name=name, labels={"kubernetes.io/metadata.name": name, **(namespaces or {}).get(name, {})}
            )
            for name in sorted(names)
        },
        **more,
    )
