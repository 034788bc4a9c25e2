"""An end of a flow after resolution: what it is, and how that is known."""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct

from flowdiag.model.event import WorkloadRef
from flowdiag.model.objects import Node, Pod, Service

__all__ = ["OUTSIDE_KINDS", "Endpoint", "EndpointKind", "KnownBy"]


class EndpointKind(StrEnum):
    """What an end is."""

    POD = "pod"
    WORKLOAD = "workload"
    NODE = "node"
    SERVICE = "service"
    EXTERNAL = "external"
    ENTITY = "entity"
    UNKNOWN = "unknown"


OUTSIDE_KINDS = (EndpointKind.EXTERNAL, EndpointKind.ENTITY, EndpointKind.UNKNOWN)
"""What is no known pod, node or Service."""


class KnownBy(StrEnum):
    """How an end was resolved, surest first."""

    RECORD = "record"
    """The record names the pod, node or entity."""
    ADDRESS = "address"
    """The address's owner at that time, from the snapshot."""
    IDENTITY = "identity"
    """A numeric identity that the snapshot or other records explain."""
    NAME = "name"
    """A name in the record that the snapshot completes (a pod hash gives its workload)."""
    INTERFACE = "interface"
    """A host interface's name that hashes back to a pod."""
    QUERY = "query"
    """A person asked about it."""
    NONE = "none"


class Endpoint(Struct, frozen=True, kw_only=True):
    """One end.  Which fields are filled follows `kind`.

    ``pod``: `namespace`, `name`, and `pod` where the snapshot holds it; ``workload``: the pod itself
    is unknown but its workload is; ``node``: `name`, `node` if known; ``service``: `service`, which a pod or a workload has
    where the enforcer saw the Service's address and port;
    ``external``: `ip` (or `cidr`); ``entity``: `entity`; ``unknown``: whatever the record said.
    """

    kind: EndpointKind
    namespace: str | None = None
    name: str | None = None
    ip: str | None = None
    cidr: str | None = None
    pod: Pod | None = None
    node: Node | None = None
    service: Service | None = None
    cluster: str | None = None
    """The other cluster of a mesh that a pod is of; nothing of it is in the snapshot, and its policies are not ours."""
    workload: WorkloadRef | None = None
    workload_inferred: bool = False
    entity: str | None = None
    identity: int | None = None
    identity_labels: tuple[tuple[str, str], ...] | None = None
    """Labels as the record carried them, with their prefixes; `policy` may evaluate by them."""
    dns_names: tuple[str, ...] = ()
    known_by: KnownBy = KnownBy.NONE
    candidates: tuple[str, ...] = ()
    """``namespace/pod`` of every possible owner where there is more than one."""
    note: str | None = None
    """What a reader must know: "address reused", "owner unknown at that time (now shop/web-1)"."""
