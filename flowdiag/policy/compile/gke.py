"""GKE's FQDNNetworkPolicy (networking.gke.io): the names outside that pods may reach.

Source: GoogleCloudPlatform/gke-networking-api ``apis/fqdnnetworkpolicy/v1alpha1/types.go``, 2022 to 2025.  It isolates
whom it selects for egress, as NetworkPolicy does, and adds to NetworkPolicies.  ``*`` stands for any characters of one
label, by itself for every name.  Whether lookups pass without a rule of their own is not written anywhere, so that it is
unknown here.
"""

from __future__ import annotations

import re
from typing import Any

from msgspec.structs import replace

from flowdiag.model.event import PORT_PROTOCOLS, Direction
from flowdiag.model.objects import PolicyObject
from flowdiag.policy.compile.cilium_names import NamePattern
from flowdiag.policy.compile.cilium_peers import FqdnSelected
from flowdiag.policy.compile.context import (
    CompileContext,
    PolicyError,
    check_fields,
    entries,
    port_number,
    unknown_field,
    validity_of,
)
from flowdiag.policy.matchers import PodSelected, Undecidable
from flowdiag.policy.model import Action, Matcher, Peer, Policy, Rule, TrafficMatcher
from flowdiag.policy.selectors import SelectorError, read_selector
from flowdiag.policy.traffic import NumberedPorts, OneOf

__all__ = ["compile_fqdn_policy", "lookups", "read_match"]

_DNS = 53
_RUN = re.compile(r"\*+")


def compile_fqdn_policy(policy: PolicyObject, _: CompileContext) -> Policy:
    """Compile one policy; one that the API server would refuse comes out `Policy.broken`."""
    spec = policy.spec
    applies_to: tuple[Matcher, ...] = ()
    rules: tuple[Rule, ...] = ()
    broken = ""
    try:
        selector = read_selector(spec.get("podSelector"))
        applies_to = (PodSelected(selector),) if selector.requirements else ()
        check_fields(spec, ("podSelector", "egress"))
        raws = _some(spec.get("egress"), "spec.egress")
        rules = tuple(_rule(raw, f"egress[{index}]") for index, raw in enumerate(raws))
    except (PolicyError, SelectorError) as error:
        broken = str(error)
    return Policy(
        ref=policy.ref,
        namespace=policy.ref.namespace or "default",
        applies_to=applies_to,
        directions=frozenset({Direction.EGRESS}),
        isolates=frozenset({Direction.EGRESS}),
        rules={Direction.EGRESS: rules},
        validity=validity_of(policy),
        broken=broken,
    )


def lookups(policy: Policy) -> Policy:
    """What may let the lookups of those pass whom a policy isolates; nobody says whether it does."""
    ports = tuple(NumberedPorts(protocol, _DNS, _DNS) for protocol in ("UDP", "TCP"))
    why = "whether lookups need a rule of their own beside a FQDNNetworkPolicy is not known"
    rule = Rule(
        path="lookups",
        action=Action.ALLOW,
        peers=(Peer("", (Undecidable(why),)),),
        traffic=(OneOf(ports),),
    )
    return replace(
        policy,
        ref=replace(policy.ref, kind="implicit rule"),
        isolates=frozenset(),
        rules={Direction.EGRESS: (rule,)},
        implicit=True,
    )


def _some(raw: Any, path: str) -> list[Any]:
    found = entries(raw, path)
    if not found:
        raise PolicyError(f"{path} is empty")
    return found


def _rule(raw: Any, path: str) -> Rule:
    given = _given(raw, ("matches", "ports"), f"spec.{path}")
    matches = _some(given.get("matches"), f"spec.{path}.matches")
    ports = entries(given.get("ports"), f"spec.{path}.ports")
    items = [_port(each, f"spec.{path}.ports[{n}]") for n, each in enumerate(ports)]
    return Rule(
        path=path,
        action=Action.ALLOW,
        peers=tuple(
            Peer(f".matches[{n}]", (FqdnSelected(read_match(each, f"spec.{path}.matches[{n}]")),))
            for n, each in enumerate(matches)
        ),
        traffic=(OneOf(tuple(one for item in items for one in item or ())),) if all(items) and items else (),
    )


def read_match(raw: Any, path: str) -> NamePattern:
    """Read an entry of ``matches``.

    Raises:
        PolicyError: not exactly one of name and pattern.
    """
    given = _given(raw, ("name", "pattern"), path)
    if len(given) != 1:
        raise PolicyError(f"{path} is not exactly one of name and pattern")
    field, text = next(iter(given.items()))
    if not isinstance(text, str):
        raise PolicyError(f"{path}.{field} is not a name")
    # Several stars in a row say no more than one here.
    return NamePattern(text if field == "name" else _RUN.sub("*", text), field == "name")


def _given(raw: Any, known: tuple[str, ...], path: str) -> dict[str, Any]:
    if not isinstance(raw, dict):
        raise PolicyError(f"{path} is not an object")
    given = {str(key): value for key, value in raw.items() if value is not None}
    strange = unknown_field(given, known, path)
    if strange is not None:
        raise PolicyError(strange)
    return given


def _port(raw: Any, path: str) -> list[TrafficMatcher] | None:
    """The port with each protocol that it is for; ``None`` for anything, ICMP too."""
    given = _given(raw, ("protocol", "port"), path)
    protocol = given.get("protocol") or "ALL"
    if protocol not in ("TCP", "UDP", "ALL"):
        raise PolicyError(f"{path}.protocol: {str(protocol)[:20]!r} is not TCP, UDP or ALL")
    each = PORT_PROTOCOLS if protocol == "ALL" else (protocol,)
    if "port" not in given:
        return None if protocol == "ALL" else [NumberedPorts(protocol)]
    number = port_number(given["port"], f"{path}.port")
    return [NumberedPorts(one, number, number) for one in each]
