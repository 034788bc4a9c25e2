"""Labels of namespaces that policies ask for and that nobody tells."""

from __future__ import annotations

from collections.abc import Iterator

from flowdiag.model.objects import NAME_LABEL, Snapshot
from flowdiag.policy import PolicySet

__all__ = ["unlabelled"]

_OF_NAMESPACES = ("namespace/", "extra/pcns.", "extra/k8s:io.cilium.k8s.namespace.labels.")
"""How conditions on labels of namespaces are keyed: of the API, in Calico's labels, in Cilium's."""
_NAMES = frozenset({NAME_LABEL, "projectcalico.org/name"})
_SHOWN = 3


def unlabelled(snapshot: Snapshot, policies: PolicySet) -> Iterator[str]:
    """Say which namespaces are taken to have no label but their name, where policies ask for others.

    Manifests without namespaces are meant so; a dump may only lack them.
    """
    asked = {
        key.removeprefix(prefix)
        for key in policies.ends.keys
        for prefix in _OF_NAMESPACES
        if key.startswith(prefix)
    } - _NAMES
    known = snapshot.namespaces
    spaces = {pod.namespace for pod in snapshot.pods}
    missing = sorted(name for name in spaces if name not in known or not known[name].declared)
    if asked and missing:
        labels, names = ", ".join(sorted(asked)[:_SHOWN]), ", ".join(missing[:_SHOWN])
        more = f" and {len(missing) - _SHOWN} more" if len(missing) > _SHOWN else ""
        yield (
            f"policies ask for labels of namespaces ({labels}), and the objects of {names}{more} were not read: these are "
            "taken to have no label but their name; kubectl get namespaces -o yaml > namespaces.yaml, and --state namespaces.yaml"
        )
