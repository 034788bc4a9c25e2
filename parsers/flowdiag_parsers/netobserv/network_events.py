"""``NetworkEvents`` of a NetObserv record: which ACL judged the flow, as objects or as sentences.

Sources: ovn-kubernetes ``go-controller/observability-lib/model`` (objects, NetObserv 1.8 and later) and the sentences that
the agent built from it before.
"""

from __future__ import annotations

import re
from typing import Any

from flowdiag.parserkit import PolicyHit, text_of

__all__ = ["hits_of"]

_NETWORKING = "networking.k8s.io"
_ADMIN = "policy.networking.k8s.io"
_KINDS: dict[str, tuple[str, str]] = {
    "NetworkPolicy": ("NetworkPolicy", _NETWORKING),
    "NetpolNamespace": ("NetworkPolicy", _NETWORKING),
    "AdminNetworkPolicy": ("AdminNetworkPolicy", _ADMIN),
    "BaselineAdminNetworkPolicy": ("BaselineAdminNetworkPolicy", _ADMIN),
    "EgressFirewall": ("EgressFirewall", "k8s.ovn.org"),
}
# Built-in rules of OVN-Kubernetes: nobody's policy.
_BUILT_IN = ("NetpolNode", "MulticastNS", "MulticastCluster", "UDNIsolation")
_EFFECTS = {
    "allow": "allow",
    "allow-related": "allow",
    "allow-stateless": "allow",
    "drop": "deny",
    "reject": "deny",
    "pass": "pass",
}
# "Dropped by network policy policy-2 in namespace ns-2, direction Ingress"     sentences up to NetObserv 1.7
# "Dropped by network policies isolation in namespace ns-2, direction Egress"
# "Allowed by egress firewall in namespace ns-1"
# "Allowed by admin network policy cluster-control, direction Egress"
# "Dropped by multicast in namespace ns-1, direction Ingress", "Dropped by cluster multicast policy, direction Egress"
# "Dropped by UDN isolation of type Secondary", "Allowed by default allow from local node policy, direction Ingress"
_SENTENCE = re.compile(
    r"(?P<what>Allowed|Dropped|Rejected|Passed|Delegated)(?: to network policy)? by (?:(?P<kind>(?:baseline )?admin network policy|network policy)"
    r"(?: (?P<name>(?!in namespace)[a-z0-9][a-z0-9.-]{0,252}))?|(?P<isolation>network policies isolation)|(?P<firewall>egress firewall)"
    r"|(?P<built_in>multicast|cluster multicast policy|UDN isolation|default allow from local node policy))"
    r"(?: in namespace (?P<ns>[a-z0-9-]{1,63}))?(?:, direction (?P<way>Ingress|Egress))?"
)
_WORDS = {"Allowed": "allow", "Dropped": "deny", "Rejected": "deny", "Passed": "pass", "Delegated": "pass"}
_SENTENCE_KINDS = {
    "network policy": ("NetworkPolicy", _NETWORKING),
    "admin network policy": ("AdminNetworkPolicy", _ADMIN),
    "baseline admin network policy": ("BaselineAdminNetworkPolicy", _ADMIN),
}
_BUILT_IN_WORDS = {
    "multicast": "MulticastNS",
    "cluster multicast policy": "MulticastCluster",
    "UDN isolation": "UDNIsolation",
    "default allow from local node policy": "NetpolNode",
}
_WAYS = {"ingress": "ingress", "egress": "egress"}
_MOST = 16

Hit = tuple[PolicyHit, str | None]


def hits_of(events: object) -> tuple[Hit, ...]:
    """Policies with the direction (``ingress``, ``egress``, ``None``) in which each judged."""
    if not isinstance(events, list):
        return ()
    found = []
    for event in events[:_MOST]:
        if isinstance(event, str):
            found.append(_sentence(event))
        elif isinstance(event, dict):
            message = text_of(event, "Message")
            found.append(_sentence(message) if message is not None else _object(event))
    return tuple(dict.fromkeys(hit for hit in found if hit is not None))


def _object(event: dict[str, Any]) -> Hit | None:
    # {"Feature":"acl","Type":"NetworkPolicy","Action":"drop","Name":"deny-all","Namespace":"shop","Direction":"Ingress"}   1.8 and later
    if text_of(event, "Feature") not in (None, "acl"):
        return None
    word = text_of(event, "Type") or ""
    effect = _EFFECTS.get((text_of(event, "Action") or "").lower())
    way = _WAYS.get((text_of(event, "Direction") or "").lower())
    if word in _BUILT_IN:
        return PolicyHit(effect=effect, raw=word), way
    kind, group = _KINDS.get(word, (word or None, None))
    isolation = word == "NetpolNamespace"
    hit = PolicyHit(
        kind=kind,
        group=group,
        # OVN fills the namespace of the pod in for cluster-wide policies too.
        namespace=None
        if group == _ADMIN
        else text_of(event, "Namespace") or (text_of(event, "Name") if isolation else None),
        name=None if isolation else text_of(event, "Name"),
        # A NetworkPolicy has no rule that denies: its pod is isolated, and nothing matched.
        rule="default-deny" if group == _NETWORKING and effect == "deny" else None,
        effect=effect,
        raw=(word or None) if not isolation else None,
    )
    return hit, way


def _sentence(text: str) -> Hit | None:
    match = _SENTENCE.match(text[:1000])
    if match is None:
        return None
    way = (match["way"] or "").lower() or None
    if match["built_in"]:
        return PolicyHit(effect=_WORDS[match["what"]], raw=_BUILT_IN_WORDS[match["built_in"]]), way
    kind, group = _SENTENCE_KINDS.get(match["kind"] or "", ("NetworkPolicy", _NETWORKING))
    if match["firewall"]:
        # Its sentence says no direction: it has only one.
        kind, group, way = "EgressFirewall", "k8s.ovn.org", "egress"
    hit = PolicyHit(
        kind=kind,
        group=group,
        namespace=None if group == _ADMIN else match["ns"],
        name=match["name"],
        rule="default-deny" if group == _NETWORKING and match["what"] in ("Dropped", "Rejected") else None,
        effect=_WORDS[match["what"]],
        raw=match[0] if match["isolation"] is None else None,
    )
    return hit, way
