"""What the conditions of rules may ask of one end of a connection, and which ends are alike.

Two ends are of one class when no condition of the policy set can tell them apart: same kind and
namespace, same values of the label keys that some policy names, same address ranges, same ports where
ports are named.  Answers are remembered per class, so ten replicas cost as much as one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache

from flowdiag.cluster.own_networks import OwnNetwork
from flowdiag.model.objects import ContainerPort, Service
from flowdiag.policy.addresses import Hits

__all__ = [
    "ADDRESS",
    "NOT_EVALUATED",
    "NOT_MEANT",
    "OUTSIDE",
    "SUBJECT_ADDRESS",
    "Facts",
    "KeySource",
    "class_key",
    "values_of",
]

OUTSIDE = frozenset({"outside"})
"""Kinds of ends that no policy of the cluster polices."""

NOT_EVALUATED = OUTSIDE | {"unknown", "entity"}
"""Those, and kinds of which too little is known to hold rules against them."""

ADDRESS = "\0address"
"""Stands in a `Miss` for the peer's own address until the answer for a class meets one of its members."""

SUBJECT_ADDRESS = "\0subject-address"
"""The same for the policed end's address."""

NOT_MEANT = {"pod": "\0pod-address", "node": "\0node-address"}
"""The same for a peer's address that is in the range, where ranges do not mean ends of its kind."""


class Facts:
    """One end as conditions see it.

    `kind` is ``pod``, ``node`` (a node, or a pod in its network), ``outside``, ``entity`` (a reserved
    word with no address) or ``unknown``.  ``None`` means not known, never absent.
    """

    __slots__ = (
        "addresses",
        "before",
        "class_id",
        "dns_names",
        "elsewhere",
        "entity",
        "extra",
        "hits",
        "identity",
        "identity_labels",
        "kind",
        "labels",
        "labels_complete",
        "local",
        "name",
        "namespace",
        "namespace_complete",
        "namespace_labels",
        "network",
        "node",
        "node_labels",
        "ports",
        "profiles",
        "service",
        "service_account",
        "why_unknown",
    )

    def __init__(
        self,
        *,
        kind: str,
        namespace: str | None = None,
        name: str | None = None,
        labels: Mapping[str, str] | None = None,
        labels_complete: bool = True,
        namespace_labels: Mapping[str, str] | None = None,
        namespace_complete: bool = True,
        ports: tuple[ContainerPort, ...] | None = None,
        addresses: tuple[str, ...] = (),
        hits: Hits | None = None,
        node: str | None = None,
        node_labels: Mapping[str, str] | None = None,
        local: bool | None = None,
        service_account: str | None = None,
        profiles: tuple[str, ...] = (),
        entity: str | None = None,
        identity: int | None = None,
        identity_labels: tuple[tuple[str, str], ...] | None = None,
        dns_names: tuple[str, ...] = (),
        extra: Mapping[str, str] | None = None,
        why_unknown: str = "",
        elsewhere: bool = False,
        network: OwnNetwork | None = None,
    ) -> None:
        self.kind = kind
        self.namespace = namespace
        self.name = name
        self.labels = labels
        self.labels_complete = labels_complete
        """False where only the keys in `labels` are known, and other keys may exist."""
        self.namespace_labels = namespace_labels
        self.namespace_complete = namespace_complete
        """False where no object tells of the namespace: it has its name for a label, and others may exist."""
        self.ports = ports
        self.addresses = addresses
        self.hits = hits or Hits()
        self.node = node
        self.node_labels = node_labels
        self.local = local
        """Whether a node is the other end's own; ``None`` if not known or not a node."""
        self.service_account = service_account
        self.profiles = profiles
        self.entity = entity
        self.identity = identity
        self.identity_labels = identity_labels
        self.dns_names = dns_names
        self.extra = extra if extra is not None else {}
        """Labels that a dialect adds (Calico's effective labels)."""
        self.why_unknown = why_unknown
        self.elsewhere = elsewhere
        """Of another cluster of a mesh, whose policies are asked for what that end refuses."""
        self.network = network
        """Which network a pod's addresses are of; ``None`` for the cluster's own."""
        self.service: Service | None = None
        """By whose address it is called, where the enforcer sees that and not the pod's own."""
        self.before: Facts | None = None
        """That Service, as conditions on pods see it."""
        self.class_id = -1

    @property
    def text(self) -> str:
        """How a person would name this end."""
        if self.kind == "pod" and self.namespace is not None:
            return f"{self.namespace}/{self.name or '?'}"
        if self.kind == "node":
            return f"node {self.name or self.node or '?'}"
        if self.entity is not None:
            return f"entity {self.entity}"
        return ", ".join(self.addresses) or self.name or "an unknown end"

    @property
    def address_text(self) -> str | None:
        """The addresses as `Miss.found` shows them."""
        return ", ".join(self.addresses) or None


_ABSENT = "\0absent"

KeySource = Callable[[Facts], object]

# A matcher names what it depends on as "<source>/<key>"; the part before the first slash picks the source.
_LABELS: dict[str, Callable[[Facts], Mapping[str, str] | None]] = {
    "pod": lambda facts: facts.labels,
    "namespace": lambda facts: facts.namespace_labels,
    "node": lambda facts: facts.node_labels,
    "extra": lambda facts: facts.extra,
}
_WHOLE: dict[str, KeySource] = {
    "ports": lambda facts: facts.ports,
    "dns": lambda facts: facts.dns_names,
    "identity": lambda facts: (facts.identity, facts.identity_labels),
    "profiles": lambda facts: facts.profiles,
    "account": lambda facts: facts.service_account,
    "name": lambda facts: facts.name,
    "on-node": lambda facts: facts.node,
    "families": lambda facts: tuple(":" in address for address in facts.addresses),
    "node-addresses": lambda facts: facts.addresses if facts.kind == "node" else (),
}


def class_key(facts: Facts, keys: tuple[str, ...]) -> tuple[object, ...]:
    """Build what every end of the same class has in common, for the keys that some policy asks for.

    Args:
        facts: one end.
        keys: sorted ``source/key`` names: ``pod/app``, ``namespace/env``, ``extra/projectcalico.org/name``,
            or a source alone for all of it: ``ports``, ``dns``.
    """
    return (
        facts.kind,
        facts.namespace,
        facts.labels is None,
        facts.labels_complete,
        facts.namespace_labels is None,
        facts.namespace_complete,
        facts.ports is None,
        facts.local,
        facts.entity,
        facts.why_unknown,
        facts.network,
        facts.name if facts.kind == "node" else None,
        None if facts.service is None else (facts.service.namespace, facts.service.name, facts.ports),
        facts.hits.sure,
        facts.hits.maybe,
        *values_of(facts, keys),
    )


def values_of(facts: Facts, keys: tuple[str, ...]) -> list[object]:
    """What conditions on these keys see of an end; `keys` as for `class_key`."""
    values: list[object] = []
    for source, names in _sources(keys):
        if names is None:
            values.append(_WHOLE[source](facts))
            continue
        labels = _LABELS[source](facts)
        values += [None] if labels is None else [labels.get(name, _ABSENT) for name in names]
    return values


@lru_cache(maxsize=256)
def _sources(keys: tuple[str, ...]) -> tuple[tuple[str, tuple[str, ...] | None], ...]:
    """Keys by the source in which they are looked up; ``None`` is all of it."""
    labels: dict[str, list[str]] = {}
    whole: list[str] = []
    for key in keys:
        source, slash, name = key.partition("/")
        if slash:
            labels.setdefault(source, []).append(name)
        else:
            whole.append(source)
    return (*((source, tuple(names)) for source, names in labels.items()), *((each, None) for each in whole))
