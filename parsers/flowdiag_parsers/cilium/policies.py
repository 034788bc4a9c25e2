"""Which policy object an agent's line speaks of."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache

from flowdiag.parserkit import POLICY_GROUPS, ObjectRef

__all__ = ["policy_in_text", "policy_of_labels", "policy_of_resource"]

# resource=cnp/team-a/allow-dns   resource=ccnp/host-firewall   resource=knp/frontend/default-deny    1.17 and later
_KINDS = {
    "cnp": "CiliumNetworkPolicy",
    "ccnp": "CiliumClusterwideNetworkPolicy",
    "knp": "NetworkPolicy",
    "kcnp": "ClusterNetworkPolicy",
}
_CLUSTERWIDE = frozenset({"CiliumClusterwideNetworkPolicy", "ClusterNetworkPolicy"})

# Labels:[k8s:io.cilium.k8s.policy.name=l7-policy ... k8s:io.cilium.k8s.policy.derived-from=CiliumNetworkPolicy]   1.6
_LABEL = re.compile(r"k8s:io\.cilium\.k8s\.policy\.(name|namespace|derived-from)=([^\s,\]\"\\]{1,253})")


# An agent writes its policies' names again with each revision.
@lru_cache(maxsize=1024)
def policy_of_resource(resource: str) -> ObjectRef | None:
    """``cnp/ns/name``, ``ccnp/name``, ``knp/ns/name``; ``None`` for other resources."""
    kind, _, rest = resource.partition("/")
    word = _KINDS.get(kind)
    if word is None or not rest:
        return None
    namespace, slash, name = rest.partition("/")
    if word in _CLUSTERWIDE:
        return ObjectRef(word, POLICY_GROUPS[word], None, name if slash else namespace)
    return ObjectRef(word, POLICY_GROUPS[word], namespace, name) if slash and name else None


def policy_in_text(text: str) -> ObjectRef | None:
    """The policy whose labels stand in a text; ``None`` where it names none, or several."""
    found = _LABEL.findall(text[:20_000])
    names = {value for key, value in found if key == "name"}
    if len(names) != 1:
        return None
    parts = dict(found)
    kind = parts.get("derived-from", "CiliumNetworkPolicy")
    namespace = None if kind in _CLUSTERWIDE else parts.get("namespace")
    return ObjectRef(kind, POLICY_GROUPS.get(kind), namespace, parts["name"])


def policy_of_labels(labels: Iterable[object]) -> ObjectRef | None:
    """The policy that a list of rule labels names."""
    return policy_in_text(" ".join(label for label in labels if isinstance(label, str)))
