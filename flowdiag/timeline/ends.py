"""Ends of refused connections at the level people speak of: workloads, services, nodes, ranges."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

from msgspec import UNSET

from flowdiag.model.endpoint import Endpoint, EndpointKind
from flowdiag.model.event import WorkloadRef
from flowdiag.model.report import ReportEndpoint

__all__ = [
    "EndKey",
    "EndViews",
    "PolicyKey",
    "end_key",
    "end_name",
    "end_namespace",
    "fold_addresses",
    "fold_outside",
    "policy_key",
]

EndKey = tuple[str, str, str, str]
"""(kind, namespace, workload kind, name): what makes two ends the same end of a connection."""

PolicyKey = frozenset[tuple[str, str]] | str | None
"""What policies may tell two ends apart by that are one end of a connection: labels of pods, an address outside."""

_MAX_LISTED = 20
"""Pods, addresses and names listed per end; the rest is in the events."""

_POD_LABELS = frozenset(
    {
        "pod-template-hash",
        "controller-revision-hash",
        "pod-template-generation",
        "statefulset.kubernetes.io/pod-name",
        "apps.kubernetes.io/pod-index",
    }
)
"""Labels that controllers put on pods: they say nothing of the workload and change with every rollout."""

_OF_CLUSTER = " of cluster "
"""Between the name of a pod's workload and that of the mesh's other cluster that it is of; no name holds a blank."""
_FOLD_FROM = 4
"""Outside addresses of one range that stand as the range."""

_MAX_RANGES = 32


def end_key(end: Endpoint, ranges: dict[str, str] | None = None) -> EndKey:
    """What the end is, without pod names and, for `ranges`' addresses, as the range."""
    if end.kind in (EndpointKind.POD, EndpointKind.WORKLOAD):
        workload = end.workload or (end.pod.workload if end.pod else None)
        namespace = end.namespace or (end.pod.namespace if end.pod else "")
        there = f"{_OF_CLUSTER}{end.cluster}" if end.cluster is not None else ""
        if workload is not None:
            return ("pod", namespace, workload.kind or "", workload.name + there)
        return ("pod", namespace, "Pod", (end.name or (end.pod.name if end.pod else "")) + there)
    if end.kind is EndpointKind.SERVICE and end.service is not None:
        return ("service", end.service.namespace, "", end.service.name)
    if end.kind is EndpointKind.SERVICE:
        return ("service", end.namespace or "", "", end.name or "")
    if end.kind is EndpointKind.NODE:
        return ("node", "", "", end.name or end.ip or "")
    if end.kind is EndpointKind.ENTITY and not (end.entity and end.entity.startswith("world") and end.ip):
        return ("entity", "", "", end.entity or "")
    if end.kind is EndpointKind.UNKNOWN:
        return ("unknown", end.namespace or "", "", end.name or end.ip or "")
    address = end.cidr or end.ip or ""
    if ranges and address in ranges:
        return ("external", "", "", ranges[address])
    if end.dns_names and not end.cidr:
        return ("external", "", "dns", end.dns_names[0])
    return ("external", "", "", address)


def policy_key(end: Endpoint) -> PolicyKey:
    """What policies see of this pod of a workload, or of this address of a name, range or node."""
    if end.kind is EndpointKind.EXTERNAL or (end.entity or "").startswith("world"):
        return end.ip
    if end.kind in (EndpointKind.NODE, EndpointKind.ENTITY):
        # Ranges tell a node's addresses apart, and Cilium where the API server is from what else a node sends.
        return f"{end.entity or ''} {end.ip or ''}"
    if end.pod is not None:
        return frozenset(one for one in end.pod.labels.items() if one[0] not in _POD_LABELS)
    return frozenset(end.identity_labels or ())


def end_name(key: EndKey) -> str:
    """The end as a title says it: ``shop/checkout``, ``203.0.113.0/24``, ``world``."""
    kind, namespace, _, name = key
    if not name:
        return f"{namespace}/?" if namespace else "an unknown end"
    if kind == "node":
        return f"node {name}"
    return f"{namespace}/{name}" if namespace else name


def end_namespace(key: EndKey) -> str | None:
    """The end's namespace, ``None`` outside."""
    return key[1] or None


def fold_addresses(addresses: Iterable[str]) -> dict[str, str]:
    """Ranges for addresses that stand close together: address to CIDR, only where folded.

    A network (/24, /64) first, for IPv6 also a site (/48); where more than `_MAX_RANGES` are left, wider
    ones, so that an outside world of any size is a bounded list.  The answer depends on the set alone.
    """
    parsed: list[tuple[str, IPv4Address | IPv6Address]] = []
    for text in sorted(set(addresses)):
        address = _address(text)
        if address is not None:
            parsed.append((text, address))
    folded: dict[str, str] = {}
    for version, near, wider in ((4, (24,), (16, 8, 0)), (6, (64, 48), (32, 0))):
        family = [(text, address) for text, address in parsed if address.version == version]
        ranges: dict[str, str] = {}
        for width in near:
            ranges.update(_together([one for one in family if one[0] not in ranges], width))
        for width in wider:
            if len(set(ranges.values())) + len(family) - len(ranges) <= _MAX_RANGES:
                break
            ranges = _together(family, width)
        folded.update(ranges)
    return folded


def fold_outside(ends: Iterable[Endpoint]) -> dict[str, str]:
    """Ranges for ends outside, as `fold_addresses`; a name's addresses stand under the name, unless names are many."""
    nameless: set[str] = set()
    named: dict[str, str] = {}
    for end in ends:
        if end.ip is None:
            continue
        if end.dns_names and not end.cidr:
            named[end.ip] = end.dns_names[0]
        else:
            nameless.add(end.ip)
    if len(set(named.values())) > _MAX_RANGES:
        return fold_addresses(nameless | named.keys())
    return fold_addresses(nameless - named.keys())


def _together(family: list[tuple[str, IPv4Address | IPv6Address]], width: int) -> dict[str, str]:
    groups: dict[int, list[tuple[str, IPv4Address | IPv6Address]]] = {}
    for text, address in family:
        groups.setdefault(int(address) >> address.max_prefixlen - width, []).append((text, address))
    folded: dict[str, str] = {}
    for members in groups.values():
        if len(members) >= _FOLD_FROM:
            cidr = str(ip_network((members[0][1], width), strict=False))
            folded.update((text, cidr) for text, _ in members)
    return folded


class EndViews:
    """Ends as a report shows them, each made once: thousands of connections share a few hundred."""

    def __init__(self) -> None:
        self._known: dict[tuple[EndKey, int], tuple[Endpoint, ReportEndpoint]] = {}
        """By ``id()`` of an end that was not folded; the end is kept, so that its ``id()`` is not given to another."""

    def of(self, key: EndKey, ends: Iterable[Endpoint]) -> ReportEndpoint:
        """The view of one end from all endpoints that were folded into it."""
        # Flows share their ends.
        alike = {id(end): end for end in ends}
        if len(alike) != 1:
            return report_endpoint(key, alike.values())
        ((number, end),) = alike.items()
        known = self._known.get((key, number))
        if known is None:
            known = self._known[key, number] = (end, report_endpoint(key, (end,)))
        return known[1]


def report_endpoint(key: EndKey, ends: Iterable[Endpoint]) -> ReportEndpoint:
    """The report's view of one end from all endpoints that were folded into it."""
    kind, namespace, workload_kind, name = key
    name, _, cluster = name.partition(_OF_CLUSTER) if kind == "pod" else (name, "", "")
    pods: set[str] = set()
    ips: set[str] = set()
    names: set[str] = set()
    identities: set[int] = set()
    labels: dict[str, str] | None = None
    known: set[str] = set()
    for end in ends:
        if end.pod is not None:
            pods.add(end.pod.name)
            labels = _common(labels, end.pod.labels)
        elif (
            end.kind in (EndpointKind.POD, EndpointKind.WORKLOAD) and end.name and not end.name.endswith("*")
        ):
            # A workload's end has a name where the record gives the pod's, whole or shortened.
            pods.add(end.name)
        if end.pod is None and end.identity_labels:
            labels = _common(labels, dict(end.identity_labels))
        if end.ip:
            ips.add(end.ip)
        if end.identity is not None:
            identities.add(end.identity)
        names.update(end.dns_names)
        known.add(str(end.known_by))
    if labels is not None:
        labels = {key: value for key, value in labels.items() if key not in _POD_LABELS}
    return ReportEndpoint(
        kind=kind,
        namespace=namespace or None,
        name=name or None,
        pods=tuple(sorted(pods)[:_MAX_LISTED]),
        workload=WorkloadRef(workload_kind or None, name) if kind == "pod" else None,
        ips=tuple(sorted(ips, key=_address_order)[:_MAX_LISTED]),
        labels=labels,
        identity=identities.pop() if len(identities) == 1 else None,
        dns_names=tuple(sorted(names)[:_MAX_LISTED]),
        known_by=", ".join(sorted(known)) or None,
        cluster=cluster or UNSET,
    )


def _common(known: dict[str, str] | None, more: dict[str, str]) -> dict[str, str]:
    """Labels that all the end's pods share: those that speak of the workload."""
    if known is None:
        return dict(sorted(more.items()))
    if known.items() <= more.items():
        return known
    return {key: value for key, value in known.items() if more.get(key) == value}


def _address_order(text: str) -> tuple[int, int, str]:
    address = _address(text)
    return (9, 0, text) if address is None else (address.version, int(address), text)


@lru_cache(maxsize=65536)
def _address(text: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(text)
    except ValueError:
        return None
