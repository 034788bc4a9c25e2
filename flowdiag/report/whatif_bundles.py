"""Pairs of ends with equal changes, bundled as a person reads them: these to those, on such ports.

A policy that isolates one workload changes its pair with every other; said one by one nobody reads it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from ipaddress import ip_address

from msgspec import Struct

from flowdiag.model.event import PORT_PROTOCOLS
from flowdiag.report.query_types import WhatifResult

__all__ = ["Bundle", "bundles", "doubtful_bundles", "pairs_in"]

_ALL = ((1, 65535),)
_WHOLE = {
    "0.0.0.0-255.255.255.255": "any outside IPv4 address",
    "::-ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff": "any outside IPv6 address",
}
_ANY = "any outside address"

_Spans = tuple[tuple[int, int], ...]
_Ports = tuple[tuple[str, _Spans], ...]
_Texts = Mapping[str, Iterable[str]]
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


def pairs_in(found: Iterable[Bundle]) -> int:
    """How many pairs of ends these are, as they are listed: all addresses outside are one end."""
    return sum(one.size for one in found)


def bundles(result: WhatifResult, *, opened: bool) -> list[Bundle]:
    """What opens, or what closes; the largest first.

    A pair that gains some ports and loses others stands in both.
    """
    return _bundled(_surely(result, opened=opened))


def doubtful_bundles(result: WhatifResult, *, became: bool) -> list[Bundle]:
    """Ports that the policies could decide and can no more, or the other way round; the largest first."""
    return _bundled(_doubtful(result, became=became))


_Pair = tuple[str, str, _Ports]


def _surely(result: WhatifResult, *, opened: bool) -> Iterator[_Pair]:
    doubt = {(one.src, one.dst): one for one in result.unknown}
    for change in (*result.connections, *result.connections_v6):
        more, less = (change.new, change.old) if opened else (change.old, change.new)
        ports = _difference(more, less)
        unclear = doubt.get((change.src, change.dst))
        if unclear is not None:
            # What is unknown on the other side is not known to open or to close.
            ports = _without(ports, unclear.old if opened else unclear.new)
        if ports:
            yield change.src, change.dst, ports


def _doubtful(result: WhatifResult, *, became: bool) -> Iterator[_Pair]:
    for change in result.unknown:
        more, less = (change.new, change.old) if became else (change.old, change.new)
        ports = _difference(more, less)
        if ports:
            yield change.src, change.dst, ports


def _bundled(found: Iterable[_Pair]) -> list[Bundle]:
    by_ports: dict[_Ports, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    for src, dst, ports in found:
        by_ports[ports][src].add(dst)
    listed = [
        Bundle(_peers(sources), _peers(destinations), _ports_text(ports))
        for ports, reach in by_ports.items()
        for sources, destinations in _rectangles(reach)
    ]
    return sorted(listed, key=lambda one: (-one.size, one.sources, one.destinations, one.ports))


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


def _difference(more: _Texts, less: _Texts) -> _Ports:
    return _without(tuple((protocol, _spans(more[protocol])) for protocol in more), less)


def _without(ports: _Ports, less: _Texts) -> _Ports:
    left = [(protocol, _minus(spans, _spans(less.get(protocol, ())))) for protocol, spans in ports]
    order = sorted(left, key=lambda one: (one[0] not in PORT_PROTOCOLS, one[0]))
    return tuple((protocol, spans) for protocol, spans in order if spans)


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
    if [protocol for protocol, _ in ports if protocol in PORT_PROTOCOLS] == sorted(PORT_PROTOCOLS) and all(
        spans == _ALL for _, spans in ports
    ):
        return "every port"
    by_protocol = dict(ports)
    return "; ".join(
        f"{protocol} {'every port' if by_protocol[protocol] == _ALL else _texts(by_protocol[protocol])}"
        for protocol in (*PORT_PROTOCOLS, *sorted(set(by_protocol) - set(PORT_PROTOCOLS)))
        if protocol in by_protocol
    )


def _texts(spans: _Spans) -> str:
    return ", ".join(str(low) if low == high else f"{low}-{high}" for low, high in spans)
