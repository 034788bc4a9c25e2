"""Kinds that the user who took the objects was refused: nothing is known of them, so that their absence says nothing.

kubectl writes refusals to standard error, which people send to the file of the objects; a support bundle lays them
beside the lists that it has (replicatedhq/troubleshoot ``pkg/collect/cluster_resources.go``).
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from msgspec import Struct

from flowdiag.cluster.live.kinds import KINDS, Kind
from flowdiag.cluster.wanted import POLICY_NAMES

__all__ = ["FORBIDDEN", "Refusal", "in_error_list", "is_error_list", "refusals"]

FORBIDDEN = "Error from server (Forbidden): "
# kubectl v1.31 get networkpolicies -A:
# Error from server (Forbidden): networkpolicies.networking.k8s.io is forbidden: User "u" cannot list resource ... at the cluster scope
_LINE = re.compile(
    r"^Error from server \(Forbidden\): ([a-z0-9-]{1,63}(?:\.[a-z0-9-]{1,63}){0,8})(?: \"[^\"\n]{0,253}\")? is forbidden:([^\n]*)",
    re.MULTILINE,
)
_IN_NAMESPACE = re.compile(r" in the namespace \"([a-z0-9-]{1,63})\"")
# "cluster-resources/network-policy-errors.json", "cluster-resources/custom-resources-errors.json"   troubleshoot v0.95
_ERROR_LIST = re.compile(r"(?:^|[/!\\])([a-z0-9.-]{1,253})-errors\.json$")
_WORD = re.compile(r"[a-z0-9-]{1,63}(?:\.[a-z0-9-]{1,63}){0,8}")
_BY_RESOURCE = {kind.resource: kind for kind in KINDS}
_BY_FOLDER = {
    "network-policy": _BY_RESOURCE["networkpolicies.networking.k8s.io"],
    **{kind.plural: kind for kind in KINDS if kind.group in ("", "apps", "batch", "discovery.k8s.io")},
}


class Refusal(Struct, frozen=True):
    """A kind of objects that was not read for lack of rights."""

    kind: Kind
    line: int
    namespace: str | None = None
    """Where it was asked for; ``None`` for all namespaces."""

    @property
    def may_hide(self) -> bool:
        """Whether policies, or what they refer to, may be among what was not given."""
        return self.kind.kind in POLICY_NAMES

    @property
    def text(self) -> str:
        """What is to be said of it."""
        where = f" in namespace {self.namespace}" if self.namespace is not None else ""
        return f"{self.kind.resource}{where}: whoever took the objects was not allowed to read them"


def refusals(text: str) -> Iterator[Refusal]:
    """Refusals among what kubectl printed, of kinds that are read here."""
    if FORBIDDEN not in text:
        return
    for match in _LINE.finditer(text):
        kind = _BY_RESOURCE.get(match[1])
        if kind is not None:
            place = _IN_NAMESPACE.search(match[2])
            yield Refusal(kind, 1 + text.count("\n", 0, match.start()), place[1] if place else None)


def is_error_list(name: str, text: str) -> bool:
    """Whether an input has the name of a support bundle's list of errors, and holds no objects."""
    return _ERROR_LIST.search(name) is not None and '"apiVersion"' not in text


def in_error_list(name: str, text: str) -> Iterator[Refusal]:
    """Kinds that a support bundle's list of errors is about: those that it names, else that of its own name."""
    named = dict.fromkeys(_BY_RESOURCE[word] for word in _WORD.findall(text) if word in _BY_RESOURCE)
    match = _ERROR_LIST.search(name)
    own = _BY_FOLDER.get(match[1]) if match is not None else None
    for kind in named or ((own,) if own is not None else ()):
        yield Refusal(kind, 1)
