"""How Calico names policies inside its components, and back to the objects that people know.

Up to v3.31 the name carries everything: ``[ns/]tier.name``, ``ns/knp.default.name`` for a Kubernetes
NetworkPolicy, ``tier.staged:name`` for a staged one, ``__PROFILE__.kns.ns`` for a profile.
Since v3.32 a short kind stands before the name as in the API: ``np:ns/name``.
(felix/calc, goldmane/proto/methods.go; Enterprise documentation of the flow log's data types.)
"""

from __future__ import annotations

import re
from functools import lru_cache

from flowdiag.parserkit import ObjectRef, PolicyHit

__all__ = [
    "CALICO",
    "KUBERNETES",
    "effect_word",
    "kind_ref",
    "named_policy",
    "policy_string",
    "rule_word",
]

CALICO = "projectcalico.org"
KUBERNETES = "networking.k8s.io"
POLICY_API = "policy.networking.k8s.io"

_SHORT_KINDS: dict[str, tuple[str, str]] = {
    "np": ("NetworkPolicy", CALICO),
    "gnp": ("GlobalNetworkPolicy", CALICO),
    "snp": ("StagedNetworkPolicy", CALICO),
    "sgnp": ("StagedGlobalNetworkPolicy", CALICO),
    "sknp": ("StagedKubernetesNetworkPolicy", CALICO),
    "knp": ("NetworkPolicy", KUBERNETES),
    "kcnp": ("ClusterNetworkPolicy", POLICY_API),
    "kanp": ("AdminNetworkPolicy", POLICY_API),
    "kbanp": ("BaselineAdminNetworkPolicy", POLICY_API),
    "pro": ("Profile", CALICO),
}

_LONG_KINDS: dict[str, tuple[str, str]] = {
    "CalicoNetworkPolicy": ("NetworkPolicy", CALICO),
    "GlobalNetworkPolicy": ("GlobalNetworkPolicy", CALICO),
    "StagedNetworkPolicy": ("StagedNetworkPolicy", CALICO),
    "StagedGlobalNetworkPolicy": ("StagedGlobalNetworkPolicy", CALICO),
    "StagedKubernetesNetworkPolicy": ("StagedKubernetesNetworkPolicy", CALICO),
    "KubernetesNetworkPolicy": ("NetworkPolicy", KUBERNETES),
    "ClusterNetworkPolicy": ("ClusterNetworkPolicy", POLICY_API),
    "KubernetesClusterNetworkPolicy": ("ClusterNetworkPolicy", POLICY_API),
    "AdminNetworkPolicy": ("AdminNetworkPolicy", POLICY_API),
    "KubernetesAdminNetworkPolicy": ("AdminNetworkPolicy", POLICY_API),
    "BaselineAdminNetworkPolicy": ("BaselineAdminNetworkPolicy", POLICY_API),
    "KubernetesBaselineAdminNetworkPolicy": ("BaselineAdminNetworkPolicy", POLICY_API),
    "Profile": ("Profile", CALICO),
}

_PROFILE_TIER = "__PROFILE__"
_NO_MATCH = "__NO_MATCH__"

# "0|tier1|ns1/tier1.policy1|pass|3", "2|__PROFILE__|__PROFILE__.kns.stars|allow|0"   up to v3.31, Enterprise
# "1|tier|sgnp:name.with.dots|deny|2", "0|tier1|np:ns1/tier1.policy1|deny|-1"         since v3.32
# "0|default|ns/default.name|allow"                                                   old Enterprise: no rule
_POLICY_STRING = re.compile(
    r"(?P<index>\d{1,6})\|(?P<tier>[^|]{0,253})\|(?P<name>[^|]{0,600})\|(?P<action>[^|]{1,20})(?:\|(?P<rule>-?\d{1,6}|-))?"
)


def kind_ref(kind: str, *, calico_network_policy: str = "CalicoNetworkPolicy") -> tuple[str, str] | None:
    """Kind and API group of a component's word for a kind; ``None`` if it is not a policy's.

    Args:
        kind: ``CalicoNetworkPolicy``, ``StagedGlobalNetworkPolicy``, ``Profile`` ...
        calico_network_policy: what this component calls Calico's own NetworkPolicy.  Flow logs say
            ``CalicoNetworkPolicy`` and mean the Kubernetes kind by ``NetworkPolicy``; Felix says
            ``NetworkPolicy`` and ``KubernetesNetworkPolicy``.
    """
    if kind == "NetworkPolicy":
        return ("NetworkPolicy", CALICO if calico_network_policy == kind else KUBERNETES)
    return _LONG_KINDS.get(kind)


def named_policy(tier: str | None, name: str) -> ObjectRef | None:
    """The object behind a component's name of a policy, in either generation's form.

    Args:
        tier: the tier that the record gives beside the name, if it does: it says where the name
            proper begins, because names contain dots.
        name: ``shop/default.web``, ``default.deny-all``, ``shop/knp.default.web``, ``np:shop/web``.
    """
    prefix, colon, rest = name.partition(":")
    if colon and prefix in _SHORT_KINDS:
        kind, group = _SHORT_KINDS[prefix]
        namespace, _, proper = rest.rpartition("/")
        return ObjectRef(kind, group, namespace or None, proper)
    if name.startswith(_PROFILE_TIER + "."):
        return ObjectRef("Profile", CALICO, None, name[len(_PROFILE_TIER) + 1 :])
    namespace, _, proper = name.rpartition("/")
    staged = False
    for form in (f"{tier}.staged:", "staged:"):
        if proper.startswith(form):
            staged, proper = True, proper[len(form) :]
            break
    if proper.startswith("knp.default."):
        kind, group = _SHORT_KINDS["sknp" if staged else "knp"]
        return ObjectRef(kind, group, namespace or None, proper[len("knp.default.") :])
    for form, kind in (
        ("kanp.adminnetworkpolicy.", "AdminNetworkPolicy"),
        ("kbanp.baselineadminnetworkpolicy.", "BaselineAdminNetworkPolicy"),
        ("kcnp.kube-admin.", "ClusterNetworkPolicy"),
        ("kcnp.kube-baseline.", "ClusterNetworkPolicy"),
    ):
        if proper.startswith(form):
            return ObjectRef(kind, POLICY_API, None, proper[len(form) :])
    if tier and proper.startswith(tier + "."):
        proper = proper[len(tier) + 1 :]
    if not proper:
        return None
    kind = "NetworkPolicy" if namespace else "GlobalNetworkPolicy"
    return ObjectRef("Staged" + kind if staged else kind, CALICO, namespace or None, proper)


@lru_cache(maxsize=16384)
def policy_string(text: str) -> tuple[int, PolicyHit] | None:
    """Read one ``INDEX|TIER|NAME|ACTION|RULE`` of a flow record.

    Returns:
        Its place in the trace and the hit (rule ``end-of-tier`` for -1, ``None`` for unknown), or
        ``None`` where it is not such a string.
    """
    match = _POLICY_STRING.fullmatch(text)
    if match is None:
        return None
    tier, name = match["tier"], match["name"]
    profile = tier == _PROFILE_TIER
    ref = None if name.endswith(_NO_MATCH) else named_policy(tier, name)
    hit = PolicyHit(
        kind=ref.kind if ref else ("Profile" if profile else None),
        group=ref.group if ref else None,
        namespace=ref.namespace if ref else None,
        name=ref.name if ref else None,
        tier=None if profile else tier or None,
        rule=rule_word(match["rule"]),
        effect=effect_word(match["action"]),
        raw=text,
    )
    return int(match["index"]), hit


def rule_word(rule: str | int | None) -> str | None:
    """A rule's index as recorded; -1 is the end of the tier, -2 and ``-`` are unknown.

    The index counts Calico's own rules: one rule of a Kubernetes NetworkPolicy becomes several.
    """
    text = "" if rule is None else str(rule)
    if text == "-1":
        return "end-of-tier"
    return text if text.isdigit() else None


def effect_word(action: str | None) -> str | None:
    """``allow``, ``deny`` or ``pass``; other words (``ActionUnspecified``, ``unknown``) say nothing."""
    word = (action or "").lower()
    if word == "next-tier":
        return "pass"
    return word if word in ("allow", "deny", "pass", "log") else None
