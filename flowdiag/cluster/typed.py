"""One object's body to the type of `flowdiag.model.objects` that its kind has."""

from __future__ import annotations

from typing import Any

from flowdiag.cluster.meta import Meta, as_map, string_map
from flowdiag.cluster.network import (
    read_endpoint_slice,
    read_endpoints,
    read_namespace,
    read_node,
    read_service,
)
from flowdiag.cluster.policies import read_policy
from flowdiag.cluster.wanted import CLUSTER_KINDS, POLICY_KINDS, RAW_KINDS, WORKLOAD_KINDS
from flowdiag.cluster.workloads import read_pod, read_template, read_workload, read_workload_endpoint
from flowdiag.model.objects import Origin, Pod, RawObject

__all__ = ["is_read", "keeps_body", "read_object"]

_TYPED = frozenset({"Endpoints", "EndpointSlice", "Namespace", "Node", "Pod", "Service", "WorkloadEndpoint"})


def is_read(group: str, kind: str) -> bool:
    """Whether objects of a kind are kept at all."""
    return kind in _TYPED or kind in WORKLOAD_KINDS or kind in RAW_KINDS or (group, kind) in POLICY_KINDS


def read_object(
    body: dict[str, Any], group: str, kind: str, api: str, meta: Meta, origin: Origin
) -> tuple[Any, Pod | None]:
    """The value(s) of an object and, for workloads, the pod of its template; ``None`` where nothing of it is kept.

    Args:
        body: the object.
        group: of its API.
        kind: one of those that `is_read` names.
        api: the whole ``apiVersion``.
        meta: its metadata, read.
        origin: where it stands.
    """
    if (group, kind) in POLICY_KINDS:
        return tuple(read_policy(body, group, kind, api, meta, origin)), None
    if group in ("", "apps", "batch", "extensions"):
        if kind == "Pod":
            return read_pod(body, meta, origin), None
        if kind == "Namespace":
            return read_namespace(meta, origin), None
        if kind == "Node":
            return read_node(body, meta, origin), None
        if kind == "Service":
            return read_service(body, meta, origin), None
        if kind == "Endpoints":
            return tuple(read_endpoints(body, meta)), None
        if kind in WORKLOAD_KINDS:
            workload = read_workload(kind, body, meta, origin)
            return workload, read_template(body, workload)
    if kind == "EndpointSlice":
        slice_ = read_endpoint_slice(body, meta)
        return (None if slice_ is None else (slice_,)), None
    if kind == "WorkloadEndpoint" and "projectcalico.org" in group:
        return read_workload_endpoint(body, meta, origin), None
    if kind in RAW_KINDS:
        kept = {key: part for key, part in body.items() if key not in ("apiVersion", "kind")}
        if kind == "ConfigMap":
            # Only the agents' settings are kept; other ConfigMaps hold what is nobody's business.
            if meta.name not in _CONFIG_MAPS:
                return None, None
            kept = {"data": string_map(body.get("data"))}
        kept["metadata"] = {
            key: part for key, part in as_map(body.get("metadata")).items() if key != "managedFields"
        }
        namespace = None if kind in CLUSTER_KINDS else meta.namespace or "default"
        return RawObject(
            kind=kind,
            group=group,
            namespace=namespace,
            name=meta.name or "",
            api_version=api,
            body=kept,
            origin=origin,
        ), None
    return None, None


def keeps_body(group: str, kind: str) -> bool:
    """Whether more than single fields is kept of objects of this kind."""
    return (group, kind) in POLICY_KINDS or kind in RAW_KINDS


_CONFIG_MAPS = frozenset(
    {"amazon-vpc-cni", "antrea-config", "calico-config", "cilium-config", "kube-flannel-cfg"}
)
