"""Policies that a Hubble flow names: ``egress_allowed_by``, ``ingress_denied_by`` and their kin.

Sample (Cilium 1.18): ``{"name":"deny-world","namespace":"default","labels":
["k8s:io.cilium.k8s.policy.derived-from=CiliumNetworkPolicy","k8s:io.cilium.k8s.policy.name=deny-world",
"k8s:io.cilium.k8s.policy.namespace=default"],"revision":"2","kind":"CiliumNetworkPolicy"}``.
``kind`` came with 1.18; before, only the labels tell.  An implicit rule has no name, and a label such as
``reserved:io.cilium.policy.derived-from=allow-any-ingress`` (pkg/policy/correlation).
"""

from __future__ import annotations

from typing import Any

from flowdiag.parserkit import POLICY_GROUPS, PolicyHit
from flowdiag_parsers.hubble.json_fields import objects, text, texts

__all__ = ["derived_from", "read_policies"]

FIELDS: tuple[tuple[str, str], ...] = (
    ("egress_allowed_by", "allow"),
    ("ingress_allowed_by", "allow"),
    ("egress_denied_by", "deny"),
    ("ingress_denied_by", "deny"),
)
"""The lists, and what being in them means."""

_PREFIX = "k8s:io.cilium.k8s.policy."
_MAX_POLICIES = 64
_DEFAULT_DENY = 133
"""`POLICY_DENIED`: no rule matched.  A deny rule is 181, `POLICY_DENY`."""


def derived_from(labels: tuple[str, ...] | None) -> tuple[str | None, str | None, str | None, str | None]:
    """Kind, group, namespace and name of the policy object that rule labels speak of."""
    said = {}
    for label in labels or ():
        key, _, value = label.partition("=")
        if key.startswith(_PREFIX) and value:
            said[key[len(_PREFIX) :]] = value
    kind = said.get("derived-from")
    return kind, POLICY_GROUPS.get(kind or ""), said.get("namespace"), said.get("name")


def read_policies(flow: dict[str, Any], reason_code: int | None) -> tuple[PolicyHit, ...]:
    """All policies of a flow, in the order of `FIELDS`.

    Where the reason is a default deny (133), those that deny hold no rule that does: they isolate the end.
    """
    found: list[PolicyHit] = []
    for field, meant in FIELDS:
        effect = "no-match" if meant == "deny" and reason_code == _DEFAULT_DENY else meant
        for policy in objects(flow, field)[:_MAX_POLICIES]:
            labels = texts(policy, "labels")
            kind, group, namespace, name = derived_from(labels)
            named = text(policy, "name") or name
            own_kind = text(policy, "kind") or kind
            found.append(
                PolicyHit(
                    kind=own_kind,
                    group=POLICY_GROUPS.get(own_kind or "", group),
                    namespace=text(policy, "namespace") or namespace,
                    name=named,
                    effect=effect,
                    # An implicit rule: its label is all there is.
                    raw=",".join(labels) if named is None and labels else None,
                )
            )
    return tuple(found)
