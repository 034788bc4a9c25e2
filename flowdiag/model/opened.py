"""What a change opens besides, by pair: a pair that is opened on several protocols is one pair, not several."""

from __future__ import annotations

from collections.abc import Iterable

from flowdiag.model.event import PORT_PROTOCOLS
from flowdiag.model.problem import BlastRadius

__all__ = ["Pair", "opened_pairs"]

Pair = tuple[str, str, str]
"""Source, destination, and the ports of all protocols: ``80,443/TCP, 53/UDP``."""


def opened_pairs(radius: Iterable[BlastRadius]) -> list[Pair]:
    """Each pair once, in the order given, its protocols as people expect them: TCP, UDP, SCTP."""
    found: dict[tuple[str, str], list[BlastRadius]] = {}
    for one in radius:
        found.setdefault((one.src, one.dst), []).append(one)
    return [
        (src, dst, ", ".join(f"{','.join(one.ports)}/{one.protocol}" for one in sorted(ones, key=_place)))
        for (src, dst), ones in found.items()
    ]


def _place(one: BlastRadius) -> tuple[int, str]:
    known = one.protocol in PORT_PROTOCOLS
    return (PORT_PROTOCOLS.index(one.protocol) if known else len(PORT_PROTOCOLS), one.protocol)
