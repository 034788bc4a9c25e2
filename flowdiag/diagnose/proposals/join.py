"""One change for several problems whose changes write the same object; applied one after the other, only the last would stay.

What the first writes is taken as made, what the others write besides is added, and what is still refused is mended in
the same objects; the sum is proved as one, for the connections of all.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet

from flowdiag.diagnose.case import Case
from flowdiag.diagnose.proposals.edit import AnyEdit, Edit, object_of
from flowdiag.diagnose.proposals.merged import summed
from flowdiag.diagnose.proposals.proof import Elsewhere, Ends, blast_radius
from flowdiag.diagnose.proposals.proposal import Proposal
from flowdiag.diagnose.proposals.propose import compiled, compiled_steps, propose, spaces_near
from flowdiag.diagnose.proposals.sentence import going_on, in_one
from flowdiag.diagnose.proposals.together import after_edits, kind_of
from flowdiag.model.policy import IpBlockPods, PolicyRef
from flowdiag.model.report import JoinedChange
from flowdiag.policy import PolicySet

__all__ = ["joined", "joins_of"]

_MOST_MEMBERS = 16
"""Problems that one change is made for; a reader of more takes them one after the other."""
_MOST_MENDED = 16
"""Kinds of connections that are mended beside the first change's; each is a proof of its own."""


def joins_of(
    changes: Mapping[int, Proposal],
    served: Mapping[int, Sequence[Case]],
    shared: AbstractSet[PolicyRef],
    join: Callable[[Sequence[tuple[Proposal, Sequence[Case]]]], Proposal | None],
    undone: AbstractSet[int] = frozenset(),
) -> dict[int, tuple[Proposal, JoinedChange]]:
    """Give one change for those that meet in an object, by the index of each; no entry where none is proved.

    Args:
        changes: each problem's change, the largest problem first.
        served: the cases that each lets pass.
        shared: the objects that several write otherwise.
        join: makes one of several.
        undone: changes that others undo though they meet in none; where given, only what hangs together with these
            is joined.
    """
    written = {index: frozenset(map(object_of, change.edits)) for index, change in changes.items()}
    every = frozenset().union(*written.values())
    # A change that others undo is joined with all changes of the objects that decide its connections.
    near = {}
    for index in undone:
        spaces = {end.namespace for case in served[index] for end in (case.flow.src, case.flow.dst)}
        near[index] = frozenset(ref for ref in every if ref.namespace in spaces or ref.namespace is None)
    meeting = {index: refs | near.get(index, frozenset()) for index, refs in written.items()}
    found = {}
    for group in _connected(meeting, frozenset().union(shared, *near.values())):
        if undone and undone.isdisjoint(group):
            continue
        change = join([(changes[index], served[index]) for index in group])
        if change is None:
            continue
        objects = map(object_of, change.edits)
        meets = [ref for ref in objects if sum(ref in meeting[index] for index in group) > 1]
        one = _view(change, [case for index in group for case in served[index]], meets)
        found.update(dict.fromkeys(group, (change, one)))
    return found


def _connected(
    objects: Mapping[int, AbstractSet[PolicyRef]], shared: AbstractSet[PolicyRef]
) -> list[list[int]]:
    """Changes that hang together by objects that several write otherwise; each group in the order of `objects`.

    Args:
        objects: what each change writes or depends on.
        shared: the objects by which they hang together.
    """
    groups: list[tuple[list[int], set[PolicyRef]]] = []
    for index, refs in objects.items():
        own, members = set(refs & shared), [index]
        if not own:
            continue
        for group in [one for one in groups if one[1] & own]:
            groups.remove(group)
            members = [*group[0], *members]
            own |= group[1]
        groups.append((members, own))
    order = {index: place for place, index in enumerate(objects)}
    return [sorted(members, key=order.__getitem__) for members, _ in groups if len(members) > 1]


def joined(
    members: Sequence[tuple[Proposal, Sequence[Case]]],
    policies: PolicySet,
    ends: Ends,
    *,
    ip_block_pods: IpBlockPods = IpBlockPods.AUTO,
) -> Proposal | None:
    """Make one change of several; ``None`` where it cannot be proved for all of their connections.

    Args:
        members: each problem's change with the cases that it lets pass, the largest problem first.
        policies: the compiled policies as they are.
        ends: what the blast radius ranges over.
        ip_block_pods: as `policies` was compiled.
    """
    if len(members) > _MOST_MEMBERS:
        return None
    edits = _once(change.edits for change, _ in members)
    cases = [case for _, own in members for case in own]
    touched = frozenset(edit.new.ref for edit in edits if isinstance(edit, Edit))
    mended, passing = 0, list[Case]()
    taken = {policy.ref for policy in policies.snapshot.policies}
    for case in {kind_of(case): case for case in cases}.values():
        near = spaces_near(case, policies, edits)
        around = compiled(policies, edits, ip_block_pods, near)
        answer = around.evaluate(case.flow.src, case.flow.dst, case.protocol, case.port, nearest=False)
        if answer.allowed:
            passing.append(case)
            continue
        mended += 1
        if mended > _MOST_MENDED:
            return None
        after = after_edits(case, around)
        elsewhere = None if near is None else Elsewhere(policies, frozenset(filter(None, near)))
        # A rule that the first change has rewritten may fit nobody else; then a policy of its own is better than
        # none.
        more = None
        for within in (touched, None):
            more = more or propose(
                after,
                around,
                ends,
                ip_block_pods=ip_block_pods,
                within=within,
                elsewhere=elsewhere,
                keep=passing,
            )
        if more is None:
            return None
        edits = summed(edits, more.edits, taken)
        passing.append(case)
    first = members[0][0]
    steps = compiled_steps(first.case, policies, edits, ip_block_pods)
    if not all(map(steps.passes, cases)):
        return None
    radius = blast_radius(steps, edits, ends)
    if radius is None:
        return None
    summary = in_one(edit.summary for edit in edits)
    return Proposal(
        summary=f"In one for {len(members)} problems: {going_on(summary)}.",
        edits=edits,
        case=first.case,
        steps=steps,
        opened=radius.opened,
        doubtful=radius.doubtful,
    )


def _view(change: Proposal, cases: Sequence[Case], objects: Collection[PolicyRef]) -> JoinedChange:
    """As a report has it; the ids of its problems are not known here."""
    mend = change.for_all([[case] for case in cases])
    return JoinedChange(
        summary=mend.summary,
        manifests=mend.manifests,
        patch=mend.patch,
        proved=mend.proved,
        allows_denied=mend.allows_denied,
        also_allows=mend.also_allows,
        may_allow=mend.may_allow,
        objects=tuple(sorted(objects, key=repr)),
    )


def _once(all_edits: Iterable[Sequence[AnyEdit]]) -> tuple[AnyEdit, ...]:
    """The edits with each object once, as the first of them writes it."""
    found: dict[PolicyRef, AnyEdit] = {}
    for edits in all_edits:
        for edit in edits:
            found.setdefault(object_of(edit), edit)
    return tuple(found.values())
