"""Policies as they were before a change, where a log of changes holds the old object.

Audit logs give the whole object of a deletion (level RequestResponse), Weave's agent both objects of an update.
"""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct

from flowdiag.cluster.meta import read_meta
from flowdiag.cluster.policies import read_policy
from flowdiag.cluster.wanted import POLICY_KINDS
from flowdiag.model.event import ChangeEvent
from flowdiag.model.objects import Origin, PolicyObject

__all__ = ["OldPolicy", "old_policies"]


class OldPolicy(Struct, frozen=True, kw_only=True):
    """A policy that held until `until` (nanoseconds), when it was changed or deleted."""

    until: int
    change: str
    by: str | None
    policy: PolicyObject


def old_policies(events: Iterable[tuple[str, ChangeEvent]]) -> list[OldPolicy]:
    """Read the old objects of changes, latest change first; several ``specs`` of one object are left out.

    Args:
        events: (input, event) of the logs.
    """
    found: list[OldPolicy] = []
    for name, event in events:
        body = event.before
        if body is None or event.at is None:
            continue
        api, kind = body.get("apiVersion"), body.get("kind")
        if not isinstance(api, str) or not isinstance(kind, str):
            continue
        group = api.partition("/")[0]
        meta = read_meta(body.get("metadata"))
        if (group, kind) not in POLICY_KINDS or meta.name is None:
            continue
        read = read_policy(body, group, kind, api, meta, Origin(name, event.line))
        if len(read) == 1 and read[0].spec_index is None:
            found.append(OldPolicy(until=event.at, change=event.change, by=event.by, policy=read[0]))
    return sorted(found, key=lambda one: (-one.until, one.policy.ref, one.by or ""))
