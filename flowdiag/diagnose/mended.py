"""What lets a refused connection pass since: a policy that was made later, or one that is gone."""

from __future__ import annotations

from collections.abc import Sequence

from flowdiag.diagnose.case import Case
from flowdiag.diagnose.wording import a_list, end_text, policy_text
from flowdiag.model.event import Direction, Verdict
from flowdiag.model.finding import Mended
from flowdiag.model.policy import ConnectionDecision, EndDecision, PolicyRef
from flowdiag.model.time import moment_text

__all__ = ["mended_since"]


def mended_since(case: Case, now: ConnectionDecision) -> Mended | None:
    """Say what changed for a connection that the policies of its time refuse; ``None`` where it is refused still.

    What they say of the other side may be unknown now as it was then: the side that refused is what is mended.

    Args:
        case: the refused flow, held against the policies of its time.
        now: what the policies and labels of the end say of the same connection.
    """
    if case.decision is None or now.allowed is False or case.flow.distinct.verdict is Verdict.LOGGED:
        # What was only logged is not known to have been refused.
        return None
    if case.decision.allowed is True and now.allowed is True:
        # Record and replay disagree: it is not known what refused it, and today's policies would not refuse it again.
        return Mended("", None)
    if case.decision.allowed is not False:
        return None
    sides = (
        (Direction.EGRESS, case.decision.egress, now.egress),
        (Direction.INGRESS, case.decision.ingress, now.ingress),
    )
    closed = [(direction, after) for direction, before, after in sides if before and before.allowed is False]
    if any(after is None or after.allowed is not True for _, after in closed):
        return None
    told = [
        _side(case, direction, before.isolated_by, after)
        for direction, before, after in sides
        if before and before.allowed is False and after is not None
    ]
    open_still = [
        direction
        for direction, _, after in sides
        if after is not None and after.allowed is None and direction not in dict(closed)
    ]
    if open_still:
        told[-1] = Mended(
            f"{told[-1].text}, as far as {a_list([str(each) for each, _ in closed])} is concerned: what the "
            f"policies say of {open_still[0]} is not known",
            told[-1].at,
        )
    moments = [one.at for one in told]
    known = [at for at in moments if at is not None]
    return Mended(
        " and ".join(one.text for one in told), max(known) if known and len(known) == len(moments) else None
    )


def _side(case: Case, direction: Direction, isolated: Sequence[PolicyRef], after: EndDecision) -> Mended:
    if after.decided_by is None:
        who = end_text(case.flow.src if direction is Direction.EGRESS else case.flow.dst)
        if not after.isolated_by:
            gone = _deleted(case, isolated)
            what = f"no policy isolates {who} for {direction} any more"
            if gone is None:
                return Mended(what, None)
            names, last = gone
            return Mended(f"{what} ({a_list(names)})", last)
        return Mended(f"what isolates {who} for {direction} was changed", None)
    ref = after.decided_by.policy
    name = f"{policy_text(ref)} {after.decided_by.rule}"
    versions = case.context.policy(ref)
    created = max((version.created or 0 for version in versions), default=0)
    if case.at is not None and created > case.at:
        return Mended(f"{name} (created at {moment_text(created)})", created)
    written = max((version.valid_from or 0 for version in versions), default=0)
    if case.at is not None and written > case.at:
        return Mended(f"{name} (changed at {moment_text(written)})", written)
    return Mended(name, None)


def _deleted(case: Case, isolated: Sequence[PolicyRef]) -> tuple[list[str], int] | None:
    """What is told of the end of the policies that isolated, and of the last of them; ``None`` where one goes on."""
    told: list[tuple[str, int]] = []
    for ref in isolated:
        until = [version.valid_until for version in case.context.policy(ref)]
        ends = [moment for moment in until if moment is not None]
        if not ends or len(ends) < len(until):
            return None
        told.append((f"{policy_text(ref)} was deleted at {moment_text(max(ends))}", max(ends)))
    return ([text for text, _ in told], max(at for _, at in told)) if told else None
