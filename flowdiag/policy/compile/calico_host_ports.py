"""Ports by the names that Calico's host endpoints give them.

Source: projectcalico/calico ``felix/labelindex/named_port_index.go`` (v3.29 to v3.32): a named port is a set of addresses
and numbers, of pods and of host endpoints alike; a rule that names ranges instead of selectors takes all of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from flowdiag.policy.addresses import Network, parse_network
from flowdiag.policy.calico_labels import spec_of
from flowdiag.policy.calico_traffic import HostPort, protocol_name
from flowdiag.policy.compile.context import CompileContext

__all__ = ["host_ports", "networks_of"]


def host_ports(name: str, protocol: str, context: CompileContext) -> tuple[HostPort, ...]:
    """Where host endpoints give a port this name; empty where none does."""
    places = tuple(_places(name, protocol, context))
    return (HostPort(name, protocol, places),) if places else ()


def networks_of(raw: Any) -> list[Network]:
    """Ranges or addresses; one that cannot be read is left out, as Felix does."""
    found = []
    for each in raw if isinstance(raw, list) else ():
        try:
            found.append(parse_network(str(each)))
        except ValueError:
            continue
    return found


def _places(name: str, protocol: str, context: CompileContext) -> Iterator[tuple[int, int]]:
    """Where host endpoints give a port this name, as `HostPort.places`: without ``expectedIPs`` they do so nowhere."""
    for each in context.snapshot.others:
        if each.kind != "HostEndpoint":
            continue
        spec = spec_of(each)
        ports, nets = spec.get("ports"), networks_of(spec.get("expectedIPs"))
        for port in ports if isinstance(ports, list) and nets else ():
            if not isinstance(port, dict) or not isinstance(port.get("port"), int):
                continue
            if port.get("name") == name and protocol_name(port.get("protocol")) == protocol:
                yield context.ranges.bits(nets), port["port"]
