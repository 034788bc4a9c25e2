"""Labels that were written after a refusal: what the state has of them need not be what was then, and may mend it."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec.structs import replace

from flowdiag.diagnose.caching import cached_per_run
from flowdiag.diagnose.case import Case
from flowdiag.diagnose.context import Context
from flowdiag.model.endpoint import Endpoint
from flowdiag.model.objects import ManagedWrite
from flowdiag.model.time import NS, moment_text

__all__ = ["as_now", "label_times", "label_writes", "written_since"]

_OF_NAMESPACE = "k8s:io.cilium.k8s.namespace.labels."


def label_times(case: Case) -> list[str]:
    """Write sentences about ends whose labels at the time of the flow are not certain."""
    return [
        f"The labels of {name} were last written at {moment_text(at)}, after these refusals began: they may have been "
        "others then."
        for name, at in label_writes(case)
    ]


def label_writes(case: Case) -> list[tuple[str, int]]:
    """Whose labels were written after the flow's first record, and when, where these are what the enforcer goes by."""
    first = case.flow.first
    if first is None:
        return []
    identities = case.context.by_identity
    return [
        (name, at)
        for end in (case.flow.src, case.flow.dst)
        for name, at in _writes(case.context, end)
        if at > first and not (identities and _in_record(end, name))
    ]


def _in_record(end: Endpoint, name: str) -> bool:
    """Whether the record carries what Cilium decided by: the pod's labels, and those of its namespace if not shortened."""
    prefix = _OF_NAMESPACE if name.startswith("namespace ") else ""
    return any(key.startswith(prefix) for key, _ in end.identity_labels or ())


def written_since(case: Case, end: Endpoint) -> bool:
    """Whether labels of an end's pod or namespace were written after the last of the flow's records."""
    last = case.flow.last
    return last is not None and any(at > last for _, at in _writes(case.context, end))


def as_now(case: Case) -> Case:
    """The case with the ends as they are labelled now, where that was written since and records carry older labels."""
    flow = case.flow
    src, dst = (
        _without_identity(case.context, end) if end.identity_labels and written_since(case, end) else end
        for end in (flow.src, flow.dst)
    )
    if src is flow.src and dst is flow.dst:
        return case
    return Case(case.context, replace(flow, src=src, dst=dst), case.decision, case.at)


@cached_per_run
def _without_identity(context: Context, end: Endpoint) -> Endpoint:
    del context
    return replace(end, identity=None, identity_labels=None)


@cached_per_run
def _writes(context: Context, end: Endpoint) -> tuple[tuple[str, int], ...]:
    """When labels of the pod and of the namespace were last written, where no log tells what they were before."""
    pod = end.pod
    namespace = context.snapshot.namespaces.get(end.namespace or "")
    found: list[tuple[str, int]] = []
    if pod is not None and not pod.host_network and not pod.labels_before:
        found += ((f"pod {pod.namespace}/{pod.name}", at) for at in _later(pod.managed, pod.created))
    if namespace is not None and not namespace.labels_before:
        found += ((f"namespace {namespace.name}", at) for at in _later(namespace.managed, namespace.created))
    return tuple(found)


def _later(managed: tuple[ManagedWrite, ...], created: int | None) -> Iterator[int]:
    """The last write of labels, unless it is the object's creation."""
    moments = [
        one.at for one in managed if one.at is not None and "labels" in one.fields and not one.subresource
    ]
    last = max(moments, default=None)
    if last is not None and (created is None or last > created + NS):
        yield last
