"""Who can reach a workload and what it can reach: the answer of ``flowdiag reach``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from msgspec import Struct

from flowdiag.report.escape import visible

__all__ = ["Reach", "ReachResult", "render_reach"]

_ALL = ("1-65535",)
_PROTOCOLS = ("TCP", "UDP", "SCTP")


class Reach(Struct, frozen=True, kw_only=True):
    """One peer (``namespace/workload`` or an address range) and the ports that are open, by protocol."""

    peer: str
    ports: dict[str, tuple[str, ...]]
    """Sorted, merged ranges; ``1-65535`` is all."""


class ReachResult(Struct, frozen=True, kw_only=True):
    """``flowdiag reach -o json``.  Pairs without an open port are left out; unknown ports count as closed."""

    schema: Literal["flowdiag.reach/1"] = "flowdiag.reach/1"
    workload: str
    inbound: tuple[Reach, ...]
    outbound: tuple[Reach, ...]
    inbound_closed: int
    """Workloads of the state that cannot reach it on any port."""
    outbound_closed: int


def render_reach(result: ReachResult) -> str:
    """Both directions as lists, widest openings first."""
    name = visible(result.workload)
    lines = [f"Who can reach {name}"]
    lines += _rows(result.inbound, "nobody")
    lines.append(f"  {result.inbound_closed} workloads cannot")
    lines += ["", f"What {name} can reach"]
    lines += _rows(result.outbound, "nothing")
    lines.append(f"  {result.outbound_closed} workloads it cannot")
    return "\n".join(lines) + "\n"


def _rows(rows: Sequence[Reach], none: str) -> list[str]:
    if not rows:
        return [f"  {none}"]
    by_ports: dict[str, list[str]] = {}
    for row in rows:
        by_ports.setdefault(_ports(row.ports), []).append(visible(row.peer))
    lines = []
    for ports, peers in sorted(by_ports.items(), key=lambda item: (-len(item[1]), item[0])):
        lines.append(f"  {ports}")
        lines.extend(f"    {peer}" for peer in peers)
    return lines


def _ports(ports: dict[str, tuple[str, ...]]) -> str:
    if all(ports.get(protocol) == _ALL for protocol in _PROTOCOLS):
        return "every port"
    return "; ".join(
        f"{protocol} {'every port' if ports[protocol] == _ALL else ', '.join(ports[protocol])}"
        for protocol in _PROTOCOLS
        if ports.get(protocol)
    )
