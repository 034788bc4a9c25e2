"""The sentences that every format for people shares: sums, states, changes, and what is not known.

Nothing here escapes; the format does that to the whole phrase.
"""

from __future__ import annotations

from msgspec import UNSET

from flowdiag.model.report import (
    Confidence,
    Connection,
    Counterfactual,
    EvidenceGap,
    JoinedChange,
    Problem,
    ProblemChange,
    Report,
    Severity,
    Status,
)
from flowdiag.model.words import done, object_text, plural
from flowdiag.report.cut import held
from flowdiag.report.plotted import outside_text
from flowdiag.report.times import Clock, delta_text

__all__ = [
    "CONFIDENCE_MEANING",
    "NOTHING_SELECTED",
    "NO_RECORDS",
    "NO_REFUSAL_SELECTED",
    "SEVERITY_WORD",
    "STANDING",
    "change_text",
    "count",
    "cut_off",
    "evidence_text",
    "headline",
    "instead",
    "part_of",
    "proof_text",
    "radius_known",
    "state_text",
    "what_text",
]

SEVERITY_WORD = {
    Severity.HIGH: "HIGH",
    Severity.MEDIUM: "MEDIUM",
    Severity.LOW: "LOW",
    Severity.INFO: "INFO",
}
STANDING = {None: 0, Status.NEW: 0, Status.KNOWN: 1, Status.ACCEPTED: 2, Status.GONE: 3}
"""The order in which people are told of statuses: the news first."""

NOTHING_SELECTED = "nothing-selected"
"""Code of the warning that a selection matches no flow at all."""
NO_REFUSAL_SELECTED = "no-refusal-selected"
"""Code of the warning that it matches no refused one of those that were read."""

NO_RECORDS = ("FD807", "only-objects", "only-denied")
"""Codes of the warnings that say what to collect where no input holds a record of traffic."""

CONFIDENCE_MEANING = {
    Confidence.RECORDED: "the records themselves say so",
    Confidence.DERIVED: "replayed against the policies that held then",
    Confidence.LIKELY: "follows from what is known, but a part of the state of that time is not",
    Confidence.POSSIBLE: "fits, and so do other causes",
}


def count(number: int) -> str:
    """``41,208``."""
    return f"{number:,}"


def change_text(change: ProblemChange, clock: Clock) -> str:
    """``NetworkPolicy shop/default-deny created 12:01:02, 5 s before the first denial``, and old and new if known."""
    what = f"{object_text(change.object)} {done(change.kind)} {clock.text(change.at)}"
    delta = delta_text(change.delta_s)
    text = f"{what}, {delta} {'as the' if delta.startswith('within') else 'the'} first denial"
    return f"{text}: {change.what}" if change.what else text


def gap_text(gap: EvidenceGap, clock: Clock) -> str:
    """``node-b: 1,204 records lost 12:03:00–12:05:10 (lost-events)``."""
    where = f"{gap.node}: " if gap.node else ""
    lost = "records" if gap.lost is None else plural(gap.lost, "record")
    amount = f"an unknown number of {lost}" if gap.lost is None else lost
    if gap.since and gap.to and gap.since != gap.to:
        when = clock.span(gap.since, gap.to, "–")
    elif gap.since or gap.to:
        when = f"{'from' if gap.since else 'until'} {clock.text(gap.since or gap.to)}"
    else:
        when = "at an unknown time"
    return f"{where}{amount} missing {when} ({gap.kind})"


def what_text(problem: Problem, number: int) -> str:
    """``1,702 denials``; what was only audited says that it would have been denied."""
    if problem.status is Status.GONE:
        return "gone"
    if problem.verdict == "audited":
        return plural(number, "record") + " that would be denied (audit mode)"
    if problem.verdict == "logged":
        return plural(number, "packet") + " logged, verdict unknown"
    if problem.verdict in ("allowed", "redirected") and problem.connections:
        return plural(number, "record") + " let through"
    if not problem.connections:
        return "an audit's finding"
    return plural(number, "denial")


def state_text(problem: Problem, clock: Clock) -> str:
    """``since 12:01:07, still happening at 12:19:58``."""
    if problem.status is Status.GONE:
        return f"last seen {clock.whole(problem.last)}" if problem.last else "found no more"
    if problem.first is None and not problem.connections:
        return "as things stand"
    if problem.first is None:
        return "at an unknown time (no record has one that can be placed)"
    since = f"since {clock.text(problem.first)}"
    if problem.last is None:
        return since
    last = clock.text(problem.last)
    if last == clock.text(problem.first):
        once = "once, " if problem.count == 1 else ""
        if problem.ongoing is None:
            return f"{once}at {last}; whether it goes on is unknown"
        return f"{once}at {last}" + (", where the evidence ends" if problem.ongoing else ", not seen since")
    if problem.ongoing:
        return f"{since}, still happening at {last}"
    if problem.ongoing is None:
        return f"{since}, last seen {last}; whether it goes on is unknown"
    return f"{clock.span(problem.first, problem.last, ' to ')}, not seen since"


def headline(report: Report) -> str:
    """What the problems explain of what was denied, in one sentence."""
    told, explained = _statuses(report), _explained(report)
    return f"{told}; {explained[0].lower()}{explained[1:]}" if told else explained


def _statuses(report: Report) -> str:
    """``2 new problems, 5 known, 1 gone``; nothing without a history."""
    counts = {status: sum(p.status is status for p in report.problems) for status in Status}
    new = counts.pop(Status.NEW)
    if not new and not any(counts.values()):
        return ""
    others = [f"{number} {status}" for status, number in counts.items() if number]
    return ", ".join([plural(new, "new problem") if new else "No new problem", *others])


def _explained(report: Report) -> str:
    totals = report.totals
    part = held(report)
    if part is not None and part.kept < part.total:
        return (
            f"A part of a report: {part.words}; "
            f"all of them together explain {count(totals.denied - totals.unattributed)} of {plural(totals.denied, 'denial')}"
        )
    present = [p for p in report.problems if p.status is not Status.GONE]
    shown = [p for p in present if p.explained_by is None and p.verdict == "denied"]
    unread = totals.allowed is None and any(one.parser is not None for one in report.inputs)
    if not totals.flows and not present and not unread:
        return "No record of traffic was found"
    if not totals.denied and not present:
        codes = {one.code for one in report.warnings}
        if NOTHING_SELECTED in codes:
            # No problem was found because nothing was looked at, which does not mean that all is well.
            return "Nothing was selected"
        seen = "selected" if NO_REFUSAL_SELECTED in codes else "read"
        if totals.not_policy:
            return f"No policy refused traffic in what was {seen}; something else did, {plural(totals.not_policy, 'time')}"
        return f"No denied traffic in what was {seen}"
    if not totals.denied:
        return f"No denials; {plural(len(present), 'problem')} to look at"
    explained = totals.denied - totals.unattributed
    share = 100 * explained / totals.denied
    verb = "explains" if len(shown) == 1 else "explain"
    number = plural(len(shown), "problem")
    if not shown:
        return f"{plural(totals.denied, 'denial')}, none attributed to a problem"
    beside = sum(p.explained_by is None and p.verdict != "denied" for p in present)
    more = f"; {plural(beside, 'other problem')} without a denial" if beside else ""
    if not totals.unattributed:
        all_of = "the one denial" if totals.denied == 1 else f"all {plural(totals.denied, 'denial')}"
        return f"{number} {verb} {all_of}{more}"
    return f"{number} {verb} {count(explained)} of {plural(totals.denied, 'denial')} ({share:.1f} %){more}"


def instead(report: Report) -> tuple[str, ...]:
    """What to say where a report has no problem and somebody may have looked for one.

    Either why a selection left nothing, or why no input can show a refusal and then, one by one, what to collect.
    """
    if report.problems:
        return ()
    told = (NOTHING_SELECTED, NO_REFUSAL_SELECTED, *NO_RECORDS)
    return tuple(one.message for code in told for one in report.warnings if one.code == code)


def evidence_text(report: Report) -> str:
    """``Complete evidence of 3 inputs``, where neither input nor a record is known to be missing."""
    inputs = plural(len(report.inputs), "input")
    if held(report) is not None:
        return f"A part of a report of {inputs}"
    if not report.complete:
        return f"Incomplete evidence of {inputs}"
    if report.evidence.gaps:
        return f"Evidence with gaps, of {inputs} read whole"
    return f"Complete evidence of {inputs}"


def part_of(report: Report) -> list[str]:
    """That a page holds only a part of its report, and which; nothing where it holds all."""
    part = held(report)
    if part is None:
        return []
    less = "with fewer connections and shorter texts" if part.shortened else "and no other"
    return [f"this page holds {part.words}, {less}; the JSON report holds all"]


def cut_off(report: Report, clock: Clock) -> list[str]:
    """What the evidence cannot show, a sentence each."""
    sentences = part_of(report)
    sentences.extend(gap_text(gap, clock) for gap in report.evidence.gaps)
    sentences.extend(
        f"{skew.node}'s clock is {abs(skew.offset_s):.1f} s "
        f"{'ahead of' if skew.offset_s > 0 else 'behind'} {skew.reference}'s"
        for skew in report.evidence.clock_skew
    )
    if report.evidence.snapshot.taken is None and report.evidence.snapshot.source is None:
        sentences.append("no cluster objects were read: policies could not be replayed")
    if report.totals.allowed is None:
        sentences.append("allowed traffic was not read: whether a connection worked before is unknown")
    sentences.extend(outside_text(report, clock))
    years = [item.path for item in report.inputs if item.year_inferred]
    if years:
        more = f" and {plural(len(years) - 1, 'other')}" if len(years) > 1 else ""
        sentences.append(f"times of {years[0]}{more} carry no year: it was inferred")
    if not report.complete and not sentences and not report.warnings:
        sentences.append("parts of the input could not be read")
    return sentences


def mends(problem: Problem) -> list[tuple[str, Counterfactual]]:
    """What mends it, each with a word: the fix, what to take back, and what mends other problems, too."""
    found = (("fix", problem.counterfactual), ("or", problem.revert), ("joined", problem.joined or None))
    return [(word, change) for word, change in found if change is not None]


def radius_known(change: Counterfactual) -> bool:
    """Whether what else a change opens is known: by its proof, or as it was replayed and found to mend a part."""
    return change.proved or not change.allows_denied


def proof_text(problem: Problem, change: Counterfactual) -> str:
    """``proved by replay``, and of several connections or problems that it is for all, or how many it mends."""
    number = problem.connection_count
    if isinstance(change, JoinedChange):
        return f"proved for all connections of {plural(len(change.problems), 'problem')}"
    if not change.allows_denied and change.mends is not UNSET:
        return f"mends {change.mends:,} of {number:,} connections" if change.mends else "mends a part only"
    if not change.allows_denied:
        # As reports of older versions have it.
        whole = number > 1 and not any(map(_several_addresses, problem.connections[:1]))
        return f"mends {f'the first of {number:,} connections' if whole else 'a part'} only"
    if not change.proved:
        return "not proved"
    return f"proved for all {number:,} connections" if number > 1 else "proved by replay"


def _several_addresses(connection: Connection) -> bool:
    """Whether an end is a DNS name with several addresses, of which a change may let one pass and not the next."""
    return any(
        end.kind == "external" and len(end.ips) > 1 for end in (connection.source, connection.destination)
    )
