"""Bytes of one input to cluster objects.

Takes whatever people hand over: ``kubectl get -o yaml|json`` Lists, typed lists whose items carry no
kind, single objects, several documents, JSON one after the other, bare arrays, terminal dirt and odd
encodings in between.  Field sources: Kubernetes API v1.31, Calico v3.29, Cilium v1.19.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from msgspec import Struct, field

from flowdiag.cluster.asides import aside_of, unrendered
from flowdiag.cluster.cleaning import decoded, without_dirt
from flowdiag.cluster.documents import iter_json, iter_yaml, looks_like_json
from flowdiag.cluster.meta import Meta, as_list, as_map, as_text, read_meta
from flowdiag.cluster.refused import Refusal, in_error_list, is_error_list, refusals
from flowdiag.cluster.typed import is_read, keeps_body, read_object
from flowdiag.cluster.unfold import BadDocument, Found
from flowdiag.cluster.wanted import CLUSTER_KINDS, POLICY_NAMES, UNREAD_KINDS
from flowdiag.cluster.yamlsafe import is_deep
from flowdiag.model.objects import Origin, Pod, PolicyObject

__all__ = [
    "NOT_READ",
    "NO_NAMESPACE",
    "Entry",
    "Manifest",
    "StateProblem",
    "as_objects",
    "read_manifest",
]

_MAX_BYTES = 1 << 30
_MAX_BAD = 50
"""After so many unreadable parts, an input is given up if it has fewer objects than these."""


NOT_READ = "not-read"
"""`StateProblem.code` of kinds that the collector was refused, or that failed."""


NO_NAMESPACE = "namespace-missing"
"""`StateProblem.code` of objects that have a namespace in a cluster and none here."""


class StateProblem(Struct, frozen=True, kw_only=True):
    """Something about the state that a reader of the report must know."""

    code: str
    """``invalid-document``, ``invalid-policy``, ``conflicting-objects``, ``namespace-missing`` ..."""
    message: str
    input: str
    line: int | None = None
    hides: bool = False
    """What could not be read may have held a policy."""
    note: bool = False
    """It says how something was read; nothing is missing because of it."""


class Entry(Struct, frozen=True, kw_only=True):
    """One object, typed: the value(s) made of it and what decides between two of one key."""

    key: tuple[str, str, str, str]
    """(group, kind, namespace or "", name)."""
    value: Any
    """A type of `flowdiag.model.objects`, or a tuple of them (subsets, specs)."""
    template: Pod | None = None
    version: int | None = None
    generation: int | None = None
    created: int | None = None
    origin: Origin


class Manifest(Struct, kw_only=True):
    """What one input held."""

    input: str
    entries: list[Entry] = field(default_factory=list)
    problems: list[StateProblem] = field(default_factory=list)
    kinds: set[tuple[str, str]] = field(default_factory=set)
    """(group, kind) of every object or typed list read, empty ones too."""
    clusters: dict[str, int | None] = field(default_factory=dict)
    """Which clusters its objects are of, by the uid of their namespace kube-system, with the line of that."""
    unread: set[tuple[str, str]] = field(default_factory=set)
    """(group, kind) that whoever read the cluster was not given."""


# Directories of support bundles that name the kind of their objects (troubleshoot.sh `cluster-resources/`,
# must-gather `core/pods.yaml`, cluster-info dump `pods.json`): arrays there may hold objects without kind.
_KIND_OF_PATH = {
    "daemonsets": ("apps/v1", "DaemonSet"),
    "deployments": ("apps/v1", "Deployment"),
    "endpoints": ("v1", "Endpoints"),
    "endpointslices": ("discovery.k8s.io/v1", "EndpointSlice"),
    "jobs": ("batch/v1", "Job"),
    "cronjobs": ("batch/v1", "CronJob"),
    "namespaces": ("v1", "Namespace"),
    "network-policy": ("networking.k8s.io/v1", "NetworkPolicy"),
    "networkpolicies": ("networking.k8s.io/v1", "NetworkPolicy"),
    "nodes": ("v1", "Node"),
    "pods": ("v1", "Pod"),
    "replicasets": ("apps/v1", "ReplicaSet"),
    "services": ("v1", "Service"),
    "statefulsets": ("apps/v1", "StatefulSet"),
}


def read_manifest(name: str, data: bytes) -> Manifest:
    """Read one input; what cannot be read becomes a problem with its line, never an exception.

    Args:
        name: the input's name as reports show it; its last parts may tell the kind of bare arrays.
        data: the whole input.
    """
    manifest = Manifest(input=name)
    if len(data) > _MAX_BYTES:
        manifest.problems.append(
            StateProblem(code="input-too-large", message="too large to read as state", input=name, hides=True)
        )
        return manifest
    try:
        text = decoded(data)
    except UnicodeDecodeError:
        manifest.problems.append(
            StateProblem(code="not-text", message="not text in a known encoding", input=name, hides=True)
        )
        return manifest
    if is_error_list(name, text):
        # Whoever recognised the bundle has said already that there are such.
        _refused(manifest, in_error_list(name, text), said=True)
        return manifest
    _refused(manifest, refusals(text), said=False)
    text = without_dirt(text)
    fallback = _kind_of_path(name)
    unreadable = 0
    for found in iter_json(text) if looks_like_json(text) else iter_yaml(text):
        problems, entries = len(manifest.problems), len(manifest.entries)
        if isinstance(found, BadDocument):
            bad = StateProblem(
                code=found.code, message=found.message, input=name, line=found.line, hides=found.hides
            )
            manifest.problems.append(bad)
            if found.kept:
                continue
        else:
            _take(manifest, found, fallback)
        unreadable += len(manifest.problems) > problems and len(manifest.entries) == entries
        if unreadable > max(_MAX_BAD, len(manifest.entries)):
            given_up = StateProblem(
                code="given-up", message="hardly anything here is an object", input=name, hides=True
            )
            manifest.problems.append(given_up)
            break
    return manifest


def _refused(manifest: Manifest, found: Iterable[Refusal], *, said: bool) -> None:
    """Kinds that were refused: of one that was asked for everywhere another input may have it all."""
    for one in found:
        everywhere = one.namespace is None and not said
        if everywhere:
            manifest.unread.add((one.kind.group, one.kind.kind))
        problem = StateProblem(
            code=NOT_READ,
            message=one.text,
            input=manifest.input,
            line=one.line,
            hides=one.may_hide and not everywhere,
            note=said,
        )
        manifest.problems.append(problem)


def _kind_of_path(name: str) -> tuple[str, str] | None:
    parts = re.split(r"[/!\\]", name)
    stem = parts[-1].partition(".")[0]
    for part in (stem, parts[-2] if len(parts) > 1 else ""):
        if part in _KIND_OF_PATH:
            return _KIND_OF_PATH[part]
    return None


def _take(manifest: Manifest, found: Found, fallback: tuple[str, str] | None) -> None:
    list_kind = found.list_kind
    singular = list_kind.removesuffix("List") if list_kind and list_kind != "List" else None
    if found.empty:
        if singular is not None:
            manifest.kinds.add((_group(found.list_api or ""), singular))
        elif fallback is not None:
            manifest.kinds.add((_group(fallback[0]), fallback[1]))
        return
    body = found.value
    if body is None:
        return
    origin = Origin(manifest.input, found.line)
    if not isinstance(body, dict):
        _complain(manifest, origin, "not-an-object", "not a Kubernetes object")
        return
    kind = as_text(body.get("kind")) or singular
    api = as_text(body.get("apiVersion")) or (found.list_api if singular else None)
    if kind is None and fallback is not None:
        api, kind = fallback
    if kind is None:
        _complain(manifest, origin, "no-kind", "an object without a kind")
        return
    _object(manifest, body, kind, api or "v1", origin)


def _group(api_version: str) -> str:
    group, slash, _ = api_version.partition("/")
    return group if slash else ""


def _object(manifest: Manifest, body: dict[str, Any], kind: str, api: str, origin: Origin) -> None:
    group = _group(api)
    if group.startswith("audit."):
        return
    if (group, kind) == UNREAD_KINDS:
        _unread(manifest, as_map(body.get("spec")), origin)
        return
    known = is_read(group, kind)
    aside = None if known else aside_of(group, kind, api, body)
    if aside is not None:
        _complain(manifest, origin, aside.code, aside.message)
        return
    manifest.kinds.add(("networking.k8s.io" if group == "extensions" else group, kind))
    if not known:
        return
    if keeps_body(group, kind) and is_deep(body):
        hides = kind in POLICY_NAMES
        _complain(manifest, origin, "invalid-document", f"{kind}: nested too deeply", hides=hides)
        return
    meta = read_meta(body.get("metadata"))
    if (kind, meta.name) == ("Namespace", "kube-system") and meta.uid is not None:
        # It lives as long as the cluster does.
        manifest.clusters.setdefault(meta.uid, origin.line)
    if not _is_named(manifest, kind, meta, origin):
        return
    value, template = read_object(body, group, kind, api, meta, origin)
    if value is None:
        return
    for one in value if isinstance(value, tuple) else ():
        if isinstance(one, PolicyObject):
            where = f"{one.ref.namespace}/" if one.ref.namespace else ""
            for problem in one.problems:
                _complain(manifest, origin, "invalid-policy", f"{kind} {where}{one.ref.name}: {problem}")
    namespace = "" if kind in CLUSTER_KINDS else meta.namespace or "default"
    name = value.name if isinstance(value, Pod) else meta.name or ""
    manifest.entries.append(
        Entry(
            key=("networking.k8s.io" if group == "extensions" else group, kind, namespace, name),
            value=value,
            template=template,
            version=meta.version,
            generation=meta.generation,
            created=meta.created,
            origin=origin,
        )
    )


def _is_named(manifest: Manifest, kind: str, meta: Meta, origin: Origin) -> bool:
    """Whether it is known what an object is called and where it lies; what is to be said of that is added to the problems."""
    if meta.name is None and meta.generate_name is None:
        _complain(manifest, origin, "no-name", f"{kind} without a name")
        return False
    called = f"{kind} {meta.name or meta.generate_name}"
    if meta.namespace is None and kind not in CLUSTER_KINDS:
        text = f"{called}: no namespace given, read as default"
        _complain(manifest, origin, "namespace-missing", text, note=True)
    if meta.namespace is not None and "$" in meta.namespace:
        text = unrendered(called, meta.namespace)
        _complain(manifest, origin, "not-rendered", text, hides=kind in POLICY_NAMES)
        return False
    return True


def _complain(
    manifest: Manifest, origin: Origin, code: str, message: str, *, hides: bool = False, note: bool = False
) -> None:
    """Add a problem of one object; `hides` and `note` as in `StateProblem`."""
    manifest.problems.append(
        StateProblem(code=code, message=message, input=origin.input, line=origin.line, hides=hides, note=note)
    )


def _unread(manifest: Manifest, spec: dict[str, Any], origin: Origin) -> None:
    """Note the kinds that a collection was refused: they are unknown, and not empty."""
    for one in as_list(spec.get("kinds")):
        kind = as_map(one)
        manifest.unread.add((as_text(kind.get("group")) or "", as_text(kind.get("kind")) or ""))
    manifest.problems.extend(
        StateProblem(code=NOT_READ, message=str(text), input=origin.input, line=origin.line)
        for text in as_list(spec.get("messages"))
    )


def as_objects(value: Any) -> tuple[Any, ...]:
    """An entry's value(s) as a tuple."""
    return value if isinstance(value, tuple) else (value,)
