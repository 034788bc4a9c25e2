"""Taking back a change of a policy that came just before the refusals, where the old object is known."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct
from msgspec.structs import replace

from flowdiag.diagnose.case import Case
from flowdiag.diagnose.proposals.edit import Edit
from flowdiag.diagnose.proposals.proof import Ends, blast_radius, lets_pass
from flowdiag.diagnose.proposals.proposal import Proposal
from flowdiag.diagnose.proposals.propose import compiled_steps
from flowdiag.diagnose.wording import policy_text
from flowdiag.model.event import Direction
from flowdiag.model.policy import IpBlockPods
from flowdiag.model.time import NS, moment_text
from flowdiag.policy import PolicySet

__all__ = ["Revert", "reverting"]

_BEFORE_S = 3600
_AFTER_S = 5
"""Clocks of an API server and of a node differ, and agents may act on a change before it is logged."""
_MOST = 4
"""Changes that are tried; the one that did it is among the last."""


class Revert(Struct, frozen=True):
    """A change that may be taken back."""

    done: str
    """Who did what and when."""
    proposal: Proposal | None
    """The old object, ready to be applied; ``None`` where it would close something that is open now."""

    def sentence(self, others: Sequence[Case]) -> str:
        """What taking it back would do now, beside letting the problem's connections pass."""
        if self.proposal is None:
            effect = "but is not proved to keep everything open that is open now"
        elif opened := self.proposal.also_allows(others):
            pairs = len({(pair.src, pair.dst) for pair in opened})
            effect = f"and opens other ports or pairs too ({pairs})"
        else:
            effect = "and opens nothing else"
        return f"Or take back {self.done}, and as it was before it lets this pass, {effect}."


def reverting(case: Case, policies: PolicySet, ends: Ends, *, ip_block_pods: IpBlockPods) -> Revert | None:
    """Say which change to take back, proved as any proposal is; ``None`` where none would, or need, mend it.

    Args:
        case: the refused flow.
        policies: the compiled policies of now.
        ends: what the blast radius ranges over.
        ip_block_pods: as `policies` was compiled.
    """
    first = case.flow.first
    if first is None or case.port is None:
        return None
    recent = [
        one for one in case.context.before if first - _BEFORE_S * NS <= one.until <= first + _AFTER_S * NS
    ]
    if not recent or lets_pass(policies, case):
        return None  # or mended since, by another change
    for one in recent[:_MOST]:
        ref = one.policy.ref
        known = [policy for policy in case.context.policy(ref) if policy.valid_until is None]
        if len(known) > 1 or (known and known[0].spec == one.policy.spec):
            continue
        current = known[0] if known else None
        old = replace(one.policy, created=None, deleted=None, since=None, valid_from=None, valid_until=None)
        edit = Edit(f"Revert {policy_text(ref)}", Direction.EGRESS, current, old)
        steps = compiled_steps(case, policies, (edit,), ip_block_pods)
        if not lets_pass(steps.sets[-1], case):
            continue
        radius = blast_radius(steps, (edit,), ends)
        who = f" by {one.by}" if one.by else ""
        done = f"what was done at {moment_text(one.until)}: {policy_text(ref)} was {one.change}{who}"
        summary = f"Take back {done}."
        proposal = (
            Proposal(
                summary=summary,
                edits=(edit,),
                case=case,
                steps=steps,
                opened=radius.opened,
                doubtful=radius.doubtful,
            )
            if radius is not None
            else None
        )
        return Revert(done, proposal)
    return None
