"""What an end is to Cilium: the labels of its security identity, each with its source.

Cilium decides by identity, not by address or pod: a rule sees exactly these labels.  Where a flow record
carried them they are taken as they are; else they are worked out from the state.  What cannot be worked
out is marked, so that a condition on it answers unknown.

Sources: Cilium v1.19 ``pkg/labelsfilter/filter.go`` (labels that never reach an identity),
``pkg/identity`` (reserved words), ``pkg/k8s/apis/cilium.io`` (the labels that Cilium adds).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from flowdiag.cluster.identities import RESERVED
from flowdiag.model.cilium import CLUSTER_LABEL
from flowdiag.model.objects import Snapshot
from flowdiag.policy.compile.cilium_labels import LabelFilter
from flowdiag.policy.facts import Facts

__all__ = [
    "ACCOUNT",
    "ANY_SOURCES",
    "CLUSTER",
    "LOCAL",
    "NAMESPACE",
    "NAMESPACE_LABELS",
    "WORLD",
    "IdentityBook",
    "Seen",
    "entity_text",
    "look",
    "open_key",
]

NAMESPACE = "io.kubernetes.pod.namespace"
NAMESPACE_LABELS = "io.cilium.k8s.namespace.labels."
ACCOUNT = "io.cilium.k8s.policy.serviceaccount"
CLUSTER = CLUSTER_LABEL

ANY_SOURCES = ("k8s", "reserved", "node", "container", "unspec")
"""Label sources in which a key without one is looked up; the others' keys are ranges and names."""
SOURCES = (*ANY_SOURCES, "cidr", "cidrgroup", "fqdn")

# Marks beside the labels proper; no label key holds a NUL.
WORLD = "\0world"
"""Present where the end is outside; its value is the family ``4``, ``6`` or ``?``."""
LOCAL = "\0local"
"""Whether a pod is of this cluster: ``1``, ``0`` or ``?``."""
_OPEN = "\0open:"
_DOUBT = "\0?"
_SOME = "\0*"

_POLICED_WORDS = frozenset({"health", "init", "unmanaged", "ingress"})


class Seen(NamedTuple):
    """A label as far as it is known: absent is a `value` of ``None``.  `why` is filled where it may also be absent (with `value`), or be there with any value (`anything`)."""

    value: str | None
    why: str = ""
    anything: bool = False


def open_key(source: str) -> str:
    """Key of the mark that labels of a source may exist which nobody knows; its value says why."""
    return _OPEN + source


def look(labels: Mapping[str, str], source: str, key: str) -> Seen:
    """Look a label up; `source` ``any`` takes the first source that has the key."""
    doubt: Seen | None = None
    for each in ANY_SOURCES if source == "any" else (source,):
        value = labels.get(f"{each}:{key}")
        if value is None:
            why = labels.get(_OPEN + each)
            if why is not None and doubt is None:
                doubt = Seen(None, why, anything=True)
        elif value.startswith(_SOME):
            return Seen(value, value.removeprefix(_SOME), anything=True)
        elif value.startswith(_DOUBT):
            held, _, why = value.removeprefix(_DOUBT).partition("\0")
            doubt = Seen(held, why)
        else:
            return Seen(value)
    return doubt or Seen(None)


def entity_text(labels: Mapping[str, str]) -> str | None:
    """Name what an end is as the entities do; ``None`` where it is not known."""
    words = sorted(
        key.removeprefix("reserved:")
        for key, value in labels.items()
        if key.startswith("reserved:") and not value.startswith(_DOUBT)
    )
    if words:
        return "+".join(words)
    if WORLD in labels:
        return "world"
    return "pod" if f"k8s:{NAMESPACE}" in labels else None


def _doubt(value: str, why: str) -> str:
    return f"{_DOUBT}{value}\0{why}"


class IdentityBook:
    """Builds the identity labels of ends; made once for a policy set.

    Args:
        snapshot: its settings, and the addresses of the API server.
    """

    def __init__(self, snapshot: Snapshot) -> None:
        config = snapshot.config
        known = any(key.startswith("cilium.") for key in config)
        self.cluster = config.get("cilium.cluster-name") or ("default" if known else None)
        """This cluster's name; ``None`` where nobody says."""
        self._filter = LabelFilter(config.get("cilium.labels", ""))
        self._node_labels = config.get("cilium.enable-node-selector-labels") == "true"
        families = [config.get(f"cilium.enable-ipv{family}") for family in (4, 6)]
        self._dual = None if None in families else families == ["true", "true"]
        slices = [
            each
            for each in snapshot.endpoint_slices
            if (each.namespace, each.service) == ("default", "kubernetes")
        ]
        self._api_servers = frozenset(address for each in slices for address in each.addresses)

    def __call__(self, facts: Facts) -> Mapping[str, str]:
        """Give the labels as ``source:key`` with what is marked; see `look`."""
        if facts.identity_labels:
            return self._recorded(facts, facts.identity_labels)
        word = RESERVED.get(facts.identity) if facts.identity else None
        if word is not None:
            return self._reserved(word, facts)
        if facts.kind == "pod":
            return self._pod(facts)
        if facts.kind == "node":
            return self._node(facts)
        if facts.kind == "outside":
            return self._outside(facts)
        if facts.kind == "entity" and facts.entity in _POLICED_WORDS:
            return {f"reserved:{facts.entity}": ""}
        why = facts.why_unknown or "who the end is, is not known"
        found = {open_key(source): why for source in SOURCES}
        if facts.namespace is not None:
            found[f"k8s:{NAMESPACE}"] = facts.namespace
        return found

    def _recorded(self, facts: Facts, pairs: tuple[tuple[str, str], ...]) -> dict[str, str]:
        found = {key if ":" in key else f"k8s:{key}": value for key, value in pairs}
        words = [key for key in found if key.startswith("reserved:world")]
        if words:
            found[WORLD] = _family(words[0].removeprefix("reserved:"), facts)
        elif f"k8s:{NAMESPACE}" in found:
            name = found.get(f"k8s:{CLUSTER}")
            found[LOCAL] = "1" if name is None else self._is_local(name, facts)
            if not any(key.startswith(f"k8s:{NAMESPACE_LABELS}") for key in found):
                # Every namespace has its name for a label, so a record without any was shortened.
                for key, value in (facts.namespace_labels or {}).items():
                    found[f"k8s:{NAMESPACE_LABELS}{key}"] = value
                if not facts.namespace_complete:
                    found[open_key("k8s")] = "the labels of its namespace are not known"
        return found

    def _is_local(self, name: str, facts: Facts) -> str:
        if self.cluster is not None:
            return "1" if name == self.cluster else "0"
        # A cluster of a mesh may not be called default, and a pod that the state holds is one of ours.
        return "1" if name == "default" or (facts.kind == "pod" and facts.labels_complete) else "?"

    def _reserved(self, word: str, facts: Facts) -> dict[str, str]:
        found = {f"reserved:{word}": ""}
        if word == "kube-apiserver":
            found["reserved:remote-node"] = ""
        if word.startswith("world"):
            found[WORLD] = _family(word, facts)
        if "reserved:remote-node" in found:
            self._of_node(found, facts)
        return found

    def _pod(self, facts: Facts) -> dict[str, str]:
        found: dict[str, str] = {LOCAL: "1"}
        if facts.labels is None or not facts.labels_complete:
            found[open_key("k8s")] = "its labels are not known"
        for key, value in (facts.labels or {}).items():
            kept = self._filter.keeps(key)
            if kept is None:
                found[f"k8s:{key}"] = _doubt(
                    value, f"whether the agent's labels setting keeps {key} is not known"
                )
            elif kept:
                found[f"k8s:{key}"] = value
        if facts.namespace is not None:
            found[f"k8s:{NAMESPACE}"] = facts.namespace
        if facts.namespace_labels is None:
            found.setdefault(open_key("k8s"), "the labels of its namespace are not known")
        for key, value in (facts.namespace_labels or {}).items():
            found[f"k8s:{NAMESPACE_LABELS}{key}"] = value
        if facts.service_account is not None or facts.labels_complete:
            found[f"k8s:{ACCOUNT}"] = facts.service_account or "default"
        found[f"k8s:{CLUSTER}"] = self.cluster or f"{_SOME}the cluster's name is not known"
        return found

    def _node(self, facts: Facts) -> dict[str, str]:
        found: dict[str, str] = {}
        local = {"host": True, "remote-node": False}.get(facts.entity or "", facts.local)
        if local is None:
            why = "whether it is the policed end's own node is not known"
            found["reserved:host"] = _doubt("", why)
            found["reserved:remote-node"] = _doubt("", why)
        else:
            found["reserved:host" if local else "reserved:remote-node"] = ""
        if facts.entity == "kube-apiserver":
            found["reserved:kube-apiserver"] = ""
            if facts.name is None:
                why = "whether the API server is a node or outside is not known"
                found["reserved:host"] = _doubt("", why)
                found["reserved:remote-node"] = _doubt("", why)
                found[WORLD] = _doubt("?", why)
        else:
            self._api_server(found, facts)
        if local is not True:
            self._of_node(found, facts)
        return found

    def _of_node(self, found: dict[str, str], facts: Facts) -> None:
        if self._node_labels:
            found.update((f"node:{key}", value) for key, value in (facts.node_labels or {}).items())

    def _outside(self, facts: Facts) -> dict[str, str]:
        family = _family(facts.entity or "", facts)
        found = {WORLD: family}
        why = "which of the policies' names and ranges its identity stands for is not known"
        for source in ("cidr", "cidrgroup", "fqdn"):
            found[open_key(source)] = why
        words = {"4": "world-ipv4", "6": "world-ipv6"}
        if facts.entity in ("world-ipv4", "world-ipv6"):
            found[f"reserved:{facts.entity}"] = ""
        elif self._dual is False:
            found["reserved:world"] = ""
        elif self._dual and family in words:
            found[f"reserved:{words[family]}"] = ""
        else:
            why = "whether the cluster tells IPv4 and IPv6 apart is not known"
            found["reserved:world"] = _doubt("", why)
            for each in [words[family]] if family in words else sorted(words.values()):
                found[f"reserved:{each}"] = _doubt("", why)
        self._api_server(found, facts)
        return found

    def _api_server(self, found: dict[str, str], facts: Facts) -> None:
        """Mark the API server's addresses, which the endpoints of default/kubernetes list."""
        if not self._api_servers:
            found["reserved:kube-apiserver"] = _doubt("", "the addresses of the API server are not known")
        elif any(address in self._api_servers for address in facts.addresses):
            found["reserved:kube-apiserver"] = ""
        elif not facts.addresses:
            found["reserved:kube-apiserver"] = _doubt("", "its address is not known")


def _family(word: str, facts: Facts) -> str:
    if word.startswith("world-ipv"):
        return word[-1]
    families = {"6" if ":" in address else "4" for address in facts.addresses}
    return families.pop() if len(families) == 1 else "?"
