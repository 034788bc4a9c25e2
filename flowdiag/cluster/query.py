"""The ends of a question: ``namespace/name``, an address, a CIDR, ``node:``, ``svc:``, ``entity:``."""

from __future__ import annotations

import re

from flowdiag.cluster.addresses import canonical_ip, parse_network
from flowdiag.cluster.claims import pod_end
from flowdiag.cluster.index import SnapshotIndex, target_port
from flowdiag.cluster.leases import Leases
from flowdiag.cluster.query_hints import KINDS_TYPED, closest, how_to_write
from flowdiag.cluster.wanted import WORKLOAD_KINDS
from flowdiag.model.cilium import RESERVED_IDENTITIES
from flowdiag.model.endpoint import Endpoint, EndpointKind, KnownBy
from flowdiag.model.errors import InputError
from flowdiag.model.event import WorkloadRef
from flowdiag.model.objects import Node, Pod, Service, ServicePort, Snapshot

__all__ = ["resolve_end", "service_of", "service_targets"]

# as in: shop/web[Deployment]
_NAMED = re.compile(
    r"([a-z0-9][a-z0-9.-]{0,252})/([A-Za-z0-9][A-Za-z0-9._:-]{0,252})(?:\[([A-Za-z]{1,40})\])?"
)
# as applications call it: user-api.backend, user-api.backend.svc, user-api.backend.svc.cluster.local
_IN_DNS = re.compile(
    r"([a-z0-9][a-z0-9-]{0,62})\.([a-z0-9][a-z0-9-]{0,62})(?:\.svc(?:\.[a-z0-9.-]{1,190})?)?"
)
_WORKLOAD_ORDER = (
    "Deployment",
    "StatefulSet",
    "DaemonSet",
    "ReplicaSet",
    "ReplicationController",
    "Job",
    "CronJob",
)
_ABOVE = {"ReplicaSet": "Deployment", "Job": "CronJob"}
_ENTITIES = frozenset({"all", "cluster", "none", *RESERVED_IDENTITIES.values()})


def resolve_end(
    text: str, snapshot: Snapshot, leases: Leases, index: SnapshotIndex | None = None
) -> tuple[Endpoint, ...]:
    """What `text` stands for: the pods of a workload or Service, one pod, node, address, range or entity.

    Args:
        text: ``namespace/name``, ``namespace/name[Kind]``, an address, a CIDR, ``node:NAME``,
            ``svc:namespace/name``, a Service's name in DNS (``name.namespace``) or ``entity:WORD``.
        snapshot: the state.
        leases: its addresses.
        index: its tables, where the caller asks often.

    Raises:
        InputError: nothing in the state is called so, or an address is claimed by several pods; the
            hint holds the closest names.
    """
    text = text.strip()
    index = index or SnapshotIndex(snapshot)
    if text.startswith("entity:"):
        word = text[7:]
        if word not in _ENTITIES:
            raise InputError(
                f"no such entity: {word!r}",
                hint=closest(word, _ENTITIES) or f"one of {', '.join(sorted(_ENTITIES))}",
            )
        return (Endpoint(kind=EndpointKind.ENTITY, entity=word, known_by=KnownBy.QUERY),)
    if text.startswith("node:"):
        return (_node(text[5:], snapshot),)
    service = service_of(text, snapshot, index)
    if service is not None:
        return tuple(end for end, _ in service_targets(service, None, None, index, leases))
    if (address := canonical_ip(text)) is not None:
        return (_address(address, leases),)
    if "/" in text and (network := parse_network(text)) is not None:
        if network.num_addresses == 1:
            return (_address(str(network.network_address), leases),)
        return (Endpoint(kind=EndpointKind.EXTERNAL, cidr=str(network), known_by=KnownBy.QUERY),)
    if "/" in text and canonical_ip(text.partition("/")[0]) is not None:
        raise InputError(f"not a range of addresses: {text!r}", hint="write a CIDR such as 10.0.0.0/24")
    return _named(text, snapshot, index)


def service_of(text: str, snapshot: Snapshot, index: SnapshotIndex) -> Service | None:
    """The Service that `text` names (``svc:``, ``[Service]``, its name in DNS, or a name nothing before it in the order has).

    Raises:
        InputError: ``svc:`` or ``[Service]`` with a name that no Service has.
    """
    forced = text.startswith("svc:")
    match = _NAMED.fullmatch(text[4:] if forced else text)
    if match is None:
        if forced:
            raise InputError(f"not namespace/name: {text!r}", hint="write svc:namespace/name")
        called = _IN_DNS.fullmatch(text.rstrip("."))
        return index.services.get((called[2], called[1])) if called is not None else None
    namespace, name, kind = match.groups()
    found = index.services.get((namespace, name))
    if forced or kind == "Service":
        if found is None:
            known = [f"{one.namespace}/{one.name}" for one in snapshot.services]
            raise InputError(
                f"no Service {namespace}/{name} in the state", hint=closest(f"{namespace}/{name}", known)
            )
        return found
    if kind is not None or index.by_name.get((namespace, name)):
        return None
    if any((one, namespace, name) in index.workloads for one in _WORKLOAD_ORDER):
        return None
    if any((namespace, WorkloadRef(one, name)) in index.by_workload for one in _WORKLOAD_ORDER):
        return None
    return found


def service_targets(
    service: Service, port: int | str | None, protocol: str | None, index: SnapshotIndex, leases: Leases
) -> tuple[tuple[Endpoint, int | None], ...]:
    """Where traffic to a Service's port arrives: each end behind it with the port there.

    The ends are its pods; of a Service without a selector, whoever has the addresses of its endpoint slices
    (the API server's of ``default/kubernetes``).  `port` None asks for any port: the ends with port None, which an
    end also has that does not declare the target.

    Raises:
        InputError: the Service has no such port, or nothing is behind it; the hint says what there is.
    """
    entry: ServicePort | None = None
    if port is not None:
        entry = index.service_port(service, port, protocol)
        if entry is None:
            # 53/UDP and "dns" are one port, and whoever asked by name has to say the protocol, too.
            have = (
                ", ".join(
                    f"{one.port}/{one.protocol}{f' ({one.name})' if one.name else ''}"
                    for one in service.ports
                )
                or "none"
            )
            raise InputError(
                f"Service {service.namespace}/{service.name} has no port {port}/{protocol or 'TCP'}",
                hint=f"its ports: {have}",
            )
    found = [(_pod(pod), target_port(pod, entry)) for pod in index.service_pods(service)] or [
        (_address(address, leases), number)
        for address, number in index.service_addresses(service, entry).items()
    ]
    if not found:
        selector = ", ".join(f"{k}={v}" for k, v in sorted((service.selector or {}).items()))
        hint = f"its selector is {selector}" if selector else "it has no selector; add its EndpointSlices"
        if service.type == "ExternalName":
            hint = "it stands for a name (ExternalName): ask for an address that it resolves to"
        raise InputError(
            f"no pod in the state is behind Service {service.namespace}/{service.name}", hint=hint
        )
    return tuple(found)


def _pod(pod: Pod) -> Endpoint:
    return pod_end(pod, pod.ips[0] if pod.ips else None, KnownBy.QUERY)


def _node(name: str, snapshot: Snapshot) -> Endpoint:
    node: Node | None = snapshot.nodes.get(name)
    if node is None and not any(pod.node == name for pod in snapshot.pods):
        raise InputError(f"no node {name!r} in the state", hint=closest(name, snapshot.nodes))
    return Endpoint(
        kind=EndpointKind.NODE,
        name=name,
        node=node,
        ip=node.addresses[0] if node is not None and node.addresses else None,
        known_by=KnownBy.QUERY,
    )


def _address(address: str, leases: Leases) -> Endpoint:
    owner = leases.owner(address, None)
    if owner.kind is EndpointKind.UNKNOWN:
        if len(owner.candidates) > 1:
            raise InputError(
                f"{address} is claimed by several pods: {', '.join(owner.candidates[:5])}",
                hint="ask for one of them by name",
            )
        # Nobody in the state has it: the contract reads it as outside.
        return Endpoint(kind=EndpointKind.EXTERNAL, ip=address, known_by=KnownBy.QUERY, note=owner.note)
    if owner.pod is not None and not owner.pod.live:
        note = f"{owner.namespace}/{owner.name} had the address and is {owner.pod.phase}"
        return Endpoint(kind=EndpointKind.EXTERNAL, ip=address, known_by=KnownBy.QUERY, note=note)
    return owner


def _named(text: str, snapshot: Snapshot, index: SnapshotIndex) -> tuple[Endpoint, ...]:
    match = _NAMED.fullmatch(text)
    if match is None:
        raise InputError(
            f"not an end of a connection: {text!r}",
            hint=how_to_write(text, snapshot),
        )
    namespace, name, kind = match.groups()
    if kind is not None and kind not in {"Pod", "WorkloadEndpoint", *WORKLOAD_KINDS}:
        raise InputError(
            f"no such kind: {kind!r}",
            hint=closest(kind, ["Pod", "WorkloadEndpoint", "Service", *_WORKLOAD_ORDER]),
        )
    for wanted in ("Pod", "WorkloadEndpoint"):
        if kind in (None, wanted):
            found = [
                pod
                for pod in index.by_name.get((namespace, name), ())
                if pod.kind == wanted and not pod.template
            ]
            if found:
                return (_pod(min(found, key=lambda pod: not pod.live)),)
    for wanted in _WORKLOAD_ORDER:
        if kind in (None, wanted):
            pods = _workload_pods(namespace, WorkloadRef(wanted, name), index)
            if pods:
                return tuple(_pod(pod) for pod in pods)
    known = sorted(
        {f"{pod.namespace}/{pod.name}" for pod in snapshot.pods} | {f"{ns}/{n}" for ns, n in index.owners}
    )
    what = f"{kind} " if kind else ""
    hint = closest(f"{namespace}/{name}", known)
    if not any(one.startswith(f"{namespace}/") for one in known):
        if namespace.lower() in KINDS_TYPED:
            raise InputError(f"not an end of a connection: {text!r}", hint=how_to_write(name, snapshot))
        missing = f"nothing of namespace {namespace} is in the state: collect it, ask its owner, or name the address"
        hint = f"{missing}; {hint}" if hint else missing
    raise InputError(f"no {what}{namespace}/{name} in the state", hint=hint.strip())


def _workload_pods(namespace: str, ref: WorkloadRef, index: SnapshotIndex) -> list[Pod]:
    """A workload's live pods, its template's pod, or those of a ReplicaSet or Job below a topmost owner."""
    pods = index.by_workload.get((namespace, ref), [])
    live = [pod for pod in pods if pod.live]
    if live or pods:
        return live or pods
    below = index.workloads.get((ref.kind or "", namespace, ref.name))
    if below is None:
        # Dumps seldom hold ReplicaSets and Jobs; their pods say whose they are, and stand under what is above.
        above = _ABOVE.get(ref.kind or "")
        upper = WorkloadRef(above, ref.name.rpartition("-")[0])
        return [pod for pod in index.by_workload.get((namespace, upper), ()) if pod.live and pod.owner == ref]
    if below.owner is None:
        return []
    return [
        pod
        for pod in index.by_workload.get((namespace, below.owner), ())
        if pod.live and (pod.template or pod.name.startswith(f"{ref.name}-"))
    ]
