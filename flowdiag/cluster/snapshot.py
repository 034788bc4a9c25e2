"""Several inputs to one `Snapshot`: the newest object of each key, owners resolved, gaps filled and said."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from msgspec import structs

from flowdiag.cluster.asides import FOREIGN_POLICY
from flowdiag.cluster.differences import difference_text
from flowdiag.cluster.doubles import owned_twice
from flowdiag.cluster.gone import ended, stamp
from flowdiag.cluster.manifests import (
    NO_NAMESPACE,
    Entry,
    Manifest,
    StateProblem,
    as_objects,
    read_manifest,
)
from flowdiag.cluster.meta import as_map, string_map
from flowdiag.cluster.workloads import topmost_owner
from flowdiag.model.event import WorkloadRef
from flowdiag.model.objects import (
    NAME_LABEL,
    EndpointSlice,
    Namespace,
    Node,
    Pod,
    PolicyObject,
    RawObject,
    Service,
    Snapshot,
    WorkloadObject,
)
from flowdiag.model.words import plural

__all__ = ["build_snapshot", "merge_manifests"]


def build_snapshot(
    inputs: Iterable[tuple[str, bytes]], state_time: int | None = None
) -> tuple[Snapshot, list[StateProblem]]:
    """Read and merge inputs of cluster objects.

    Args:
        inputs: (name as reports show it, whole content), in the order in which later ones win.
        state_time: when the state was taken, if the caller knows (``--state-time``), nanoseconds;
            else a stamp in a Cilium sysdump's file names is used, else it is unknown.

    Returns:
        The snapshot and what must be said about it, in the order of the inputs.
    """
    return merge_manifests([read_manifest(name, data) for name, data in inputs], state_time)


def merge_manifests(
    manifests: Iterable[Manifest], state_time: int | None = None
) -> tuple[Snapshot, list[StateProblem]]:
    """As `build_snapshot`, from inputs that were read already (perhaps in other processes)."""
    manifests = list(manifests)
    problems = [problem for manifest in manifests for problem in manifest.problems]
    kept, replaced = _newest(manifests, problems)
    _fold_notes(problems)
    gone, said = ended(kept.values(), manifests)
    kept |= gone
    problems.extend(said)
    problems.extend(_several_clusters(manifests))
    objects = [one for entry in kept.values() for one in as_objects(entry.value)]
    workloads = {
        (one.kind, one.namespace, one.name): one for one in objects if isinstance(one, WorkloadObject)
    }
    pods = [_owned(one, workloads) for one in objects if isinstance(one, Pod)]
    pods.extend(_templates(kept.values(), pods, workloads))
    pods.extend(_between_runs(pods))
    problems.extend(owned_twice(pods))
    policies = tuple(one for one in objects if isinstance(one, PolicyObject))
    services = tuple(one for one in objects if isinstance(one, Service))
    others = tuple(one for one in objects if isinstance(one, RawObject))
    seen: frozenset[tuple[str, str]] = frozenset().union(*(manifest.kinds for manifest in manifests))
    return Snapshot(
        pods=tuple(pods),
        workloads=tuple(workloads.values()),
        namespaces=_namespaces(objects, pods, services, policies),
        nodes={one.name: one for one in objects if isinstance(one, Node)},
        services=services,
        endpoint_slices=tuple(one for one in objects if isinstance(one, EndpointSlice)),
        policies=policies,
        earlier=tuple(one for entry in replaced for one in as_objects(entry.value)),
        others=others,
        taken=state_time if state_time is not None else stamp(manifest.input for manifest in manifests),
        sources=tuple(sorted({manifest.input for manifest in manifests if manifest.kinds})),
        kinds_seen=seen,
        unread=frozenset().union(*(manifest.unread for manifest in manifests)) - seen,
        damaged=tuple(f"{one.input}:{one.line}" if one.line else one.input for one in problems if one.hides),
        config=_config(others, workloads.values()),
    ), problems


def _several_clusters(manifests: Iterable[Manifest]) -> Iterable[StateProblem]:
    """Say so where objects of several clusters are read as one's: names and addresses mean other pods in each."""
    places: dict[str, tuple[str, int | None]] = {}
    for manifest in manifests:
        for uid, line in manifest.clusters.items():
            places.setdefault(uid, (manifest.input, line))
    if len(places) < 2:
        return
    named = ", ".join(
        name if line is None else f"{name}:{line}" for name, line in list(places.values())[:_NAMED]
    )
    more = f" and {plural(len(places) - _NAMED, 'more place')}" if len(places) > _NAMED else ""
    last, line = list(places.values())[-1]
    yield StateProblem(
        code="several-clusters",
        message=f"these are objects of {len(places)} clusters, read as if of one (kube-system has another uid in each: "
        f"{named}{more}); read the dump of each cluster by itself",
        input=last,
        line=line,
    )


_NAMED = 3
"""Places that are named; the rest is counted."""
_Key = tuple[str, str, str, str]
"""(group, kind, namespace or "", name)."""


def _newest(manifests: list[Manifest], problems: list[StateProblem]) -> tuple[dict[_Key, Entry], list[Entry]]:
    """One entry a key, of two that differ the newer, and both places are named; and the last versions of policies before."""
    kept: dict[_Key, Entry] = {}
    replaced: dict[_Key, Entry] = {}
    for manifest in manifests:
        for entry in manifest.entries:
            before = kept.get(entry.key)
            if before is None:
                kept[entry.key] = entry
                continue
            if _older(entry, before):
                winner, loser = before, entry
            else:
                winner, loser = entry, before
            kept[entry.key] = winner
            if _keep_predecessor(kept, winner, loser):
                continue
            if _content(before) != _content(entry):
                _, kind, namespace, name = entry.key
                if _is_version(loser, winner) and not _older(loser, replaced.get(entry.key, loser)):
                    replaced[entry.key] = loser
                problems.append(
                    StateProblem(
                        code="conflicting-objects",
                        message=f"{kind} {namespace + '/' if namespace else ''}{name} stands in two versions; "
                        f"{winner.origin.input}:{winner.origin.line} is used{_changed(loser, winner)}",
                        input=loser.origin.input,
                        line=loser.origin.line,
                        note=_older(loser, winner),
                    )
                )
    return kept, list(replaced.values())


def _is_version(one: Entry, later: Entry) -> bool:
    """Whether `one` is an older version of the same policy; of one that was deleted and made again is not known when it ended."""
    old, new = as_objects(one.value), as_objects(later.value)
    if len(old) != 1 or len(new) != 1 or not isinstance(old[0], PolicyObject):
        return False
    return (
        old[0].uid == new[0].uid
        and one.created == later.created
        and old[0].spec != new[0].spec
        and _older(one, later)
    )


def _changed(old: Entry, new: Entry) -> str:
    """What the newer version of a policy changed, where it is known to be the newer one."""
    if not _is_version(old, new):
        return ""
    before, after = ({"spec": as_objects(one.value)[0].spec} for one in (old, new))
    what = difference_text(old.key[1], before, after)
    return f" ({what})" if what else ""


def _keep_predecessor(kept: dict[tuple[str, str, str, str], Entry], winner: Entry, loser: Entry) -> bool:
    """Two pods of one name, one after the other (a StatefulSet's): the first still owned its address."""
    new, old = winner.value, loser.value
    if (
        not (isinstance(new, Pod) and isinstance(old, Pod))
        or new.uid is None
        or old.uid is None
        or new.uid == old.uid
    ):
        return False
    gone = structs.replace(
        old, phase="Gone", finished=old.finished if old.finished is not None else new.created
    )
    group, kind, namespace, name = loser.key
    kept[(group, kind, namespace, f"{name} {old.uid}")] = structs.replace(loser, value=gone)
    return True


def _older(new: Entry, old: Entry) -> bool:
    """The later one in the inputs is nevertheless the older version of the object."""
    for one, other in (
        (new.created, old.created),
        (new.generation, old.generation),
        (new.version, old.version),
    ):
        if one is not None and other is not None and one != other:
            return one < other
    return False


def _content(entry: Entry) -> list[Any]:
    """What must agree for two readings to be the same object: all but where it stands and how it was served."""
    aside: dict[str, Any] = {"origin": None, "text": None, "api_version": ""}
    return [
        structs.replace(one, **{key: value for key, value in aside.items() if hasattr(one, key)})
        for one in as_objects(entry.value)
    ]


_FOLDED = (FOREIGN_POLICY, NO_NAMESPACE, "conflicting-objects")


def _fold_notes(problems: list[StateProblem]) -> None:
    """What a whole dump has in common is said once an input, not once an object."""
    said: dict[tuple[str, str], StateProblem] = {}
    counts: dict[tuple[str, str], int] = {}
    for problem in problems:
        if problem.code in _FOLDED:
            key = (problem.code, problem.input)
            said.setdefault(key, problem)
            counts[key] = counts.get(key, 0) + 1
    rest = [problem for problem in problems if problem.code not in _FOLDED]
    for key, first in said.items():
        more = counts[key] - 1
        rest.append(structs.replace(first, message=first.message + (f" (and {more} more)" if more else "")))
    problems[:] = rest


# --- pods ---------------------------------------------------------------------------------------------


def _owned(pod: Pod, workloads: Mapping[tuple[str, str, str], WorkloadObject]) -> Pod:
    """`pod` with its topmost workload."""
    owner = pod.workload
    if owner is None:
        return pod
    top, inferred = topmost_owner(pod.namespace, owner, workloads, pod.labels.get("pod-template-hash"))
    return structs.replace(pod, workload=top, owner=owner, workload_inferred=inferred)


def _templates(
    entries: Iterable[Entry], pods: list[Pod], workloads: Mapping[tuple[str, str, str], WorkloadObject]
) -> Iterable[Pod]:
    """One pod for each topmost workload of the state that has none, or none but ended ones; a Job that ran is over."""
    present = {
        (pod.namespace, pod.workload)
        for pod in pods
        if pod.live or (pod.workload is not None and pod.workload.kind == "Job")
    }
    for entry in entries:
        pod = entry.template
        if pod is None or pod.workload is None:
            continue
        workload = workloads[(pod.kind, pod.namespace, pod.name)]
        if workload.owner is not None and workload.kind in ("ReplicaSet", "Job"):
            continue
        if (pod.namespace, WorkloadRef(pod.kind, pod.name)) not in present:
            yield pod


def _between_runs(pods: list[Pod]) -> list[Pod]:
    """One pod for each CronJob of which the state has ended pods alone: the next run makes another like the last."""
    standing = {(pod.namespace, pod.workload) for pod in pods if pod.live}
    ended: dict[tuple[str, WorkloadRef], Pod] = {}
    for pod in sorted(pods, key=lambda one: (one.created or 0, one.name)):
        if pod.workload is not None and pod.workload.kind == "CronJob":
            ended[pod.namespace, pod.workload] = pod
    return [
        Pod(
            namespace=namespace,
            name=workload.name,
            kind=workload.kind or "CronJob",
            template=True,
            labels=last.labels,
            annotations=last.annotations,
            host_network=last.host_network,
            ports=last.ports,
            probes=last.probes,
            service_account=last.service_account,
            workload=workload,
            workload_inferred=last.workload_inferred,
            origin=last.origin,
        )
        for (namespace, workload), last in ended.items()
        if (namespace, workload) not in standing
    ]


# --- the rest -----------------------------------------------------------------------------------------


def _namespaces(
    objects: list[Any], pods: list[Pod], services: tuple[Service, ...], policies: tuple[PolicyObject, ...]
) -> dict[str, Namespace]:
    """Declared ones, then those that pods, Services and policies name."""
    found = {one.name: one for one in objects if isinstance(one, Namespace)}
    named = {pod.namespace for pod in pods} | {service.namespace for service in services}
    named.update(one.ref.namespace for one in policies if one.ref.namespace is not None)
    for name in sorted(named - found.keys()):
        found[name] = Namespace(name=name, labels={NAME_LABEL: name}, declared=False)
    return found


_CONFIG_PREFIX = {
    "amazon-vpc-cni": "aws",
    "antrea-config": "antrea",
    "calico-config": "calico",
    "cilium-config": "cilium",
    "kube-flannel-cfg": "flannel",
}


def _config(others: tuple[RawObject, ...], workloads: Iterable[WorkloadObject]) -> dict[str, str]:
    """``cilium.enable-policy`` and the like, from the agents' ConfigMaps; Calico's from FelixConfiguration.

    AWS's mode is a variable of its DaemonSet (amazon-vpc-cni-k8s v1.15 and later).
    """
    found: dict[str, str] = {}
    for one in others:
        if one.kind == "ConfigMap" and one.name in _CONFIG_PREFIX:
            prefix = _CONFIG_PREFIX[one.name]
            found.update(
                {f"{prefix}.{key}": value for key, value in string_map(one.body.get("data")).items()}
            )
        elif one.kind == "FelixConfiguration" and one.name == "default":
            found.update(
                {f"felix.{key}": value for key, value in string_map(as_map(one.body.get("spec"))).items()}
            )
    for agent in workloads:
        if (agent.kind, agent.name) == ("DaemonSet", "aws-node"):
            found.update(
                {f"aws.{name.lower().replace('_', '-')}": value for name, value in agent.settings.items()}
            )
    return dict(sorted(found.items()))
