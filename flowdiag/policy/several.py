"""A connection's two ends put together: at a port, and where one question stands for several.

A port's name stands for the numbers that the destination declares for it; a protocol or a port that is not
told may be any.
"""

from __future__ import annotations

import re

from msgspec import Struct
from msgspec.structs import replace

from flowdiag.model.event import PORT_PROTOCOLS, Direction
from flowdiag.model.objects import Service
from flowdiag.model.policy import Condition, ConnectionDecision, EndDecision
from flowdiag.policy.end_policies import EndPolicies
from flowdiag.policy.facts import OUTSIDE, Facts
from flowdiag.policy.model import Traffic
from flowdiag.policy.ports import PortSet
from flowdiag.policy.reach import port_verdicts
from flowdiag.policy.traffic import declared

__all__ = ["Asked", "any_port", "at_name", "at_number"]

_SHOWN = 12
"""Ranges of ports that a sentence names."""


class Asked(Struct, frozen=True):
    """A question about a connection that may stand for several; all but the port, as `PolicySet.evaluate` has it."""

    source: Facts
    destination: Facts
    protocol: str | None
    at: int | None
    walk: bool
    nearest: bool | Direction


def at_number(
    policies: EndPolicies,
    source: Facts,
    destination: Facts,
    traffic: Traffic,
    at: int | None,
    walk: bool,
    nearest: bool | Direction,
) -> ConnectionDecision:
    """Decide for one protocol and port."""
    outward, inward = (
        (nearest, nearest)
        if isinstance(nearest, bool)
        else (nearest is Direction.EGRESS, nearest is Direction.INGRESS)
    )
    egress = policies.end(Direction.EGRESS, source, destination, traffic, at, walk, outward)
    arriving = (
        traffic if destination.service is None else _translated(traffic, destination, destination.service)
    )
    ingress = policies.end(Direction.INGRESS, destination, source, arriving, at, walk, inward)
    return ConnectionDecision(allowed=_both(egress, ingress), egress=egress, ingress=ingress)


def _translated(traffic: Traffic, destination: Facts, service: Service) -> Traffic:
    """The traffic with the pod's port for the Service's, ``None`` where it is not known."""
    for entry in service.ports:
        if (entry.port, entry.protocol) == (traffic.port, traffic.protocol):
            if isinstance(entry.target, int):
                return replace(traffic, port=entry.target)
            spans = tuple(declared(destination, entry.target, entry.protocol) or ())
            return replace(traffic, port=spans[0][0] if spans else None)
    return traffic


def _both(egress: EndDecision | None, ingress: EndDecision | None) -> bool | None:
    """Give the verdict of a connection: both ends must allow it."""
    verdicts = [end.allowed for end in (egress, ingress) if end is not None]
    if False in verdicts:
        return False
    return None if None in verdicts else True


def at_name(policies: EndPolicies, asked: Asked, name: str) -> ConnectionDecision:
    """Decide for a port's name: as for the numbers that the destination declares for it, where these agree."""
    destination, protocol = asked.destination, asked.protocol
    if not declared(destination, name, protocol):
        return _nowhere(policies, asked, name)
    protocols = (
        [protocol]
        if protocol is not None
        else sorted({each.protocol for each in destination.ports or () if each.name == name})
    )
    decisions = [
        at_number(
            policies,
            asked.source,
            destination,
            policies.traffic(each, number, None, None),
            asked.at,
            asked.walk,
            asked.nearest,
        )
        for each in protocols
        for low, high in (declared(destination, name, each) or ())
        for number in range(low, high + 1)
    ]
    return _agree(decisions, f"port {name} stands for several ports that differ")


def _nowhere(policies: EndPolicies, asked: Asked, name: str) -> ConnectionDecision:
    """Decide for a port's name that the destination is not known to declare: as for all ports, if they have one verdict.

    That verdict then holds whatever number the name means; rules that name the port match nothing.
    """
    why = _undeclared(asked.destination, name, asked.protocol)
    decision = any_port(policies, asked, None)
    ends = [
        end if end is None or end.allowed is not None else replace(end, unknown=(why,))
        for end in (decision.egress, decision.ingress)
    ]
    return ConnectionDecision(allowed=decision.allowed, egress=ends[0], ingress=ends[1], nowhere=why)


def _undeclared(destination: Facts, name: str, protocol: str | None) -> str:
    """Say that a port's name is not declared, and what is."""
    what = f"{protocol} port" if protocol is not None else "port"
    if destination.kind in OUTSIDE or destination.kind == "node":
        return f"{destination.text} has no ports by name, so {name} is none of them"
    if destination.ports is None:
        return f"the ports of {destination.text} are not known, so it cannot be told which one is {name}"
    have = ", ".join(
        dict.fromkeys(
            f"{port.port}/{port.protocol}" + (f" {port.name}" if port.name else "")
            for port in destination.ports
        )
    )
    return f"{destination.text} declares no {what} called {name}; it declares {have or 'no ports at all'}"


def any_port(policies: EndPolicies, asked: Asked, port: int | None) -> ConnectionDecision:
    """Decide for every protocol and port that the question leaves open: allowed only if all are.

    Where they differ the verdict is unknown, and the ranges are told.
    """
    protocols = PORT_PROTOCOLS if asked.protocol is None else (asked.protocol,)
    ends: list[EndDecision | None] = []
    for direction, subject, peer in (
        (Direction.EGRESS, asked.source, asked.destination),
        (Direction.INGRESS, asked.destination, asked.source),
    ):
        if subject.kind in OUTSIDE or subject.elsewhere:
            ends.append(None)
            continue
        probes: list[tuple[str, int, int]] = []
        told: dict[str, list[tuple[int, int, bool | None]]] = {}
        for each in protocols:
            spans = told[each] = port_verdicts(policies, direction, subject, peer, each, asked.at)
            if port is not None:
                probes.append((each, port, port))
            else:
                first = {verdict: (low, high) for low, high, verdict in reversed(spans)}
                probes.extend((each, low, high) for low, high in sorted(first.values()))
        nearest = asked.nearest in (True, direction)
        found = [
            _of_span(
                policies.end(direction, subject, peer, Traffic(each, low), asked.at, asked.walk, nearest),
                f"{low}/{each}",
                f"{low}-{high}/{each}",
            )
            for each, low, high in probes
        ]
        ends.append(_one_of([each for each in found if each is not None], _differing(told, port)))
    return ConnectionDecision(allowed=_both(ends[0], ends[1]), egress=ends[0], ingress=ends[1])


def _differing(told: dict[str, list[tuple[int, int, bool | None]]], port: int | None) -> str:
    """Say which ports are allowed and of which it is not known, where they differ: ``TCP 53, 8080; UDP 53``."""
    texts = []
    for verdict, word in ((True, "allowed are"), (None, "unknown are")):
        found = []
        for protocol, spans in told.items():
            ports = PortSet((low, high) for low, high, each in spans if each is verdict)
            if port is not None:
                ports &= PortSet.of(port)
            if ports:
                shown = ports.texts()
                more = f" and {len(shown) - _SHOWN} more" if len(shown) > _SHOWN else ""
                found.append(f"{protocol} {', '.join(shown[:_SHOWN])}{more}")
        if found:
            texts.append(f"{word} {'; '.join(found)}")
    return f"ports or protocols differ: {', '.join(texts) or 'none is allowed'}"


def _of_span(end: EndDecision | None, first: str, span: str) -> EndDecision | None:
    """Make a decision that was asked for the first port of a span speak of the whole span."""
    if end is None or first.partition("/")[0] == span.partition("/")[0].partition("-")[2]:
        return end
    return replace(
        end,
        nearest=tuple(
            replace(
                rule,
                misses=tuple(
                    replace(miss, found=span)
                    if miss.condition is Condition.PORT and miss.found == first
                    else miss
                    for miss in rule.misses
                ),
            )
            for rule in end.nearest
        ),
        walk=tuple(
            replace(step, text=re.sub(rf"\bfound {re.escape(first)}\b", f"found {span}", step.text))
            for step in end.walk
        ),
    )


def _one_of(ends: list[EndDecision], why: str) -> EndDecision:
    """One decision for several questions: theirs where they agree, else unknown."""
    first = ends[0]
    if all(each.allowed is first.allowed for each in ends):
        return first
    told = next((each for each in ends if each.allowed is not True), first)
    return EndDecision(
        allowed=None,
        isolated_by=told.isolated_by,
        closed_by=told.closed_by,
        nearest=told.nearest,
        unknown=(why, *told.unknown),
        walk=told.walk,
        uncertain=told.uncertain,
    )


def _agree(decisions: list[ConnectionDecision], why: str) -> ConnectionDecision:
    if len(decisions) == 1:
        return decisions[0]
    egress = [each.egress for each in decisions if each.egress is not None]
    ingress = [each.ingress for each in decisions if each.ingress is not None]
    left = _one_of(egress, why) if egress else None
    right = _one_of(ingress, why) if ingress else None
    return ConnectionDecision(allowed=_both(left, right), egress=left, ingress=right)
