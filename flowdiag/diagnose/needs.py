"""What state a diagnosis needs before it may speak."""

from __future__ import annotations

from enum import Flag, auto
from functools import cache

__all__ = ["Needs"]


class Needs(Flag):
    """Kinds of knowledge; a rule whose needs are not met stays silent, and the report says so."""

    NONE = 0
    POLICIES = auto()
    """Policies of the time, and the replay against them."""
    PODS = auto()
    NAMESPACES = auto()
    SERVICES = auto()
    NODES = auto()
    LOGS = auto()
    """Messages of components (agents, Felix ...)."""
    FLOWS = auto()
    """Allowed flows beside the refused ones."""
    CHANGES = auto()
    NAMES = auto()
    """DNS answers or names in the records."""

    @property
    def words(self) -> tuple[str, ...]:
        """Each need in this set as the report names it, sorted."""
        return _words(self)


_WORDS = {
    Needs.POLICIES: "policies",
    Needs.PODS: "pods",
    Needs.NAMESPACES: "namespaces",
    Needs.SERVICES: "Services",
    Needs.NODES: "nodes",
    Needs.LOGS: "component logs",
    Needs.FLOWS: "allowed flows",
    Needs.CHANGES: "changes",
    Needs.NAMES: "DNS names",
}


# Asked of each refusal that nothing explains, about one of few sets.
@cache
def _words(needs: Needs) -> tuple[str, ...]:
    return tuple(sorted(word for each, word in _WORDS.items() if each in needs))
