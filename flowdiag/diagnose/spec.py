"""Where a policy's own text stands: the object that held at a moment, and the rule at a path of it.

`flowdiag.policy` decides; this only finds the words that a person will look at (``egress[0].to[1]``), so that a
diagnosis can tell *why* a condition was written the way it was.  `written_peers`, `written_ranges` and
`written_ports` read them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import wraps
from typing import Any, TypeVar

from flowdiag.diagnose.case import Case
from flowdiag.model.objects import PolicyObject
from flowdiag.model.policy import NearestRule, PolicyRef

__all__ = ["objects", "once", "peer_entries", "policy_at", "policy_now", "rule_at", "strings"]

# "egress[0].to[1]", "ingressDeny[2]": steps of a rule's path (`NearestRule.rule`).
_STEP = re.compile(r"([A-Za-z]+)\[(\d{1,6})\]")


def policy_at(case: Case, ref: PolicyRef) -> PolicyObject | None:
    """Give the object of a policy that held at the time of the case; the only one, or ``None`` if unsure."""
    versions = case.context.policy(ref)
    if len(versions) == 1:
        return versions[0]
    at = case.at
    holding = [
        one
        for one in versions
        if at is None
        or (
            (one.valid_from is None or one.valid_from <= at)
            and (one.valid_until is None or at < one.valid_until)
        )
    ]
    found = holding or list(versions)
    return found[0] if len(found) == 1 else None


def policy_now(case: Case, ref: PolicyRef) -> PolicyObject | None:
    """Give the object of a policy that a change made now would meet; the only one, or ``None``."""
    found = [one for one in case.context.policy(ref) if one.valid_until is None]
    return found[0] if len(found) == 1 else None


_Text = TypeVar("_Text")


def once(read: Callable[[Case, NearestRule], _Text]) -> Callable[[Case, NearestRule], _Text]:
    """Read each rule of each policy object once a run, however many refusals come near it."""

    @wraps(read)
    def known(case: Case, rule: NearestRule) -> _Text:
        policy = policy_at(case, rule.policy)
        if policy is None:
            return read(case, rule)
        # The context's snapshot keeps the object, so that its id stays its own.
        key = (read, id(policy), rule.rule)
        texts = case.context.texts
        if key not in texts:
            texts[key] = read(case, rule)
        found: _Text = texts[key]
        return found

    return known


@once
def rule_at(case: Case, rule: NearestRule) -> dict[str, Any] | None:
    """Give the rule's own object (the whole ``egress[0]``, whichever of its peers is meant)."""
    policy = policy_at(case, rule.policy)
    step = _STEP.match(rule.rule)
    if policy is None or step is None:
        return None
    found = policy.spec.get(step[1])
    index = int(step[2])
    if not isinstance(found, list) or index >= len(found):
        return None
    return found[index] if isinstance(found[index], dict) else {}


def _peer_index(rule: NearestRule) -> int | None:
    steps = _STEP.findall(rule.rule)
    return int(steps[1][1]) if len(steps) > 1 else None


def peer_entries(case: Case, rule: NearestRule) -> Iterator[tuple[str, dict[str, Any]]]:
    """Give the peers of a NetworkPolicy's rule (the one that its path names, else all), each behind its path."""
    raw = rule_at(case, rule)
    if raw is None or rule.policy.kind != "NetworkPolicy":
        return
    base = _STEP.match(rule.rule)
    wanted = _peer_index(rule)
    for word in ("from", "to"):
        found = raw.get(word)
        for index, peer in enumerate(found if isinstance(found, list) else ()):
            if isinstance(peer, dict) and (wanted is None or wanted == index):
                yield f"{base[0] if base else rule.rule}.{word}[{index}]", peer


def objects(raw: Any) -> Iterator[dict[str, Any]]:
    """Give the objects of a list, whatever else is in it or stands in its place."""
    return (each for each in raw if isinstance(each, dict)) if isinstance(raw, list) else iter(())


def strings(raw: Any) -> tuple[str, ...]:
    """Give the texts of a list, whatever else is in it or stands in its place."""
    return tuple(each for each in raw if isinstance(each, str)) if isinstance(raw, list) else ()
