"""One problem on a terminal, on about nine lines: what breaks, since when, who isolates, the miss and the fix.

What does not fit its line ends in an ellipsis or says how much more there is; ``-v`` and ``show N`` tell all.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from flowdiag.model.finding import BY_RULE
from flowdiag.model.objects import NAME_LABEL
from flowdiag.model.opened import Pair, opened_pairs
from flowdiag.model.otherwise import otherwise_text
from flowdiag.model.policy import Miss, PolicyRef
from flowdiag.model.report import Counterfactual, Problem, RecordedPolicy, Report
from flowdiag.model.words import ABSENT, AGENT_SAID, REFUSED_TOO, done, plural
from flowdiag.report.escape import cells, shares
from flowdiag.report.isolating import denied_by
from flowdiag.report.names import (
    end_text,
    miss_text,
    policy_name,
    policy_text,
    port_text,
    reason_word,
    recorded_text,
)
from flowdiag.report.phrases import change_text, proof_text, radius_known, state_text, what_text
from flowdiag.report.screen import Screen
from flowdiag.report.terminal_problem import cause_text, consequences, title, titled, without_policies
from flowdiag.report.terminal_spark import spark
from flowdiag.report.times import delta_text

__all__ = ["brief"]

_LABELS = 14
_INDENT = 3
_FAR = 3
_RAGGED = 6
"""Columns that wrapping loses at the end of a line."""


_TOLD_BY_SUMMARY = frozenset({"FD104", "FD205", "FD603", "FD806"})
"""Codes whose answer no title names: why a policy isolates by surprise, a pod behind a node or an address, what allows it."""


def brief(screen: Screen, report: Report, problem: Problem, number: int) -> None:
    """The block of a weighty problem."""
    title(screen, report, problem, number)
    _state(screen, problem)
    _ends(screen, problem)
    if problem.explained_by is not None:
        _row(screen, "explained by", cause_text(report, problem.explained_by))
    if problem.code in _TOLD_BY_SUMMARY and problem.summary:
        _row(screen, "what", screen.phrase(problem.summary.partition(AGENT_SAID)[0], 500), rows=3)
    _policies(screen, problem)
    _otherwise(screen, problem)
    said = problem.summary.partition(AGENT_SAID)[2]
    if said:
        _row(screen, "agent", screen.phrase(f"said at {said}", 300), rows=2)
    _fix(screen, problem)
    _changed(screen, problem)
    _consequences(screen, report, problem)
    _stopped(screen, problem)
    spark(screen, report, problem)


def _room(screen: Screen) -> int:
    return screen.width - _INDENT - _LABELS


def _row(screen: Screen, label: str, text: str, tail: str = "", rows: int = 1) -> None:
    """At most so many lines: `text` is cut to leave room for `tail`."""
    room = _room(screen)
    shown = screen.own(text)
    if cells(shown) + cells(tail) > room:
        # A wrapped line is left before its end, on average by half a word.
        shown = screen.ended(shown, room * rows - cells(tail) - (rows - 1) * _RAGGED)
        # A long name leaves more of a line empty.
        while rows > 1 and screen.rows(shown + tail, room) > rows and cells(shown) > room:
            shown = screen.ended(shown, cells(shown) - _RAGGED)
    screen.field(label, [f"{shown}{tail}"], indent=_INDENT, labels=_LABELS)


def _state(screen: Screen, problem: Problem) -> None:
    """Since when and how many; direction and reason as far as there is room for them."""
    state, what = state_text(problem, screen.clock), what_text(problem, problem.count)
    room = screen.width - _INDENT - cells(state) - cells(what) - 2
    direction = problem.direction or "direction not recorded"
    known = (f"; {direction}, {reason_word(problem)}", f"; {direction}", "") if problem.connections else ("",)
    more = next((text for text in known if cells(screen.name(text)) <= room), "")
    screen.split([(state, ""), (screen.name(more), "")], (what, "bold"), indent=_INDENT, hang=2)


def _ends(screen: Screen, problem: Problem) -> None:
    """The connection with the most records, where the title does not hold it alone."""
    if not problem.connections:
        return
    lead = problem.connections[0]
    parts = (
        end_text(lead.source),
        end_text(lead.destination),
        port_text(lead.protocol, lead.port, problem.icmp),
    )
    others = problem.connection_count - 1
    if titled(problem):
        return
    all_here = ": --all" if others == len(problem.connections) - 1 else ""
    tail = f" and {plural(others, 'more connection')}{all_here}" if others else ""
    room = max(screen.width - _INDENT - cells(tail) - cells(parts[2]) - len("  → ") - 2, 24)
    widths = shares(parts[0], parts[1], room)
    told = f"{screen.name(parts[0], widths[0])} {screen.own('→')} {screen.name(parts[1], widths[1])} "
    screen.put((told + screen.name(parts[2], 40), "bold"), tail, indent=_INDENT, hang=2)


def _denied_by(screen: Screen, problem: Problem) -> None:
    """The policy whose rule denied; what isolates the end beside it refused nothing."""
    denying = denied_by(problem)
    recorded = [policy for policy in problem.recorded if policy.effect == "deny"]
    if denying is not None:
        _policy(screen, problem, "denied by", denying, "")
    elif recorded:
        _recorded(screen, recorded)
    else:
        _row(screen, "denied by", screen.sentence(problem.summary, 300), rows=2)


def _recorded(screen: Screen, recorded: Sequence[RecordedPolicy]) -> None:
    more = f" and {len(recorded) - 1} more" if len(recorded) > 1 else ""
    _row(screen, "recorded", screen.name(recorded_text(recorded[0]), 160), more)


def _policy(screen: Screen, problem: Problem, label: str, ref: PolicyRef, more: str) -> None:
    """A policy with the change of it that matters."""
    change = next(
        (
            c
            for c in problem.changes
            if (c.object.kind, c.object.namespace, c.object.name) == (ref.kind, ref.namespace, ref.name)
        ),
        None,
    )
    tail = (
        f" ({screen.name(done(change.kind), 40)} {_when(problem, change.delta_s)})" if change else ""
    ) + more
    name = policy_text(ref)
    if cells(name) + cells(tail) > _room(screen):
        name = policy_name(ref)
    if cells(name) + cells(tail) > _room(screen):
        # Who it is says more than since when, which stands under the bars as well.
        tail = more
    _row(screen, label, screen.name(name, max(_room(screen) - cells(tail), 20)), tail)


def _when(problem: Problem, delta_s: float) -> str:
    """A change's distance to the first denial, which in a flow log is somewhere in the interval that is recorded."""
    counted = any("(FD802)" in note for note in problem.notes)
    return "within its first interval" if counted and delta_s > 0 else delta_text(delta_s)


def _policies(screen: Screen, problem: Problem) -> None:
    if problem.code in BY_RULE:
        _denied_by(screen, problem)
    elif problem.isolating:
        lead = problem.isolating[0]
        more = f" and {len(problem.isolating) - 1} more" if len(problem.isolating) > 1 else ""
        _policy(screen, problem, "isolated by", lead, more)
    elif problem.recorded:
        _recorded(screen, problem.recorded)
    elif problem.reason.name == "POLICY_DENIED":
        _row(screen, "isolated by", without_policies(problem))
    for rule in problem.nearest[:1]:
        where = f" {screen.name(rule.rule, 60)}"
        name = policy_text(rule)
        if cells(name) + cells(where) > _room(screen):
            name = policy_name(rule)
        _row(screen, "nearest rule", screen.name(name, max(_room(screen) - cells(where), 20)), where)
        if rule.misses:
            _misses(screen, rule.misses)
        else:
            _row(screen, "", "may match: what keeps it from that is not known (-v)")


def _otherwise(screen: Screen, problem: Problem) -> None:
    """That a part of the count, and its times, are another refusal's."""
    if problem.otherwise:
        _row(screen, "also", screen.sentence(otherwise_text(problem.otherwise[0]), 400), rows=2)


def _misses(screen: Screen, misses: tuple[Miss, ...]) -> None:
    """As many conditions as two lines hold; of a rule that misses by many, and so is not near, as one does."""
    rows = 2 if len(misses) < _FAR else 1
    room = rows * (_room(screen) - 2) - (rows - 1) * _RAGGED
    told: list[str] = []
    for miss in misses:
        text = screen.name(_miss(miss), 200)
        if told and cells("; ".join([*told, text])) > room - len("; 1 more"):
            break
        told.append(text)
    if told:
        left = len(misses) - len(told)
        tail = f"; {left} more" if left else ""
        text = screen.ended("; ".join(told), room - len(tail)) + tail
        screen.field("", [screen.own(f"× {text}")], indent=_INDENT, labels=_LABELS, hang=2)


def _miss(miss: Miss) -> str:
    """``namespace: wants shop, found edge``; a key that both have stands once."""
    key, equals, wanted = miss.wanted.partition("=")
    same = miss.found is None or miss.found.startswith(f"{key}=")
    if not equals or not same:
        return miss_text(miss)
    found = "none" if miss.found is None else miss.found[len(key) + 1 :]
    word = miss_text(miss).partition(":")[0]
    what = "namespace" if key == NAME_LABEL else f"{word} {key}"
    return f"{what}: wants {wanted}, found {found}"


def _fix(screen: Screen, problem: Problem) -> None:
    fix = problem.counterfactual
    if fix is not None:
        _row(screen, "fix", screen.phrase(fix.summary.rstrip(". "), 300), rows=3)
        _row(screen, "", _proof(problem, fix), rows=2)
    elif problem.advice:
        # Where a rule came near, what it misses says more.
        _row(screen, "advice", screen.phrase(problem.advice, 500), rows=3)
    if problem.revert is not None:
        _row(screen, "or", screen.phrase(problem.revert.summary.rstrip(". "), 300), rows=2)


def _proof(problem: Problem, fix: Counterfactual) -> str:
    if fix.also_allows:
        first, *left = opened_pairs(fix.also_allows)
        more = f" and {plural(len(left), 'more pair')}" if left else ""
        opens = f"also allows {_opened(problem, first)}{more}"
    else:
        opens = "opens nothing else known" if radius_known(fix) else "what else it opens is not known"
    return f"{proof_text(problem, fix)}; {opens}"


def _opened(problem: Problem, pair: Pair) -> str:
    """What else is opened; its ends are not said again where they are those of the problem's one connection."""
    lead = problem.connections[0] if problem.connection_count == 1 else None
    src, dst, ports = pair
    if lead is not None and (end_text(lead.source), end_text(lead.destination)) == (src, dst):
        return f"{ports} between them"
    return f"{src} → {dst} {ports}"


def _changed(screen: Screen, problem: Problem) -> None:
    """The last change before the refusals began that no line names yet."""
    told = {(ref.kind, ref.namespace, ref.name) for ref in problem.isolating}
    others = [
        change
        for change in problem.changes
        if (change.object.kind, change.object.namespace, change.object.name) not in told
        and (change.delta_s is None or change.delta_s <= 0)
    ]
    for change in others[-1:]:
        text = change_text(change, screen.clock)
        if cells(text) > _room(screen) * 2 - _RAGGED:
            # The start of an object's text tells nothing.
            text = change_text(replace(change, what=None), screen.clock)
        _row(screen, "changed", screen.name(text, 200), rows=2)


def _consequences(screen: Screen, report: Report, problem: Problem) -> None:
    folded = consequences(report, problem)
    if folded:
        number, other = folded[0]
        more = f" and {len(folded) - 1} more: --all" if len(folded) > 1 else ""
        told = f" ({what_text(other, other.count)}){more}"
        _row(screen, "explains", f"{number} {screen.phrase(other.title, 120)}", told)


def _stopped(screen: Screen, problem: Problem) -> None:
    """Calls that are not made any more, and whether they are refused themselves: the next thing to mend."""
    refused = [note for note in problem.notes if note.endswith(REFUSED_TOO)]
    stopped = refused or [note for note in problem.notes if note.endswith(ABSENT)]
    if stopped:
        more = f" and {len(stopped) - 1} more" if len(stopped) > 1 else ""
        call = screen.sentence(stopped[0].partition(": seen until")[0], max(_room(screen) - cells(more), 20))
        _row(screen, "stopped", call, more)
        if refused:
            _row(screen, "", REFUSED_TOO)
