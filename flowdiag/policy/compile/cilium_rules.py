"""One element of ``ingress``, ``ingressDeny``, ``egress`` or ``egressDeny`` of Cilium's kinds.

Sources: Cilium v1.20 ``pkg/policy/api/{ingress,egress,rule_validation}.go`` and
``Documentation/security/policy/language.rst``.  What trips people: a list of peers that is there but empty
selects nobody; no list of peers selects everybody, but only beside ``toPorts`` or ``icmps``; an element
with nothing in it admits nothing and isolates all the same.
"""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from flowdiag.model.event import Direction
from flowdiag.model.policy import PEER_WORDS, Condition
from flowdiag.policy.addresses import Network
from flowdiag.policy.compile.cilium_identity import CLUSTER, IdentityBook
from flowdiag.policy.compile.cilium_l7 import PORT_FIELDS, OtherRequests, Redirect, read_l7
from flowdiag.policy.compile.cilium_names import read_name
from flowdiag.policy.compile.cilium_peers import (
    ENTITIES,
    EntitySelected,
    FqdnSelected,
    GroupSelected,
    RemoteNodeSelected,
    cidr,
)
from flowdiag.policy.compile.cilium_selectors import (
    IdentitySelected,
    IdentitySelector,
    Unmet,
    namespace_named,
    peer_selector,
    pod_labels,
)
from flowdiag.policy.compile.cilium_state import CiliumState
from flowdiag.policy.compile.cilium_traffic import MAX_PORTS, read_icmps, read_port
from flowdiag.policy.compile.context import CompileContext, PolicyError, entries, network, unknown_field
from flowdiag.policy.matchers import Nothing, Undecidable
from flowdiag.policy.model import Action, Matcher, Outcome, Peer, Rule, TrafficMatcher
from flowdiag.policy.selectors import LabelSelector, Requirement, read_selector
from flowdiag.policy.traffic import OneOf, UndecidableTraffic

__all__ = ["RuleReader", "bare_node_selector"]

_BOTH = ("Endpoints", "CIDR", "CIDRSet", "Entities", "Nodes", "Groups")
_KINDS = {Direction.INGRESS: _BOTH, Direction.EGRESS: (*_BOTH, "Services", "FQDNs")}
_CONDITIONS = {
    "CIDR": Condition.IP,
    "CIDRSet": Condition.IP,
    "Entities": Condition.ENTITY,
    "Nodes": Condition.NODE,
    "Services": Condition.SERVICE,
    "FQDNs": Condition.FQDN,
}
_AUTH = frozenset({"disabled", "required", "test-always-fail"})
_TCP_ONLY = "rules for HTTP and its like stand beside ports that are not TCP"


class RuleReader(Struct, frozen=True):
    """Compiles the rules of one policy.

    `namespace` is the policy's own, ``None`` for the cluster-wide kind; `host` for policies by nodeSelector.
    """

    context: CompileContext
    state: CiliumState
    book: IdentityBook
    namespace: str | None
    host: bool = False
    init: bool = False
    """The policy's own selector names ``reserved:init``."""

    def rules(self, raw: Any, path: str, direction: Direction, *, deny: bool, closes: bool) -> list[Rule]:
        """Compile one element; none where it admits nothing.

        Args:
            raw: the element.
            path: where it stands: ``egress[0]``.
            direction: whose.
            deny: it stands in a list of denials.
            closes: the policy isolates in this direction.

        Raises:
            PolicyError: what the agent rejects.
        """
        given = {} if raw is None else raw
        if not isinstance(given, dict):
            raise PolicyError(f"spec.{path} is not an object")
        given = {str(key): value for key, value in given.items() if value is not None}
        word = PEER_WORDS[direction]
        requires = given.pop(f"{word}Requires", None)
        auth = None if deny else given.pop("authentication", None)
        known = {word + each for each in _KINDS[direction]} | {"toPorts", "icmps"}
        if deny:
            known.discard("toFQDNs")
        strange = unknown_field(given, known, f"spec.{path}")
        found: list[Rule] = []
        peers = self._peers(given, path, direction)
        action = Action.DENY if deny else Action.ALLOW
        ports = entries(given.get("toPorts"), f"spec.{path}.toPorts")
        icmps = read_icmps(given.get("icmps"), f"spec.{path}.icmps")
        if icmps is not None and ports:
            raise PolicyError(f"spec.{path} has icmps beside toPorts")
        if peers is not None or ports or icmps is not None or strange:
            for traffic, redirects in self._traffic(ports, icmps, path, direction, deny=deny):
                conditions = [*traffic, *redirects]
                if strange is not None:
                    conditions.append(UndecidableTraffic(strange))
                if deny and requires:
                    conditions.append(
                        UndecidableTraffic(f"the field spec.{path}.{word}Requires is not evaluated here")
                    )
                notes = "; ".join(each.note for each in redirects)
                found.append(
                    Rule(path=path, action=action, peers=peers, traffic=tuple(conditions), note=notes)
                )
                found.extend(self._doubts(path, peers, traffic, redirects, auth, closes=closes))
        if requires and not deny:
            found.append(self._requires(requires, path, word))
        return found

    def _doubts(
        self,
        path: str,
        peers: tuple[Peer, ...] | None,
        traffic: tuple[TrafficMatcher, ...],
        redirects: tuple[Redirect, ...],
        auth: Any,
        *,
        closes: bool,
    ) -> list[Rule]:
        """Denials that may hold beside an allow, and are never more than unknown."""
        why: list[TrafficMatcher] = []
        if auth is not None:
            mode = auth.get("mode") if isinstance(auth, dict) else None
            if mode not in _AUTH:
                raise PolicyError(f"spec.{path}.authentication.mode {str(mode)[:20]!r} is not known")
            if mode != "disabled":
                why.append(
                    UndecidableTraffic(
                        f"authentication is {mode}: whether the two ends are authenticated is not known"
                    )
                )
        if not closes:
            why.extend(OtherRequests(each) for each in redirects)
        return [Rule(path=path, action=Action.DENY, peers=peers, traffic=(*traffic, each)) for each in why]

    def _requires(self, raw: Any, path: str, word: str) -> Rule:
        field = f"{word}Requires"
        inner = tuple(self._selected(each) for each in entries(raw, f"spec.{path}.{field}"))
        return Rule(
            path=f"{path}.{field}", action=Action.DENY, peers=(Peer("", (Unmet(inner, f"{path}.{field}"),)),)
        )

    # Peers

    def _peers(self, given: dict[str, Any], path: str, direction: Direction) -> tuple[Peer, ...] | None:
        word = PEER_WORDS[direction]
        lists = {
            kind: entries(given[word + kind], f"spec.{path}.{word}{kind}")
            for kind in _KINDS[direction]
            if word + kind in given
        }
        filled = [kind for kind, items in lists.items() if items]
        if len({kind.removesuffix("Set") for kind in filled}) > 1:
            raise PolicyError(f"spec.{path} combines {word}{filled[0]} and {word}{filled[1]}")
        if not lists:
            return None
        empty = [kind for kind, items in lists.items() if not items]
        if empty:
            condition = _CONDITIONS.get(empty[0], Condition.POD)
            nobody = Nothing(condition, f"nobody ({word}{empty[0]} is empty)")
            return (Peer(f".{word}{empty[0]}", (nobody,)),)
        found: list[Peer] = []
        for kind in filled:
            for index, each in enumerate(lists[kind]):
                step = f".{word}{kind}[{index}]"
                where = f"spec.{path}{step}"
                found.extend(Peer(step, (matcher,)) for matcher in self._peer(kind, each, where))
        return tuple(found)

    def _peer(self, kind: str, raw: Any, where: str) -> list[Matcher]:
        """Compile one peer; several where it stands for several."""
        if kind == "Endpoints":
            return [self._selected(raw)]
        if kind == "CIDR":
            return [cidr(self.context, (network(raw, where),))]
        if kind == "CIDRSet":
            return [self._cidr_set(raw, where)]
        if kind == "Entities":
            if not isinstance(raw, str) or raw not in ENTITIES:
                raise PolicyError(f"{where}: the entity {str(raw)[:40]!r} is not known")
            return [EntitySelected(raw)]
        if kind == "Nodes":
            return [self._nodes(raw, where)]
        if kind == "Services":
            return self._services(raw, where)
        if kind == "FQDNs":
            return [FqdnSelected(read_name(raw, where))]
        traits = self.context.traits
        if {traits.range_pods, traits.range_nodes} == {Outcome.MISS}:
            return [GroupSelected(where)]
        return [Undecidable(f"{where}: groups of a cloud provider are not evaluated")]

    def _selected(self, raw: Any) -> IdentitySelected:
        selector = peer_selector(raw, self.namespace, subject_init=self.init)
        # A selector of reserved identities is left as it is.
        named = any(each.key == CLUSTER or each.source == "reserved" for each in selector.wants)
        return IdentitySelected(
            selector, Outcome.MISS if named else self.state.local_default, self.book.cluster
        )

    def _cidr_set(self, raw: Any, where: str) -> Matcher:
        if not isinstance(raw, dict):
            raise PolicyError(f"{where} is not an object")
        given = {str(key): value for key, value in raw.items() if value not in (None, "")}
        ways = sorted(given.keys() & {"cidr", "cidrGroupRef", "cidrGroupSelector"})
        strange = unknown_field(given, ("cidr", "cidrGroupRef", "cidrGroupSelector", "except"), where)
        if strange is not None:
            return Undecidable(strange)
        if len(ways) != 1:
            raise PolicyError(f"{where} is not exactly one of cidr, cidrGroupRef and cidrGroupSelector")
        exceptions = tuple(
            network(each, f"{where}.except[{index}]")
            for index, each in enumerate(entries(given.get("except"), f"{where}.except"))
        )
        networks: tuple[Network, ...] | str
        if ways == ["cidr"]:
            whole = network(given["cidr"], f"{where}.cidr")
            for each in exceptions:
                if each.version != whole.version or not each.subnet_of(whole):  # type: ignore[arg-type]
                    raise PolicyError(f"{where}.except: {each} is not inside {whole}")
            networks = (whole,)
        elif ways == ["cidrGroupRef"]:
            networks = self.state.group(str(given["cidrGroupRef"]))
        else:
            networks = self.state.groups(read_selector(given["cidrGroupSelector"]))
        if isinstance(networks, str):
            return Undecidable(f"{where}: {networks}")
        if not networks:
            return Nothing(Condition.IP, f"an address of the ranges of {where}, which are none")
        return cidr(self.context, networks, exceptions)

    def _nodes(self, raw: Any, where: str) -> Matcher:
        if self.state.node_labels is None:
            return Undecidable(f"{where}: whether enable-node-selector-labels is set is not known")
        if not self.state.node_labels:
            raise PolicyError(f"{where} needs the agent's enable-node-selector-labels")
        return RemoteNodeSelected(bare_node_selector(raw))

    def _services(self, raw: Any, where: str) -> list[Matcher]:
        found = self.state.services(raw, where)
        if isinstance(found, str):
            return [Undecidable(f"{where}: {found}")]
        matchers: list[Matcher] = []
        for service in found:
            if service.selector:
                pods = pod_labels(read_selector({"matchLabels": service.selector}))
                wants = (namespace_named(service.namespace), *pods.wants)
                matchers.append(IdentitySelected(IdentitySelector(wants)))
                continue
            addresses = self.state.addresses(service.namespace, service.name)
            if not addresses:
                name = f"{service.namespace}/{service.name}"
                matchers.append(Undecidable(f"{where}: the endpoints of Service {name} are not known"))
            else:
                matchers.append(cidr(self.context, addresses))
        return matchers or [Nothing(Condition.SERVICE, f"a Service that {where} selects, which is none")]

    # Ports

    def _traffic(
        self,
        ports: list[Any],
        icmps: TrafficMatcher | None,
        path: str,
        direction: Direction,
        *,
        deny: bool,
    ) -> list[tuple[tuple[TrafficMatcher, ...], tuple[Redirect, ...]]]:
        """Conditions on the traffic, one set of them for each entry that has L7 rules of its own."""
        if icmps is not None:
            return [((icmps,), ())]
        if not ports:
            return [((), ())]
        read = [
            self._entry(each, f"spec.{path}.toPorts[{index}]", direction, deny=deny)
            for index, each in enumerate(ports)
        ]
        plain = [each for each, redirects in read if not redirects]
        found: list[tuple[tuple[TrafficMatcher, ...], tuple[Redirect, ...]]] = []
        if any(not each for each in plain):
            found.append(((), ()))
        elif plain:
            found.append(((OneOf(tuple(one for each in plain for one in each)),), ()))
        found.extend(((OneOf(each),) if each else (), redirects) for each, redirects in read if redirects)
        return found

    def _entry(
        self, raw: Any, where: str, direction: Direction, *, deny: bool
    ) -> tuple[tuple[TrafficMatcher, ...], tuple[Redirect, ...]]:
        if not isinstance(raw, dict):
            raise PolicyError(f"{where} is not an object")
        items = entries(raw.get("ports"), f"{where}.ports")
        if len(items) > MAX_PORTS:
            raise PolicyError(f"{where}.ports has more than {MAX_PORTS} entries")
        ports = tuple(
            read_port(each, f"{where}.ports[{index}]", direction, self.state.port_names)
            for index, each in enumerate(items)
        )
        strange = unknown_field(raw, ("ports",) if deny else PORT_FIELDS, where)
        if strange is not None:
            return (UndecidableTraffic(strange),), ()
        redirects = read_l7(raw, where, direction)
        if redirects and self.host:
            raise PolicyError(f"{where}: policies for nodes have no L7 rules")
        parsers = {each.parser for each in redirects}
        if "dns" in parsers and not items:
            raise PolicyError(f"{where}.rules.dns needs a port")
        if raw.get("rules") and parsers and "dns" not in parsers:
            protocols = {str(each.get("protocol") or "ANY").upper() for each in items}
            if protocols - {"TCP"}:
                raise PolicyError(f"{where}: {_TCP_ONLY}")
        return ports, redirects


def bare_node_selector(raw: Any) -> LabelSelector:
    """Read a selector of nodes, whose keys may name a source; a node is always ``reserved:host`` to itself.

    Raises:
        SelectorError: what the API server would refuse.
    """
    found = []
    for each in read_selector(raw).requirements:
        source, colon, key = each.key.partition(":")
        if colon and source == "reserved" and key == "host":
            continue
        bare = key if colon and source in ("k8s", "any", "node") else each.key
        found.append(Requirement(bare, each.operator, each.values))
    return LabelSelector(tuple(found))
