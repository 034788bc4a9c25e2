"""Questions about one connection: what explain and verify ask of a compiled state."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet
from ipaddress import ip_network
from itertools import pairwise

from msgspec.structs import replace

from flowdiag.analysis.answers import Answer, Pair, answer_of, end_name, shown_place
from flowdiag.analysis.families import called_in, ways
from flowdiag.cluster.index import SnapshotIndex
from flowdiag.cluster.leases import Leases
from flowdiag.cluster.query import resolve_end, service_of, service_targets
from flowdiag.cluster.ranges import Held, held_in
from flowdiag.model.digits import is_digits, whole
from flowdiag.model.endpoint import Endpoint, EndpointKind, KnownBy
from flowdiag.model.errors import InputError
from flowdiag.model.event import Icmp
from flowdiag.model.objects import Service, ServicePort, Snapshot
from flowdiag.model.policy import ConnectionDecision
from flowdiag.policy import PolicySet
from flowdiag.policy.audit import LET_THROUGH, audits_only, let_through
from flowdiag.policy.matrix import Range
from flowdiag.policy.ports import MAX_PORT

__all__ = ["Asker"]


class Asker:
    """A state, compiled once, and what is asked of it."""

    def __init__(self, snapshot: Snapshot, policies: PolicySet) -> None:
        self.snapshot = snapshot
        self.policies = policies
        self.index = SnapshotIndex(snapshot)
        self.leases = Leases(snapshot)
        self.audits_only = audits_only(snapshot, policies.dialect)
        """The agents let through what policies refuse."""
        self.notes = (LET_THROUGH,) if self.audits_only else ()
        """What must be said of every answer."""
        self.readings: list[str] = []
        """How ranges of addresses that hold pods or nodes, and headless Services' ports, were read, in words."""
        self._ends: dict[str, tuple[Endpoint, ...]] = {}

    def _read_headless(self, service: Service, entry: ServicePort, numbers: AbstractSet[int | None]) -> None:
        """Note that callers of a headless Service's pods reach the port that they call, where a question translates it."""
        others = sorted(number for number in numbers if number not in (None, entry.port))
        if not others:
            return
        text = (
            f"svc:{service.namespace}/{service.name} {entry.port}/{entry.protocol} is read as the Service's port, which "
            f"leads to {', '.join(map(str, others))}; it is headless, and who calls its pods at {entry.port} reaches "
            f"{entry.port}"
        )
        if text not in self.readings:
            self.readings.append(text)

    def end(self, text: str) -> tuple[Endpoint, ...]:
        """What an end stands for.

        Raises:
            InputError: nothing is called so.
        """
        if text not in self._ends:
            ends = resolve_end(text, self.snapshot, self.leases, self.index)
            self.readings += (
                f"{end.ip} is read as an address outside ({end.note})"
                for end in ends
                if end.kind is EndpointKind.EXTERNAL and end.ip is not None and end.note is not None
            )
            self._ends[text] = tuple(part for end in ends for part in self._pieces(end))
        return self._ends[text]

    def _pieces(self, end: Endpoint) -> Iterator[Endpoint]:
        """Give the ends in a range of addresses: pods, nodes, and the rest, cut where policies tell addresses apart.

        An end that is no range is given as it is.
        """
        if end.cidr is None or end.ip is not None:
            yield end
            return
        network = ip_network(end.cidr)
        held = held_in(network, self.leases)
        taken: tuple[int, ...] = ()
        if held.ends and network.prefixlen == 0:
            self.readings.append(
                f"{network} is read as every address outside; the {held.text} of the state are ends of their own"
            )
        elif held.ends:
            self.readings.append(
                f"{network} holds {held.text} of the state: they are asked for, and what is left of it as outside"
            )
            taken = held.addresses
            yield from self._unlike(held.ends)
        first, last = int(network.network_address), int(network.broadcast_address)
        edges = {first, last + 1}
        edges.update(cut for cut in self.policies.ranges.cuts(network.version) if first < cut <= last)
        if taken:
            for pods in held.pod_ranges:
                begin, behind = int(pods.network_address), int(pods.broadcast_address) + 1
                edges.update(cut for cut in (begin, behind) if first < cut <= last)
        for low, high in pairwise(sorted(edges)):
            if taken and _nobody_outside(low, high - 1, held):
                continue
            one = Range(network.version, low, high - 1)
            whole = len(edges) == 2
            name = f"the rest of {network}" if whole and taken else one.text
            yield end if whole and not taken else replace(one.endpoint, name=name)

    def _unlike(self, ends: Sequence[Endpoint]) -> Iterator[Endpoint]:
        """Give one end of each class, since policies do not tell ends of a class apart."""
        if self.policies.beyond.crosses:
            yield from ends
            return
        seen = set()
        for end in ends:
            facts, _ = self.policies.facts(end, end)
            if facts.class_id not in seen:
                seen.add(facts.class_id)
                yield end

    def ask(
        self,
        src: str,
        dst: str,
        protocol: str | None,
        port: int | str | None,
        *,
        icmp: Icmp | None = None,
        walk: bool = False,
    ) -> Answer:
        """Evaluate every pair of ends that the question stands for; `walk` tells the walk of the one that is shown.

        Raises:
            InputError: an end or a Service's port cannot be resolved, or both ends are outside.
        """
        if isinstance(port, str) and is_digits(port):
            port = whole(port)  # quoted in a file; a port's name has a letter
            if port > MAX_PORT:
                raise InputError(f"port {port} is out of range", hint="ports are 1 to 65535")
        sources = self.end(src)
        targets = self._targets(dst, protocol, port)
        pairs: list[Pair] = []
        outside = False
        for source in sources:
            for target, target_port in targets:
                if _one_pod(source, target) and len(sources) * len(targets) > 1:
                    continue
                asked = self._pairs(source, target, protocol, target_port, icmp=icmp)
                if not asked:
                    outside = True  # both ends are outside: no policy concerns them
                pairs += asked
        if outside and not pairs:
            raise InputError(
                f"both ends are outside the cluster: {src} and {dst}",
                hint="policies decide only where one end is a pod or node of the state",
            )
        if walk and pairs:
            # Two workloads of hundreds of pods have tens of thousands of pairs, and decisions with a walk are not
            # remembered.
            place = shown_place(pairs)
            shown = pairs[place]
            decision = self._decided(shown.src, shown.dst, protocol, shown.port, icmp, walk=True)
            pairs[place] = replace(shown, decision=decision)
        return answer_of(pairs)

    def _decided(
        self,
        src: Endpoint,
        dst: Endpoint,
        protocol: str | None,
        port: int | str | None,
        icmp: Icmp | None,
        *,
        walk: bool = False,
    ) -> ConnectionDecision:
        decision = self.policies.evaluate(src, dst, protocol, port, icmp=icmp, walk=walk)
        return let_through(decision) if self.audits_only else decision

    def _pairs(
        self,
        source: Endpoint,
        target: Endpoint,
        protocol: str | None,
        port: int | str | None,
        *,
        icmp: Icmp | None,
    ) -> list[Pair]:
        """Give the pair with its answer; twice, where its two address families have different answers."""
        found: list[Pair] = []
        for one, other in ways(source, target):
            if found and not len(self.policies.ranges):
                break
            try:
                decision = self._decided(one, other, protocol, port, icmp)
            except ValueError:
                return []
            if not found or decision.allowed is not found[0].decision.allowed:
                found.append(Pair(one, other, port, decision))
        return found

    def _targets(
        self, dst: str, protocol: str | None, port: int | str | None
    ) -> Sequence[tuple[Endpoint, int | str | None]]:
        ends = self.end(dst)
        service = service_of(dst.strip(), self.snapshot, self.index)
        if service is None and len(ends) == 1 and ends[0].kind is EndpointKind.SERVICE:
            service = ends[0].service  # asked for by one of its addresses
            if (
                service is not None
                and self.policies.dataplane.sees_services
                and ends[0].ip not in service.cluster_ips
            ):
                # Held against the rules before it is translated, and no selector means it.
                note = f"address of Service {service.namespace}/{service.name}"
                return [
                    (
                        Endpoint(
                            kind=EndpointKind.EXTERNAL, ip=ends[0].ip, known_by=KnownBy.QUERY, note=note
                        ),
                        port,
                    )
                ]
        if service is None:
            return [(end, _number(end, protocol, port)) for end in ends]
        entry = self.index.service_port(service, port, protocol) if port is not None else None
        if service.headless and port is not None and entry is None:
            # Nobody translates ports for those who call its pods.
            return [(end, _number(end, protocol, port)) for end in ends]
        behind = service_targets(service, port, protocol, self.index, self.leases)
        if service.headless and entry is not None:
            self._read_headless(service, entry, {number for _, number in behind})
        address = ends[0].ip if ends[0].kind is EndpointKind.SERVICE else None
        called = service.cluster_ips if address is None else (address,)
        targets = [
            (reached, number) for end, number in behind if (reached := called_in(called, end)) is not None
        ]
        if not targets:
            raise InputError(
                f"no pod behind Service {service.namespace}/{service.name} has an address of the family of "
                f"{' or '.join(called)}",
                hint="ask for the pods by name",
            )
        for end, number in targets:
            if port is not None and number is None:
                raise InputError(
                    f"{end_name(end)} does not declare the target port of "
                    f"{service.namespace}/{service.name} {port}",
                    hint="ask for the pod and its port",
                )
        if (
            entry is None
            or not self.policies.dataplane.sees_services
            or not {*called} & {*service.cluster_ips}
        ):
            return targets
        # Egress is held against the Service's own address and port.
        return [
            (replace(end, service=service), entry.port)
            if end.pod is not None and not end.pod.host_network
            else (end, number)
            for end, number in targets
        ]


def _nobody_outside(low: int, high: int, held: Held) -> bool:
    """Whether no address from `low` to `high` is outside the cluster: each has an owner, or lies in a range for pods."""
    if any(int(one.network_address) <= low and high <= int(one.broadcast_address) for one in held.pod_ranges):
        return True
    return bisect_right(held.addresses, high) - bisect_left(held.addresses, low) == high - low + 1


def _number(end: Endpoint, protocol: str | None, port: int | str | None) -> int | str | None:
    """The one number that a pod declares for a port's name; the name where it declares none, or several."""
    if isinstance(port, str) and end.pod is not None and end.pod.ports is not None:
        found = {one.port for one in end.pod.ports if one.name == port and protocol in (None, one.protocol)}
        if len(found) == 1:
            return found.pop()
    return port


def _one_pod(source: Endpoint, target: Endpoint) -> bool:
    return source.kind is EndpointKind.POD and (
        (source.namespace, source.name, source.kind) == (target.namespace, target.name, target.kind)
        and source.pod is target.pod
    )
