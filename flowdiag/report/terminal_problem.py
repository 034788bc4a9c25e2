"""One problem on a terminal: a block of labelled lines with its place on the time axis, or one line."""

from __future__ import annotations

from collections.abc import Iterable

from flowdiag.model.opened import opened_pairs
from flowdiag.model.report import (
    Confidence,
    Counterfactual,
    EvidenceLine,
    Problem,
    ProblemChange,
    Report,
    Severity,
)
from flowdiag.model.words import done, plural
from flowdiag.report.escape import middle, visible, visible_block
from flowdiag.report.names import (
    direction_text,
    end_text,
    label_texts,
    miss_text,
    policy_text,
    port_text,
    reason_text,
    reason_word,
    record_text,
    recorded_text,
    who_to_whom,
)
from flowdiag.report.phrases import (
    CONFIDENCE_MEANING,
    SEVERITY_WORD,
    change_text,
    mends,
    proof_text,
    radius_known,
    state_text,
    what_text,
)
from flowdiag.report.screen import Screen
from flowdiag.report.terminal_spark import spark
from flowdiag.report.times import delta_text

__all__ = ["cause_text", "compact", "consequences", "full", "title", "without_policies"]

_STYLE = {
    Severity.HIGH: "bold red",
    Severity.MEDIUM: "bold yellow",
    Severity.LOW: "cyan",
    Severity.INFO: "dim",
}
_LABELS = 14
_INDENT = 3
_CONNECTIONS = 12
_RECORD_ROWS = 5
_SENTENCE = 2_000
"""Characters of a sentence: one that names eight objects stands whole."""
"""Lines that a record gets without `Options.all`."""
_UNKNOWN_POLICIES = "unknown: the policies of that time are not known"
_NO_POLICY = "nothing: enforcement is on without a policy"
_WITHOUT_POLICY = frozenset({"FD105"})
"""Codes that say that no policy isolates."""
_SAY_NOTHING = "unknown: policies say nothing of a pod's calls to itself"
_OF_ITSELF = frozenset({"FD310"})
_NOT_CERTAIN = "unknown: not certain that the nearest rule's policy does"
_TOLD_BY_RULES = frozenset({"FD101"})
"""Codes whose summary is what isolates and the nearest rule, which stand below with all that it missed."""
_ALSO = 3
_EVIDENCE_CHARS = 8000
_NAME = 200
"""Columns of a name that are shown whole, over several lines where they must."""


def compact(screen: Screen, report: Report, problem: Problem, number: int) -> None:
    """One problem in a line or two."""
    title(screen, report, problem, number)
    known = (problem.connections or problem.protocol is not None) and not titled(problem)
    more = f" and {problem.connection_count - 1:,} more" if problem.connection_count > 1 else ""
    who = f"; {screen.own(screen.name(who_to_whom(problem), 100))}{more}" if known else ""
    screen.put(
        f"{what_text(problem, problem.count)}, {state_text(problem, screen.clock)}{who}",
        indent=_INDENT,
        hang=2,
    )
    if problem.counterfactual is not None:
        room = screen.width - _INDENT - len("fix  ")
        screen.put(
            "fix  ",
            screen.ended(screen.phrase(problem.counterfactual.summary.rstrip(". "), 300), room),
            indent=_INDENT,
        )


def titled(problem: Problem) -> bool:
    """Whether the title holds the problem's one connection."""
    if problem.connection_count != 1 or not problem.connections:
        return False
    lead = problem.connections[0]
    parts = (
        end_text(lead.source),
        end_text(lead.destination),
        port_text(lead.protocol, lead.port, problem.icmp),
    )
    # The title may leave an outside end's address out: "content.example.net (198.51.100.80)".
    return all(part.partition(" (")[0] in problem.title for part in parts)


def full(screen: Screen, report: Report, problem: Problem, number: int) -> None:
    """All that is known: pods, manifests, evidence and references too."""
    title(screen, report, problem, number)
    direction = screen.name(problem.direction or "direction not recorded", 40)
    screen.split(
        [
            (state_text(problem, screen.clock), ""),
            (f"; {direction}, {screen.name(reason_word(problem), 60)}" if problem.connections else "", ""),
        ],
        (what_text(problem, problem.count), "bold"),
        indent=_INDENT,
        hang=2,
    )
    _ends(screen, problem)
    if problem.summary and not (problem.nearest and problem.code in _TOLD_BY_RULES):
        _field(screen, "what", [screen.own(screen.phrase(problem.summary, _SENTENCE))])
    if problem.explained_by is not None:
        _field(screen, "explained by", [screen.name(cause_text(report, problem.explained_by))])
    _policies(screen, problem)
    _fix(screen, problem)
    _changed(screen, problem)
    _consequences(screen, report, problem)
    if problem.notes:
        _field(screen, "also", [screen.own(screen.name(note, 400)) for note in problem.notes])
    _details(screen, problem)
    spark(screen, report, problem)


def title(screen: Screen, report: Report, problem: Problem, number: int) -> None:
    """Number, severity, code and what is wrong; how sure at the right edge."""
    status = f" {problem.status}" if problem.status else ""
    screen.split(
        [
            (f"{number:>{len(str(len(report.problems)))}} ", "bold"),
            (f"{SEVERITY_WORD[problem.severity]}", _STYLE[problem.severity]),
            (f"  {screen.name(problem.code, 20)}  ", ""),
            (screen.phrase(problem.title, 240), "bold"),
        ],
        (f"{problem.confidence}{status}", "italic"),
        indent=1,
        hang=2,
    )


def _field(screen: Screen, label: str, values: list[str]) -> None:
    screen.field(label, values, indent=_INDENT, labels=_LABELS)


def _ends(screen: Screen, problem: Problem) -> None:
    """Who was refused what."""
    shown = problem.connections[: None if screen.options.all else _CONNECTIONS]
    for index, connection in enumerate(shown):
        told = (
            f"{screen.name(end_text(connection.source), _NAME)} {screen.own('→')} "
            f"{screen.name(end_text(connection.destination), _NAME)} "
            f"{screen.name(port_text(connection.protocol, connection.port, problem.icmp), 40)}"
        )
        if problem.connection_count > 1:
            told += f" ({plural(connection.count, 'record')})"
        screen.put((told, "" if index else "bold"), indent=_INDENT, hang=2)
    rest = problem.connections[len(shown) :]
    if rest:
        number = plural(len(rest), "more connection")
        screen.put(f"{number} ({plural(sum(one.count for one in rest), 'record')}): --all", indent=_INDENT)
    if problem.connections_left:
        screen.put(
            f"{plural(problem.connections_left, 'connection')} that this page left out", indent=_INDENT
        )


def _changed(screen: Screen, problem: Problem) -> None:
    """Changes that no line names yet."""
    told = {(ref.kind, ref.namespace, ref.name) for ref in problem.isolating}
    others = [c for c in problem.changes if (c.object.kind, c.object.namespace, c.object.name) not in told]
    if others:
        _field(screen, "changed", [screen.name(change_text(c, screen.clock), 200) for c in others])


def _policies(screen: Screen, problem: Problem) -> None:
    if problem.recorded:
        _field(screen, "recorded", [screen.name(recorded_text(policy), 160) for policy in problem.recorded])
    denying = problem.decided_by
    if denying is not None and denying.action.lower() == "deny" and problem.verdict == "denied":
        where = screen.name(denying.rule, 60)
        _field(screen, "denied by", [f"{screen.name(policy_text(denying), 160)} {where}"])
    if problem.isolating:
        changes = {(c.object.kind, c.object.namespace, c.object.name): c for c in reversed(problem.changes)}
        lines = []
        for ref in problem.isolating:
            change = changes.get((ref.kind, ref.namespace, ref.name))
            when = "" if change is None else f" ({_when(screen, change)})"
            lines.append(f"{screen.name(policy_text(ref), 160)}{when}")
        _field(screen, "isolated by", lines)
    elif not problem.recorded and problem.reason.name == "POLICY_DENIED":
        _field(screen, "isolated by", [without_policies(problem)])
    for rule in problem.nearest:
        _field(
            screen, "nearest rule", [f"{screen.name(policy_text(rule), 120)} {screen.name(rule.rule, 60)}"]
        )
        misses = [screen.own(f"× {screen.name(miss_text(miss), 200)}") for miss in rule.misses]
        screen.field("", misses, indent=_INDENT, labels=_LABELS, hang=2)


def without_policies(problem: Problem) -> str:
    """What stands in place of the isolating policies of a default deny that names none."""
    if problem.code in _WITHOUT_POLICY and problem.confidence is not Confidence.POSSIBLE:
        return _NO_POLICY
    if problem.code in _OF_ITSELF:
        return _SAY_NOTHING
    return _NOT_CERTAIN if problem.nearest else _UNKNOWN_POLICIES


def _when(screen: Screen, change: ProblemChange) -> str:
    """``created 14:03:12, 1.9 s before``: a change of a policy beside its name."""
    what = f"; {screen.name(change.what, 200)}" if change.what else ""
    return f"{screen.name(done(change.kind), 40)} {screen.clock.text(change.at)}, {delta_text(change.delta_s)}{what}"


def _fix(screen: Screen, problem: Problem) -> None:
    fix = problem.counterfactual
    if fix is None:
        if problem.advice:
            _field(screen, "advice", [screen.phrase(problem.advice, _SENTENCE)])
        _others(screen, problem)
        return
    proof = proof_text(problem, fix)
    summary = screen.phrase(fix.summary.rstrip(". "), _SENTENCE)
    _field(screen, "fix", [f"{summary} ({proof}; {_radius(screen, fix)})"])
    _others(screen, problem)
    if problem.advice:
        _field(screen, "advice", [screen.phrase(problem.advice, _SENTENCE)])


def _others(screen: Screen, problem: Problem) -> None:
    """Beside the fix: what to take back, and what mends other problems, too."""
    for word, change in mends(problem):
        if change is problem.counterfactual:
            continue
        text = screen.phrase(change.summary.rstrip(". "), _SENTENCE)
        _field(screen, word, [f"{text} ({proof_text(problem, change)})", _radius(screen, change)])


def _radius(screen: Screen, fix: Counterfactual) -> str:
    if not fix.also_allows:
        return (
            "newly allows nothing else that is known"
            if radius_known(fix)
            else "what else it allows is not known"
        )
    opened = opened_pairs(fix.also_allows)
    pairs = [
        f"{screen.name(src, 48)} {screen.own('→')} {screen.name(dst, 48)} {screen.name(ports, 96)}"
        for src, dst, ports in opened[:_ALSO]
    ]
    more = len(opened) - len(pairs)
    return f"also allows {'; '.join(pairs)}" + (f"; and {plural(more, 'more pair')}" if more else "")


def cause_text(report: Report, cause: str) -> str:
    """``problem 3``: what explains another problem, by its place in the report; its id where it is not in there."""
    number = next((n for n, p in enumerate(report.problems, start=1) if p.id == cause), None)
    return f"problem {number}" if number else cause


def consequences(report: Report, problem: Problem) -> list[tuple[int, Problem]]:
    """(number, problem) of those that a problem explains."""
    return [
        (number, other)
        for number, other in enumerate(report.problems, start=1)
        if other.explained_by == problem.id and other.id != problem.id
    ]


def _consequences(screen: Screen, report: Report, problem: Problem) -> None:
    lines = [
        f"{number} {screen.phrase(other.title, 120)} ({what_text(other, other.count)})"
        for number, other in consequences(report, problem)
    ]
    if lines:
        _field(screen, "explains", lines)


def _whole(screen: Screen, names: Iterable[str]) -> str:
    """All of them; only one that nobody would read to its end is cut."""
    return ", ".join(screen.name(name, _NAME) for name in names)


def _details(screen: Screen, problem: Problem) -> None:
    for label, end in (("source", problem.source), ("destination", problem.destination)):
        facts = []
        if end.pods:
            facts.append("pods " + _whole(screen, end.pods))
        if end.ips:
            facts.append("addresses " + _whole(screen, end.ips))
        if end.labels:
            facts.append("labels " + _whole(screen, label_texts(end.labels)))
        if end.identity is not None:
            facts.append(f"identity {end.identity}")
        if end.known_by:
            facts.append(screen.name(f"known by {end.known_by}", _NAME))
        if facts:
            _field(screen, label, facts)
    meaning = CONFIDENCE_MEANING[problem.confidence]
    _field(screen, "reason", [f"{screen.name(reason_text(problem), 120)}; {direction_text(problem)}"])
    _field(screen, "confidence", [f"{problem.confidence}: {meaning}"])
    if problem.verify:
        commands = [screen.name(command, 400) for command in problem.verify]
        screen.commands("confirm", commands, indent=_INDENT, labels=_LABELS)
    for word, fix in mends(problem):
        blocks = [fix.patch] if fix.patch else list(fix.manifests)
        for block in blocks:
            _field(screen, "patch" if fix.patch else "manifest", ["joined"] if word == "joined" else [""])
            for line in visible_block(block).split("\n"):
                screen.literal(" " * (_INDENT + 2) + line, _diff_style(line) if fix.patch else "")
    told = [text for line in problem.evidence for text in _record(screen, line)]
    if told:
        _field(screen, "evidence", told)
    if problem.references:
        # An address that is cut in two opens nothing.
        urls = [screen.name(url, 300) for url in problem.references]
        screen.commands("references", urls, indent=_INDENT, labels=_LABELS)
    _field(screen, "fingerprint", [screen.name(problem.fingerprint, 80)])


def _record(screen: Screen, line: EvidenceLine) -> tuple[str, str]:
    """Where it stands and what it says: a flow of Hubble's is 2 KB, of which the ends tell most."""
    text = visible(record_text(line), _EVIDENCE_CHARS)
    room = _RECORD_ROWS * (screen.width - _INDENT - _LABELS)
    place = screen.name(f"{line.input}:{line.line}", 120)
    return place, text if screen.options.all else middle(text, room, ascii_only=screen.options.ascii)


def _diff_style(line: str) -> str:
    return "green" if line.startswith("+") else "red" if line.startswith("-") else ""
