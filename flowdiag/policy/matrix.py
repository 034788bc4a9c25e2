"""Who can reach whom on which ports, exactly: workloads and ranges of outside addresses.

Ports are computed symbolically (`flowdiag.policy.reach`); outside addresses are cut where some policy
begins or ceases to treat them differently, so one address of each range speaks for all of it.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from ipaddress import IPv4Address, IPv6Address
from typing import TypeVar

from msgspec import Struct
from msgspec.structs import replace

from flowdiag.model.endpoint import Endpoint, EndpointKind, KnownBy
from flowdiag.model.objects import Snapshot
from flowdiag.model.policy import Dialect
from flowdiag.policy.addresses import families, parse_address
from flowdiag.policy.ends import pod_endpoint
from flowdiag.policy.evaluate import PolicySet
from flowdiag.policy.openness import Openness, Ports, joined
from flowdiag.policy.ports import PortSet
from flowdiag.policy.reach import openness

__all__ = ["Matrix", "Range", "merged", "outside_ranges", "texts", "workloads"]

_SIZES = {4: 32, 6: 128}
_Open = TypeVar("_Open")


class Range(Struct, frozen=True, order=True):
    """Outside addresses that no policy tells apart; `first` and `last` belong to it."""

    version: int
    first: int
    last: int

    @property
    def text(self) -> str:
        """``a.b.c.d-e.f.g.h``."""
        kind = IPv4Address if self.version == 4 else IPv6Address
        return f"{kind(self.first)}-{kind(self.last)}"

    @property
    def endpoint(self) -> Endpoint:
        """One address of it."""
        kind = IPv4Address if self.version == 4 else IPv6Address
        return Endpoint(kind=EndpointKind.EXTERNAL, ip=str(kind(self.first)), known_by=KnownBy.QUERY)


def outside_ranges(sets: Iterable[PolicySet], version: int) -> list[Range]:
    """The whole address family, cut where any of the sets tells addresses apart; in order."""
    end = 1 << _SIZES[version]
    cuts = {0, end}
    for policies in sets:
        cuts |= policies.ranges.cuts(version)
    edges = sorted(cuts)
    return [Range(version, low, high - 1) for low, high in itertools.pairwise(edges)]


def workloads(snapshot: Snapshot, *, host_pods: bool, inferred: bool) -> dict[str, list[Endpoint]]:
    """Live pods by ``namespace/workload``, by name.  Two kinds of one name get ``[Kind]``.

    Args:
        snapshot: the state.
        inferred: name them by the topmost owner even where that had to be worked out from a name; else
            such pods go by the owner that they name themselves.
        host_pods: take pods on the host's network for pods like others.  The API leaves open whether
            policies reach them; where nobody knows who enforces, a change that may concern them is
            shown rather than hidden.
    """
    found: dict[tuple[str, str], dict[str, list[Endpoint]]] = {}
    for pod in snapshot.pods:
        if not pod.live or (pod.host_network and not host_pods):
            continue
        owner = pod.owner if pod.workload_inferred and not inferred else pod.workload
        kind = (owner.kind or "") if owner is not None else pod.kind
        name = owner.name if owner is not None else pod.name
        subject = replace(pod, host_network=False) if pod.host_network else pod
        found.setdefault((pod.namespace, name), {}).setdefault(kind, []).append(pod_endpoint(subject))
    named: dict[str, list[Endpoint]] = {}
    for (namespace, name), kinds in sorted(found.items()):
        for kind, ends in sorted(kinds.items()):
            suffix = f"[{kind}]" if len(kinds) > 1 else ""
            named[f"{namespace}/{name}{suffix}"] = ends
    return named


class Matrix:
    """Open ports between every two ends of one state.

    A workload of several pods that policies tell apart has the ports that any of them has.

    Args:
        snapshot: the state.
        policies: its policies, compiled.
        inferred: as for `workloads`.
        unknown: count ports whose verdict is unknown as open (what may be reachable) instead of closed.
        host_pods: as for `workloads`; ``None`` takes them where the dialect leaves it open.
    """

    def __init__(
        self,
        snapshot: Snapshot,
        policies: PolicySet,
        *,
        inferred: bool = False,
        unknown: bool = False,
        host_pods: bool | None = None,
    ) -> None:
        self.policies = policies
        self._unknown = unknown
        versions = {id(pod): frozenset(families(pod.ips)) for pod in snapshot.pods if pod.live}
        self._versions = versions if len({*versions.values()} - {frozenset()}) > 1 else {}
        """Address families of each pod, by ``id()``; empty where all pods whose addresses are known have the same."""
        if host_pods is None:
            host_pods = policies.dialect is Dialect.KUBERNETES
        self.workloads = {
            name: self._distinct(self._by_family(ends))
            for name, ends in workloads(snapshot, host_pods=host_pods, inferred=inferred).items()
        }
        self._families = {
            id(end): (self._family(end), self._held(end)) for ends in self.workloads.values() for end in ends
        }
        """What `_family` and `_held` say of the workloads' ends, by ``id()``."""
        self._memory: dict[tuple[int, int], Openness] = {}

    def between(self, src: str, dst: str) -> Ports:
        """Open ports from one workload to another, by protocol."""
        return self._ports(self.workloads[src], self.workloads[dst])

    def from_outside(self, source: Range, dst: str) -> Ports:
        """Open ports from a range to a workload."""
        return self._ports([source.endpoint], self.workloads[dst])

    def to_outside(self, src: str, destination: Range) -> Ports:
        """Open ports from a workload to a range."""
        return self._ports(self.workloads[src], [destination.endpoint])

    def apart(self, one: str, other: str) -> bool:
        """Whether two workloads are in networks between which no packet passes from the one to the other."""
        return any(
            self.policies.beyond.apart(*self.policies.facts(source, target)) is not None
            for source in self.workloads[one]
            for target in self.workloads[other]
        )

    def openness(self, sources: list[Endpoint], targets: list[Endpoint]) -> Openness:
        """What is open from any of the sources to any of the targets, and what may be."""
        pairs = [
            self._pair(source, target)
            for source in sources
            for target in targets
            if self._meet(source, target)
        ]
        if len(pairs) == 1:
            return pairs[0]
        surely, possibly = Ports(), Ports()
        for found in pairs:
            surely, possibly = joined(surely, found.open), joined(possibly, found.unknown)
        doubtful = {name: ports - surely.get(name, PortSet()) for name, ports in possibly.items()}
        return Openness(surely, {name: ports for name, ports in doubtful.items() if ports})

    def _ports(self, sources: list[Endpoint], targets: list[Endpoint]) -> Ports:
        found = self.openness(sources, targets)
        return joined(found.open, found.unknown) if self._unknown else found.open

    def _pair(self, source: Endpoint, target: Endpoint) -> Openness:
        if self.policies.beyond.crosses:
            return openness(self.policies, source, target)
        one, other = self.policies.facts(source, target)
        key = (one.class_id, other.class_id)
        known = self._memory.get(key)
        if known is None:
            known = self._memory[key] = openness(self.policies, source, target)
        return known

    def _by_family(self, ends: list[Endpoint]) -> list[Endpoint]:
        """Give a pod with addresses of both families once for each of them, where ranges may tell these apart."""
        if not len(self.policies.ranges):
            return ends
        found = []
        for end in ends:
            both = families(end.pod.ips) if end.pod is not None else {}
            found += [replace(end, ip=ip) for ip in both.values()] if len(both) > 1 else [end]
        return found

    def _meet(self, source: Endpoint, target: Endpoint) -> bool:
        """Whether there is a family of addresses in which the two can talk."""
        (one, held), (other, others) = (
            self._families.get(id(end)) or (self._family(end), self._held(end)) for end in (source, target)
        )
        if one is not None and other is not None and one != other:
            return False
        return not self._versions or not held or not others or not held.isdisjoint(others)

    def _held(self, end: Endpoint) -> frozenset[int]:
        """Give the address families that an end stands for; empty where its addresses are not known."""
        family = self._family(end)
        return frozenset({family}) if family is not None else self._versions.get(id(end.pod), frozenset())

    def _family(self, end: Endpoint) -> int | None:
        """Give the family of an outside address, and of a pod that stands for one of its two; else ``None``."""
        if end.ip is None:
            return None
        if end.pod is not None and (not len(self.policies.ranges) or len(families(end.pod.ips)) < 2):
            return None
        address = parse_address(end.ip)
        return None if address is None else address.version

    def _distinct(self, ends: list[Endpoint]) -> list[Endpoint]:
        """One pod of each class: those of one class have the same ports."""
        if self.policies.beyond.crosses:
            return ends
        seen: dict[tuple[int, int | None, frozenset[int]], Endpoint] = {}
        for end in ends:
            facts, _ = self.policies.facts(end, end)
            seen.setdefault((facts.class_id, self._family(end), self._held(end)), end)
        return list(seen.values())


def merged(ranges: Iterable[tuple[Range, _Open]]) -> Iterator[tuple[Range, _Open]]:
    """Join neighbouring ranges with equal ports, however they are written; the input is in order."""
    held: tuple[Range, _Open] | None = None
    for current, ports in ranges:
        if held is not None and held[1] == ports and held[0].last + 1 == current.first:
            held = (Range(current.version, held[0].first, current.last), ports)
            continue
        if held is not None:
            yield held
        held = (current, ports)
    if held is not None:
        yield held


def texts(ports: Ports) -> dict[str, tuple[str, ...]]:
    """Ports as the contract writes them: sorted, merged ranges by protocol."""
    return {protocol: tuple(own.texts()) for protocol, own in sorted(ports.items()) if own}
