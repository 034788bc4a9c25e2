"""What an agent's restart, or a policy map that is full, explains on its node.

A problem is folded only where every one of its refusals was recorded by that node, and around that time.
What the policies refuse by themselves is never among them: those diagnoses (FD604, FD608) speak only
where the replay does not refuse.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from flowdiag.model.time import NS
from flowdiag.timeline.drafts import ProblemDraft
from flowdiag.timeline.folded import Folded, overlap

__all__ = ["under_agents"]

_RESTART = "FD608"
_FULL_MAP = "FD604"
_BROKEN_BY_RESTART = ("FD602", "FD603")
"""Replies judged as new and peers of a wrong identity: a restarted agent restores both tables."""
_AFTER_NS = 120 * NS
"""An agent that restarts regenerates its endpoints within about two minutes (as FD608 has it)."""
_BEFORE_NS = 5 * NS
"""Its message may be written after the first refusal that it explains."""
_BURST_NS = 120 * NS
"""Refusals so far apart are two bursts."""


def under_agents(drafts: Sequence[ProblemDraft]) -> dict[int, Folded]:
    """Index of a problem to the largest one of the same node's same trouble."""
    folded: dict[int, Folded] = {}
    order = sorted(range(len(drafts)), key=lambda index: (-drafts[index].count, index))
    for cause_index in order:
        cause = drafts[cause_index]
        node = _only_node(cause)
        if cause_index in folded or node is None or cause.finding.code not in (_RESTART, _FULL_MAP):
            continue
        for index in order:
            other = drafts[index]
            if index == cause_index or index in folded or _only_node(other) != node:
                continue
            if any(one.cause == index for one in folded.values()):
                continue
            if cause.finding.code == _RESTART and _restarted(cause, other):
                folded[index] = Folded(cause_index, f"refused on {node} while its agent restarted")
            elif _same_map(cause, other):
                folded[index] = Folded(
                    cause_index, f"refused on {node} while its agent could not install policy entries"
                )
    return folded


def _only_node(draft: ProblemDraft) -> str | None:
    nodes = {flow.distinct.node for flow in draft.flows}
    return nodes.pop() if len(nodes) == 1 else None


def _restarted(cause: ProblemDraft, other: ProblemDraft) -> bool:
    if other.finding.code not in (_RESTART, *_BROKEN_BY_RESTART):
        return False
    moments = set(_moments(cause))
    return bool(moments) and all(
        flow.first is not None
        and flow.last is not None
        and any(at - _BEFORE_NS <= flow.first and flow.last <= at + _AFTER_NS for at in moments)
        for flow in other.flows
    )


def _moments(draft: ProblemDraft) -> Iterator[int]:
    """When the agent said that it started, stopped or crashed."""
    for connection in draft.connections:
        for refusal in connection.refusals:
            if refusal.finding.code == _RESTART:
                yield from (said.at for said in refusal.finding.said)


def _same_map(cause: ProblemDraft, other: ProblemDraft) -> bool:
    return cause.finding.code == other.finding.code == _FULL_MAP and overlap(cause, other, apart_ns=_BURST_NS)
