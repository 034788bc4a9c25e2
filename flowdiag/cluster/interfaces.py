"""Pods by the name of their interface on the host, for packet lines that carry no other name.

Source: Calico's ``VethNameForWorkload``, see `flowdiag.parserkit.interfaces`.  The name is a hash of
namespace and pod, so that it holds where the address does not: after address translation, when the address
has a new owner, and when the pod is gone but its name is known from a component's log.
"""

from __future__ import annotations

from collections.abc import Iterable

from flowdiag.model.objects import Snapshot
from flowdiag.parserkit.interfaces import interface_name, is_workload_interface

__all__ = ["InterfaceIndex"]

_PREFIX = "cali"
_DIGITS = 11


class InterfaceIndex:
    """Names of pods by the hash in their interface's name; made when the first is asked for.

    Args:
        snapshot: its pods, those that ended too.
        names: (namespace, pod) that the evidence names beside.
    """

    def __init__(self, snapshot: Snapshot, names: Iterable[tuple[str, str]] = ()) -> None:
        self._snapshot = snapshot
        self._names = tuple(names)
        self._by_hash: dict[str, tuple[str, str] | None] | None = None

    def pod(self, interface: str | None) -> tuple[str, str] | None:
        """(namespace, name) of the pod behind an interface; ``None`` where it is no pod's, or not a known one's."""
        if interface is None or not is_workload_interface(interface):
            return None
        if self._by_hash is None:
            self._by_hash = self._built()
        return self._by_hash.get(interface[-_DIGITS:])

    def _built(self) -> dict[str, tuple[str, str] | None]:
        names = {
            (pod.namespace, pod.name)
            for pod in self._snapshot.pods
            if not pod.template and not pod.host_network
        }
        found: dict[str, tuple[str, str] | None] = {}
        for name in sorted(names.union(self._names)):
            digest = interface_name(*name, prefix=_PREFIX)[-_DIGITS:]
            # Where two names have the same hash (44 bits, so it hardly happens), neither is given, as it may be the
            # wrong one.
            found[digest] = None if digest in found else name
        return found
