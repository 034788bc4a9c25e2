"""A state with objects applied and deleted, as ``kubectl apply`` and ``kubectl delete`` would leave it.

Only what policies look at follows an object: pods take over the labels of their workload's new template,
and go with their workload or namespace.  What a controller would do besides (scaling, defaults, webhooks)
is not known here.
"""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from msgspec import Struct, structs

from flowdiag.cluster.manifests import Entry, Manifest, as_objects
from flowdiag.cluster.snapshot import merge_manifests
from flowdiag.cluster.wanted import CLUSTER_KINDS, WORKLOAD_KINDS
from flowdiag.model.errors import UsageError
from flowdiag.model.event import WorkloadRef
from flowdiag.model.objects import Pod, PolicyObject, Snapshot

__all__ = ["applied", "deleted", "identity", "rolled_out", "without"]

Key = tuple[str, str, str, str]
"""(group, kind, namespace or "", name), as `Entry.key`."""

# Words of kubectl and of the CRDs beside the kind and its plural ("kubectl api-resources", Kubernetes v1.31,
# Cilium v1.18, network-policy-api v0.1.7).
_SHORT = {
    "anp": "AdminNetworkPolicy",
    "banp": "BaselineAdminNetworkPolicy",
    "ccnp": "CiliumClusterwideNetworkPolicy",
    "cj": "CronJob",
    "ciliumnp": "CiliumNetworkPolicy",
    "cnp": "CiliumNetworkPolicy",
    "deploy": "Deployment",
    "ds": "DaemonSet",
    "gnp": "GlobalNetworkPolicy",
    "netpol": "NetworkPolicy",
    "no": "Node",
    "ns": "Namespace",
    "po": "Pod",
    "rc": "ReplicationController",
    "rs": "ReplicaSet",
    "sts": "StatefulSet",
    "svc": "Service",
}

_CALICO = "projectcalico.org"
_CLOSE = 3

# Put on pods by controllers and sidecar injectors, never by a template ("kubectl get pod --show-labels",
# Kubernetes v1.31, Istio 1.24): they stay when a template changes.
_ADDED = (
    "apps.kubernetes.io/",
    "batch.kubernetes.io/",
    "controller-revision-hash",
    "controller-uid",
    "job-name",
    "pod-template-",
    "security.istio.io/",
    "service.istio.io/",
    "statefulset.kubernetes.io/",
)


class _Wanted(Struct, frozen=True):
    """One ``--delete``, taken apart; `group` is ``None`` where it was not given."""

    kind: str
    group: str | None
    namespace: str
    name: str


def identity(key: Key) -> Key:
    """What makes two keys one object.

    Calico serves its objects in two groups, and calls a policy of its default tier with and without the
    tier's name (Calico v3.29).
    """
    group, kind, namespace, name = key
    if group == f"crd.{_CALICO}":
        group = _CALICO
    if group == _CALICO and kind.endswith("NetworkPolicy"):
        name = name.removeprefix("default.")
    return (group, kind, namespace, name)


def without(state: Iterable[Manifest], gone: Collection[Key]) -> list[Manifest]:
    """Give `state` without the objects of these identities; their kinds still count as read."""
    return [
        structs.replace(one, entries=[entry for entry in one.entries if identity(entry.key) not in gone])
        for one in state
    ]


def applied(state: Sequence[Manifest], changes: Sequence[Manifest]) -> list[Manifest]:
    """`state` with the objects of `changes` in the place of those of the same identity, in force from now on."""
    keys = {identity(entry.key) for one in changes for entry in one.entries}
    before = {identity(entry.key): entry.value for one in state for entry in one.entries}
    fresh = [
        structs.replace(
            one, entries=[_fresh(entry, before.get(identity(entry.key))) for entry in one.entries]
        )
        for one in changes
    ]
    return [*without(state, keys), *fresh]


def _fresh(entry: Entry, before: Any) -> Entry:
    """An object as it is once applied: a policy is in force from now on, a pod stays where it runs."""

    def renewed(value: Any) -> Any:
        if isinstance(value, PolicyObject):
            return structs.replace(
                value, created=None, deleted=None, since=None, valid_from=None, valid_until=None
            )
        if isinstance(value, Pod) and isinstance(before, Pod) and not value.ips:
            return structs.replace(
                value,
                uid=before.uid,
                ips=before.ips,
                own_ips=before.own_ips,
                node=before.node,
                host_ips=before.host_ips,
                phase=before.phase,
                created=before.created,
                started=before.started,
                workload=before.workload
                if value.workload == WorkloadRef("Pod", value.name)
                else value.workload,
            )
        return value

    values = tuple(renewed(value) for value in as_objects(entry.value))
    return structs.replace(
        entry,
        value=values if isinstance(entry.value, tuple) else values[0],
        created=None,
        generation=None,
        version=None,
    )


def rolled_out(snapshot: Snapshot, changes: Iterable[Manifest], old: Iterable[Manifest]) -> Snapshot:
    """`snapshot` with the pods of applied workloads as their new templates make them.

    Pods keep their names and addresses, so that observed traffic still finds them.

    Args:
        snapshot: the merged state, applied objects in it.
        changes: what was applied.
        old: the state before: labels that the old template did not have came from elsewhere and stay.
    """
    new = _templates(changes)
    if not new:
        return snapshot
    before = _templates(old)

    def rolled(pod: Pod) -> Pod:
        owner = (pod.namespace, pod.workload)
        template = new.get(owner)
        if template is None or pod.template:
            return pod
        kept = _kept(pod.labels, before.get(owner))
        return structs.replace(
            pod,
            labels={**kept, **template.labels},
            ports=template.ports,
            service_account=template.service_account or pod.service_account,
            host_network=template.host_network,
        )

    return structs.replace(snapshot, pods=tuple(rolled(pod) for pod in snapshot.pods))


def _templates(manifests: Iterable[Manifest]) -> dict[tuple[str, WorkloadRef | None], Pod]:
    return {
        (entry.template.namespace, entry.template.workload): entry.template
        for one in manifests
        for entry in one.entries
        if entry.template is not None
    }


def _kept(labels: Mapping[str, str], template: Pod | None) -> dict[str, str]:
    if template is not None:
        return {key: value for key, value in labels.items() if key not in template.labels}
    return {key: value for key, value in labels.items() if key.startswith(_ADDED)}


# --- deletion -----------------------------------------------------------------------------------------


def deleted(state: Sequence[Manifest], names: Sequence[str]) -> list[Manifest]:
    """`state` without the named objects; a workload or namespace takes along what is in it.

    Args:
        state: the manifests.
        names: ``KIND/NS/NAME``; cluster-wide ``KIND/NAME`` or ``KIND//NAME``.  The kind in any case,
            plural or short as kubectl has it, with ``.GROUP`` where several groups have it.

    Raises:
        UsageError: a name is no name, or nothing in the state is called so; the hint holds the closest.
    """
    gone: set[Key] = set()
    known = {identity(entry.key): entry for one in state for entry in one.entries}
    snapshot: Snapshot | None = None
    for name in names:
        wanted = _parse(name, known)
        if wanted.kind in WORKLOAD_KINDS:
            snapshot = snapshot or merge_manifests(state)[0]
            taken = _workload(wanted, known, snapshot)
        else:
            taken = {key for key in known if _is(key, wanted)}
        if wanted.kind == "Namespace" and taken:
            taken |= {key for key in known if key[2] == wanted.name}
        groups = sorted({key[0] for key in taken if key[1] == wanted.kind})
        if not taken:
            raise UsageError(f"--delete {name}: not in the state", hint=_closest(wanted, known))
        if len(groups) > 1 and wanted.group is None:
            raise UsageError(
                f"--delete {name}: {len(groups)} groups have one",
                hint="say which: " + " or ".join(f"{wanted.kind}.{group}" for group in groups),
            )
        gone |= taken
    return without(state, gone)


def _parse(text: str, known: Iterable[Key]) -> _Wanted:
    parts = text.split("/")
    if not 2 <= len(parts) <= 3 or not parts[0] or not parts[-1]:
        raise UsageError(
            f"--delete {text}: not the name of an object",
            hint="write KIND/NAMESPACE/NAME, or KIND/NAME for what is cluster-wide",
        )
    word, _, group = parts[0].partition(".")
    return _Wanted(
        kind=_kind(word, known),
        group=group.removeprefix("crd.") if group.endswith(_CALICO) else group or None,
        namespace=parts[1] if len(parts) == 3 else "",
        name=parts[-1],
    )


def _kind(word: str, known: Iterable[Key]) -> str:
    low = word.lower()
    if low in _SHORT:
        return _SHORT[low]
    kinds = {key[1] for key in known} | CLUSTER_KINDS | WORKLOAD_KINDS
    for kind in sorted(kinds):
        plain = kind.lower()
        if low in (plain, f"{plain}s", f"{plain}es", f"{plain.removesuffix('y')}ies"):
            return kind
    return word


def _is(key: Key, wanted: _Wanted) -> bool:
    group, kind, namespace, name = identity((key[0], wanted.kind, wanted.namespace, wanted.name))
    if wanted.group is not None and wanted.group != key[0]:
        return False
    return key == (group, kind, namespace, name)


def _workload(wanted: _Wanted, known: Mapping[Key, Any], snapshot: Snapshot) -> set[Key]:
    """The workload, what it owns, and its pods, which may stand in the state without it."""
    topmost = WorkloadRef(wanted.kind, wanted.name)
    owned = {
        (one.kind, one.name)
        for one in snapshot.workloads
        if one.namespace == wanted.namespace and one.owner == topmost
    } | {(wanted.kind, wanted.name)}
    pods = {
        pod.name
        for pod in snapshot.pods
        if pod.namespace == wanted.namespace
        and not pod.template
        and pod.workload is not None
        and (pod.workload.kind, pod.workload.name) in owned
    }
    return {
        key
        for key in known
        if key[2] == wanted.namespace
        and ((key[1], key[3]) in owned or (key[1] == "Pod" and key[0] == "" and key[3] in pods))
    }


def _closest(wanted: _Wanted, known: Iterable[Key]) -> str:
    """The most alike names of the state, those of the same kind first."""
    texts: dict[str, str] = {}
    for _, kind, namespace, name in sorted(known):
        where = f"{namespace}/" if namespace else ""
        texts.setdefault(f"{kind}/{where}{name}".lower(), f"{kind}/{where}{name}")
    asked = "/".join(part for part in (wanted.kind, wanted.namespace, wanted.name) if part).lower()
    of_kind = [text for text in texts if text.startswith(f"{wanted.kind.lower()}/")]
    # The likeliest mistake is the right name in the wrong namespace.
    ends = [text for text in of_kind if text.endswith(f"/{wanted.name.lower()}")]
    found = dict.fromkeys(
        [*ends[:_CLOSE], *difflib.get_close_matches(asked, of_kind or texts, n=_CLOSE, cutoff=0.5)]
    )
    if found:
        return f"the closest: {', '.join(texts[text] for text in list(found)[:_CLOSE])}"
    if not of_kind:
        return f"the state holds no {wanted.kind}"
    return f"the state's: {', '.join(texts[text] for text in of_kind[:_CLOSE])}"
