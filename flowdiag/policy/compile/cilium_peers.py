"""Conditions on peers that are no label selector: entities, ranges, names, nodes.

Sources: Cilium v1.20 ``pkg/policy/api/entity.go`` and ``cidr.go``, ``Documentation/security/policy``.
Ranges and names match identities that carry the world label: no pods, no nodes.
"""

from __future__ import annotations

from msgspec import Struct

from flowdiag.model.cilium import RESERVED_IDENTITIES
from flowdiag.model.policy import Condition, Miss
from flowdiag.policy.addresses import Network
from flowdiag.policy.compile.cilium_identity import (
    CLUSTER,
    LOCAL,
    WORLD,
    Seen,
    entity_text,
    look,
    open_key,
)
from flowdiag.policy.compile.cilium_names import NamePattern
from flowdiag.policy.compile.context import CompileContext
from flowdiag.policy.demands import Demand
from flowdiag.policy.facts import Facts
from flowdiag.policy.matchers import AddressRange
from flowdiag.policy.model import MATCH, Check, Outcome, miss, unknown
from flowdiag.policy.selectors import LabelSelector

__all__ = [
    "ENTITIES",
    "CidrSelected",
    "EntitySelected",
    "FqdnSelected",
    "GroupSelected",
    "RemoteNodeSelected",
    "cidr",
]

_RESERVED = ("host", "remote-node", "init", "ingress", "health", "unmanaged", "kube-apiserver")
ENTITIES = frozenset({"all", "cluster", "cluster-mesh", "none", *RESERVED_IDENTITIES.values()})
_WORLD_KEYS = ("reserved:world", "reserved:world-ipv4", "reserved:world-ipv6")


class EntitySelected(Struct, frozen=True):
    """The end is one of what this word stands for."""

    word: str

    @property
    def keys(self) -> frozenset[str]:
        """See `Matcher.keys`."""
        found = {f"extra/reserved:{each}" for each in _RESERVED}
        found |= {f"extra/{WORLD}", f"extra/{LOCAL}", f"extra/{open_key('reserved')}"}
        return frozenset(found | {f"extra/{each}" for each in _WORLD_KEYS})

    def check(self, facts: Facts, /) -> Check:
        """See `Matcher.check`."""
        answer = self._answer(facts)
        if answer.outcome is not Outcome.MISS:
            return answer
        return miss(Miss(Condition.ENTITY, self.word, entity_text(facts.extra)))

    def _answer(self, facts: Facts) -> Check:
        labels = facts.extra
        if self.word == "all":
            return MATCH
        if self.word == "none":
            return miss()
        if self.word.startswith("world"):
            return self._world(facts)
        if self.word in _RESERVED:
            return self._one_of(facts, (self.word,))
        # An API server outside counts too; an address outside is not suspected of being it here.
        words = tuple(each for each in _RESERVED if each != "kube-apiserver" or not self._maybe_server(facts))
        local = labels.get(LOCAL)
        if local == "1" or (local is not None and self.word == "cluster-mesh"):
            return MATCH
        if local == "0":
            return miss()
        if local is not None:
            name = look(labels, "k8s", CLUSTER).value
            return unknown(f"whether the cluster {name} is the policed end's own is not known")
        return self._one_of(facts, words)

    @staticmethod
    def _maybe_server(facts: Facts) -> bool:
        return facts.kind == "outside" and bool(look(facts.extra, "reserved", "kube-apiserver").why)

    def _world(self, facts: Facts) -> Check:
        seen = look_world(facts)
        if seen.value is None:
            return unknown(seen.why) if seen.why else miss()
        if seen.why:
            return unknown(seen.why)
        if self.word == "world" or f"reserved:{self.word}" in facts.extra:
            return MATCH
        if seen.value == "?":
            return unknown("the family of its address is not known")
        return MATCH if self.word[-1] == seen.value else miss()

    def _one_of(self, facts: Facts, words: tuple[str, ...]) -> Check:
        seen = {word: look(facts.extra, "reserved", word) for word in words}
        if any(each.value is not None and not each.why for each in seen.values()):
            return MATCH
        if {"host", "remote-node"} <= seen.keys() and seen["host"].why and WORLD not in facts.extra:
            # One of the two it surely is.
            return MATCH if facts.kind == "node" else unknown(seen["host"].why)
        doubts = [each.why for each in seen.values() if each.why]
        return unknown(*dict.fromkeys(doubts)) if doubts else miss()


def look_world(facts: Facts) -> Seen:
    """Whether the end is outside: `Seen.value` is the family, ``None`` where it is not."""
    value = facts.extra.get(WORLD)
    if value is not None:
        doubt, _, why = value.removeprefix("\0?").partition("\0")
        return Seen(doubt, why)
    return Seen(None, facts.extra.get(open_key("reserved"), ""))


class CidrSelected(Struct, frozen=True):
    """The end is outside and its address in the range; `modes` is for pods and nodes where they count too."""

    plain: AddressRange
    modes: AddressRange

    @property
    def keys(self) -> frozenset[str]:
        """See `Matcher.keys`."""
        return frozenset({f"extra/{WORLD}", f"extra/{open_key('reserved')}"})

    def demands(self, kind: str, /) -> tuple[Demand, ...]:
        """See `Demanding.demands`; a record may say of a pod's address that it was outside."""
        if kind == "outside":
            return self.plain.demands(kind)
        beside = {("extra", WORLD), ("extra", open_key("reserved"))}
        return tuple(each | beside for each in self.modes.demands(kind))

    def check(self, facts: Facts, /) -> Check:
        """See `Matcher.check`."""
        world = look_world(facts)
        if world.value is not None and not world.why:
            return self.plain.check(facts)
        if not world.why:
            if facts.kind in ("pod", "node"):
                return self.modes.check(facts)
            return miss(Miss(Condition.IP, self.plain.text, entity_text(facts.extra)))
        inside = self.plain.check(facts)
        return inside if inside.outcome is Outcome.MISS else unknown(f"{world.why} ({self.plain.text})")


def cidr(
    context: CompileContext, networks: tuple[Network, ...], exceptions: tuple[Network, ...] = ()
) -> CidrSelected:
    """Enter ranges into the policy set's table."""
    traits = context.traits
    return CidrSelected(
        AddressRange.build(context.ranges, networks, exceptions),
        AddressRange.build(
            context.ranges, networks, exceptions, pods=traits.range_pods, nodes=traits.range_nodes
        ),
    )


class FqdnSelected(Struct, frozen=True):
    """The address is one that DNS gave the node for one of these names."""

    pattern: NamePattern

    @property
    def keys(self) -> frozenset[str]:
        """See `Matcher.keys`."""
        return frozenset({"dns", "identity", f"extra/{WORLD}", f"extra/{open_key('reserved')}"})

    def check(self, facts: Facts, /) -> Check:
        """See `Matcher.check`."""
        wanted = self.pattern.text
        world = look_world(facts)
        if world.value is None and not world.why:
            return miss(Miss(Condition.FQDN, wanted, entity_text(facts.extra)))
        if any(key == "fqdn:" + wanted for key in facts.extra):
            return MATCH
        if world.why:
            return unknown(f"{world.why} ({wanted})")
        if not any(self.pattern.holds(name) for name in facts.dns_names):
            # Other names may stand for the address too, so names seen never make a miss.
            return unknown(f"whether the address belongs to {wanted}: no DNS answer says so")
        if facts.identity_labels and all(key.startswith("reserved:") for key, _ in facts.identity_labels):
            return unknown(
                f"{wanted} was resolved to the address, but the record's identity is world alone: "
                "the agent did not hold the address for a name then"
            )
        return MATCH


class GroupSelected(Struct, frozen=True):
    """The address is one of a cloud provider's group, which only the provider knows; the operator writes them as ranges."""

    path: str

    @property
    def keys(self) -> frozenset[str]:
        """See `Matcher.keys`."""
        return frozenset({f"extra/{WORLD}", f"extra/{open_key('reserved')}"})

    def check(self, facts: Facts, /) -> Check:
        """See `Matcher.check`."""
        world = look_world(facts)
        if world.value is None and not world.why:
            return miss(Miss(Condition.IP, "addresses of a cloud provider's group", entity_text(facts.extra)))
        return unknown(f"{self.path}: groups of a cloud provider are not evaluated")


class RemoteNodeSelected(Struct, frozen=True):
    """The end is another node than the policed one's, with these labels."""

    selector: LabelSelector

    @property
    def keys(self) -> frozenset[str]:
        """See `Matcher.keys`."""
        labels = {f"node/{key}" for key in self.selector.keys}
        return frozenset(
            labels | {"extra/reserved:remote-node", "extra/reserved:host", f"extra/{open_key('reserved')}"}
        )

    def check(self, facts: Facts, /) -> Check:
        """See `Matcher.check`."""
        wanted = self.selector.text or "any other node"
        remote = look(facts.extra, "reserved", "remote-node")
        if remote.value is None and not remote.why:
            return miss(Miss(Condition.NODE, wanted, entity_text(facts.extra)))
        answer = self.selector.check(facts.node_labels, Condition.NODE, what="the node's labels are")
        return answer if answer.outcome is Outcome.MISS or not remote.why else unknown(remote.why)
