"""Policies of Cilium's that only deny, and so put into default deny whom they select, which hardly anybody means.

Source: Cilium ``pkg/policy/api/rule.go`` (``EnableDefaultDeny``): any rule of a direction, a denying one too, turns default
deny on for it unless ``enableDefaultDeny`` says no (cilium#20914).
"""

from __future__ import annotations

from flowdiag.model.objects import PolicyObject

__all__ = ["deny_only"]

_GROUP = "cilium.io"
_ON_PURPOSE = ("default-deny", "deny-all", "deny-by-default", "isolat", "lockdown", "quarantine")
"""A policy with such a word in its name closes everything on purpose; others are named after what they deny."""


def deny_only(policy: PolicyObject, direction: str) -> bool:
    """Whether a policy closes a direction by deny rules alone, and does not say in its name that it means to."""
    spec, mode = policy.spec, policy.spec.get("enableDefaultDeny")
    if policy.ref.group != _GROUP or (isinstance(mode, dict) and mode.get(direction) is False):
        return False
    name = policy.ref.name.lower()
    return (
        bool(spec.get(f"{direction}Deny"))
        and not spec.get(direction)
        and not any(word in name for word in _ON_PURPOSE)
    )
