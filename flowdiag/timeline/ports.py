"""How many ports refused flows were to, where some of them stand for many."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import NamedTuple

from flowdiag.model.tally import DistinctFlow

__all__ = ["DNS_PORTS", "ONE_PORT", "PortCount", "count_ports"]

DNS_PORTS = (53, 853, 5353)
"""Where names are looked up: plain, over TLS, by multicast."""

_ALL = 65_535
"""Port 0 is none that anybody listens on."""


class PortCount(NamedTuple):
    """Bounds on the number of different ports; the same where it is known."""

    least: int
    most: int

    def __str__(self) -> str:
        return f"{self.least:,}" if self.least == self.most else f"at least {self.least:,}"


ONE_PORT = PortCount(1, 1)


def count_ports(flows: Iterable[DistinctFlow]) -> PortCount:
    """Different ports of some flows.

    A remainder (`DistinctFlow.folded_ports`) tells how many ports it stands for and not which.  Those of its kind
    that were kept apart have other ports than it; those of other kinds may have the same.
    """
    ports: set[int] = set()
    by_kind: dict[tuple[object, ...], set[int]] = defaultdict(set)
    rests: list[DistinctFlow] = []
    for flow in flows:
        if flow.folded_ports is not None and flow.port is None:
            rests.append(flow)
        elif flow.port is not None:
            ports.add(flow.port)
            by_kind[_kind(flow)].add(flow.port)
    least, most = len(ports), len(ports)
    for rest in rests:
        folded = rest.folded_ports or 0
        # Where outside addresses were folded too, a port of one that was kept may be one of the others'.
        apart = len(by_kind[_kind(rest)]) if rest.folded_peers is None else 0
        least = max(least, folded + apart)
        most += folded
    return PortCount(least, max(least, min(most, _ALL)))


def _kind(flow: DistinctFlow) -> tuple[object, ...]:
    ends = flow.src, flow.dst
    return (
        *ends,
        flow.node,
        flow.protocol,
        flow.direction,
        flow.verdict,
        flow.reason,
        flow.reason_raw,
        flow.turned,
    )
