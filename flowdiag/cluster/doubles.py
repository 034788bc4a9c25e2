"""Addresses that two living pods claim, so that the address does not tell whose traffic it was."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator

from flowdiag.cluster.manifests import StateProblem
from flowdiag.model.objects import Pod

__all__ = ["owned_twice"]

_NAMED = 3
"""Pods of one address that are named; the rest is counted."""


def owned_twice(pods: Iterable[Pod]) -> Iterator[StateProblem]:
    """Yield one problem for each address that several live pods have, at the last of them to be read.

    A network gives an address to one pod at a time, so the dump spans a restart or mixes clusters. Pods on
    the host's network share the node's address by design, as networks that users define may have the same ranges, and
    templates have none.
    """
    owners: dict[str, list[Pod]] = defaultdict(list)
    for pod in pods:
        if pod.live and not pod.host_network and not pod.template and pod.deleted is None:
            for ip in dict.fromkeys(ip for ip in pod.ips if ip not in pod.own_ips):
                owners[ip].append(pod)
    for ip, claimants in sorted((ip, own) for ip, own in owners.items() if len(own) > 1):
        origin = claimants[-1].origin
        names = [
            f"{pod.namespace}/{pod.name}{f' at {pod.origin.input}:{pod.origin.line}' if pod.origin else ''}"
            for pod in claimants[:_NAMED]
        ]
        more = len(claimants) - len(names)
        yield StateProblem(
            code="address-owned-twice",
            message=f"{ip} belongs to {len(claimants)} live pods, and its traffic may be any one's: "
            + ", ".join(names)
            + (f" and {more} more" if more else ""),
            input=origin.input if origin is not None else "",
            line=origin.line if origin is not None else None,
            note=True,
        )
