"""All problems of a report: drawn up one by one, then joined, folded and put in order."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from itertools import chain

from msgspec.structs import replace

from flowdiag.model.event import Verdict
from flowdiag.model.problem import Problem, report_order
from flowdiag.model.time import moment_text, parse_rfc3339
from flowdiag.model.words import object_text, was
from flowdiag.timeline.absent import Calls, absent_calls
from flowdiag.timeline.allowed import AllowedIndex
from flowdiag.timeline.clocks import clock_doubt
from flowdiag.timeline.drafts import ProblemDraft
from flowdiag.timeline.ends import EndViews
from flowdiag.timeline.fold import fold
from flowdiag.timeline.folded import Folded
from flowdiag.timeline.group import group
from flowdiag.timeline.material import Material
from flowdiag.timeline.problems import make_problem

__all__ = ["connected"]

_DNS = "FD401"


def connected(material: Material) -> list[tuple[Problem, ProblemDraft]]:
    """The problems in the report's order, each with what it was drawn up from."""
    refusing = group(material.refusals)
    _mend(material, refusing)
    # Traffic that passed makes problems of its own kind: opening more does not mend them, and they explain no
    # refusal.
    passed = group(material.passed)
    drafts = [*refusing, *passed]
    allowed, ends = AllowedIndex(material.allowed), EndViews()
    calls = Calls((), ())
    if any(draft.finding.code == _DNS for draft in refusing):
        calls = Calls(
            chain(material.allowed, material.calls), (refusal.flow for refusal in material.refusals)
        )
    problems = [
        *(_drawn_up(draft, material, ends, calls, allowed) for draft in refusing),
        *(_drawn_up(draft, material, ends, calls, None) for draft in passed),
    ]
    problems = _joined(_unique_ids(problems), drafts)
    consequences = fold(
        refusing,
        changes=material.changes,
        skews=material.clock_skew,
        worked_before=allowed.worked_before,
    )
    problems = _folded(problems, consequences)
    return sorted(zip(problems, drafts, strict=True), key=lambda one: report_order(one[0]))


def _mend(material: Material, drafts: Sequence[ProblemDraft]) -> None:
    """Give the drafts their proposals.  To prove one, a changed cluster is evaluated, so it is done per problem, not per flow."""
    if material.mend is None:
        return
    whole = [draft for draft in drafts if not draft.connections[0].folded]
    counts = [draft.count for draft in whole]
    mended = material.mend([d.lead for d in whole], counts, [d.others for d in whole])
    for draft, finding in zip(whole, mended, strict=True):
        # The least sure refusal speaks for the problem, the latest for what mends it.
        first = draft.connections[0]
        first.finding = replace(
            first.finding,
            counterfactual=finding.counterfactual,
            revert=finding.revert,
            joined=finding.joined,
            advice=finding.advice,
        )


def _drawn_up(
    draft: ProblemDraft, material: Material, ends: EndViews, calls: Calls, allowed: AllowedIndex | None
) -> Problem:
    """One problem by itself.

    Args:
        draft: what it is drawn up from.
        material: the run's.
        ends: ends as reports show them.
        calls: what else clients called, where lookups were refused.
        allowed: what passed, to be looked for beside refusals; ``None`` for a problem of what passed itself.
    """
    notes: list[str] = []
    if draft.finding.code == _DNS:
        notes.extend(absent_calls(draft, calls, material.until, material.refused_now))
    begun, last = draft.span
    # What was let through and only noted passes by design.
    was_refused = draft.lead.flow.distinct.verdict is Verdict.DENIED
    before = allowed.passed_before(draft, begun) if allowed is not None and was_refused else None
    if before is not None:
        notes.append(before)
    since = allowed.first_after(draft, last) if allowed is not None else None
    if since is not None:
        # Allowed traffic is counted by the minute.
        notes.append(f"seen allowed again from about {moment_text(since)}")
    problem = make_problem(
        draft,
        changes=material.changes,
        until=material.until,
        allowed_since=since,
        notes=notes,
        ends=ends,
        interval=material.intervals.get(draft.lead.flow.distinct.parser, 0),
    )
    doubt = clock_doubt(problem, draft.recording, material.clock_skew)
    if doubt is not None:
        problem = replace(problem, notes=(*problem.notes, doubt))
    return _ended(problem) if since is not None else problem


def _folded(problems: Sequence[Problem], folded: Mapping[int, Folded]) -> list[Problem]:
    """Consequences under their causes, each with the words why."""
    explains: dict[int, list[str]] = defaultdict(list)
    beside: Counter[int] = Counter()
    for index, one in folded.items():
        explains[one.cause].append(problems[index].id)
        beside[one.cause] += one.beside
    found = []
    for index, problem in enumerate(problems):
        own = folded.get(index)
        why = (own.why,) if own is not None and own.why is not None else ()
        if beside[index]:
            what = "another problem" if beside[index] == 1 else f"{beside[index]} other problems"
            why = (
                *why,
                f"the same change of policies began {what}: what mends this one alone does not mend those",
            )
        found.append(
            replace(
                problem,
                explained_by=problems[own.cause].id if own is not None else None,
                explains=tuple(sorted(explains[index])),
                notes=(*why, *problem.notes),
            )
        )
    return found


def _joined(problems: Sequence[Problem], drafts: Sequence[ProblemDraft]) -> list[Problem]:
    """Problems that one change mends together, each with that change and the ids of all of them."""
    joins = [draft.connections[0].finding.joined for draft in drafts]
    members: dict[int, list[str]] = defaultdict(list)
    for problem, join in zip(problems, joins, strict=True):
        members[id(join)].append(problem.id)
    return [
        problem
        if join is None
        else replace(problem, joined=replace(join, problems=tuple(sorted(members[id(join)]))))
        for problem, join in zip(problems, joins, strict=True)
    ]


def _ended(problem: Problem) -> Problem:
    """Say what changed as the refusals ended, where something did."""
    ended = [c for c in problem.changes if problem.last is not None and c.at >= problem.last]
    if not ended:
        return problem
    first = min(ended, key=lambda change: change.at)
    name = object_text(first.object)
    if f"{name} " in problem.advice:
        return problem
    notes = tuple(
        f"{note}; {name} {was(first.kind)} at {moment_text(parse_rfc3339(first.at))}"
        if note.startswith("seen allowed")
        else note
        for note in problem.notes
    )
    return replace(problem, notes=notes)


def _unique_ids(problems: list[Problem]) -> list[Problem]:
    """Two problems whose fingerprints agree keep apart by their order."""
    seen: Counter[str] = Counter()
    unique = []
    for problem in problems:
        seen[problem.id] += 1
        number = seen[problem.id]
        unique.append(problem if number == 1 else replace(problem, id=f"{problem.id}-{number}"))
    return unique
