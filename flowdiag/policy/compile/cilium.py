"""CiliumNetworkPolicy and CiliumClusterwideNetworkPolicy, and NetworkPolicy as Cilium enforces it.

All three are one additive set, denials first.  Conditions ask the identity's labels
(`flowdiag.policy.compile.cilium_identity`), so NetworkPolicy's selectors are turned into such conditions too
(`flowdiag.policy.compile.cilium_turned`).

Sources: Cilium v1.20 ``pkg/policy/{repository,rule}.go``, ``pkg/k8s/network_policy.go``,
``Documentation/security/policy/{intro,language,deny}.rst``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import structs

from flowdiag.model.cilium import POLICY_KINDS
from flowdiag.model.event import Direction
from flowdiag.model.objects import PolicyObject
from flowdiag.model.policy import PolicyRef
from flowdiag.policy.compile.cilium_identity import IdentityBook
from flowdiag.policy.compile.cilium_peers import EntitySelected
from flowdiag.policy.compile.cilium_rules import RuleReader, bare_node_selector
from flowdiag.policy.compile.cilium_selectors import (
    IdentitySelected,
    IdentitySelector,
    Want,
    subject_selector,
)
from flowdiag.policy.compile.cilium_state import CiliumState
from flowdiag.policy.compile.cilium_turned import ByIdentity
from flowdiag.policy.compile.context import (
    CompileContext,
    PolicyError,
    check_fields,
    entries,
    validity_of,
)
from flowdiag.policy.matchers import (
    NodeSelected,
    Undecidable,
)
from flowdiag.policy.model import (
    Action,
    Matcher,
    Order,
    Peer,
    Policy,
    Rule,
    Tier,
)
from flowdiag.policy.selectors import Requirement, SelectorError

__all__ = ["GROUP", "OWN_NODE", "POLICED", "CiliumSet"]

GROUP = "cilium.io"
"""Enforcers that are Cilium."""
OWN_NODE = "a node always reaches the pods that run on it (allow-localhost)"
"""What is said where the implicit rule for the own node lets something pass."""
POLICED = frozenset({"health", "ingress", "init"})
"""Reserved words of endpoints that policies can select."""

_SECTIONS = {
    Direction.INGRESS: (("ingress", False), ("ingressDeny", True)),
    Direction.EGRESS: (("egress", False), ("egressDeny", True)),
}
_LISTS = ("ingress", "ingressDeny", "egress", "egressDeny")
_FIELDS = frozenset(
    {*_LISTS, "endpointSelector", "nodeSelector", "enableDefaultDeny", "labels", "description", "log"}
)
_IMPLICIT = "implicit rule"

_Key = tuple[PolicyRef, int | None, int | None, int | None, int | None]


class CiliumSet:
    """Compiles the policies that Cilium enforces; made once for a policy set.

    Args:
        context: the state and the table of ranges.
    """

    def __init__(self, context: CompileContext) -> None:
        self._context = context
        known = context.base.groundwork if context.base is not None else None
        # Neither looks at policies, so that sets over the same state share both.
        self.groundwork: tuple[CiliumState, IdentityBook] = (
            known
            if isinstance(known, tuple)
            else (CiliumState(context.snapshot), IdentityBook(context.snapshot))
        )
        self._state, self.book = self.groundwork
        self._turning = ByIdentity(context, self._state, self.book.cluster)
        self._rejected: dict[_Key, str] = {}
        for policy in context.snapshot.policies:
            if self.knows(policy) and policy.spec_index is not None:
                broken = self.compile(policy).broken
                if broken:
                    self._rejected.setdefault(_key(policy), f"specs[{policy.spec_index}]: {broken}")

    @staticmethod
    def knows(policy: PolicyObject) -> bool:
        """Whether it is one of Cilium's kinds."""
        return policy.ref.group == GROUP and policy.ref.kind in POLICY_KINDS

    def not_in_force(self, policy: PolicyObject) -> str | None:
        """Why a policy changes nothing with the agent's settings; ``None`` where it counts."""
        if self._state.mode == "never":
            return "the agent's enable-policy is never: nothing is enforced"
        if not self.knows(policy):
            return None
        spec = policy.spec
        # What an unknown field would change cannot be told.
        if _all_known(spec) and not any(spec.get(each) for each in (*_LISTS, "enableDefaultDeny")):
            return "it has no rules: the agent rejects it, and it would change nothing"
        host = spec.get("nodeSelector") is not None and spec.get("endpointSelector") is None
        if host and self._state.host_firewall is False:
            return "it selects nodes, and the agent's enable-host-firewall is off"
        return None

    def compile(self, policy: PolicyObject) -> Policy:
        """Compile one spec; what the agent rejects comes out `Policy.broken`, siblings of it too."""
        found = self._context.compiled_once(policy, lambda each, _: self._compile(each))
        if not found.broken and _key(policy) in self._rejected:
            return structs.replace(found, broken=self._rejected[_key(policy)])
        return found

    def _compile(self, policy: PolicyObject) -> Policy:
        spec = policy.spec
        namespace = None if policy.ref.kind == "CiliumClusterwideNetworkPolicy" else policy.ref.namespace
        applies_to: tuple[Matcher, ...] = ()
        subjects = frozenset({"pod"} if namespace is not None else {"pod", "entity"})
        rules: dict[Direction, tuple[Rule, ...]] = {}
        directions = isolates = frozenset(Direction)
        broken = ""
        try:
            host = _is_host(spec, namespace)
            if host:
                subjects = frozenset({"node"})
                applies_to = self._nodes(spec["nodeSelector"])
            else:
                selector = subject_selector(spec["endpointSelector"], namespace)
                applies_to = (IdentitySelected(selector),) if selector.wants else ()
            check_fields(spec, _FIELDS)
            isolates = self._isolates(spec)
            init = not host and any(
                (each.source, each.key) == ("reserved", "init")
                for each in subject_selector(spec["endpointSelector"], namespace).wants
            )
            reader = RuleReader(self._context, self._state, self.book, namespace, host, init)
            prefix = "" if policy.spec_index is None else f"specs[{policy.spec_index}]."
            known = self._before(policy, applies_to, subjects, isolates)
            rules = {
                direction: tuple(
                    structs.replace(rule, path=prefix + rule.path) if prefix else rule
                    for section, deny in sections
                    for index, raw in enumerate(entries(spec.get(section), f"spec.{section}"))
                    for rule in (
                        known[id(raw), section, index]
                        if (id(raw), section, index) in known
                        else reader.rules(
                            raw, f"{section}[{index}]", direction, deny=deny, closes=direction in isolates
                        )
                    )
                )
                for direction, sections in _SECTIONS.items()
            }
            directions = frozenset(
                direction
                for direction, sections in _SECTIONS.items()
                if direction in isolates or any(spec.get(section) for section, _ in sections)
            )
        except (PolicyError, SelectorError) as error:
            broken = str(error)
        return Policy(
            ref=policy.ref,
            namespace=namespace,
            applies_to=applies_to,
            directions=directions,
            isolates=isolates,
            rules=rules,
            validity=validity_of(policy),
            broken=broken,
            rank=(0.0, float(-1 if policy.spec_index is None else policy.spec_index)),
            subjects=subjects,
        )

    def _before(
        self,
        policy: PolicyObject,
        applies_to: tuple[Matcher, ...],
        subjects: frozenset[str],
        isolates: frozenset[Direction],
    ) -> Mapping[tuple[int, str, int], Sequence[Rule]]:
        """Compiled rules of the base's policy of that name, by what each was made from and where that stood.

        An edit leaves most rules as they were.  What a rule means also depends on whom its policy selects and isolates.
        """
        was = self._context.before(policy.ref)
        if was is None or was[1].broken or {policy.spec_index, was[0].spec_index} != {None}:
            return {}
        if (was[1].applies_to, was[1].subjects, was[1].isolates) != (applies_to, subjects, isolates):
            return {}
        made: dict[str, list[Rule]] = {}
        for own in was[1].rules.values():
            for rule in own:
                made.setdefault(rule.path.partition("]")[0], []).append(rule)
        return {
            (id(raw), section, index): made.get(f"{section}[{index}", ())
            for sections in _SECTIONS.values()
            for section, _ in sections
            for index, raw in enumerate(was[0].spec.get(section) or ())
        }

    def _nodes(self, raw: Any) -> tuple[Matcher, ...]:
        selected = (NodeSelected(bare_node_selector(raw)),)
        if self._state.host_firewall is None:
            return (*selected, Undecidable("whether the agent's enable-host-firewall is on is not known"))
        return selected

    def _isolates(self, spec: dict[str, Any]) -> frozenset[Direction]:
        mode = spec.get("enableDefaultDeny") or {}
        if not isinstance(mode, dict) or not all(isinstance(each, bool) for each in mode.values()):
            raise PolicyError("spec.enableDefaultDeny is not an object of true and false")
        if not mode.keys() <= {"ingress", "egress"}:
            raise PolicyError("spec.enableDefaultDeny knows only ingress and egress")
        found = set()
        for direction, sections in _SECTIONS.items():
            listed = any(spec.get(section) for section, _ in sections)
            if (mode.get(direction.value, listed)) if self._state.default_deny_field else listed:
                found.add(direction)
        return frozenset(found)

    # The whole set

    def tier(self, policies: list[Policy]) -> Tier:
        """Put the policies of all three kinds together, with what Cilium adds of itself."""
        every = [self.by_identity(each) for each in policies]
        if self._state.mode == "never":
            return Tier(name="NetworkPolicy", order=Order.ADDITIVE, policies=())
        every.extend(self._implicit())
        always = self._state.mode == "always"
        kinds = {"pod", "entity"} | ({"node"} if self._state.host_firewall else set())
        return Tier(
            name="NetworkPolicy",
            order=Order.ADDITIVE,
            policies=tuple(every),
            always=frozenset(Direction) if always else frozenset(),
            always_for=frozenset(kinds),
            why_always="the agent's enable-policy is always",
            others=self._context.traits.other_protocols,
        )

    def _implicit(self) -> list[Policy]:
        """Rules that no object holds: the own node's access, and the isolation of starting endpoints."""
        init = Want("reserved", "init", Requirement("reserved:init", "Exists"))
        found = [
            Policy(
                ref=PolicyRef(_IMPLICIT, GROUP, None, "init-default-deny"),
                applies_to=(IdentitySelected(IdentitySelector((init,))),),
                directions=frozenset(Direction),
                isolates=frozenset(Direction),
                rules={},
                rank=(1.0,),
                subjects=frozenset({"pod", "entity"}),
                implicit=True,
            )
        ]
        if self._state.localhost:
            rule = Rule(
                path="allow-localhost",
                action=Action.ALLOW,
                peers=(Peer("", (EntitySelected("host"),)),),
                note=OWN_NODE,
            )
            found.append(
                Policy(
                    ref=PolicyRef(_IMPLICIT, GROUP, None, "allow-localhost"),
                    applies_to=(),
                    directions=frozenset({Direction.INGRESS}),
                    isolates=frozenset(),
                    rules={Direction.INGRESS: (rule,)},
                    rank=(1.0,),
                    implicit=True,
                )
            )
        return found

    def by_identity(self, policy: Policy) -> Policy:
        """Turn the conditions of another language's policy into conditions on identities."""
        return self._turning.policy(policy)


def _key(policy: PolicyObject) -> _Key:
    return policy.ref, policy.created, policy.since, policy.valid_from, policy.valid_until


def _is_host(spec: dict[str, Any], namespace: str | None) -> bool:
    pods, nodes = spec.get("endpointSelector"), spec.get("nodeSelector")
    if (pods is None) == (nodes is None):
        raise PolicyError("spec has not exactly one of endpointSelector and nodeSelector")
    if nodes is not None and namespace is not None:
        raise PolicyError("spec.nodeSelector stands in a policy of a namespace")
    return nodes is not None


def _all_known(spec: dict[str, Any]) -> bool:
    return all(value is None or key in _FIELDS for key, value in spec.items())
