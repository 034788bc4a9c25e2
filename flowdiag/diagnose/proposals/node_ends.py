"""What a change opens to and from nodes, which rules mean by entities, by labels, by addresses, or with everybody.

Nodes are many, and policies hardly tell them apart: of those that look the same two are asked, as the policed pod may
run on one of them, and a report names them together.
"""

from __future__ import annotations

from collections.abc import Sequence

from flowdiag.diagnose.proposals.concerned import selected_by
from flowdiag.diagnose.proposals.cuts import Cut, Group
from flowdiag.diagnose.proposals.edit import AnyEdit, Edit
from flowdiag.model.endpoint import Endpoint, EndpointKind
from flowdiag.model.objects import Snapshot
from flowdiag.model.policy import Dialect
from flowdiag.policy import PolicySet
from flowdiag.policy.ends import EndsBook
from flowdiag.policy.facts import values_of
from flowdiag.policy.model import Outcome
from flowdiag.policy.selecting import selects

__all__ = ["ANY_NODE", "NodeEnds"]

ANY_NODE = "any node"
"""How a report names all nodes of a cluster that has several."""

_OF_ONE_LOOK = 2
_HOST_PODS = frozenset({Dialect.AWS, Dialect.OVN})
"""Whose peers mean pods on the host's network by their labels and their namespace's."""
_MOST = 40_000
"""Questions per proposal; where there are more, there is no proof and so no proposal."""


class NodeEnds:
    """The nodes of a snapshot, as ends of a proof."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._nodes = [
            Endpoint(kind=EndpointKind.NODE, name=name, node=node)
            for name, node in sorted(snapshot.nodes.items())
        ]
        self._known: dict[tuple[int, ...], tuple[list[EndsBook], dict[str, list[Endpoint]]]] = {}

    def pairs(
        self, sets: Sequence[PolicySet], edits: Sequence[AnyEdit], cut: Cut
    ) -> list[tuple[Group, Endpoint, str]] | None:
        """Give the groups that an edited policy selects with each node to ask for, and how that is named.

        A policy of nodes themselves (of the host firewall) is asked about every group.

        Args:
            sets: the policies as they are, then with one edit after the other.
            edits: one for each step; a label of a namespace opens nothing to nodes but where selectors mean its pods
                on the host's network.
            cut: the groups of these sets.

        Returns:
            ``None`` where there is too much to ask.
        """
        looks = self._looks(sets)
        found: list[tuple[Group, Endpoint, str]] = []
        for policies, edit in zip(sets[1:], edits, strict=True):
            if not isinstance(edit, Edit):
                if policies.dialect in _HOST_PODS and _hosts(policies.snapshot, edit.namespace.name):
                    asked = [(name, node) for name, nodes in looks.items() for node in nodes]
                    if len(found) + len(cut.groups) * len(asked) > _MOST:
                        return None
                    found += [
                        (group, node, name)
                        for group in cut.groups
                        if not group.outside
                        for name, node in asked
                    ]
                continue
            edited = [policy for _, policy in policies.register.named(edit.new.ref)]
            selected = selected_by(policies, edit.new.ref, cut)
            for name, nodes in looks.items():
                policed = any(
                    selects(policy, policies.ends.of(nodes[0], None)).outcome is not Outcome.MISS
                    for policy in edited
                )
                groups = cut.groups if policed else selected
                if len(found) + len(groups) * len(nodes) > _MOST:
                    return None
                found += [(group, node, name) for group in groups for node in nodes]
        return found

    def _looks(self, sets: Sequence[PolicySet]) -> dict[str, list[Endpoint]]:
        """Nodes that no condition of the sets tells apart, but as the policed pod's own, by how they are named."""
        books = list({id(policies.ends): policies.ends for policies in sets}.values())
        known = self._known.get(tuple(map(id, books)))
        if known is None:
            alike: dict[tuple[object, ...], list[Endpoint]] = {}
            for node in self._nodes:
                # Every node has a label of its own with its name, at which hardly any policy looks.
                look = tuple(
                    (facts.hits, *values_of(facts, keys))
                    for facts, keys in ((book.of(node, None), tuple(sorted(book.keys))) for book in books)
                )
                alike.setdefault(look, []).append(node)
            looks = {_name(nodes, len(self._nodes)): nodes[:_OF_ONE_LOOK] for nodes in alike.values()}
            # The books are kept, so that no other objects get their ``id()``.
            known = self._known[tuple(map(id, books))] = (books, looks)
        return known[1]


def _hosts(snapshot: Snapshot, namespace: str) -> bool:
    """Whether pods of a namespace use the host's network."""
    return any(pod.namespace == namespace and pod.host_network and pod.live for pod in snapshot.pods)


def _name(nodes: Sequence[Endpoint], every: int) -> str:
    first = f"node {nodes[0].name}"
    if len(nodes) == 1:
        return first
    return ANY_NODE if len(nodes) == every else f"{first} and {len(nodes) - 1} like it"
