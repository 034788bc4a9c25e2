"""What a change opens to outside addresses that nobody has seen, where it is not the same for all of them.

The ends that stand for any address outside tell where that may be: their ports are unknown there.  Only then are the
ranges asked into which the policies cut all addresses, by one address for each.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cached_property
from ipaddress import ip_address, summarize_address_range

from flowdiag.diagnose.proposals.cuts import Group
from flowdiag.model.endpoint import Endpoint
from flowdiag.model.objects import Snapshot
from flowdiag.policy import PolicySet
from flowdiag.policy.addresses import parse_address, parse_network
from flowdiag.policy.matrix import Range, merged, outside_ranges
from flowdiag.policy.openness import Openness
from flowdiag.policy.ports import NO_PORTS, PortSet

__all__ = ["Outside", "Ranges"]

_MOST = 4_000
"""Questions about ranges per proof."""
_TOO_MANY = "some addresses outside"
"""Named where there are more: all that may open."""

_FAMILIES: tuple[int, ...] = (4, 6)

_Pair = tuple[str, bool, str]
"""The end inside, whether it is the client, and the protocol."""


class Outside:
    """Which addresses may be outside the cluster; worked out once, and only if somebody asks.

    Args:
        snapshot: whose pods and nodes have addresses that are not.
        seen: outside addresses that are asked by themselves.
    """

    def __init__(self, snapshot: Snapshot, seen: Iterable[str | None]) -> None:
        self._snapshot = snapshot
        self._seen = tuple(seen)

    @cached_property
    def _alone(self) -> frozenset[tuple[int, int]]:
        """Addresses that are somebody's, by family and number."""
        pods, nodes = self._snapshot.pods, self._snapshot.nodes.values()
        texts = {ip for pod in pods for ip in pod.ips} | {ip for node in nodes for ip in node.addresses}
        known = {parse_address(text) for text in (*texts, *self._seen) if text}
        return frozenset((one.version, int(one)) for one in known if one is not None)

    @cached_property
    def _spans(self) -> tuple[tuple[int, int, int], ...]:
        """Ranges of which nodes give addresses to pods: family, first and last."""
        held = [parse_network(text) for node in self._snapshot.nodes.values() for text in node.pod_cidrs]
        return tuple((one.version, int(one.network_address), int(one.broadcast_address)) for one in held)

    @cached_property
    def families(self) -> frozenset[int]:
        """Families that somebody has an address of."""
        return frozenset(version for version, _ in self._alone)

    def may_hold(self, one: Range) -> bool:
        """Whether a range is of addresses that may be outside and that nobody asks by themselves."""
        return not (one.first == one.last and (one.version, one.first) in self._alone) and not any(
            version == one.version and low <= one.first and one.last <= high
            for version, low, high in self._spans
        )


class Ranges:
    """The ranges of one proof, and what opens to each.

    Args:
        sets: the policies without and with the edits.
        outside: which addresses may be outside.
    """

    def __init__(self, sets: Sequence[PolicySet], outside: Outside) -> None:
        self._sets = sets
        self._outside = outside
        self._opened: dict[_Pair, dict[Range, PortSet]] = defaultdict(dict)
        self._some: dict[_Pair, PortSet] = {}
        self._asked = 0

    @cached_property
    def _ranges(self) -> list[Range]:
        return [one for version in _FAMILIES for one in outside_ranges(self._sets, version)]

    @cached_property
    def _families(self) -> frozenset[int]:
        """Those that policies or addresses show: of another one nobody would look for a range."""
        named = {each for each in _FAMILIES for one in self._sets if one.ranges.cuts(each)}
        return self._outside.families | named

    def hold(
        self,
        inside: Group,
        outside: Group,
        anybody: tuple[Openness, Openness],
        ask: Callable[[Endpoint, Endpoint], tuple[Openness, Openness]],
        *,
        client: bool,
    ) -> bool:
        """Note what opens between a group of ends and each range; ``False`` where something would close.

        Args:
            inside: the group.
            outside: any address outside, perhaps of one family alone.
            anybody: what is open to it, as it is and with the edits.
            ask: what is open from one end to another, as it is and with the edits.
            client: whether it is the group that calls.
        """
        self._asked += len(self._ranges)
        if self._asked > _MOST:
            self._hold_some(inside, anybody, client=client)
            return True
        for one in self._ranges:
            if inside.family not in (None, one.version) or outside.family not in (None, one.version):
                continue
            ends = (inside.end, one.endpoint) if client else (one.endpoint, inside.end)
            before, after = ask(*ends)
            for protocol in {*before.open, *after.open}:
                was, now = before.open.get(protocol, NO_PORTS), after.open.get(protocol, NO_PORTS)
                if not was <= now:
                    return False
                more = now - was - anybody[1].open.get(protocol, NO_PORTS)
                for name in inside.names if more else ():
                    own = self._opened[name, client, protocol]
                    own[one] = own.get(one, NO_PORTS) | more
        return True

    def _hold_some(self, inside: Group, anybody: tuple[Openness, Openness], *, client: bool) -> None:
        before, after = anybody
        for protocol, ports in after.unknown.items():
            # Ports that some address may have had already are named where the edits add no other.
            own = ports - before.unknown.get(protocol, NO_PORTS) or ports
            for name in inside.names:
                self._some[name, client, protocol] = self._some.get((name, client, protocol), NO_PORTS) | own

    def rows(self) -> Iterator[tuple[tuple[str, str, str], PortSet]]:
        """Ports by source, destination and protocol; neighbouring ranges with the same ports are one."""
        for (name, client, protocol), by_range in self._opened.items():
            own = sorted(
                (
                    (one, ports)
                    for one, ports in by_range.items()
                    if one.version in self._families and self._outside.may_hold(one)
                ),
                key=lambda each: each[0],
            )
            for one, ports in merged(own):
                text = _text(one)
                yield ((name, text, protocol) if client else (text, name, protocol)), ports
        for (name, client, protocol), ports in self._some.items():
            yield ((name, _TOO_MANY, protocol) if client else (_TOO_MANY, name, protocol)), ports


def _text(one: Range) -> str:
    """``203.0.113.0/24``, a single address, or ``a.b.c.d-e.f.g.h`` where it is neither."""
    first, last = one.text.split("-")
    if first == last:
        return first
    networks = [str(each) for each in summarize_address_range(ip_address(first), ip_address(last))]
    return networks[0] if len(networks) == 1 else one.text
