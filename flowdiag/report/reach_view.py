"""Who can reach a workload and what it can reach: the answer of ``flowdiag reach``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from msgspec import Struct

from flowdiag.model.event import PORT_PROTOCOLS
from flowdiag.model.words import plural
from flowdiag.report.escape import visible

__all__ = ["Reach", "ReachResult", "render_reach"]

_ALL = ("1-65535",)
_FAMILIES = {
    "0.0.0.0-255.255.255.255": "IPv4",
    "::-ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff": "IPv6",
}


class Reach(Struct, frozen=True, kw_only=True):
    """One peer (``namespace/workload`` or an address range) and the ports that are open, by protocol."""

    peer: str
    ports: dict[str, tuple[str, ...]]
    """Sorted, merged ranges; ``1-65535`` is all."""
    unknown: dict[str, tuple[str, ...]] = {}
    """Ports on which the state does not say, written likewise."""


class ReachResult(Struct, frozen=True, kw_only=True):
    """``flowdiag reach -o json``.  Pairs that are closed on every port are left out."""

    schema: Literal["flowdiag.reach/1"] = "flowdiag.reach/1"
    workload: str
    inbound: tuple[Reach, ...]
    outbound: tuple[Reach, ...]
    inbound_closed: int
    """Workloads of the state that cannot reach it on any port."""
    outbound_closed: int
    notes: tuple[str, ...] = ()
    """What must be known to read the answer, in words."""


def render_reach(result: ReachResult) -> str:
    """Both directions as lists, widest openings first, and what the state leaves open behind them."""
    name = visible(result.workload)
    lines = [*(f"Note: {visible(note)}." for note in result.notes), f"Who can reach {name}"]
    lines += _rows(result.inbound, "nobody")
    lines.append(f"  {plural(result.inbound_closed, 'workload')} cannot")
    lines += ["", f"What {name} can reach"]
    lines += _rows(result.outbound, "nothing")
    lines.append(f"  {plural(result.outbound_closed, 'workload')} cannot be reached from it")
    return "\n".join(lines) + "\n"


def _rows(rows: Sequence[Reach], none: str) -> list[str]:
    lines = _by_ports([(row.peer, row.ports) for row in rows if row.ports]) or [f"  {none}"]
    if unclear := _by_ports([(row.peer, row.unknown) for row in rows if row.unknown]):
        lines += ["  unknown, as the state lacks what decides it:", *(f"  {line}" for line in unclear)]
    return lines


def _by_ports(rows: Sequence[tuple[str, dict[str, tuple[str, ...]]]]) -> list[str]:
    by_ports: dict[str, list[str]] = {}
    for peer, ports in rows:
        by_ports.setdefault(_ports(ports), []).append(_peer(peer))
    lines = []
    for text, peers in sorted(by_ports.items(), key=lambda item: (-len(item[1]), item[0])):
        lines.append(f"  {text}")
        lines.extend(f"    {peer}" for peer in peers)
    return lines


def _peer(peer: str) -> str:
    return f"{peer} (every outside {_FAMILIES[peer]} address)" if peer in _FAMILIES else visible(peer)


def _ports(ports: dict[str, tuple[str, ...]]) -> str:
    if all(ports.get(protocol) == _ALL for protocol in PORT_PROTOCOLS):
        return "every port"
    return "; ".join(
        f"{protocol} {'every port' if ports[protocol] == _ALL else ', '.join(ports[protocol])}"
        for protocol in PORT_PROTOCOLS
        if ports.get(protocol)
    )
