"""Who owned an address at which time.

A snapshot is one instant and addresses are reused: an owner counts only from when it started to when it
ended.  Rules: Kubernetes pod lifecycle (a Succeeded or Failed pod keeps ``status.podIP`` but not the
address; a pod with a deletionTimestamp holds its address until it is gone), hostNetwork pods share the
node's address.
"""

from __future__ import annotations

import ipaddress
from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Sequence
from functools import cached_property
from typing import Any

from msgspec import Struct, structs

from flowdiag.cluster.addresses import INSIDE, Network, canonical_ip, canonical_ips, in_any, parse_network
from flowdiag.cluster.claims import ALWAYS, Claim, claim_of, gone_end, hinted_end, pods_end, service_end
from flowdiag.cluster.meta import as_list, as_map, as_text
from flowdiag.model.endpoint import Endpoint, EndpointKind, KnownBy
from flowdiag.model.objects import Node, Pod, Service, Snapshot
from flowdiag.model.public import is_plainly_public

__all__ = ["Leases", "Span"]


class Span(Struct, frozen=True):
    """An owner from `start` (inclusive) to `end` (exclusive); None is open."""

    start: int | None
    end: int | None
    owner: Endpoint


class Leases:
    """The owners of addresses, from one snapshot.  Lookups are dictionary lookups plus a walk over few claims."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._claims: dict[str, list[Claim]] = defaultdict(list)
        self._host_pods: dict[str, list[Pod]] = defaultdict(list)
        self._nodes: dict[str, str] = {}
        self._gateways: dict[str, str] = {}
        self._services: dict[str, list[Service]] = defaultdict(list)
        self._node_ports: dict[tuple[str, int], Service] = {}
        self._hints: dict[str, set[str]] = defaultdict(set)
        self._ranges: list[Network] = []
        self._node_objects = snapshot.nodes
        self._known: dict[tuple[str, int | None, tuple[str, int] | None], Endpoint] = {}
        self._boundaries: dict[str, tuple[int, ...]] = {}
        self._knows_pods = bool(snapshot.pods) or ("", "Pod") in snapshot.kinds_seen
        self._whole = not _of_one_namespace(snapshot)
        self._read_nodes(snapshot)
        for pod in snapshot.pods:
            if pod.template:
                continue
            if pod.host_network:
                for ip in {*pod.ips, *pod.host_ips}:
                    self._host_pods[ip].append(pod)
                    if pod.node is not None:
                        self._nodes.setdefault(ip, pod.node)
                continue
            for ip in pod.ips:
                self._claims[ip].append(claim_of(pod))
            if pod.node is not None:
                for ip in pod.host_ips:
                    self._nodes.setdefault(ip, pod.node)
        for service in snapshot.services:
            for ip in (*service.cluster_ips, *service.external_ips):
                self._services[ip].append(service)
            for port in service.ports:
                if port.node_port is not None:
                    self._node_ports[(port.protocol, port.node_port)] = service
        self._read_hints(snapshot)

    def _read_nodes(self, snapshot: Snapshot) -> None:
        for node in snapshot.nodes.values():
            for ip in node.addresses:
                self._nodes[ip] = node.name
            for text in node.pod_cidrs:
                network = parse_network(text)
                if network is None:
                    continue
                self._ranges.append(network)
                # The bridge or router has the first address; Weave's has the network address itself.
                for first in (network.network_address, network.network_address + (network.num_addresses > 1)):
                    self._gateways.setdefault(str(first), node.name)
        for one in snapshot.others:
            if one.kind == "CiliumNode":
                entries = as_list(as_map(one.body.get("spec")).get("addresses"))
                for ip in canonical_ips(as_map(entry).get("ip") for entry in entries):
                    self._nodes.setdefault(ip, one.name)

    def _read_hints(self, snapshot: Snapshot) -> None:
        """Pods that only other objects remember by address."""
        for piece in snapshot.endpoint_slices:
            for ip, name in zip(piece.addresses, piece.pods, strict=False):
                if name is not None:
                    self._hints[ip].add(name)
        for one in snapshot.others:
            if one.kind == "CiliumEndpoint" and one.namespace is not None:
                self._hint(as_map(one.body.get("status")), one.namespace, one.name)
            elif one.kind == "CiliumEndpointSlice":
                namespace = as_text(one.body.get("namespace"))
                for part in as_list(one.body.get("endpoints")):
                    name = as_text(as_map(part).get("name"))
                    if namespace is not None and name is not None:
                        self._hint(as_map(part), namespace, name)

    def _hint(self, status: dict[str, Any], namespace: str, name: str) -> None:
        for entry in as_list(as_map(status.get("networking")).get("addressing")):
            pair = as_map(entry)
            for ip in canonical_ips([pair.get("ipv4"), pair.get("ipv6")]):
                self._hints[ip].add(f"{namespace}/{name}")

    def owner(
        self, ip: str | None, at: int | None, *, port: int | None = None, protocol: str | None = None
    ) -> Endpoint:
        """Who had `ip` at `at` (nanoseconds; None where the time is unknown).

        Args:
            ip: address text; anything that is not an address gives an unknown end.
            at: the instant.
            port: the destination port, if it may be a Service's: its node port, or its own on an address that it shares.
            protocol: of `port`.
        """
        address = canonical_ip(ip)
        if address is None:
            return Endpoint(kind=EndpointKind.UNKNOWN, ip=ip)
        asked = ((protocol or "TCP").upper(), port) if port is not None else None
        if asked not in self._node_ports and asked not in self._shared.get(address, ()):
            asked = None
        # The answer only changes at instants at which an owner does, so one is remembered per span between these.
        slot = None if at is None else bisect_right(self.boundaries(address), at)
        key = (address, slot, asked)
        found = self._known.get(key)
        if found is None:
            found = self._known[key] = self._owner(address, at, asked)
        return found

    @cached_property
    def _shared(self) -> dict[str, dict[tuple[str, int], list[Service]]]:
        """Services by port, of addresses of which the port tells whose they are.

        Nodes have some of them, since k3s gives Services those of its nodes, and several Services others.
        """
        found: dict[str, dict[tuple[str, int], list[Service]]] = {}
        for address, services in self._services.items():
            if len(services) > 1 or self._is_host(address):
                ports = found[address] = defaultdict(list)
                for service in services:
                    for port in service.ports:
                        ports[(port.protocol, port.port)].append(service)
        return found

    def _is_host(self, address: str) -> bool:
        return address in self._nodes or address in self._host_pods

    def _of_services(self, address: str, asked: tuple[str, int] | None) -> Sequence[Service]:
        """The Services that an address is of, where it was asked for that port."""
        listening = self._shared.get(address, {}).get(asked, ()) if asked is not None else ()
        if listening or self._is_host(address):
            return listening
        return self._services.get(address, ())

    def _owner(self, address: str, at: int | None, asked: tuple[str, int] | None) -> Endpoint:
        claims = self._claims.get(address, ())
        holding = [claim for claim in claims if claim.holds(at)]
        strong = [claim for claim in holding if not claim.weak(at)]
        found = strong or holding
        if found:
            return pods_end(address, [claim.pod for claim in found])
        if asked is not None and asked in self._node_ports and address in self._nodes:
            return service_end(self._node_ports[asked], address, "node port")
        services = self._of_services(address, asked)
        if services and not (
            at is not None and all(one.created is not None and one.created > at for one in services)
        ):
            return service_end(services[0], address, None)
        node = self._nodes.get(address)
        if node is not None or address in self._host_pods:
            return self._node(address, node)
        if claims:
            return gone_end(address, claims)
        if services:
            return Endpoint(
                kind=EndpointKind.UNKNOWN,
                ip=address,
                note=f"owner unknown at that time (now Service {services[0].namespace}/{services[0].name})",
            )
        hints = sorted(self._hints.get(address, ()))
        if hints:
            return hinted_end(address, hints)
        if address in self._gateways:
            return structs.replace(
                self._node(address, self._gateways[address]), note="first address of the node's pod range"
            )
        return self._outside(address)

    def _node(self, address: str, name: str | None) -> Endpoint:
        pods = [pod for pod in self._host_pods.get(address, ()) if pod.live]
        node: Node | None = self._node_objects.get(name) if name is not None else None
        return Endpoint(
            kind=EndpointKind.NODE,
            name=name,
            ip=address,
            node=node,
            known_by=KnownBy.ADDRESS,
            candidates=tuple(sorted({f"{pod.namespace}/{pod.name}" for pod in pods})),
        )

    def _outside(self, address: str) -> Endpoint:
        if self._ranges and in_any(address, self._ranges) is not None:
            return Endpoint(kind=EndpointKind.UNKNOWN, ip=address, note="pod address without a known owner")
        if is_plainly_public(address):
            return Endpoint(kind=EndpointKind.EXTERNAL, ip=address, known_by=KnownBy.ADDRESS)
        parsed = ipaddress.ip_address(address)
        # The range that carriers share (100.64.0.0/10) is no private one in these words; clouds give it to pods.
        if not (self._knows_pods or parsed.is_global or parsed.is_link_local or parsed.is_loopback):
            return Endpoint(
                kind=EndpointKind.UNKNOWN, ip=address, note="no pods in the state to tell whose it is"
            )
        if not self._whole and not parsed.is_link_local and in_any(address, INSIDE) is not None:
            return Endpoint(
                kind=EndpointKind.UNKNOWN, ip=address, note="the state holds the pods of one namespace alone"
            )
        return Endpoint(kind=EndpointKind.EXTERNAL, ip=address, known_by=KnownBy.ADDRESS)

    def addresses_in(self, network: Network) -> list[tuple[int, str]]:
        """Addresses in a range that something of the state has or had, as numbers and as texts, sorted."""
        known = self._sorted[network.version]
        first, last = int(network.network_address), int(network.broadcast_address)
        return known[bisect_left(known, (first, "")) : bisect_left(known, (last + 1, ""))]

    @property
    def pod_ranges(self) -> Sequence[Network]:
        """The ranges that nodes give to their pods."""
        return self._ranges

    @cached_property
    def _sorted(self) -> dict[int, list[tuple[int, str]]]:
        found: dict[int, list[tuple[int, str]]] = {4: [], 6: []}
        for text in {*self._claims, *self._nodes, *self._host_pods, *self._services, *self._hints}:
            address = ipaddress.ip_address(text)
            found[address.version].append((int(address), text))
        for addresses in found.values():
            addresses.sort()
        return found

    def boundaries(self, ip: str | None) -> tuple[int, ...]:
        """The instants at which the owner of `ip` may change, sorted."""
        address = canonical_ip(ip)
        if address is None:
            return ()
        known = self._boundaries.get(address)
        if known is not None:
            return known
        found: set[int] = set()
        for claim in self._claims.get(address, ()):
            weak = claim.weak_from if claim.weak_from != ALWAYS else None
            found.update(at for at in (claim.start, claim.end, weak) if at is not None)
        found.update(one.created for one in self._services.get(address, ()) if one.created is not None)
        self._boundaries[address] = tuple(sorted(found))
        return self._boundaries[address]

    def spans(
        self,
        ip: str | None,
        first: int | None,
        last: int | None,
        *,
        port: int | None = None,
        protocol: str | None = None,
    ) -> tuple[Span, ...]:
        """The owners of `ip` from `first` to `last` (both inclusive), neighbours that are equal joined."""
        if first is None or last is None:
            return (Span(None, None, self.owner(ip, None, port=port, protocol=protocol)),)
        cuts = [first, *(at for at in self.boundaries(ip) if first < at <= last)]
        ends: list[int] = [*cuts[1:], last + 1]
        found: list[Span] = []
        for start, end in zip(cuts, ends, strict=True):
            owner = self.owner(ip, start, port=port, protocol=protocol)
            if found and found[-1].owner == owner:
                found[-1] = Span(found[-1].start, end, owner)
            else:
                found.append(Span(start, end, owner))
        return tuple(found)


def _of_one_namespace(snapshot: Snapshot) -> bool:
    """Whether these are only the objects that a Role in one namespace may read; a whole cluster has nodes and system pods."""
    spaces = {pod.namespace for pod in snapshot.pods}
    others = {name for name, one in snapshot.namespaces.items() if one.declared and name not in spaces}
    return len(spaces) == 1 and not others and not snapshot.nodes
