"""What the name of an OVN ACL says: which policy, which direction, which rule.

Sources: ovn-kubernetes ``go-controller/pkg/libovsdb/util/acl.go`` (new names since 2023-03, OpenShift 4.13 and 4.14),
Kube-OVN ``pkg/ovs/ovn-nb-acl.go``.  OVN cuts names at 63 characters, so the end of a long one is missing; a part that may
be cut is left out here, and the whole spelling stays in ``raw`` for whoever knows the policies.
"""

from __future__ import annotations

import re
from functools import lru_cache

from flowdiag.parserkit import Direction, PolicyHit

__all__ = ["policy_of", "way_of"]

_MAX_NAME = 63
_NETWORKING = "networking.k8s.io"
_ADMIN = "policy.networking.k8s.io"
_OVN = "k8s.ovn.org"
_DEFAULT_DENY = "default-deny"

# "NP:verify-audit-logging:allow-from-same-namespace:Egress:0", "NP:verify-audit-logging:Ingress"   OpenShift 4.14
_NEW = re.compile(r"(?P<kind>NP|ANP|BANP|EF):(?P<rest>.*)")
# "np/default-deny-ingress.kube-system/IPv4/0", "np/test.default/ingress/IPv4/0"                    Kube-OVN 1.10, 1.13
_KUBE_OVN = re.compile(r"np/(?P<policy>[^/]+)\.(?P<ns>[^./]+)(?P<rest>(?:/.*)?)")
# "anp/deny-all/ingress/IPv4/3", "banp/default/egress/IPv6/0", "cnp/tenants/ingress/IPv4/1"          Kube-OVN 1.13, 1.15
_KUBE_OVN_WIDE = re.compile(
    r"(?P<kind>anp|banp|cnp)/(?P<name>[^/]+)(?:/(?P<way>ingress|egress)/IPv[46]/(?P<index>\d{1,6}))?(?:/.*)?"
)
_WIDE_KINDS = {
    "anp": "AdminNetworkPolicy",
    "banp": "BaselineAdminNetworkPolicy",
    "cnp": "ClusterNetworkPolicy",
}
# "verify-audit-logging_deny-all", "verify-audit-logging_allow-from-same-namespace_0"               OpenShift 4.6 to 4.12
_OLD = re.compile(r"(?P<ns>[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)_(?P<rest>[A-Za-z0-9._-]+)")
# "egressFirewall_shop_9999": namespace and priority, from which releases count the rule differently     before 2023-03
_OLD_FIREWALL = re.compile(r"egressFirewall_(?P<ns>[a-z0-9-]{1,63})(?P<end>_\d{1,6})?")
# "shop_egressDefaultDeny"; for some months "a16982411286042166782_ingressDefaultDeny", the hash of a namespace   before 2023-03
_OLD_DEFAULT_DENY = {"ingressDefaultDeny": Direction.INGRESS, "egressDefaultDeny": Direction.EGRESS}
_HASH = re.compile(r"a\d{15,20}")
_FIREWALL = "EgressFirewall"
_WAYS = {"Ingress": "ingress", "Egress": "egress"}
_EFFECTS = {"allow": "allow", "drop": "deny", "reject": "deny", "pass": "pass"}


def way_of(hit: PolicyHit | None, direction: Direction | None) -> Direction | None:
    """The direction that a policy enforces, where the ACL has `direction`.

    An EgressFirewall's ACLs are on their way to a port (to-lport), behind the pod's: they hold back what pods send out
    (ovn-kubernetes ``go-controller/pkg/ovn/egressfirewall.go``).
    """
    if hit is not None and hit.kind == _FIREWALL:
        return Direction.EGRESS
    if direction is None and hit is not None:
        return _OLD_DEFAULT_DENY.get((hit.raw or "").rpartition("_")[2])
    return direction


@lru_cache(maxsize=16384)
def policy_of(name: str, verdict: str) -> PolicyHit | None:
    """The policy that an ACL belongs to; ``None`` where the name is nobody's in Kubernetes.

    Args:
        name: as logged, without quotes.
        verdict: OVN's word: allow, drop, reject or pass.
    """
    effect = _EFFECTS.get(verdict)
    cut = len(name) >= _MAX_NAME
    new = _NEW.fullmatch(name)
    if new is not None:
        parts = new["rest"].split(":")
        if new["kind"] == "NP":
            return _network_policy(parts, name, effect, cut=cut)
        return _cluster_policy(new["kind"], parts, name, effect, cut=cut)
    kube_ovn = _KUBE_OVN.fullmatch(name)
    if kube_ovn is not None:
        allows = any(word in kube_ovn["rest"] for word in ("/ingress/", "/egress/"))
        # Without what follows the namespace, a dot of the policy's own name may be the last one that is left.
        whole = bool(kube_ovn["rest"]) or not cut
        return PolicyHit(
            kind="NetworkPolicy",
            group=_NETWORKING,
            namespace=kube_ovn["ns"] if whole else None,
            name=kube_ovn["policy"] if whole else None,
            rule=None if allows or not whole else _DEFAULT_DENY,
            effect=effect,
            raw=name,
        )
    wide = _KUBE_OVN_WIDE.fullmatch(name)
    if wide is not None:
        return PolicyHit(
            kind=_WIDE_KINDS[wide["kind"]],
            group=_ADMIN,
            name=wide["name"] if wide["way"] or not cut else None,
            rule=f"{wide['way']}[{wide['index']}]" if wide["way"] and not cut else None,
            effect=effect,
            raw=name,
        )
    firewall = _OLD_FIREWALL.fullmatch(name)
    if firewall is not None:
        namespace = firewall["ns"] if firewall["end"] or not cut else None
        return PolicyHit(kind=_FIREWALL, group=_OVN, namespace=namespace, effect=effect, raw=name)
    old = _OLD.fullmatch(name)
    if old is None or name.startswith("neutron"):
        return None
    return _old_policy(old["ns"], old["rest"], name, effect, cut=cut)


def _network_policy(parts: list[str], raw: str, effect: str | None, *, cut: bool) -> PolicyHit:
    """``ns:Ingress`` isolates the whole namespace; ``ns:policy:Ingress:0`` is a rule."""
    namespace = parts[0] if len(parts) > 1 else None
    policy = way = index = None
    if len(parts) == 2:
        # A policy whose name is cut off looks like this too, but cannot be called Ingress: names are lower case.
        # Nor can it begin as "In" or "Eg" do, where the direction itself is cut.
        way = _WAYS.get(parts[1]) or next(
            (way for word, way in _WAYS.items() if cut and parts[1] and word.startswith(parts[1])), None
        )
    elif len(parts) >= 3:
        policy, way = parts[1], _WAYS.get(parts[2])
        index = parts[3] if len(parts) > 3 and not cut else None
    rule = f"{way}[{index}]" if way and index is not None and index.isdigit() else None
    if policy is None and way is not None:
        rule = _DEFAULT_DENY
    return PolicyHit(
        kind="NetworkPolicy",
        group=_NETWORKING,
        namespace=namespace or None,
        name=policy,
        rule=rule,
        effect=effect,
        raw=raw,
    )


def _cluster_policy(kind: str, parts: list[str], raw: str, effect: str | None, *, cut: bool) -> PolicyHit:
    whole = len(parts) > 1
    if kind == "EF":
        # "EF:shop:3"   one EgressFirewall a namespace; the name of the object is not in it
        index = parts[1] if whole and not cut else None
        return PolicyHit(
            kind=_FIREWALL,
            group=_OVN,
            namespace=parts[0] if whole else None,
            rule=f"egress[{index}]" if index is not None and index.isdigit() else None,
            effect=effect,
            raw=raw,
        )
    way = _WAYS.get(parts[1]) if whole else None
    index = parts[2] if len(parts) > 2 and not cut else None
    return PolicyHit(
        kind="AdminNetworkPolicy" if kind == "ANP" else "BaselineAdminNetworkPolicy",
        group=_ADMIN,
        name=parts[0] if whole or not cut else None,
        rule=f"{way}[{index}]" if way and index is not None and index.isdigit() else None,
        effect=effect,
        raw=raw,
    )


def _old_policy(namespace: str, rest: str, raw: str, effect: str | None, *, cut: bool) -> PolicyHit:
    """A namespace cannot hold ``_``, so the first one ends it; the rule's index follows the last one."""
    policy, underscore, index = rest.rpartition("_")
    if rest in _OLD_DEFAULT_DENY:
        return PolicyHit(
            kind="NetworkPolicy",
            group=_NETWORKING,
            namespace=None if _HASH.fullmatch(namespace) else namespace,
            rule=_DEFAULT_DENY,
            effect=effect,
            raw=raw,
        )
    if rest in ("deny-all", "ARPallowPolicy") or (not underscore and rest.startswith("deny-all")):
        return PolicyHit(
            kind="NetworkPolicy",
            group=_NETWORKING,
            namespace=namespace,
            rule=_DEFAULT_DENY if rest == "deny-all" else None,
            effect=effect,
            raw=raw,
        )
    indexed = bool(underscore) and index.isdigit()
    known = indexed or not cut
    return PolicyHit(
        kind="NetworkPolicy",
        group=_NETWORKING,
        namespace=namespace,
        name=(policy if indexed else rest) if known else None,
        effect=effect,
        raw=raw,
    )
