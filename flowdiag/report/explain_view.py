"""The answer of ``explain`` for a person: the verdict, each end's policies, the walk, what was really seen."""

from __future__ import annotations

from typing import Protocol

from flowdiag.model.event import PORT_PROTOCOLS
from flowdiag.model.finding import Finding
from flowdiag.model.opened import opened_pairs
from flowdiag.model.policy import EndDecision, WalkStep
from flowdiag.model.words import plural
from flowdiag.report.escape import visible_block
from flowdiag.report.names import miss_text, policy_text
from flowdiag.report.protocol import Options
from flowdiag.report.query_types import ExplainResult, Observed
from flowdiag.report.screen import Screen
from flowdiag.report.spoken import foreign

__all__ = ["Ends", "render_explain"]

_WORDS = {True: ("ALLOWED", "bold green"), False: ("DENIED", "bold red"), None: ("UNKNOWN", "bold yellow")}
_LABELS = 14
_NEAREST = 3
_POLICIES = 12
_STEPS = 60


class Ends(Protocol):
    """What was decided at both ends; a `ConnectionDecision` is one."""

    @property
    def egress(self) -> EndDecision | None:
        """At the source."""

    @property
    def ingress(self) -> EndDecision | None:
        """At the destination."""


def render_explain(
    result: ExplainResult,
    decision: Ends,
    options: Options,
    finding: Finding | None = None,
    shown: tuple[str, str] | None = None,
) -> str:
    """Say whether the connection is allowed, by what, what came nearest, what was seen, what would mend it.

    Args:
        result: the answer as ``-o json`` has it.
        decision: the evaluation behind it; `EndDecision.walk` is shown where filled.
        options: width and colour; `verbose` shows all nearest rules, `all` the whole walk.
        finding: the diagnosis of a denied connection, with its proposal.
        shown: whose ends `decision` is about, where the pods that were asked about differ.
    """
    screen = Screen(options, among=foreign(result, decision.egress, decision.ingress, finding))
    arrow = screen.own("→")
    word, style = ("MIXED", "bold yellow") if shown is not None else _WORDS[result.allowed]
    src, dst, protocol, port = result.src, result.dst, result.protocol, result.port
    if port is not None:
        what = f"{port}/{protocol}" if protocol else f"{port}"
    else:
        what = f"{protocol}, any port" if protocol in PORT_PROTOCOLS else protocol or "any port"
    half = max((screen.width - 24) // 2, 16)
    screen.put(
        (word, style),
        f"  {screen.name(src, half)} {arrow} {screen.name(dst, half)} {screen.name(what, 40)}",
        hang=2,
    )
    if result.error:
        screen.put(screen.sentence(result.error, 600), indent=2)
    screen.blank()
    whose = shown or (src, dst)
    _end(screen, "egress", f"egress of {whose[0]}", decision.egress)
    _end(screen, "ingress", f"ingress of {whose[1]}", decision.ingress)
    _observed(screen, result.allowed, result.observed)
    _mend(screen, finding)
    if finding is not None or result.observed is not None:
        screen.blank()
    _walks(screen, decision)
    return screen.text()


def _mend(screen: Screen, finding: Finding | None) -> None:
    """What is wrong by the catalogue, what would have to change, and the change itself."""
    if finding is None:
        return
    screen.put(("diagnosis", "bold"), f"  {finding.code} {screen.name(finding.slug, 60)}", indent=1, hang=2)
    if finding.summary:
        _field(screen, "what", [screen.sentence(finding.summary, 900)])
    if finding.advice:
        _field(screen, "advice", [screen.sentence(finding.advice, 900)])
    proposal = finding.counterfactual
    if proposal is None:
        return
    proof = "proved by replay" if proposal.proved else "not proved"
    _field(screen, "fix", [f"{screen.sentence(proposal.summary.rstrip('. '), 600)} ({proof})"])
    opened = opened_pairs(proposal.also_allows)
    opens = [
        f"{screen.name(src, 60)} {screen.own('→')} {screen.name(dst, 60)} {screen.name(ports, 120)}"
        for src, dst, ports in opened[:_POLICIES]
    ]
    if len(opened) > _POLICIES:
        opens.append(f"and {plural(len(opened) - _POLICIES, 'more pair')}")
    _field(screen, "also opens", opens or ["nothing else that is known"])
    for manifest in [proposal.patch] if proposal.patch else proposal.manifests:
        screen.blank()
        for line in visible_block(manifest).splitlines():
            screen.put(line, indent=3)


def _end(screen: Screen, direction: str, title: str, end: EndDecision | None) -> None:
    shown = screen.name(title, screen.width - 30)
    if end is None:
        screen.put(
            (shown, "bold"),
            "  outside the cluster: no policy of the state is enforced there",
            indent=1,
            hang=2,
        )
        screen.blank()
        return
    word, style = _WORDS[end.allowed]
    screen.put((shown, "bold"), "  ", (word.lower(), style), indent=1, hang=2)
    if not end.isolated_by and end.allowed:
        _field(screen, "isolated by", [f"nothing: no policy selects it for {direction}"])
    elif end.isolated_by:
        refs = end.isolated_by if screen.options.verbose else end.isolated_by[:_POLICIES]
        lines = [screen.name(policy_text(ref), 160) for ref in refs]
        if len(lines) < len(end.isolated_by):
            lines.append(f"and {len(end.isolated_by) - len(lines)} more")
        _field(screen, "isolated by", lines)
    if end.decided_by is not None:
        by = end.decided_by
        _field(
            screen,
            "decided by",
            [f"{screen.name(policy_text(by.policy), 160)} {screen.name(by.rule, 60)}: {by.action}"],
        )
    elif end.allowed is False:
        closing = end.closed_by if end.closed_by != end.isolated_by else ()
        names = ", ".join(screen.name(policy_text(ref), 160) for ref in closing[:_POLICIES])
        text = f"the end of the tier of {names}" if names else "isolation"
        _field(screen, "decided by", [f"no rule allows it: {text} denies by default"])
    if end.notes:
        _field(screen, "but", [screen.sentence(text, 300) for text in end.notes])
    if end.unknown:
        _field(screen, "unknown", [screen.sentence(text, 300) for text in end.unknown])
    if end.uncertain:
        lines = [screen.name(policy_text(ref), 160) for ref in end.uncertain]
        _field(screen, "not certain", [*lines, "changed since: what they said at that time is not known"])
    for rule in end.nearest if screen.options.verbose else end.nearest[:_NEAREST]:
        _field(
            screen,
            "nearest rule",
            [f"{screen.name(policy_text(rule.policy), 120)} {screen.name(rule.rule, 60)}"],
        )
        misses = [screen.own(f"× {screen.name(miss_text(miss), 200)}") for miss in rule.misses]
        misses.extend(f"? {screen.name(text, 200)}" for text in rule.unknown)
        screen.field("", misses, indent=3, labels=_LABELS, hang=2)
    screen.blank()


def _walks(screen: Screen, ends: Ends) -> None:
    """How it was decided, policy by policy: it is long, and the answer stands above."""
    walked = [
        (word, end) for word, end in (("egress", ends.egress), ("ingress", ends.ingress)) if end and end.walk
    ]
    if not walked:
        return
    doubt = ", as far as what was read tells" if any(end.allowed is None for _, end in walked) else ""
    screen.put((f"how it was decided{doubt}", "bold"), indent=1)
    for word, end in walked:
        steps = end.walk if screen.options.all else end.walk[:_STEPS]
        several = len({step.tier for step in end.walk if step.tier}) > 1
        lines = [_step(screen, step, several) for step in steps]
        screen.field(word, lines, indent=3, labels=_LABELS, hang=2)
        if len(steps) < len(end.walk):
            _field(screen, "", [f"and {plural(len(end.walk) - len(steps), 'more step')}"])


def _step(screen: Screen, step: WalkStep, several: bool) -> str:
    where = f"[{step.tier}] " if step.tier and several else ""
    return screen.own(screen.name(f"{where}{step.text}", 300))


def _observed(screen: Screen, allowed: bool | None, observed: Observed | None) -> None:
    if observed is None:
        return
    screen.put(("observed", "bold"), f"  {screen.sentence(observed.text, 400)}", indent=1, hang=2)
    compared = _compared(allowed, observed)
    if compared is not None:
        screen.put(screen.sentence(compared, 400), indent=3)


def _compared(allowed: bool | None, observed: Observed) -> str | None:
    """What the policies say, held against what was seen; ``None`` where nothing follows."""
    if allowed and observed.requests and observed.requests == observed.denied:
        return (
            "What was refused are requests inside connections that pass: a proxy's rules for requests decide them "
            "(Cilium's L7 rules, or a mesh's AuthorizationPolicy)."
        )
    if allowed is False and observed.audited and not observed.denied:
        return "The policies refuse it, and audit mode lets it through: enforced, it would fail."
    if allowed and observed.denied:
        if (observed.allowed_last or "") > (observed.denied_last or "~"):
            return "It passed after the last refusal, as the policies say now."
        if observed.mended:
            return f"Mended since: {observed.mended}, after the last refusal."
        return (
            "The policies allow it and yet it was refused: they have changed since, the state is of "
            "another time, or the cause is not a policy."
        )
    if allowed is False and observed.allowed and not observed.denied:
        return "The policies deny it and yet it was seen to pass: they are newer than the evidence, or are not enforced."
    if allowed and observed.allowed:
        return "Policy may be cleared as the cause."
    if observed.denied or observed.allowed or observed.unnamed or observed.audited:
        return None
    if observed.logged:
        return "What became of it is not recorded: flow logs tell, or the policies of that time, if they have the rule that logged it."
    if observed.on_the_way:
        return "Whether policies at the destination let it in is not recorded: the network's firewall comes before them."
    if observed.allowed is not None:
        return "Nothing was seen between the two: it was not tried, its name was not found, or it was not recorded."
    return None


def _field(screen: Screen, label: str, values: list[str]) -> None:
    screen.field(label, values, indent=3, labels=_LABELS)
