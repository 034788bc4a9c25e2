"""Pairs of ends with equal changes, bundled as a person reads them: these to those, on such ports.

A policy that isolates one workload changes its pair with every other; said one by one nobody reads it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from ipaddress import ip_address

from msgspec import Struct

from flowdiag.report.query_types import ConnectionChange, WhatifResult

__all__ = ["Bundle", "bundles", "pairs", "peer_text"]

_ALL = ((1, 65535),)
_PROTOCOLS = ("TCP", "UDP", "SCTP")
_WHOLE = {
    "0.0.0.0-255.255.255.255": "any outside IPv4 address",
    "::-ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff": "any outside IPv6 address",
}
_ANY = "any outside address"

_Spans = tuple[tuple[int, int], ...]
_Ports = tuple[tuple[str, _Spans], ...]
_Sides = tuple[tuple[str, ...], tuple[str, ...]]


class Bundle(Struct, frozen=True):
    """Every one of `sources` to every one of `destinations`, on the same ports."""

    sources: tuple[str, ...]
    destinations: tuple[str, ...]
    ports: str

    @property
    def size(self) -> int:
        """Pairs of ends."""
        return len(self.sources) * len(self.destinations)


def pairs(result: WhatifResult, *, opened: bool) -> int:
    """How many pairs of ends gain (or lose) a port."""
    return sum(bool(_difference(change, opened=opened)) for change in _every(result))


def bundles(result: WhatifResult, *, opened: bool) -> list[Bundle]:
    """What opens, or what closes; the largest first.

    A pair that gains some ports and loses others stands in both.
    """
    by_ports: dict[_Ports, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    for change in _every(result):
        ports = _difference(change, opened=opened)
        if ports:
            by_ports[ports][change.src].add(change.dst)
    found = [
        Bundle(_peers(sources), _peers(destinations), _ports_text(ports))
        for ports, reach in by_ports.items()
        for sources, destinations in _rectangles(reach)
    ]
    return sorted(found, key=lambda one: (-one.size, one.sources, one.destinations, one.ports))


def _every(result: WhatifResult) -> Iterator[ConnectionChange]:
    yield from result.connections
    yield from result.connections_v6


def _rectangles(reach: dict[str, set[str]]) -> list[_Sides]:
    """The pairs as sources times destinations: by equal destinations or by equal sources, whichever is shorter."""
    back: dict[str, set[str]] = defaultdict(set)
    for source, destinations in reach.items():
        for destination in destinations:
            back[destination].add(source)
    forward = _alike(reach)
    backward = [(others, own) for own, others in _alike(back)]
    return forward if len(forward) <= len(backward) else backward


def _alike(reach: dict[str, set[str]]) -> list[_Sides]:
    own: dict[tuple[str, ...], list[str]] = defaultdict(list)
    for name, others in reach.items():
        own[tuple(sorted(others))].append(name)
    return [(tuple(sorted(names)), others) for others, names in own.items()]


# --- ends ---------------------------------------------------------------------------------------------


def _peers(names: Iterable[str]) -> tuple[str, ...]:
    """Workloads by name, then outside ranges; both whole families as one."""
    # Only workloads have a slash: outside ends are written first-last.
    order = sorted(set(names), key=lambda name: ("/" not in name, name in _WHOLE, name))
    shown = [peer_text(name) for name in order]
    families = set(_WHOLE.values())
    if families <= set(shown):
        shown = [*(text for text in shown if text not in families), _ANY]
    return tuple(shown)


def peer_text(name: str) -> str:
    """An end as a person writes it: a range that is one network as that network."""
    if name in _WHOLE:
        return _WHOLE[name]
    first, dash, last = name.partition("-")
    if not dash or "/" in name:
        return name
    try:
        low, high = ip_address(first), ip_address(last)
    except ValueError:
        return name
    size = int(high) - int(low) + 1
    if size == 1:
        return first
    if low.version != high.version or size < 1 or size & (size - 1) or int(low) % size:
        return name
    return f"{first}/{low.max_prefixlen - size.bit_length() + 1}"


# --- ports --------------------------------------------------------------------------------------------


def _difference(change: ConnectionChange, *, opened: bool) -> _Ports:
    more, less = (change.new, change.old) if opened else (change.old, change.new)
    found = []
    for protocol in sorted(more, key=lambda name: (name not in _PROTOCOLS, name)):
        left = _minus(_spans(more[protocol]), _spans(less.get(protocol, ())))
        if left:
            found.append((protocol, left))
    return tuple(found)


def _spans(texts: Iterable[str]) -> _Spans:
    """``80``, ``443-445`` as the contract writes them: sorted, apart."""
    spans = []
    for text in texts:
        low, _, high = text.partition("-")
        spans.append((int(low), int(high or low)))
    return tuple(spans)


def _minus(spans: _Spans, others: _Spans) -> _Spans:
    left: list[tuple[int, int]] = []
    for low, high in spans:
        at = low
        for other_low, other_high in others:
            if other_high < at or other_low > high:
                continue
            if other_low > at:
                left.append((at, other_low - 1))
            at = other_high + 1
        if at <= high:
            left.append((at, high))
    return tuple(left)


def _ports_text(ports: _Ports) -> str:
    """``TCP 80, 443-445; UDP every port``; ``every port`` where it is so for all three protocols."""
    if [protocol for protocol, _ in ports if protocol in _PROTOCOLS] == sorted(_PROTOCOLS) and all(
        spans == _ALL for _, spans in ports
    ):
        return "every port"
    by_protocol = dict(ports)
    return "; ".join(
        f"{protocol} {'every port' if by_protocol[protocol] == _ALL else _texts(by_protocol[protocol])}"
        for protocol in (*_PROTOCOLS, *sorted(set(by_protocol) - set(_PROTOCOLS)))
        if protocol in by_protocol
    )


def _texts(spans: _Spans) -> str:
    return ", ".join(str(low) if low == high else f"{low}-{high}" for low, high in spans)
