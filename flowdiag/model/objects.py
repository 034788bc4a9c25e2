"""Cluster objects, trimmed to what diagnosis needs, and the snapshot that holds them.

Built by `flowdiag.cluster` from manifests, dumps and live clusters; read by every room above it.
Field sources: Kubernetes API v1.31; see `flowdiag.cluster.manifests` for how files are read.
"""

from __future__ import annotations

from typing import Any

from msgspec import Struct, field

from flowdiag.model.event import WorkloadRef
from flowdiag.model.policy import PolicyRef

__all__ = [
    "NAME_LABEL",
    "ContainerPort",
    "EndpointSlice",
    "LabelChange",
    "ManagedWrite",
    "Namespace",
    "Node",
    "Origin",
    "Pod",
    "PolicyObject",
    "Probe",
    "RawObject",
    "Service",
    "ServicePort",
    "Snapshot",
    "WorkloadObject",
]


class Origin(Struct, frozen=True):
    """Where an object was read: input path (inside an archive ``bundle.zip!member``) and first line, from 1."""

    input: str
    line: int | None = None


class ManagedWrite(Struct, frozen=True):
    """One entry of ``metadata.managedFields``: who last wrote which part, when."""

    manager: str | None
    at: int | None
    subresource: str | None
    fields: tuple[str, ...]
    """Top-level parts it owns: ``spec``, ``labels``, ``annotations``, ``status``."""


class LabelChange(Struct, frozen=True):
    """Labels that held before an instant, from audit logs or change events."""

    until: int
    labels: dict[str, str]


class ContainerPort(Struct, frozen=True):
    """A declared container port; `protocol` defaults to TCP as the API does."""

    name: str | None
    port: int
    protocol: str
    host_port: int | None = None
    """The port of the pod's node that is translated to it (`hostPort`)."""


class Probe(Struct, frozen=True):
    """A kubelet probe of a container: which port, how often."""

    kind: str
    port: int | str
    period_s: int


class Pod(Struct, frozen=True, kw_only=True):
    """A pod, a Calico WorkloadEndpoint, or the one pod that stands for a workload's template."""

    namespace: str
    name: str
    kind: str = "Pod"
    """``Pod``, ``WorkloadEndpoint``, or the workload's kind when `template` is true."""
    template: bool = False
    uid: str | None = None
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}
    ips: tuple[str, ...] = ()
    """Those that policies hold for first, which are `own_ips` where it has any."""
    own_ips: tuple[str, ...] = ()
    """Addresses in a network of its namespace that stands in place of the cluster's: other such networks may have them, too."""
    node: str | None = None
    host_ips: tuple[str, ...] = ()
    host_network: bool = False
    phase: str | None = None
    created: int | None = None
    started: int | None = None
    deleted: int | None = None
    finished: int | None = None
    """When a Succeeded or Failed pod's last container ended, if known."""
    ports: tuple[ContainerPort, ...] = ()
    probes: tuple[Probe, ...] = ()
    service_account: str | None = None
    workload: WorkloadRef | None = None
    """The topmost owner: a ReplicaSet gives its Deployment, a Job its CronJob; a bare pod ``Pod``."""
    workload_inferred: bool = False
    """The owner was worked out from a name because an object in between is missing."""
    owner: WorkloadRef | None = None
    """The direct owner, as the pod itself names it."""
    profiles: tuple[str, ...] = ()
    """Calico profiles, for WorkloadEndpoints."""
    origin: Origin | None = None
    managed: tuple[ManagedWrite, ...] = ()
    labels_before: tuple[LabelChange, ...] = ()

    @property
    def live(self) -> bool:
        """Whether it holds its addresses and can be selected: not Succeeded, Failed, or Gone (a later one replaced it)."""
        return self.phase not in ("Succeeded", "Failed", "Gone")


class WorkloadObject(Struct, frozen=True, kw_only=True):
    """A Deployment, StatefulSet, DaemonSet, ReplicaSet, Job, CronJob ... as read."""

    kind: str
    namespace: str
    name: str
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}
    owner: WorkloadRef | None = None
    created: int | None = None
    settings: dict[str, str] = {}
    """Of a DaemonSet: environment variables of its containers that change what policies mean."""
    origin: Origin | None = None
    managed: tuple[ManagedWrite, ...] = ()


NAME_LABEL = "kubernetes.io/metadata.name"
"""The label that every namespace has, with its name."""


class Namespace(Struct, frozen=True, kw_only=True):
    """`labels` always hold `NAME_LABEL`; `declared` is false if only named by others."""

    name: str
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}
    created: int | None = None
    declared: bool = True
    origin: Origin | None = None
    managed: tuple[ManagedWrite, ...] = ()
    labels_before: tuple[LabelChange, ...] = ()


class Node(Struct, frozen=True, kw_only=True):
    """A node with all its addresses (status, CNI annotations) and pod ranges."""

    name: str
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}
    addresses: tuple[str, ...] = ()
    pod_cidrs: tuple[str, ...] = ()
    created: int | None = None
    origin: Origin | None = None


class ServicePort(Struct, frozen=True):
    """One port of a Service; `target` is a number or a container port's name."""

    name: str | None
    protocol: str
    port: int
    target: int | str
    node_port: int | None


class Service(Struct, frozen=True, kw_only=True):
    """A Service; `selector` is ``None`` where it has none."""

    namespace: str
    name: str
    type: str = "ClusterIP"
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}
    cluster_ips: tuple[str, ...] = ()
    headless: bool = False
    """It has no address of its own (``clusterIP: None``): callers connect to its pods, and nobody translates the port."""
    external_ips: tuple[str, ...] = ()
    """External addresses and load balancer addresses."""
    selector: dict[str, str] | None = None
    ports: tuple[ServicePort, ...] = ()
    external_traffic_policy: str | None = None
    source_ranges: tuple[str, ...] = ()
    created: int | None = None
    origin: Origin | None = None


class EndpointSlice(Struct, frozen=True, kw_only=True):
    """Addresses behind a Service (EndpointSlice, or a subset of Endpoints)."""

    namespace: str
    service: str
    addresses: tuple[str, ...]
    pods: tuple[str | None, ...] = ()
    """``namespace/name`` of the pod behind each address, in step with `addresses`."""
    ports: tuple[ContainerPort, ...] = ()


class PolicyObject(Struct, frozen=True, kw_only=True):
    """A policy object as read: `flowdiag.policy` compiles `spec`, diagnosis reads the rest."""

    ref: PolicyRef
    api_version: str
    spec: dict[str, Any]
    """The spec verbatim.  Each entry of a Cilium object's ``specs`` is an object of its own here; `spec_index` tells which."""
    spec_index: int | None = None
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}
    uid: str | None = None
    created: int | None = None
    generation: int | None = None
    deleted: int | None = None
    managed: tuple[ManagedWrite, ...] = ()
    since: int | None = None
    """When it began to hold, exactly; known only where audit logs tell what was before, another version or nothing."""
    valid_from: int | None = None
    """Since when this spec is known to hold: creation for generation 1, else the last spec write."""
    valid_until: int | None = None
    """Until when, where a later spec or a deletion is known (audit logs)."""
    origin: Origin | None = None
    problems: tuple[str, ...] = ()
    """Why the API server would refuse it, in words; evaluation on an end it selects is unknown then."""


class RawObject(Struct, frozen=True, kw_only=True):
    """Any other object that some evaluator or diagnosis reads (CiliumIdentity, NetworkSet, Tier, ConfigMap ...)."""

    kind: str
    group: str
    namespace: str | None
    name: str
    api_version: str
    body: dict[str, Any]
    origin: Origin | None = None


class Snapshot(Struct, frozen=True, kw_only=True):
    """The cluster as the inputs show it, read-only.  Lookups are in `flowdiag.cluster`.

    Objects are in the order of the inputs.  Of two objects with one key the later one is here, and the reader reports the
    conflict.
    """

    pods: tuple[Pod, ...] = ()
    """Pods (finished ones too), WorkloadEndpoints, and one `Pod.template` per workload without pods."""
    workloads: tuple[WorkloadObject, ...] = ()
    namespaces: dict[str, Namespace] = {}
    nodes: dict[str, Node] = {}
    services: tuple[Service, ...] = ()
    endpoint_slices: tuple[EndpointSlice, ...] = ()
    policies: tuple[PolicyObject, ...] = ()
    earlier: tuple[PolicyObject, ...] = ()
    """Older versions of `policies` that other inputs hold, each once; of some it is not known until when they held."""
    others: tuple[RawObject, ...] = ()
    taken: int | None = None
    """When it was taken, where the evidence says so (``--state-time``, an archive member, a stamp in the name)."""
    sources: tuple[str, ...] = ()
    """The inputs it was read from, sorted."""
    kinds_seen: frozenset[tuple[str, str]] = field(default_factory=frozenset)
    """(group, kind) of every list or object read, empty lists too: an empty list is knowledge, absence is not."""
    unread: frozenset[tuple[str, str]] = field(default_factory=frozenset)
    """(group, kind) that exist in the cluster and could not be read: of these objects nothing is known."""
    damaged: tuple[str, ...] = ()
    """Places (``state.yaml:12``) that could not be read and may have held a policy."""
    config: dict[str, str] = {}
    """CNI settings that change evaluation, ``cilium.enable-policy`` = ``always`` and the like."""

    @property
    def policies_read(self) -> bool:
        """Whether policies were among what was read: a dump of pods alone says nothing of who may talk."""
        return bool(self.policies) or any(kind.endswith("NetworkPolicy") for _, kind in self.kinds_seen)
