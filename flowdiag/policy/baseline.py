"""Policies that stand behind NetworkPolicy: they decide where no policy of a namespace selects an end."""

from __future__ import annotations

from flowdiag.model.objects import PolicyObject
from flowdiag.policy.compile import admin, antrea
from flowdiag.policy.compile.antrea_groups import ANTREA_GROUPS

__all__ = ["is_behind"]


def is_behind(policy: PolicyObject) -> bool:
    """Whether it is of the baseline tier of its kind."""
    ref = policy.ref
    if ref.group in ANTREA_GROUPS:
        return antrea.is_behind(policy)
    return (
        (ref.kind in admin.ADMIN_KINDS and ref.group == admin.GROUP)
        or (ref.group, ref.kind) == admin.AWS_ADMIN
    ) and admin.is_baseline(policy)
