"""What of a state has an address in a range: pods, nodes and Services."""

from __future__ import annotations

from msgspec import Struct

from flowdiag.cluster.addresses import Network
from flowdiag.cluster.leases import Leases
from flowdiag.model.endpoint import Endpoint, EndpointKind
from flowdiag.model.errors import InputError
from flowdiag.model.words import plural

__all__ = ["Held", "held_in"]

_SHOWN = 5


class Held(Struct, frozen=True, kw_only=True):
    """Who has addresses in a range."""

    ends: tuple[Endpoint, ...]
    """Pods and nodes, each once, by address."""
    addresses: tuple[int, ...]
    """The addresses that they have in it, sorted."""
    pod_ranges: tuple[Network, ...]
    """Ranges that nodes give to their pods: what nobody has there is free, and not outside."""

    @property
    def text(self) -> str:
        """``2 pods and 1 node``."""
        nodes = sum(end.kind is EndpointKind.NODE for end in self.ends)
        counts = (
            (len(self.ends) - nodes, "pod"),
            (nodes, "node"),
        )
        return " and ".join(plural(count, word) for count, word in counts if count)


def held_in(network: Network, leases: Leases) -> Held:
    """Find who has addresses in a range now.

    Raises:
        InputError: an address is claimed by several pods; or only Services have addresses there, which policies
            see as the pods behind them.
    """
    ends: dict[tuple[EndpointKind, str | None, str | None], Endpoint] = {}
    services: dict[str, None] = {}
    addresses: list[int] = []
    for number, address in leases.addresses_in(network):
        owner = leases.owner(address, None)
        if owner.kind is EndpointKind.SERVICE:
            services[f"svc:{owner.namespace}/{owner.name}"] = None
            continue
        if owner.kind is EndpointKind.UNKNOWN and len(owner.candidates) > 1:
            raise InputError(
                f"{address} of {network} is claimed by several pods: {', '.join(owner.candidates[:_SHOWN])}",
                hint="ask for one of them by name",
            )
        gone = owner.pod is not None and not owner.pod.live
        if gone or owner.kind not in (EndpointKind.POD, EndpointKind.WORKLOAD, EndpointKind.NODE):
            continue
        addresses.append(number)
        ends.setdefault((owner.kind, owner.namespace, owner.name or owner.ip), owner)
    if services and not ends:
        names = list(services)
        more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
        raise InputError(
            f"{network} holds addresses of Services, which policies see as the pods behind them",
            hint=f"ask for {', '.join(names[:_SHOWN])}{more}",
        )
    return Held(
        ends=tuple(ends.values()),
        addresses=tuple(addresses),
        pod_ranges=tuple(one for one in leases.pod_ranges if one.version == network.version),
    )
