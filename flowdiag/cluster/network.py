"""Namespaces, nodes, Services and what stands behind them, from decoded objects."""

from __future__ import annotations

from typing import Any

from flowdiag.cluster.addresses import canonical_ips, node_addresses, node_pod_cidrs
from flowdiag.cluster.meta import Meta, as_int, as_list, as_map, as_text, string_map
from flowdiag.model.objects import (
    NAME_LABEL,
    ContainerPort,
    EndpointSlice,
    Namespace,
    Node,
    Origin,
    Service,
    ServicePort,
)

__all__ = [
    "read_endpoint_slice",
    "read_endpoints",
    "read_namespace",
    "read_node",
    "read_service",
]

"""The label every namespace has since Kubernetes 1.21; manifests often lack it."""


def read_namespace(meta: Meta, origin: Origin) -> Namespace:
    """A Namespace; the API server owns its name label, whatever a manifest says."""
    name = meta.name or ""
    return Namespace(
        name=name,
        labels={**meta.labels, NAME_LABEL: name},
        annotations=meta.annotations,
        created=meta.created,
        origin=origin,
        managed=meta.managed,
    )


def read_node(body: dict[str, Any], meta: Meta, origin: Origin) -> Node:
    """A Node with every address it is known to have and the ranges it gives to pods."""
    spec, status = as_map(body.get("spec")), as_map(body.get("status"))
    return Node(
        name=meta.name or "",
        labels=meta.labels,
        annotations=meta.annotations,
        addresses=node_addresses(
            [as_map(one).get("address") for one in as_list(status.get("addresses"))], meta.annotations
        ),
        pod_cidrs=node_pod_cidrs([*as_list(spec.get("podCIDRs")), spec.get("podCIDR")], meta.annotations),
        created=meta.created,
        origin=origin,
    )


def read_service(body: dict[str, Any], meta: Meta, origin: Origin) -> Service:
    """A Service; headless ones have no cluster address."""
    spec, status = as_map(body.get("spec")), as_map(body.get("status"))
    ports = []
    for one in as_list(spec.get("ports")):
        port = as_map(one)
        number = as_int(port.get("port"))
        if number is None:
            continue
        target = port.get("targetPort")
        target_number = as_int(target)
        ports.append(
            ServicePort(
                as_text(port.get("name")),
                (as_text(port.get("protocol")) or "TCP").upper(),
                number,
                target_number if target_number is not None else as_text(target) or number,
                as_int(port.get("nodePort")),
            )
        )
    balancers = [as_map(one).get("ip") for one in as_list(as_map(status.get("loadBalancer")).get("ingress"))]
    return Service(
        namespace=meta.namespace or "default",
        name=meta.name or "",
        type=as_text(spec.get("type")) or "ClusterIP",
        labels=meta.labels,
        annotations=meta.annotations,
        cluster_ips=canonical_ips([spec.get("clusterIP"), *as_list(spec.get("clusterIPs"))]),
        headless="None" in (spec.get("clusterIP"), *as_list(spec.get("clusterIPs"))),
        external_ips=canonical_ips(
            [*as_list(spec.get("externalIPs")), spec.get("loadBalancerIP"), *balancers]
        ),
        selector=string_map(spec.get("selector")) or None,
        ports=tuple(ports),
        external_traffic_policy=as_text(spec.get("externalTrafficPolicy")),
        source_ranges=tuple(str(one) for one in as_list(spec.get("loadBalancerSourceRanges"))),
        created=meta.created,
        origin=origin,
    )


def _endpoint_ports(value: Any) -> tuple[ContainerPort, ...]:
    found = []
    for one in as_list(value):
        port = as_map(one)
        number = as_int(port.get("port"))
        if number is not None:
            found.append(
                ContainerPort(
                    as_text(port.get("name")), number, (as_text(port.get("protocol")) or "TCP").upper()
                )
            )
    return tuple(found)


def _target(value: Any, namespace: str) -> str | None:
    target = as_map(value)
    if target.get("kind") != "Pod" or not as_text(target.get("name")):
        return None
    return f"{as_text(target.get('namespace')) or namespace}/{target['name']}"


def read_endpoints(body: dict[str, Any], meta: Meta) -> list[EndpointSlice]:
    """A core/v1 Endpoints object, one value a subset; addresses that are not ready count as well."""
    namespace = meta.namespace or "default"
    found = []
    for one in as_list(body.get("subsets")):
        subset = as_map(one)
        pairs = [
            (ips[0], _target(as_map(address).get("targetRef"), namespace))
            for address in (*as_list(subset.get("addresses")), *as_list(subset.get("notReadyAddresses")))
            if (ips := canonical_ips([as_map(address).get("ip")]))
        ]
        found.append(
            EndpointSlice(
                namespace=namespace,
                service=meta.name or "",
                addresses=tuple(ip for ip, _ in pairs),
                pods=tuple(pod for _, pod in pairs),
                ports=_endpoint_ports(subset.get("ports")),
            )
        )
    return found


def read_endpoint_slice(body: dict[str, Any], meta: Meta) -> EndpointSlice | None:
    """A discovery.k8s.io EndpointSlice; None where it names no Service."""
    service = meta.labels.get("kubernetes.io/service-name")
    if not service:
        return None
    namespace = meta.namespace or "default"
    pairs = [
        (ip, _target(as_map(one).get("targetRef"), namespace))
        for one in as_list(body.get("endpoints"))
        for ip in canonical_ips(as_list(as_map(one).get("addresses")))
    ]
    return EndpointSlice(
        namespace=namespace,
        service=service,
        addresses=tuple(ip for ip, _ in pairs),
        pods=tuple(pod for _, pod in pairs),
        ports=_endpoint_ports(body.get("ports")),
    )
