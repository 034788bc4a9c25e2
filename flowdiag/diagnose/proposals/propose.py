"""One case to one proved proposal, or none."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from typing import Generic, TypeVar

from msgspec.structs import replace

from flowdiag.diagnose.case import Case
from flowdiag.diagnose.lost_identity import perhaps_lost
from flowdiag.diagnose.ovn_routers import of_a_router
from flowdiag.diagnose.proposals.candidates import candidates
from flowdiag.diagnose.proposals.edit import AnyEdit, Edit, apply_edits
from flowdiag.diagnose.proposals.proof import Elsewhere, Ends, Steps, blast_radius, opens_to_anybody
from flowdiag.diagnose.proposals.proposal import Proposal
from flowdiag.diagnose.proposals.sentence import in_one
from flowdiag.diagnose.replayed import behind_all, denying_the_rest
from flowdiag.diagnose.replies import answering_port
from flowdiag.model.endpoint import EndpointKind
from flowdiag.model.event import PORT_PROTOCOLS, Direction
from flowdiag.model.policy import ConnectionDecision, EndDecision, IpBlockPods, NearestRule, PolicyRef
from flowdiag.policy import PolicySet, compile_policies

__all__ = ["compiled", "compiled_steps", "opening", "propose", "spaces_near"]


_NARROWER = 12
"""So many changes are tried where the smallest opens a port to everybody outside."""


def propose(
    case: Case,
    policies: PolicySet,
    ends: Ends,
    *,
    ip_block_pods: IpBlockPods = IpBlockPods.AUTO,
    lead: NearestRule | None = None,
    within: AbstractSet[PolicyRef] | None = None,
    narrow: bool = False,
    elsewhere: Elsewhere | None = None,
    given: AbstractSet[PolicyRef] = frozenset(),
    keep: Sequence[Case] = (),
) -> Proposal | None:
    """Find the smallest change that lets the refused connection pass on both ends.

    Held against the policies of now, as a change made now meets those: where they allow the connection
    already, or cannot decide, nothing is proposed.

    Args:
        case: the refused flow.
        policies: the compiled policies of the snapshot that the case reads.
        ends: what the blast radius ranges over.
        ip_block_pods: as `policies` was compiled.
        lead: the rule that the diagnosis is about, which is to be mended before others that come as near.
        within: the objects that may be edited; any, and new ones, where not given.
        narrow: no rule was found to be mistaken, so that one for everybody, or of a policy for all namespaces, is
            not widened for a pod where a rule for that pod will do, none is made to mean somebody else, and nodes are
            not let in.
        elsewhere: what decides where `policies` are those of the namespaces of `within` and of the case's ends alone.
        given: names that new policies of other problems have.
        keep: connections that edits before this one mend.  Their pods may be gone, so that the radius, which is of
            those that live, does not tell that they are refused again.

    Returns:
        A proposal whose proof held, or ``None``.
    """
    if narrow and (_behind_a_node(case) or perhaps_lost(case) is not None):
        return None
    wide: Proposal | None = None
    outside = EndpointKind.EXTERNAL in (case.flow.src.kind, case.flow.dst.kind)
    for number, (edits, steps) in enumerate(
        opening(case, policies, ip_block_pods, lead, within, elsewhere, given)
    ):
        if wide is not None and number >= _NARROWER:
            break
        radius = blast_radius(steps, edits, ends)
        if radius is None or not all(map(steps.passes, keep)):
            continue
        summary = f"{in_one(edit.summary for edit in edits)}."
        found = Proposal(
            summary=summary,
            edits=edits,
            case=case,
            steps=steps,
            opened=radius.opened,
            doubtful=radius.doubtful,
        )
        if not narrow or not (
            _of_many(edits) or _instead(edits) or (not outside and opens_to_anybody(radius.opened))
        ):
            return found
        wide = wide or found
    return wide


def _behind_a_node(case: Case) -> bool:
    """Whether a node calls: if no rule means it, who calls with its address is not known, and may be anybody outside."""
    src = case.flow.src
    return (
        src.kind is EndpointKind.NODE
        and src.ip not in case.context.api_addresses
        and src.entity != "kube-apiserver"
    )


def _of_many(edits: Iterable[AnyEdit]) -> bool:
    """Whether a policy is changed that is no namespace's own."""
    return any(
        isinstance(edit, Edit) and edit.old is not None and edit.old.ref.namespace is None for edit in edits
    )


def _instead(edits: Iterable[AnyEdit]) -> bool:
    """Whether a rule is made to mean somebody else."""
    return any(isinstance(edit, Edit) and edit.instead for edit in edits)


def opening(
    case: Case,
    policies: PolicySet,
    ip_block_pods: IpBlockPods,
    lead: NearestRule | None = None,
    within: AbstractSet[PolicyRef] | None = None,
    elsewhere: Elsewhere | None = None,
    given: AbstractSet[PolicyRef] = frozenset(),
) -> Iterator[tuple[tuple[AnyEdit, ...], Steps]]:
    """Give changes after which the refused connection passes, smallest first, whatever else they do; as `propose`.

    Of `policies` only those of the namespaces that the edits and the case's ends are in are asked.
    """
    if case.port is None or case.protocol not in PORT_PROTOCOLS or case.not_policy or case.audited:
        return
    if case.decision is None or case.decision.allowed is not False:
        return
    if answering_port(case) is not None:
        # A rule for a client's port would be one for a single connection that is over.
        return
    if of_a_router(case.context, case.flow.src) or of_a_router(case.context, case.flow.dst):
        # Whoever else comes through that node has the same address, and tomorrow's node has another.
        return
    now = _ask(case, policies, nearest=True)
    if now.allowed is not False:
        return
    for options in _plans(case, policies, now, ip_block_pods, lead, within, given):
        edits = tuple(edit for edit, _ in options)
        steps = compiled_steps(case, policies, edits, ip_block_pods, options[0][1], elsewhere)
        if _ask(case, steps.sets[-1]).allowed is True:
            yield edits, steps


def _plans(
    case: Case,
    policies: PolicySet,
    now: ConnectionDecision,
    ip_block_pods: IpBlockPods,
    lead: NearestRule | None,
    within: AbstractSet[PolicyRef] | None,
    given: AbstractSet[PolicyRef],
) -> Iterator[tuple[_Working, ...]]:
    """Combinations of one edit for each end that refuses, smallest first; each is tried as it is asked for."""
    choices: list[_Again[_Working]] = []
    ends: tuple[tuple[Direction, EndDecision | None], ...] = (
        (Direction.EGRESS, now.egress),
        (Direction.INGRESS, now.ingress),
    )
    spaces = _spaces(case)
    for direction, end in ends:
        if end is None or end.allowed is True:
            continue
        denied = end.decided_by is not None and end.decided_by.action.lower() == "deny"
        if end.allowed is None or (
            denied and denying_the_rest(case.context, end) is None and behind_all(case.context, end) is None
        ):
            return
        working = _Again(_working(case, direction, end, policies, ip_block_pods, spaces, lead, within, given))
        if not any(True for _ in working):
            return
        choices.append(working)
    if choices:
        yield from _combined(choices)


def _working(
    case: Case,
    direction: Direction,
    end: EndDecision,
    policies: PolicySet,
    ip_block_pods: IpBlockPods,
    spaces: set[str | None],
    lead: NearestRule | None,
    within: AbstractSet[PolicyRef] | None,
    given: AbstractSet[PolicyRef],
) -> Iterator[_Working]:
    """Edits that open the connection at one end, each with the policies of the case's namespaces and it."""
    for edit in candidates(case, direction, end, lead, widening=within is not None, given=given):
        if within is not None and not (isinstance(edit, Edit) and edit.new.ref in within):
            continue
        edited = compiled(policies, (edit,), ip_block_pods, near=spaces)
        if _opens(case, direction, edited):
            yield edit, edited


_Working = tuple[AnyEdit, PolicySet]

_One = TypeVar("_One")


class _Again(Generic[_One]):
    """What an iterator gives, as often as wanted; it is asked no further than anybody looked."""

    def __init__(self, source: Iterator[_One]) -> None:
        self._source = source
        self._given: list[_One] = []

    def __iter__(self) -> Iterator[_One]:
        place = 0
        while True:
            if place == len(self._given):
                try:
                    self._given.append(next(self._source))
                except StopIteration:
                    return
            yield self._given[place]
            place += 1


def _combined(choices: Sequence[Iterable[_One]]) -> Iterator[tuple[_One, ...]]:
    """`itertools.product`, which would run through every iterator first."""
    if not choices:
        yield ()
        return
    for plan in _combined(choices[:-1]):
        for option in choices[-1]:
            yield (*plan, option)


def _opens(case: Case, direction: Direction, policies: PolicySet) -> bool:
    answer = _ask(case, policies)
    end = answer.egress if direction is Direction.EGRESS else answer.ingress
    return end is not None and end.allowed is True


def compiled_steps(
    case: Case,
    policies: PolicySet,
    edits: Sequence[AnyEdit],
    ip_block_pods: IpBlockPods,
    first: PolicySet | None = None,
    elsewhere: Elsewhere | None = None,
) -> Steps:
    """Compile the policies with the edits: of the namespaces that these and the case's ends are of, if that will do.

    Args:
        case: what is to pass.
        policies: as they are.
        edits: one after the other.
        ip_block_pods: as `policies` was compiled.
        first: the policies of the namespaces of the case's ends with the first edit, where somebody has compiled them.
        elsewhere: as for `propose`.
    """
    spaces = spaces_near(case, policies, edits)
    edited = [
        first
        if first is not None and number == 1 and spaces == _spaces(case)
        else compiled(policies, edits[:number], ip_block_pods, near=spaces)
        for number in range(1, len(edits) + 1)
    ]
    near = None if spaces is None else frozenset(filter(None, spaces))
    return Steps((policies, *edited), near, elsewhere)


def spaces_near(case: Case, policies: PolicySet, edits: Sequence[AnyEdit]) -> set[str | None] | None:
    """The namespaces of which policies can decide at the case's ends once the edits are made; ``None`` for all."""
    refs = [edit.new.ref for edit in edits if isinstance(edit, Edit)]
    if len(refs) < len(edits) or policies.beyond.crosses or any(ref.namespace is None for ref in refs):
        # What is no namespace's own may change what any end meets.
        return None
    return _spaces(case) | {ref.namespace for ref in refs}


def _spaces(case: Case) -> set[str | None]:
    """The namespaces of which policies can decide at the case's ends, and none."""
    found: set[str | None] = {None}
    for one in (case.flow.src, case.flow.dst):
        found |= {one.namespace, one.pod.namespace if one.pod is not None else None}
    return found


def compiled(
    policies: PolicySet,
    edits: Sequence[AnyEdit],
    ip_block_pods: IpBlockPods,
    near: set[str | None] | None = None,
) -> PolicySet:
    """Compile the policies with the edits; only those of the namespaces `near`, where given."""
    snapshot = policies.snapshot
    if near is not None:
        snapshot = replace(snapshot, policies=policies.register.objects_of(near))
    snapshot = apply_edits(snapshot, tuple(edits))
    return compile_policies(snapshot, dialect=policies.dialect, ip_block_pods=ip_block_pods, base=policies)


def _ask(case: Case, policies: PolicySet, *, nearest: bool = False) -> ConnectionDecision:
    return policies.evaluate(case.flow.src, case.flow.dst, case.protocol, case.port, nearest=nearest)
