"""Pods and what makes them: Pods, WorkloadEndpoints, workload templates, and topmost owners."""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping
from typing import Any

from flowdiag.cluster.addresses import canonical_ips
from flowdiag.cluster.meta import Meta, as_bool, as_int, as_list, as_map, as_text, as_time, string_map
from flowdiag.cluster.second_networks import primary_addresses
from flowdiag.cluster.wanted import SETTINGS
from flowdiag.model.event import WorkloadRef
from flowdiag.model.objects import ContainerPort, Origin, Pod, Probe, WorkloadObject

__all__ = [
    "name_owner",
    "read_pod",
    "read_template",
    "read_workload",
    "read_workload_endpoint",
    "topmost_owner",
]

_SERVICE_ACCOUNT = "projectcalico.org/serviceaccount"


def read_pod(body: dict[str, Any], meta: Meta, origin: Origin) -> Pod:
    """A core/v1 Pod; its `workload` is the direct owner until the snapshot resolves it."""
    spec, status = as_map(body.get("spec")), as_map(body.get("status"))
    pod_ips = [as_map(one).get("ip") for one in as_list(status.get("podIPs"))]
    host_ips = [as_map(one).get("ip") for one in as_list(status.get("hostIPs"))]
    phase = as_text(status.get("phase"))
    owner = direct_owner(meta)
    ports, probes = _containers(spec)
    ips = canonical_ips([status.get("podIP"), *pod_ips])
    own = primary_addresses(meta.annotations, ips)
    return Pod(
        namespace=meta.namespace or "default",
        name=meta.name or "",
        uid=meta.uid,
        labels=meta.labels,
        annotations=meta.annotations,
        ips=(*own, *ips),
        own_ips=own if ips else (),
        node=as_text(spec.get("nodeName")),
        host_ips=canonical_ips([status.get("hostIP"), *host_ips]),
        host_network=as_bool(spec.get("hostNetwork")),
        phase=phase,
        created=meta.created,
        started=as_time(status.get("startTime")),
        deleted=meta.deleted,
        finished=_finished(status) if phase in ("Succeeded", "Failed") else None,
        ports=ports,
        probes=probes,
        service_account=as_text(spec.get("serviceAccountName")) or as_text(spec.get("serviceAccount")),
        workload=owner or WorkloadRef("Pod", meta.name or ""),
        origin=origin,
        managed=meta.managed,
    )


def _finished(status: dict[str, Any]) -> int | None:
    ends = [
        as_time(as_map(as_map(as_map(one).get("state")).get("terminated")).get("finishedAt"))
        for one in as_list(status.get("containerStatuses"))
    ]
    known = [end for end in ends if end is not None]
    return max(known) if known and len(known) == len(ends) else None


def _containers(spec: dict[str, Any]) -> tuple[tuple[ContainerPort, ...], tuple[Probe, ...]]:
    ports: list[ContainerPort] = []
    probes: list[Probe] = []
    # An init container that stays (a sidecar, Kubernetes 1.29) has ports like any other.
    stays = [
        one for one in as_list(spec.get("initContainers")) if as_map(one).get("restartPolicy") == "Always"
    ]
    for one in (*as_list(spec.get("containers")), *stays):
        container = as_map(one)
        ports.extend(_ports(container.get("ports"), "containerPort"))
        probes.extend(_probes(container))
    return tuple(ports), tuple(probes)


def _ports(value: Any, key: str) -> list[ContainerPort]:
    found = []
    for one in as_list(value):
        port = as_map(one)
        number = as_int(port.get(key))
        if number is not None:
            protocol = (as_text(port.get("protocol")) or "TCP").upper()
            found.append(
                ContainerPort(as_text(port.get("name")), number, protocol, as_int(port.get("hostPort")))
            )
    return found


def _probes(container: dict[str, Any]) -> list[Probe]:
    found = []
    for kind in ("liveness", "readiness", "startup"):
        probe = as_map(container.get(f"{kind}Probe"))
        if not probe:
            continue
        for way in ("httpGet", "tcpSocket", "grpc"):
            port = as_map(probe.get(way)).get("port")
            if isinstance(port, (int, str)) and not isinstance(port, bool):
                number = as_int(port)
                period = as_int(probe.get("periodSeconds")) or 10
                found.append(Probe(kind, port if number is None else number, period))
    return found


def read_workload_endpoint(body: dict[str, Any], meta: Meta, origin: Origin) -> Pod:
    """A Calico v3 WorkloadEndpoint: Calico's own record of a pod, called by ``spec.pod``."""
    spec = as_map(body.get("spec"))
    name = as_text(spec.get("pod")) or as_text(spec.get("workload")) or meta.name or ""
    ports = []
    for one in as_list(spec.get("ports")):
        port = as_map(one)
        number = as_int(port.get("port"))
        if number is not None:
            ports.append(
                ContainerPort(
                    as_text(port.get("name")), number, (as_text(port.get("protocol")) or "TCP").upper()
                )
            )
    return Pod(
        namespace=meta.namespace or "default",
        name=name,
        kind="WorkloadEndpoint",
        uid=meta.uid,
        labels=meta.labels,
        annotations=meta.annotations,
        ips=canonical_ips(as_list(spec.get("ipNetworks"))),
        node=as_text(spec.get("node")),
        created=meta.created,
        deleted=meta.deleted,
        ports=tuple(ports),
        service_account=as_text(spec.get("serviceAccountName")) or meta.labels.get(_SERVICE_ACCOUNT),
        workload=WorkloadRef("Pod", name),
        profiles=tuple(str(one) for one in as_list(spec.get("profiles"))),
        origin=origin,
        managed=meta.managed,
    )


def read_workload(kind: str, body: dict[str, Any], meta: Meta, origin: Origin) -> WorkloadObject:
    """A Deployment, StatefulSet ... without its template."""
    return WorkloadObject(
        kind=kind,
        namespace=meta.namespace or "default",
        name=meta.name or "",
        labels=meta.labels,
        annotations=meta.annotations,
        owner=direct_owner(meta),
        created=meta.created,
        settings=_settings(body) if kind == "DaemonSet" else {},
        origin=origin,
        managed=meta.managed,
    )


def _settings(body: dict[str, Any]) -> dict[str, str]:
    """Of the variables of its containers, those that change what policies mean."""
    pod_spec = as_map(as_map(as_map(body.get("spec")).get("template")).get("spec"))
    variables = [
        as_map(one)
        for container in as_list(pod_spec.get("containers"))
        for one in as_list(as_map(container).get("env"))
    ]
    return {
        name: value
        for one in variables
        if (name := as_text(one.get("name"))) in SETTINGS and (value := as_text(one.get("value")))
    }


def read_template(body: dict[str, Any], workload: WorkloadObject) -> Pod | None:
    """The one pod that stands for a workload's template; None where it has no template."""
    spec = as_map(body.get("spec"))
    if workload.kind == "CronJob":
        spec = as_map(as_map(spec.get("jobTemplate")).get("spec"))
    template = as_map(spec.get("template"))
    if not template:
        return None
    pod_spec = as_map(template.get("spec"))
    meta = as_map(template.get("metadata"))
    ports, probes = _containers(pod_spec)
    return Pod(
        namespace=workload.namespace,
        name=workload.name,
        kind=workload.kind,
        template=True,
        labels={**_given_labels(workload, spec), **string_map(meta.get("labels"))},
        annotations=string_map(meta.get("annotations")),
        host_network=as_bool(pod_spec.get("hostNetwork")),
        ports=ports,
        probes=probes,
        service_account=as_text(pod_spec.get("serviceAccountName"))
        or as_text(pod_spec.get("serviceAccount")),
        workload=WorkloadRef(workload.kind, workload.name),
        origin=workload.origin,
    )


def _given_labels(workload: WorkloadObject, spec: dict[str, Any]) -> dict[str, str]:
    """Labels that the API server puts into a Job's template, which a manifest lacks until it is applied.

    Source: Kubernetes v1.33 ``pkg/registry/batch/job/strategy.go``; with ``manualSelector`` it adds none.
    """
    if workload.kind != "Job" or as_bool(spec.get("manualSelector")):
        return {}
    return {"batch.kubernetes.io/job-name": workload.name, "job-name": workload.name}


# --- owners -------------------------------------------------------------------------------------------


def direct_owner(meta: Meta) -> WorkloadRef | None:
    """The controlling owner; a static pod's owner is its Node, which makes it a bare pod."""
    owners = [one for one in meta.owners if one.get("controller") is True] or list(meta.owners[:1])
    for owner in owners:
        kind, name = as_text(owner.get("kind")), as_text(owner.get("name"))
        if name is not None and kind != "Node":
            return WorkloadRef(kind, name)
    return None


# "web-574f6b9c8d" of ReplicaSets (Kubernetes rand.SafeEncodeString: no vowels, no 0 1 3), since 1.10
_HASHED = re.compile(r"(.+)-[bcdfghjklmnpqrstvwxz2456789]{5,10}")
# "backup-28391040" of Jobs: minutes since the epoch since 1.21, seconds before
_TIMED = re.compile(r"(.+)-[0-9]{8,10}")
# "web-574f6b9c8d-x2x4z", "node-exporter-x2x4z", "db-0"
_OF_REPLICA_SET = re.compile(
    r"(.+)-(?:[bcdfghjklmnpqrstvwxz2456789]{6,10}|[0-9]{6,10})-[bcdfghjklmnpqrstvwxz2456789]{5}"
)
_OF_CRON_JOB = re.compile(r"(.+)-[0-9]{8,10}-[bcdfghjklmnpqrstvwxz2456789]{5}")
_OF_SET = re.compile(r"(.+)-[bcdfghjklmnpqrstvwxz2456789]{5}")
_NUMBERED = re.compile(r"(.+)-[0-9]{1,5}")

# Kinds whose pods' names have that shape, the most particular shape first
_NAMED_BY = (
    (_OF_CRON_JOB, ("CronJob",)),
    (_OF_REPLICA_SET, ("Deployment",)),
    (_OF_SET, ("DaemonSet", "Job", "ReplicaSet", "ReplicationController")),
    (_NUMBERED, ("StatefulSet",)),
)

Workloads = Mapping[tuple[str, str, str], WorkloadObject]
"""By (kind, namespace, name)."""


def topmost_owner(
    namespace: str, owner: WorkloadRef, workloads: Workloads, template_hash: str | None
) -> tuple[WorkloadRef, bool]:
    """The workload a person knows, and whether it was worked out from a name.

    A ReplicaSet gives its Deployment, a Job its CronJob; operators' objects above those are not
    followed.  A ReplicaSet in the state without an owner is itself the answer.
    """
    if owner.kind not in ("ReplicaSet", "Job"):
        return owner, False
    known = workloads.get((owner.kind, namespace, owner.name))
    if known is not None:
        return known.owner or owner, False
    if owner.kind == "ReplicaSet":
        if template_hash and owner.name.endswith(f"-{template_hash}"):
            return WorkloadRef("Deployment", owner.name[: -len(template_hash) - 1]), True
        if match := _HASHED.fullmatch(owner.name):
            return WorkloadRef("Deployment", match[1]), True
        return owner, False
    if match := _TIMED.fullmatch(owner.name):
        return WorkloadRef("CronJob", match[1]), True
    return owner, False


def name_owner(
    namespace: str, pod: str, workloads: Workloads, known: Mapping[tuple[str, str], WorkloadRef]
) -> WorkloadRef | None:
    """The workload that a pod's name points at, for a pod that the state no longer holds.

    Args:
        namespace: the pod's namespace.
        pod: its name, whole or shortened (``web-574f6b9c8d-*``).
        workloads: the workloads of the state.
        known: topmost workload by (namespace, name), from the state's pods.

    Returns:
        None where the name has no known shape.  The kind is None where the shape leaves it open.
    """
    stem = pod[:-2] if pod.endswith("-*") else None
    names = [stem] if stem is not None else [pod]
    if stem is not None:
        names.extend(f"{stem}-{tail}" for tail in ("bbbbb", "2222222222-bbbbb"))
    for name, (pattern, kinds) in itertools.product(names, _NAMED_BY):
        if not (match := pattern.fullmatch(name)):
            continue
        for kind in kinds:
            if (kind, namespace, match[1]) in workloads:
                return WorkloadRef(kind, match[1])
        if owner := known.get((namespace, match[1])):
            return owner
    if match := _OF_CRON_JOB.fullmatch(pod):
        return WorkloadRef("CronJob", match[1])
    if match := _OF_REPLICA_SET.fullmatch(pod):
        return WorkloadRef("Deployment", match[1])
    if match := _OF_SET.fullmatch(pod):
        return WorkloadRef(None, match[1])
    if stem is not None:
        hashed = _HASHED.fullmatch(stem)
        return WorkloadRef(None, hashed[1] if hashed else stem)
    if match := _NUMBERED.fullmatch(pod):
        return WorkloadRef("StatefulSet", match[1])
    return None
