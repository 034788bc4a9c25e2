"""What an enforcer does beside the rules, and what it shows of ends that plain labels do not."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from msgspec import Struct

from flowdiag.model.event import Direction
from flowdiag.model.policy import PolicyRef
from flowdiag.policy.facts import Facts

__all__ = ["Dataplane", "OnTheWay"]

OnTheWay = Callable[[Direction, Facts, Facts], str | None]
"""Asked with a direction, the policed end and its peer: why what the end's own policies allow may still be
refused on the way, where no rule that is evaluated says so; ``None`` where nothing can refuse it."""


class Dataplane(Struct, frozen=True, kw_only=True):
    """The habits of one enforcer; the defaults are those of an enforcer of the plain NetworkPolicy API."""

    extra: Callable[[Facts], Mapping[str, str]] | None = None
    """Gives the labels that it adds to an end."""
    relational: bool = False
    """Conditions tell the policed end's own node from other nodes."""
    own_node: bool = True
    """A node always reaches the pods that run on it."""
    loopback: bool = False
    """A pod always reaches itself; otherwise nobody says whether it does."""
    sees_services: bool = False
    """It holds egress against a Service's own address and port, before they are translated."""
    never_policed: frozenset[str] = frozenset()
    """Protocols that pass whatever policies say."""
    policed: frozenset[str] = frozenset()
    """Reserved words of ends without a pod that policies can select, such as Cilium's ``host``."""
    crossing: OnTheWay | None = None
    """What may refuse a packet on its way between two nodes."""
    forward_logger: Callable[[str | None], PolicyRef | None] | None = None
    """Asked with a node's name (``None``: any): the policy that may have logged there what the node only forwards."""
    to_own_host: OnTheWay | None = None
    """What may refuse a packet that a pod sends to the node that it runs on."""
