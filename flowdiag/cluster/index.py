"""Tables over a `Snapshot`, built once: pods by name, namespace, label pair and workload; backends of Services."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

from msgspec import Struct

from flowdiag.model.event import WorkloadRef
from flowdiag.model.objects import EndpointSlice, Pod, Service, ServicePort, Snapshot, WorkloadObject

__all__ = ["Backend", "SnapshotIndex", "target_port", "target_ports"]


class Backend(Struct, frozen=True):
    """A pod behind a Service and the port on it; `port` is None where the pod does not name it."""

    pod: Pod
    port: int | None


class SnapshotIndex:
    """Read-only tables over one snapshot; building is linear in its objects and labels."""

    def __init__(self, snapshot: Snapshot) -> None:
        self.snapshot = snapshot
        self.by_name: dict[tuple[str, str], list[Pod]] = defaultdict(list)
        self.by_namespace: dict[str, list[Pod]] = defaultdict(list)
        self.by_workload: dict[tuple[str, WorkloadRef], list[Pod]] = defaultdict(list)
        self._by_label: dict[tuple[str, str, str], list[Pod]] = defaultdict(list)
        for pod in snapshot.pods:
            self.by_name[(pod.namespace, pod.name)].append(pod)
            self.by_namespace[pod.namespace].append(pod)
            if pod.workload is not None:
                self.by_workload[(pod.namespace, pod.workload)].append(pod)
            for key, value in pod.labels.items():
                self._by_label[(pod.namespace, key, value)].append(pod)
        self.services = {(one.namespace, one.name): one for one in snapshot.services}
        self.workloads: dict[tuple[str, str, str], WorkloadObject] = {
            (one.kind, one.namespace, one.name): one for one in snapshot.workloads
        }
        self.owners: dict[tuple[str, str], WorkloadRef] = {
            (namespace, ref.name): ref for namespace, ref in self.by_workload
        }
        self._slices: dict[tuple[str, str], list[EndpointSlice]] = defaultdict(list)
        for piece in snapshot.endpoint_slices:
            self._slices[(piece.namespace, piece.service)].append(piece)

    def pod(self, namespace: str, name: str) -> Pod | None:
        """The pod of this name (not a template), a live one before a finished one."""
        found = [pod for pod in self.by_name.get((namespace, name), ()) if not pod.template]
        return min(found, key=lambda pod: (not pod.live, pod.kind != "Pod"), default=None)

    def selected(self, namespace: str, labels: Mapping[str, str]) -> list[Pod]:
        """The namespace's live pods (templates too) that carry all of `labels`."""
        if not labels:
            return [pod for pod in self.by_namespace.get(namespace, ()) if pod.live]
        lists = [self._by_label.get((namespace, key, value), []) for key, value in labels.items()]
        fewest = min(lists, key=len)
        return [
            pod
            for pod in fewest
            if pod.live and all(pod.labels.get(key) == value for key, value in labels.items())
        ]

    def service_pods(self, service: Service) -> list[Pod]:
        """The live pods behind a Service: by its selector, else by its endpoint slices."""
        if service.selector:
            return self.selected(service.namespace, service.selector)
        names = {
            name
            for piece in self._slices.get((service.namespace, service.name), ())
            for name in piece.pods
            if name
        }
        found = (self.pod(*name.split("/", 1)) for name in sorted(names))
        return [pod for pod in found if pod is not None]

    def service_addresses(self, service: Service, entry: ServicePort | None) -> dict[str, int | None]:
        """Addresses in a Service's endpoint slices, each with the port that traffic to `entry` arrives at.

        The slice's port of the same name counts; a slice that lists no ports has the Service's target.
        """
        found: dict[str, int | None] = {}
        for piece in self._slices.get((service.namespace, service.name), ()):
            port = None
            if entry is not None:
                named = (
                    one.port
                    for one in piece.ports
                    if one.protocol == entry.protocol and (one.name or None) == (entry.name or None)
                )
                port = next(
                    named, entry.target if isinstance(entry.target, int) and not piece.ports else None
                )
            for address in piece.addresses:
                found[address] = found.get(address) or port
        return found

    @staticmethod
    def service_port(service: Service, port: int | str | None, protocol: str | None) -> ServicePort | None:
        """The Service's port by number or name; None where it has no such port."""
        wanted = (protocol or "TCP").upper()
        for one in service.ports:
            if one.protocol == wanted and port in (one.port, one.name):
                return one
        return None

    def backends(self, service: Service, port: int | str | None, protocol: str | None) -> tuple[Backend, ...]:
        """The pods behind a Service with the port that traffic to `port` arrives at.

        The port of a Service without such a port is None on every backend.
        """
        entry = self.service_port(service, port, protocol)
        return tuple(Backend(pod, target_port(pod, entry)) for pod in self.service_pods(service))


def target_ports(pod: Pod, service: Service, port: int, protocol: str | None) -> set[int | None]:
    """Where traffic to a Service's port arrives on `pod`; empty where it has no such port, ``None`` for a name that the pod lacks."""
    return {target_port(pod, one) for one in service.ports if one.port == port and one.protocol == protocol}


def target_port(pod: Pod, entry: ServicePort | None) -> int | None:
    """The number of a Service port's target on `pod`; a name is looked up among the pod's ports."""
    if entry is None:
        return None
    if isinstance(entry.target, int):
        return entry.target
    return next(
        (one.port for one in pod.ports if one.name == entry.target and one.protocol == entry.protocol), None
    )
