"""One change for all the connections of a problem, or for as many as can be mended.

The first connection's edits are taken as made, and what is still refused is mended in the same objects where these
can serve it, else as it would be alone; the sum is then proved as any proposal is, against the policies as they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from functools import partial

from flowdiag.diagnose.case import Case
from flowdiag.diagnose.context import workload_id
from flowdiag.diagnose.proposals.addresses import with_addresses
from flowdiag.diagnose.proposals.edit import AnyEdit, Edit
from flowdiag.diagnose.proposals.everywhere import lookups_everywhere
from flowdiag.diagnose.proposals.merged import summed
from flowdiag.diagnose.proposals.proof import Elsewhere, Ends, blast_radius, passes_by
from flowdiag.diagnose.proposals.proposal import Proposal
from flowdiag.diagnose.proposals.propose import compiled, compiled_steps, propose, spaces_near
from flowdiag.diagnose.proposals.selectors import single_range
from flowdiag.diagnose.proposals.sentence import in_one
from flowdiag.diagnose.wording import end_text
from flowdiag.model.endpoint import Endpoint
from flowdiag.model.policy import IpBlockPods, PolicyRef
from flowdiag.policy import PolicySet

__all__ = ["MOST", "after_edits", "for_every", "kind_of"]

MOST = 24
"""Kinds of connections that are mended beside the first; each is a proof of its own.  Of more the first ones are."""
_MOST_LOOKED_AT = 160
"""Kinds of connections that are held against what mends those before them."""
_MOST_ADDRESSES = 64
"""Addresses of a DNS name that a rule lists; of more it would be old before it is applied."""


def for_every(
    first: Proposal,
    others: Sequence[Case],
    policies: PolicySet,
    ends: Ends,
    *,
    ip_block_pods: IpBlockPods = IpBlockPods.AUTO,
    narrow: bool = False,
    given: AbstractSet[PolicyRef] = frozenset(),
    most: int = MOST,
) -> Proposal:
    """Widen a proposal until the problem's other connections pass as well, or as many as can be mended.

    What is no rule's business (a node under Cilium, a pod without labels) stays refused, and keeps nothing from the rest.

    Args:
        first: what mends the problem's first connection.
        others: the cases of its other connections, and of other addresses of the first one's name.
        policies: the compiled policies as they are.
        ends: what the blast radius ranges over.
        ip_block_pods: as `policies` was compiled.
        narrow: as for `propose`.
        given: as for `propose`.
        most: kinds of connections that may be mended beside the first.
    """
    others = [case for case in others if not passes_by(case)]
    edit = lookups_everywhere(first, others, given)
    if edit is not None:
        everywhere = _proved(first, (edit,), [first.case, *others], policies, ends, ip_block_pods)
        if everywhere is not None:
            return everywhere
    found = partial(propose, ends=ends, ip_block_pods=ip_block_pods, narrow=narrow, given=given)
    whole = _widened(first, others, policies, ends, ip_block_pods, found, most)
    if whole is None:
        alike = [case for case in others if _of_one_name(first.case, case)]
        if 0 < len(alike) < len(others):
            whole = _widened(first, alike, policies, ends, ip_block_pods, found, most)
    return whole or first


def _widened(
    first: Proposal,
    others: Sequence[Case],
    policies: PolicySet,
    ends: Ends,
    ip_block_pods: IpBlockPods,
    found: partial[Proposal | None],
    most: int,
) -> Proposal | None:
    """The proposal with which more of these pass, or ``None`` where the sum is not proved; `found` proposes what mends one."""
    failing = {kind_of(case): case for case in others if not first.steps.passes(case)}
    if not failing:
        return first
    kinds = list(failing.values())[:_MOST_LOOKED_AT]
    edits, mended = _for_the_name(first.edits, first.case, kinds), [first.case]
    left = most
    taken = {policy.ref for policy in first.case.context.snapshot.policies}
    for case in kinds:
        near = spaces_near(case, policies, edits)
        around = compiled(policies, edits, ip_block_pods, near)
        if around.evaluate(
            case.flow.src, case.flow.dst, case.protocol, case.port, nearest=False
        ).allowed:  # an edit for one before serves it too
            mended.append(case)
            continue
        if left == 0:
            break
        if _of_many_addresses(case, [first.case, *kinds]):
            continue
        left -= 1
        touched = frozenset(edit.new.ref for edit in edits if isinstance(edit, Edit))
        again = partial(
            found,
            after_edits(case, around),
            around,
            # What is edited is near, so that elsewhere all is decided as it is.
            elsewhere=None if near is None else Elsewhere(policies, frozenset(filter(None, near))),
            keep=mended,
        )
        # What selects neither end serves nobody there: the connection gets what it would get alone.
        more = (again(within=touched, narrow=False) if touched else None) or again()
        if more is not None:
            edits = summed(edits, _for_the_name(more.edits, case, kinds), taken)
            mended.append(case)
    return _proved(first, edits, mended, policies, ends, ip_block_pods)


def _proved(
    first: Proposal,
    edits: tuple[AnyEdit, ...],
    mended: Sequence[Case],
    policies: PolicySet,
    ends: Ends,
    ip_block_pods: IpBlockPods,
) -> Proposal | None:
    """These edits as the change for connections that they mend; ``None`` where one of these stays refused."""
    steps = compiled_steps(first.case, policies, edits, ip_block_pods)
    if not all(map(steps.passes, mended)):
        return None
    radius = blast_radius(steps, edits, ends)
    if radius is None:
        return None
    return Proposal(
        summary=f"{in_one(edit.summary for edit in edits)}.",
        edits=edits,
        case=first.case,
        steps=steps,
        opened=radius.opened,
        doubtful=radius.doubtful,
    )


def _for_the_name(edits: tuple[AnyEdit, ...], case: Case, failing: Sequence[Case]) -> tuple[AnyEdit, ...]:
    """A connection's edits, for the other addresses of its DNS name as well."""
    end = _named_end(case)
    own = single_range(end) if end is not None else None
    more = {_outside_range(each) for each in failing if _of_one_name(case, each)} - {own, None}
    if end is None or own is None or not 0 < len(more) <= _MOST_ADDRESSES:
        return edits
    return with_addresses(edits, own, sorted(filter(None, more)), of="that name", named=end_text(end))


def _of_many_addresses(case: Case, every: Sequence[Case]) -> bool:
    """Whether it is to or from one of more addresses of a DNS name than a rule lists."""
    if _outside_range(case) is None:
        return False
    return len({_outside_range(each) for each in every if _of_one_name(case, each)}) > _MOST_ADDRESSES


def _named_end(case: Case) -> Endpoint | None:
    """The end outside that has a DNS name."""
    return next((end for end in (case.flow.src, case.flow.dst) if end.dns_names), None)


def _outside_range(case: Case) -> str | None:
    """The address of the end outside that has a DNS name, as a range."""
    end = _named_end(case)
    return single_range(end) if end is not None else None


def after_edits(case: Case, now: PolicySet) -> Case:
    """The case as it would be met by edited policies."""
    return Case(case.context.edited(now.snapshot), case.flow, case.decision, case.at)


def kind_of(case: Case) -> tuple[object, ...]:
    """What connections that are mended alike have in common."""
    return (workload_id(case.flow.src), workload_id(case.flow.dst), case.protocol, case.port)


def _of_one_name(case: Case, other: Case) -> bool:
    """Whether they are one connection, to or from another address of one DNS name."""
    if (case.protocol, case.port) != (other.protocol, other.port):
        return False
    ends = ((case.flow.src, other.flow.src), (case.flow.dst, other.flow.dst))
    return all(
        one.dns_names[0] == each.dns_names[0]
        if one.dns_names and each.dns_names
        else workload_id(one) == workload_id(each)
        for one, each in ends
    )
