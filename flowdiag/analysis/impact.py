"""Observed connections under two sets of policies: which would break, which would open.

Both sides are replays of the policies as they stand (`at=None`): what counts is what the change does to
traffic like the observed, not what was in force when it was observed.  The records decide where the old
policies cannot.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import Enum

from msgspec import Struct

from flowdiag.analysis.logged import logged_verdict
from flowdiag.analysis.sides import Side, changed_policies, untouched
from flowdiag.model.endpoint import Endpoint, EndpointKind
from flowdiag.model.event import PASSED, Verdict
from flowdiag.model.flow import Flow
from flowdiag.model.policy import ConnectionDecision, EndDecision, PolicyRef
from flowdiag.model.time import rfc3339
from flowdiag.report.query_types import FlowChange, FlowChanges, end_result
from flowdiag.timeline.ends import EndKey, end_key, end_name, fold_outside

__all__ = ["Impact", "impact"]


class Impact(Struct, frozen=True, kw_only=True):
    """What becomes of the observed traffic."""

    flows: FlowChanges
    isolating: dict[FlowChange, tuple[PolicyRef, ...]]
    """For newly denied connections that no rule names: the policies that isolate the end."""


class _Fate(Enum):
    """What a change does to one observed flow."""

    DENIED = "newly denied"
    ALLOWED = "newly allowed"
    UNCHANGED = "unchanged"
    UNKNOWN = "unknown"


class _Member(Struct, frozen=True):
    flow: Flow
    fate: _Fate
    end: EndDecision | None
    """The end that decides it anew: the one that refuses, or that opened."""


_Shape = tuple[EndKey, EndKey, str | None, int | None, tuple[int | None, int | None] | None]


def impact(flows: Iterable[Flow], old: Side, new: Side, concerned: Callable[[Flow], bool]) -> Impact:
    """Replay observed flows under both sides, and fold them to connections between workloads.

    A connection is newly denied where it passed before (by the old policies, or by its record where they
    cannot tell) and the new policies refuse it; newly allowed where the record and the old policies
    refused it and the new ones admit it.  Of a record that only says that a rule logged it, the old policies tell what
    became of it, where they have that rule.  Counts and times are those of the records that change, replies
    aside where requests were recorded too.

    Args:
        flows: observed flows, with ends of the old side.
        old: the state as it is.
        new: the state with the change.
        concerned: whether the two may answer differently of a flow (`flowdiag.analysis.affected.concerns`).
    """
    changed = changed_policies(old.snapshot, new.snapshot)
    judged = [_judge(flow, old, new if concerned(flow) else None, changed) for flow in flows]
    grouped = _grouped(judged)
    denied: list[tuple[FlowChange, tuple[PolicyRef, ...]]] = []
    opened: list[FlowChange] = []
    unchanged = unknown = 0
    for shape, members in grouped.items():
        fates = {member.fate for member in members}
        if _Fate.DENIED in fates:
            lost = [member for member in members if member.fate is _Fate.DENIED]
            denied.append((_change(shape, lost), _isolating(lost, changed)))
        if _Fate.ALLOWED in fates:
            opened.append(_change(shape, [member for member in members if member.fate is _Fate.ALLOWED]))
        if not fates & {_Fate.DENIED, _Fate.ALLOWED}:
            unknown += _Fate.UNKNOWN in fates
            unchanged += _Fate.UNKNOWN not in fates
    denied.sort(key=lambda pair: _order(pair[0]))
    return Impact(
        flows=FlowChanges(
            newly_denied=tuple(change for change, _ in denied),
            newly_allowed=tuple(sorted(opened, key=_order)),
            unchanged=unchanged,
            unknown=unknown,
        ),
        isolating={change: refs for change, refs in denied if refs},
    )


# --- one flow -----------------------------------------------------------------------------------------


def _judge(flow: Flow, old: Side, new: Side | None, changed: frozenset[PolicyRef]) -> _Member:
    """What becomes of a flow; without a new side that is what was."""
    was = old.decide(flow)
    now = was if new is None else new.decide(flow)
    record = flow.distinct.verdict
    told = _told(flow, was, old)
    before, after = (None if each is None else each.allowed for each in (was, now))
    if before is None and after is False:
        # The old policies cannot tell, but the record can.
        before = told
    if record is Verdict.LOGGED:
        before = told
    if now is None or before is None or after is None:
        same = was is not None and (new is None or (was == now and untouched(flow, was, old, new, changed)))
        return _Member(flow, _Fate.UNCHANGED if same else _Fate.UNKNOWN, None)
    if before and not after:
        return _Member(flow, _Fate.DENIED, _refusing(now))
    if after and not before and told is not True:
        return _Member(flow, _Fate.ALLOWED, _opening(was, now))
    return _Member(flow, _Fate.UNCHANGED, None)


def _told(flow: Flow, was: ConnectionDecision | None, old: Side) -> bool | None:
    """Whether a record says that it passed: of itself, or by the old policies' rule that logged it."""
    record = flow.distinct.verdict
    if record is Verdict.LOGGED:
        asked = was is not None and not (was.egress is None and was.ingress is None)
        return logged_verdict(flow, old.policies) if asked else None
    return True if record in PASSED else False if record is Verdict.DENIED else None


def _refusing(now: ConnectionDecision) -> EndDecision | None:
    ends = [end for end in (now.egress, now.ingress) if end is not None]
    return next((end for end in ends if end.allowed is False), None)


def _opening(was: ConnectionDecision | None, now: ConnectionDecision) -> EndDecision | None:
    """The end that refused before; its allowing rule is what opens the connection."""
    if was is not None and was.egress is not None and was.egress.allowed is False:
        return now.egress
    return now.ingress if now.ingress is not None else now.egress


# --- connections --------------------------------------------------------------------------------------


def _grouped(members: Sequence[_Member]) -> dict[_Shape, list[_Member]]:
    """By workloads, protocol and port; outside addresses as their range where all of it fares alike."""
    ranges = _ranges(member.flow for member in members)
    grouped: dict[_Shape, list[_Member]] = defaultdict(list)
    for member in members:
        grouped[_shape(member.flow, ranges)].append(member)
    apart: dict[_Shape, list[_Member]] = {}
    for shape, own in grouped.items():
        if len({member.fate for member in own}) == 1:
            apart.setdefault(shape, []).extend(own)
            continue
        for member in own:
            apart.setdefault(_shape(member.flow, {}), []).append(member)
    return apart


def _shape(flow: Flow, ranges: Mapping[tuple[str, EndKey], dict[str, str]]) -> _Shape:
    distinct = flow.distinct
    icmp = None if distinct.icmp is None else (distinct.icmp.type, distinct.icmp.code)
    return (
        end_key(flow.src, ranges.get(("from", end_key(flow.dst)))),
        end_key(flow.dst, ranges.get(("to", end_key(flow.src)))),
        distinct.protocol,
        distinct.port,
        icmp,
    )


def _ranges(flows: Iterable[Flow]) -> dict[tuple[str, EndKey], dict[str, str]]:
    """Ranges of outside addresses, apart for each end that they talk with."""
    outside: dict[tuple[str, EndKey], dict[int, Endpoint]] = defaultdict(dict)
    for flow in flows:
        for end, other, way in ((flow.src, flow.dst, "from"), (flow.dst, flow.src, "to")):
            if end.kind is EndpointKind.EXTERNAL:
                outside[way, end_key(other)][id(end)] = end
    return {beside: fold_outside(ends.values()) for beside, ends in outside.items()}


def _change(shape: _Shape, members: Sequence[_Member]) -> FlowChange:
    src, dst, protocol, port, _ = shape
    members = [member for member in members if not member.flow.distinct.turned] or members
    firsts = [member.flow.first for member in members if member.flow.first is not None]
    lasts = [member.flow.last for member in members if member.flow.last is not None]
    result = end_result(_speaker(members).end)
    return FlowChange(
        src=end_name(src),
        dst=end_name(dst),
        protocol=protocol,
        port=port,
        count=sum(member.flow.count for member in members),
        first=rfc3339(min(firsts)) if firsts else None,
        last=rfc3339(max(lasts)) if lasts else None,
        decided_by=None if result is None else result.decided_by,
    )


def _isolating(members: Sequence[_Member], changed: frozenset[PolicyRef]) -> tuple[PolicyRef, ...]:
    """Those that the change is about first: of many only some are shown."""
    end = _speaker(members).end
    refs = end.closed_by or end.isolated_by if end is not None and end.decided_by is None else ()
    return tuple(sorted(refs, key=lambda ref: ref not in changed))


def _speaker(members: Sequence[_Member]) -> _Member:
    """The member with most records; its rule speaks for the connection."""
    return min(
        members,
        key=lambda member: (
            -member.flow.count,
            member.flow.src.name or member.flow.src.ip or "",
            member.flow.dst.name or member.flow.dst.ip or "",
            member.flow.first or -1,
        ),
    )


def _order(change: FlowChange) -> tuple[int, str, str, str, int]:
    port = -1 if change.port is None else change.port
    return (-change.count, change.src, change.dst, change.protocol or "", port)
