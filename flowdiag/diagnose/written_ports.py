"""The ports of a rule as its policy writes them, in the wording of each kind."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from msgspec import Struct

from flowdiag.diagnose.case import Case
from flowdiag.diagnose.spec import objects, once, rule_at
from flowdiag.model.cilium import POLICY_KINDS
from flowdiag.model.digits import is_digits, whole
from flowdiag.model.event import PORT_PROTOCOLS
from flowdiag.model.policy import CALICO_GROUPS, KUBERNETES_GROUPS, NearestRule
from flowdiag.policy.names_controller import FQDN_POLICY

__all__ = ["PortText", "admits_port", "port_texts"]

# What a port of a Cilium rule is for that names no protocol, or ANY; never ICMP.
_CILIUM_ANY = PORT_PROTOCOLS


class PortText(Struct, frozen=True):
    """One entry of ``ports``; `port` is ``None`` for every port of the protocol."""

    protocol: str
    port: int | str | None
    end: int | None = None

    def has(self, port: int) -> bool:
        """Whether a number is within it."""
        if self.port is None:
            return True
        if isinstance(self.port, str):
            return False
        return self.port <= port <= (self.end or self.port)


@once
def port_texts(case: Case, rule: NearestRule) -> tuple[PortText, ...] | None:
    """Read the rule's ports; empty is every port, ``None`` is not known."""
    raw = rule_at(case, rule)
    if raw is None:
        return None
    if rule.policy.kind in POLICY_KINDS:
        return tuple(
            text
            for group in objects(raw.get("toPorts"))
            for entry in objects(group.get("ports"))
            for text in _port_text(entry, absent=_CILIUM_ANY)
        )
    if rule.policy.group in CALICO_GROUPS:
        return tuple(_calico_ports(raw))
    of_gke = (rule.policy.group, rule.policy.kind) == FQDN_POLICY
    if of_gke or (rule.policy.kind == "NetworkPolicy" and rule.policy.group in KUBERNETES_GROUPS):
        absent = PORT_PROTOCOLS if of_gke else ("TCP",)
        return tuple(text for entry in objects(raw.get("ports")) for text in _port_text(entry, absent=absent))
    return None


def admits_port(case: Case, place: NearestRule) -> bool:
    """Whether a rule has the refused port among its own, or may have it (a named one)."""
    ports = port_texts(case, place)
    if not ports or case.protocol is None:
        return True
    if case.port is None:
        return case.protocol in PORT_PROTOCOLS
    return any(
        one.protocol == case.protocol and (isinstance(one.port, str) or one.has(case.port)) for one in ports
    )


def _port_text(entry: dict[str, Any], *, absent: tuple[str, ...]) -> Iterator[PortText]:
    port, end = entry.get("port"), entry.get("endPort")
    number = whole(port) if isinstance(port, str) and is_digits(port) else port
    protocol = str(entry.get("protocol") or "").upper()
    for each in absent if protocol in ("", "ANY", "ALL") else (protocol,):
        yield PortText(
            each,
            number if isinstance(number, int | str) and not isinstance(number, bool) else None,
            end if isinstance(end, int) else None,
        )


def _calico_ports(raw: dict[str, Any]) -> Iterator[PortText]:
    protocol = str(raw.get("protocol") or "TCP").upper()
    side = raw.get("destination")
    for port in (side.get("ports") if isinstance(side, dict) else None) or ():
        if isinstance(port, bool) or not isinstance(port, int | str):
            continue
        first, colon, last = str(port).partition(":")
        if is_digits(first) and (is_digits(last) or not colon):
            yield PortText(protocol, whole(first), whole(last) if colon else None)
        elif isinstance(port, str):
            yield PortText(protocol, port)
