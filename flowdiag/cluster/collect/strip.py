"""What of an object leaves the cluster.

Objects are reduced to the fields that diagnosis reads (`flowdiag.cluster.wanted`) and those annotations; policies
alone keep all of theirs, since who applies a changed one would remove what is not in it.  Values of headers that
probes send never leave, whatever was asked for, nor do those of environment variables, but for an agent's settings.
"""

from __future__ import annotations

from typing import Any

from flowdiag.cluster.wanted import POLICY_KINDS, SETTINGS, SKIP, filter_of

__all__ = ["is_policy", "strip"]

# Annotations in which tools keep the manifest that they applied, values of variables among it, some of them compressed
# (kubectl 1.33, kapp 0.64, Rancher's and k3s's wrangler v3, Banzai Cloud's objectmatcher).
_APPLIED = frozenset(
    {
        "banzaicloud.com/last-applied",
        "kapp.k14s.io/original",
        "kubectl.kubernetes.io/last-applied-configuration",
        "objectset.rio.cattle.io/applied",
    }
)
_HOLDS = ("last-applied", "lastapplied", "last_applied")
_CONTAINERS = ("containers", "initContainers", "ephemeralContainers")

# Annotations that a diagnosis reads; others hold whatever their authors put there: templates of secrets, snippets of
# configuration with credentials, k3s' and RKE2's command lines and environments of nodes (Calico v3.30 addresses,
# Cilium v1.19, flannel v0.26, OVN-Kubernetes and multus networks, Istio 1.24 ambient, Prometheus scraping).
_NOTES = (
    "alpha.kubernetes.io/provided-node-ip",
    "ambient.istio.io/",
    "cni.projectcalico.org/",
    "flannel.alpha.coreos.com/",
    "io.cilium.network.",
    "k8s.ovn.org/",
    "k8s.v1.cni.cncf.io/",
    "network.cilium.io/",
    "networking.gke.io/pod-ips",
    "projectcalico.org/",
    "prometheus.io/",
)


def is_policy(group: str, kind: str) -> bool:
    """Whether what a proposal may change is an object of this kind."""
    return (group, kind) in POLICY_KINDS


def strip(value: dict[str, Any], group: str, kind: str, *, full: bool) -> dict[str, Any]:
    """An object as it may leave; a new one, `value` stays.

    Args:
        value: as the API server gave it.
        group: of the object's API.
        kind: of the object.
        full: leave out only what must never leave.
    """
    wanted = value if full else _filtered(value, filter_of(kind))
    kept: dict[str, Any] = _bare(wanted) if full or kind == "DaemonSet" else wanted
    for meta in _metas(kept):
        notes = meta.get("annotations")
        if isinstance(notes, dict):
            whole = full or is_policy(group, kind)
            meta["annotations"] = {
                key: text
                for key, text in notes.items()
                if not _is_manifest(key) and (whole or key.startswith(_NOTES))
            }
    return kept


def _is_manifest(key: str) -> bool:
    return key in _APPLIED or any(word in key.lower() for word in _HOLDS)


def _filtered(value: Any, want: Any) -> Any:
    if isinstance(value, list):
        return [_filtered(one, want) for one in value]
    if not isinstance(value, dict):
        return value
    if not isinstance(want, dict):
        return {key: _filtered(one, None) for key, one in value.items()}
    rest = want.get("*")
    return {
        key: _filtered(one, inner) for key, one in value.items() if (inner := want.get(key, rest)) is not SKIP
    }


def _bare(value: Any) -> Any:
    """Without values of environment variables and headers, wherever a container stands."""
    if isinstance(value, list):
        return [_bare(one) for one in value]
    if not isinstance(value, dict):
        return value
    kept = {key: _bare(one) for key, one in value.items()}
    if isinstance(kept.get("httpHeaders"), list):
        kept["httpHeaders"] = _names(kept["httpHeaders"])
    for name in _CONTAINERS:
        if isinstance(kept.get(name), list):
            kept[name] = [_without_values(one) for one in kept[name]]
    return kept


def _without_values(container: Any) -> Any:
    if not isinstance(container, dict):
        return container
    kept = {key: one for key, one in container.items() if key != "envFrom"}
    if isinstance(kept.get("env"), list):
        kept["env"] = [
            one if one.get("name") in SETTINGS else {"name": one.get("name")}
            for one in kept["env"]
            if isinstance(one, dict)
        ]
    return kept


def _names(pairs: list[Any]) -> list[dict[str, Any]]:
    return [{"name": one.get("name")} for one in pairs if isinstance(one, dict)]


def _metas(value: Any) -> list[dict[str, Any]]:
    """The metadata of the object and of the pod templates in it."""
    found = []
    while isinstance(value, dict):
        if isinstance(value.get("metadata"), dict):
            found.append(value["metadata"])
        spec = value.get("spec")
        value = (spec.get("jobTemplate") or spec.get("template")) if isinstance(spec, dict) else None
    return found
