"""A change that is proved, and what it comes to for all the connections of a problem."""

from __future__ import annotations

from collections.abc import Sequence
from collections.abc import Set as AbstractSet

from msgspec import UNSET, Struct

from flowdiag.diagnose.case import Case
from flowdiag.diagnose.managed import manager
from flowdiag.diagnose.proposals.edit import AnyEdit, Edit, object_of
from flowdiag.diagnose.proposals.patch import manifest_of, patch
from flowdiag.diagnose.proposals.proof import Opened, Steps, listed, without
from flowdiag.diagnose.wording import a_list, end_text, policy_text
from flowdiag.model.opened import opened_pairs
from flowdiag.model.policy import PolicyRef
from flowdiag.model.report import BlastRadius, Counterfactual
from flowdiag.model.words import plural

__all__ = ["Proposal"]

_DOUBTS = 2
"""Pairs that are named of those of which it is not known whether a change opens them."""
_NAMED = 2
"""Connections that are named of those that a change leaves refused."""
_BROAD = 10
"""Pairs that a change opens besides, from which on it is called broad."""


class Proposal(Struct, frozen=True, kw_only=True):
    """Edits with which one refused connection passes, and nothing that is open closes."""

    summary: str
    edits: tuple[AnyEdit, ...]
    case: Case
    """The connection."""
    steps: Steps
    opened: Opened
    """All that opens, the connection among it."""
    doubtful: Opened = {}
    """What may open besides, and nobody knows."""

    def also_allows(self, others: Sequence[Case]) -> tuple[BlastRadius, ...]:
        """What opens besides the connection and `others`, which are the same problem's: sorted pairs and ports."""
        return listed(without(self.opened, [self.case, *others]))

    def for_all(
        self,
        connections: Sequence[Sequence[Case]],
        shared: AbstractSet[PolicyRef] = frozenset(),
        *,
        undone: bool = False,
        joined: bool = False,
    ) -> Counterfactual:
        """The change for a report; it is called proved where all of the problem's connections pass with it.

        Args:
            connections: the cases of each; of one, those between ends that policies tell apart.
            shared: objects that changes for other problems write otherwise.
            undone: beside the changes for other problems it does not do what it does alone.
            joined: one change is proved for this and those other problems.
        """
        others = [case for each in connections for case in each if case is not self.case]
        refused = [case for case in others if not self.steps.passes(case)]
        every = not refused
        also = self.also_allows(others)
        manifests = tuple(manifest_of(edit) for edit in self.edits)
        perhaps = listed(without(self.doubtful, [self.case, *others]))
        return Counterfactual(
            summary="".join(
                (
                    self.summary,
                    _breadth(also, [self.case, *others]),
                    _left(refused),
                    _doubt(perhaps),
                    _kept(self.edits),
                    _shared(self.edits, shared, joined=joined) or (_undone(joined=joined) if undone else ""),
                )
            ),
            manifests=manifests,
            patch=patch(self.edits, manifests),
            proved=every,
            allows_denied=every,
            also_allows=also,
            may_allow=perhaps or UNSET,
            mends=UNSET if every else sum(all(map(self.steps.passes, each)) for each in connections),
            shared=tuple(ref for ref in dict.fromkeys(map(object_of, self.edits)) if ref in shared) or UNSET,
        )


def _breadth(opened: Sequence[BlastRadius], asked: Sequence[Case]) -> str:
    """Name a change as broad that opens many pairs besides those that were asked for."""
    own = {(end_text(case.flow.src), end_text(case.flow.dst)) for case in asked}
    pairs = len({(one.src, one.dst) for one in opened} - own)
    return f" This is broad: {pairs} other pairs would open." if pairs >= _BROAD else ""


def _left(refused: Sequence[Case]) -> str:
    """Name connections that a change leaves as they are."""
    told = list(
        dict.fromkeys(
            f"{end_text(case.flow.src)} to {end_text(case.flow.dst)} on {case.port}/{case.protocol}"
            for case in refused
        )
    )
    if not told:
        return ""
    more = [f"{len(told) - _NAMED} more"] if len(told) > _NAMED else []
    return f" It leaves {a_list([*told[:_NAMED], *more])} refused."


def _doubt(perhaps: Sequence[BlastRadius]) -> str:
    """Name what a change may open besides where the policies cannot tell."""
    if not perhaps:
        return ""
    pairs = opened_pairs(perhaps)
    told = [f"{src} to {dst} on {ports}" for src, dst, ports in pairs[:_DOUBTS]]
    more = f" and {plural(len(pairs) - _DOUBTS, 'more pair')}" if len(pairs) > _DOUBTS else ""
    return f" Whether it opens {'; '.join(told)}{more}, too, is not known."


def _kept(edits: Sequence[AnyEdit]) -> str:
    """Say where an edited object comes from, if a tool keeps it: an edit on the cluster would be undone."""
    sources = {
        policy_text(edit.old.ref): source
        for edit in edits
        if isinstance(edit, Edit) and edit.old is not None and (source := manager(edit.old)) is not None
    }
    return "".join(
        f" {name} comes from {source}: change it there, an edit with kubectl would be undone."
        for name, source in sources.items()
    )


def _undone(*, joined: bool) -> str:
    """Say that it does not do beside the changes for other problems what it does alone."""
    then = "apply the joined change for all of them." if joined else "apply one, and look again."
    return f" Together with the changes for other problems it does not let this pass: {then}"


def _shared(edits: Sequence[AnyEdit], shared: AbstractSet[PolicyRef], *, joined: bool) -> str:
    """Say which objects another problem's change writes too: whoever applies both has what was applied last."""
    names = [policy_text(ref) for ref in dict.fromkeys(map(object_of, edits)) if ref in shared]
    if not names:
        return ""
    then = "apply the joined change for both." if joined else "apply both in one."
    return f" Another problem's change edits {a_list(names)} too, and each manifest holds its own change alone: {then}"
