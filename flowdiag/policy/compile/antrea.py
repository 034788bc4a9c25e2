"""Antrea's own policies: ClusterNetworkPolicy and NetworkPolicy (crd.antrea.io), before or behind NetworkPolicy.

Source: antrea-io/antrea ``pkg/apis/crd/v1beta1/types.go`` and ``docs/antrea-network-policy.md``, v2.2.  Tiers go by their
priority, the policies of one by theirs, rules as they are written; the first that matches decides.  Being selected
isolates nothing.  ``Pass`` goes on to NetworkPolicies; the tier ``baseline`` stands behind them, for pods that none of
them selects.  Policies of network-policy-api stand among them as of tiers of their own (``docs/admin-network-policy.md``,
``docs/cluster-network-policy.md``, v2.7), so that a Pass leaves those out, too.  What nothing here can look up (machines
outside, other clusters) is unknown.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from msgspec.structs import replace

from flowdiag.model.event import Direction
from flowdiag.model.objects import PolicyObject, Snapshot
from flowdiag.model.policy import PEER_WORDS
from flowdiag.policy.compile.antrea_groups import ANTREA_GROUPS, Groups, range_of
from flowdiag.policy.compile.antrea_services import SERVICES, served, services_of
from flowdiag.policy.compile.antrea_traffic import traffic_of
from flowdiag.policy.compile.context import (
    CompileContext,
    PolicyError,
    entries,
    validity_of,
)
from flowdiag.policy.compile.egress_firewall import HostNamed
from flowdiag.policy.compile.selected import applied_to, of_account
from flowdiag.policy.matchers import (
    DomainNames,
    NamespaceNamed,
    NamespaceSelected,
    NodeSelected,
    PodSelected,
    Undecidable,
)
from flowdiag.policy.model import Action, Matcher, Peer, Policy, Rule
from flowdiag.policy.selectors import LabelSelector, Requirement, SelectorError, read_selector

__all__ = ["among_antrea", "compile_antrea", "is_behind"]

_BASELINE = "baseline"
_TIERS = {
    "emergency": 50,
    "securityops": 100,
    "networkops": 150,
    "platform": 200,
    "application": 250,
    _BASELINE: 253,
}
_ADMIN_TIERS = {"AdminNetworkPolicy": 251.0, "ClusterNetworkPolicy": 220.0}
_ADMIN_BASELINE = 254.0
"""Where those of network-policy-api stand among the tiers."""
_ACTIONS = {"Allow": Action.ALLOW, "Drop": Action.DENY, "Reject": Action.DENY, "Pass": Action.PASS}
_MOST_NAMESPACES = 2000
"""Namespaces up to which ``namespaces: {match: Self}`` is written out, a rule for each."""


def is_behind(policy: PolicyObject) -> bool:
    """Whether it stands behind NetworkPolicy."""
    return _tier_name(policy) == _BASELINE


def _tier_name(policy: PolicyObject) -> str:
    tier = policy.spec.get("tier")
    # The first releases wrote the tiers of their own with capitals ("securityOps").
    return tier.lower() if isinstance(tier, str) and tier else "application"


def compile_antrea(policy: PolicyObject, context: CompileContext) -> Policy:
    """Compile one policy; one that has no place among the others, or that Antrea refuses, comes out `Policy.broken`."""
    rules: dict[Direction, tuple[Rule, ...]] = {}
    rank: tuple[float | str, ...] = (0.0, 0.0)
    tie: int | None = None
    broken = ""
    groups = Groups(policy, context)
    applies_to: tuple[Matcher, ...] = ()
    try:
        applies_to = applied_to(policy.spec, groups.of)
        tier, priority = _place(policy, context.snapshot)
        rank, tie = (tier, priority), _tie(tier, priority)
        rules = {
            direction: tuple(
                one
                for index, raw in enumerate(entries(policy.spec.get(direction.value), f"spec.{direction}"))
                for one in _Rules(policy, direction, groups, context).of(raw, f"{direction}[{index}]")
            )
            for direction in Direction
        }
    except (PolicyError, SelectorError) as error:
        broken = str(error)
    return Policy(
        ref=policy.ref,
        namespace=policy.ref.namespace,
        applies_to=applies_to,
        directions=frozenset(one for one in Direction if policy.spec.get(one.value)),
        isolates=frozenset(),
        rules=rules,
        validity=validity_of(policy),
        broken=broken,
        rank=rank,
        tie=tie,
    )


def among_antrea(compiled: Policy, *, baseline: bool) -> Policy:
    """Give a policy of network-policy-api its place among Antrea's."""
    tier = _ADMIN_BASELINE if baseline else _ADMIN_TIERS[compiled.ref.kind]
    # The one baseline policy of the older kind has no priority of its own, and gets the first.
    priority = 1.0 if compiled.ref.kind == "BaselineAdminNetworkPolicy" else float(compiled.rank[0])
    return replace(compiled, rank=(tier, priority), tie=None if compiled.broken else _tie(tier, priority))


def _tie(tier: float, priority: float) -> int:
    return round(tier * 10**9 + priority * 10**4)


def _place(policy: PolicyObject, snapshot: Snapshot) -> tuple[float, float]:
    """The priorities of its tier and its own."""
    name = _tier_name(policy)
    tier: Any = next(
        (
            each.body["spec"].get("priority")
            for each in snapshot.others
            if each.kind == "Tier"
            and each.group in ANTREA_GROUPS
            and each.name == name
            and _has_spec(each.body)
        ),
        _TIERS.get(name),
    )
    if isinstance(tier, bool) or not isinstance(tier, int):
        raise PolicyError(f"where the tier {name} stands is not known: it is not among the Tier objects")
    priority = policy.spec.get("priority")
    if isinstance(priority, bool) or not isinstance(priority, int | float) or not 1 <= priority <= 10_000:
        raise PolicyError(f"spec.priority {priority!r} is not a number from 1 to 10000")
    return float(tier), float(priority)


def _has_spec(body: Mapping[str, Any]) -> bool:
    return isinstance(body.get("spec"), dict)


class _Rules:
    """What a policy's rules of a direction are compiled with."""

    def __init__(
        self, policy: PolicyObject, direction: Direction, groups: Groups, context: CompileContext
    ) -> None:
        self.policy = policy
        self.groups = groups
        self.direction = direction
        self.context = context
        self.word = PEER_WORDS[direction]

    def of(self, raw: Any, path: str) -> Iterator[Rule]:
        """One rule as it is written; several where it means another peer for each namespace."""
        if not isinstance(raw, dict):
            raise PolicyError(f"spec.{path} is not an object")
        kind = raw.get("action")
        action = _ACTIONS.get(kind) if isinstance(kind, str) else None
        if action is None:
            raise PolicyError(f"spec.{path}.action {kind!r} is not one of {', '.join(_ACTIONS)}")
        traffic = traffic_of(raw, path, self.direction, every=self.context.traits.every_namesake)
        own: tuple[Matcher, ...] = ()
        if not self.policy.spec.get("appliedTo"):
            own = applied_to({"appliedTo": raw.get("appliedTo")}, self.groups.of)
            if not own:
                raise PolicyError(f"spec.{path}.appliedTo is missing, and the policy has none")
        raws = entries(raw.get(self.word), f"spec.{path}.{self.word}")
        peers: list[Peer] = []
        if services := services_of(raw, self.direction):
            raws = list(services)
            peers.extend(
                Peer(f".{SERVICES}[{index}]", one)
                for index, each in enumerate(services)
                for one in served(
                    each, f"spec.{path}.{SERVICES}[{index}]", self.policy, self.context.snapshot
                )
            )
        within: list[tuple[str, tuple[Matcher, ...]]] = []
        alike: list[tuple[str, tuple[str, ...], tuple[Matcher, ...]]] = []
        for index, each in enumerate(() if services else raws):
            where = f".{self.word}[{index}]"
            if not isinstance(each, dict):
                raise PolicyError(f"spec.{path}{where} is not an object")
            given = {str(key): value for key, value in each.items() if value is not None}
            if self._is_self(given):
                within.append((where, self._pods(given, f"spec.{path}{where}")))
            elif keys := self._same_labels(given):
                alike.append((where, keys, self._pods(given, f"spec.{path}{where}")))
            elif given.keys() == {"group"}:
                peers.extend(Peer(where, members) for members in self.groups.of(given["group"]))
            else:
                peers.append(Peer(where, self._peer(given, f"spec.{path}{where}")))
        if peers or not raws:
            yield Rule(
                path=path, action=action, peers=tuple(peers) if raws else None, subject=own, traffic=traffic
            )
        for name in sorted(self.context.snapshot.namespaces) if within else ():
            home = NamespaceNamed(name)
            same = tuple(Peer(where, (home, *pods)) for where, pods in within)
            yield Rule(path=path, action=action, peers=same, subject=(*own, home), traffic=traffic)
        for where, keys, pods in alike:
            for values in self._values(keys):
                needs = (Requirement(key, "In", (value,)) for key, value in zip(keys, values, strict=True))
                tenant = NamespaceSelected(LabelSelector(tuple(needs)))
                both = (Peer(where, (tenant, *pods)),)
                yield Rule(path=path, action=action, peers=both, subject=(*own, tenant), traffic=traffic)

    def _is_self(self, given: Mapping[str, Any]) -> bool:
        """Whether a peer means the namespace of the pod that is policed, and nothing that is not looked up here."""
        spaces = given.get("namespaces")
        return (
            isinstance(spaces, dict)
            and set(spaces) == {"match"}
            and str(spaces["match"]).lower() == "self"
            and given.keys() <= {"namespaces", "podSelector"}
            and len(self.context.snapshot.namespaces) <= _MOST_NAMESPACES
        )

    def _same_labels(self, given: Mapping[str, Any]) -> tuple[str, ...]:
        """The labels that a peer's namespace has to share with that of the pod that is policed; none for any other peer."""
        spaces = given.get("namespaces")
        keys = (
            spaces.get("sameLabels") if isinstance(spaces, dict) and set(spaces) == {"sameLabels"} else None
        )
        if not isinstance(keys, list) or not all(isinstance(key, str) and key for key in keys):
            return ()
        if not given.keys() <= {"namespaces", "podSelector"}:
            return ()
        # What is known of a namespace by its name alone may have any labels.
        known = all(one.declared for one in self.context.snapshot.namespaces.values())
        found = tuple(dict.fromkeys(keys))
        return found if known and len(self._values(found)) <= _MOST_NAMESPACES else ()

    def _values(self, keys: tuple[str, ...]) -> list[tuple[str, ...]]:
        """What namespaces that have all of these labels have, or had, for them."""
        spaces = self.context.snapshot.namespaces.values()
        every = [
            labels for one in spaces for labels in (one.labels, *(each.labels for each in one.labels_before))
        ]
        return sorted(
            {tuple(each[key] for key in keys) for each in every if all(key in each for key in keys)}
        )

    def _pods(self, given: Mapping[str, Any], path: str) -> tuple[Matcher, ...]:
        try:
            selector = read_selector(given.get("podSelector"))
        except SelectorError as error:
            return (Undecidable(f"{path}.podSelector: {error}"),)
        return (PodSelected(selector),) if selector.requirements else ()

    def _peer(self, given: Mapping[str, Any], path: str) -> tuple[Matcher, ...]:
        if not given:
            raise PolicyError(f"{path} names no peer")
        keys = given.keys()
        if keys == {"ipBlock"}:
            return (range_of(given["ipBlock"], f"{path}.ipBlock", self.context),)
        if keys == {"nodeSelector"}:
            return (NodeSelected(read_selector(given["nodeSelector"])),)
        if keys == {"serviceAccount"} and (running := of_account(given["serviceAccount"])) is not None:
            return running
        if keys == {"fqdn"}:
            return (_named(given["fqdn"], f"{path}.fqdn"),)
        if not keys <= {"namespaceSelector", "podSelector"}:
            strange = min(keys - {"namespaceSelector", "podSelector"})
            return (Undecidable(f"whom {path}.{strange} means is not looked up"),)
        spaces: tuple[Matcher, ...] = ()
        if "namespaceSelector" in given:
            spaces = (NamespaceSelected(read_selector(given["namespaceSelector"])),)
        elif self.policy.ref.namespace is not None:
            spaces = (NamespaceNamed(self.policy.ref.namespace),)
        else:
            spaces = (NamespaceSelected(read_selector({})),)
        return (*spaces, *self._pods(given, path))


def _named(raw: Any, path: str) -> Matcher:
    """Names of hosts outside; one in the cluster's own domain stands for a Service, and so for pods."""
    if not isinstance(raw, str):
        raise PolicyError(f"{path} is not text")
    name = raw.rstrip(".").lower()
    if name.endswith((".local", ".svc")) or "*" in name.removeprefix("*."):
        return Undecidable(f"which addresses {raw} stands for is not known")
    return HostNamed(DomainNames((raw,)))
