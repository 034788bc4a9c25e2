"""The policy traces of a flow record: what decided, and what staged policies would have done."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from msgspec import Struct

from flowdiag.parserkit import PolicyHit, bounded
from flowdiag_parsers.calico.policy_names import effect_word, kind_ref, policy_string, rule_word

__all__ = ["Traces", "read_traces"]

_LIMIT = 200
"""Hits read of one trace."""

_Ordered = list[tuple[int, PolicyHit]]


class Traces(Struct, frozen=True):
    """The traces of one record, in the order in which Calico tried them."""

    enforced: tuple[PolicyHit, ...]
    staged: tuple[PolicyHit, ...]
    """Hits that are only hypothetical: a staged policy's, or an end of tier that one caused."""
    would_deny: bool
    """With the staged policies in force the traffic would have been denied."""
    decided_by: PolicyHit | None
    """The enforced hit that allowed or denied."""


def read_traces(policies: Any) -> Traces:
    """Read ``policies`` of a levelled record; what is not there or not readable is left out.

    ``all_policies`` holds enforced and staged hits together (Enterprise; the only list in old logs).
    """
    if not isinstance(policies, dict):
        return Traces((), (), would_deny=False, decided_by=None)
    enforced = _hits(policies.get("enforced_policies"))
    pending = _hits(policies.get("pending_policies"))
    together = _hits(policies.get("all_policies"))
    transit = _hits(policies.get("transit_policies"))
    if not enforced:
        enforced = [entry for entry in together if not is_staged(entry[1])]
    known = {hit for _, hit in enforced} | {_place_free(hit) for _, hit in enforced}
    staged: list[PolicyHit] = []
    for _, hit in pending + together:
        free = _place_free(hit)
        if hit in known or free in known or (not is_staged(hit) and hit.rule != "end-of-tier"):
            continue
        known.add(free)
        staged.append(hit)
    trial = pending or together
    decided = _decisive(enforced) or _decisive(transit)
    trial_decided = _decisive(trial)
    would_deny = (
        trial_decided is not None
        and trial_decided.effect == "deny"
        and (decided is None or decided.effect != "deny")
    )
    return Traces(
        enforced=tuple(hit for _, hit in enforced + transit),
        staged=tuple(staged),
        would_deny=would_deny,
        decided_by=decided,
    )


def is_staged(hit: PolicyHit) -> bool:
    """Whether a hit is a staged policy's."""
    return hit.kind is not None and hit.kind.startswith("Staged")


def _decisive(trace: _Ordered) -> PolicyHit | None:
    """The first hit that ends a trace: a pass goes on, a log goes on."""
    return next((hit for _, hit in trace if hit.effect in ("allow", "deny")), None)


def _place_free(hit: PolicyHit) -> PolicyHit:
    """A hit without the vendor's string: the same hit has another place in another trace."""
    return PolicyHit(
        kind=hit.kind,
        group=hit.group,
        namespace=hit.namespace,
        name=hit.name,
        tier=hit.tier,
        rule=hit.rule,
        effect=hit.effect,
    )


def _hits(trace: Any) -> _Ordered:
    if isinstance(trace, str):
        # "0|default|shop/default.web|deny|0, 1|__PROFILE__|__PROFILE__.kns.shop|allow|0"   a cell of Kibana's CSV
        trace = trace[: _LIMIT * 1000].split(", ")
    if not isinstance(trace, list):
        return []
    found = [entry for element in trace[:_LIMIT] for entry in _hit(element)]
    found.sort(key=lambda entry: entry[0])
    return found


def _hit(element: Any) -> Iterator[tuple[int, PolicyHit]]:
    if isinstance(element, str):
        entry = policy_string(element) if len(element) < 1000 else None
        if entry is not None:
            yield entry
    elif isinstance(element, dict):
        yield _structured(element)


def _structured(hit: dict[str, Any]) -> tuple[int, PolicyHit]:
    """A hit as Whisker and Goldmane write it; protobuf JSON leaves zeroes out and writes camel case."""
    kind = _text(hit, "kind")
    place = _number(hit, "policy_index", "policyIndex")
    rule: int | None = _number(hit, "rule_index", "ruleIndex", default=None)
    effect = effect_word(_text(hit, "action"))
    tier = _text(hit, "tier")
    named = hit
    if kind == "EndOfTier":
        trigger = hit.get("trigger")
        # The trigger's own action and indexes are meaningless; which of several applying policies it is, arbitrary.
        named = trigger if isinstance(trigger, dict) else {}
        kind = _text(named, "kind")
        rule = -1
    elif rule is None and ("policyIndex" in hit or "ruleIndex" in hit):
        rule = 0
    ref = kind_ref(kind) if kind else None
    return place or 0, PolicyHit(
        kind=ref[0] if ref else kind,
        group=ref[1] if ref else None,
        namespace=_text(named, "namespace"),
        name=_text(named, "name"),
        tier=tier,
        rule=rule_word(rule),
        effect=effect,
    )


def _text(hit: dict[str, Any], key: str) -> str | None:
    value = hit.get(key)
    return value if isinstance(value, str) and value not in ("", "-") else None


def _number(hit: dict[str, Any], snake: str, camel: str, default: int | None = 0) -> int | None:
    value = hit.get(snake, hit.get(camel))
    if isinstance(value, bool):
        return default
    if isinstance(value, int):
        number: int | None = bounded(value)
        return number
    if isinstance(value, str) and len(value) < 12 and value.lstrip("-").isdecimal():
        return int(value)
    return default
