"""The answer of ``whatif`` for a person: on a terminal, and as Markdown for the review of a change.

Observed traffic that would break comes first, then what closes, then what opens.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from flowdiag.model.policy import PolicyRef
from flowdiag.model.words import plural
from flowdiag.report.escape import markdown_code, markdown_phrase, visible
from flowdiag.report.names import policy_name, port_text
from flowdiag.report.phrases import count
from flowdiag.report.protocol import Options
from flowdiag.report.query_types import FlowChange, FlowChanges, WhatifResult
from flowdiag.report.screen import Screen
from flowdiag.report.times import day_and_clock, zone_text
from flowdiag.report.whatif_bundles import Bundle, bundles, doubtful_bundles, pairs_in

__all__ = ["render_whatif", "whatif_markdown"]

Isolating = Mapping[FlowChange, Sequence[PolicyRef]]
"""For newly denied connections that no rule names: the policies that isolate the end."""

_ROWS = 12
_PEERS = 5
_POLICIES = 2
_NAME = 60
_BREAKS = "Observed traffic that would break"
_PASSES = "Observed traffic that would be allowed"
_DOUBTS = ("Becomes unknown", "Ceases to be unknown")
"""A policy of a kind or with a field that cannot be evaluated decides these, or did."""


def render_whatif(result: WhatifResult, isolating: Isolating, options: Options) -> str:
    """What would break, what closes, what opens; equal pairs together, lists bounded.

    Args:
        result: the answer as ``-o json`` has it.
        isolating: what refuses where no rule does.
        options: width, colour and zone; with `all`, lists are whole.
    """
    screen = Screen(options)
    closed, opened, *doubts = _lists(result)
    screen.put((_headline(result, closed, opened, doubts[0]), "bold"))
    if result.flows is not None:
        _seen(screen, result.flows, isolating)
    for title, found in (("Closes", closed), ("Opens", opened)):
        if not found and result.unread is not None:
            continue  # not nothing, but not known
        screen.blank()
        _pairs(screen, title, found)
    for title, found in zip(_DOUBTS, doubts, strict=True):
        if found:
            screen.blank()
            _pairs(screen, title, found)
    return screen.text()


def _lists(result: WhatifResult) -> list[list[Bundle]]:
    """What closes, what opens, what becomes unknown and what ceases to be."""
    sure = [bundles(result, opened=opened) for opened in (False, True)]
    return [*sure, *(doubtful_bundles(result, became=became) for became in (True, False))]


def _headline(
    result: WhatifResult, closes: Sequence[Bundle], opens: Sequence[Bundle], doubts: Sequence[Bundle]
) -> str:
    closed, opened, doubt = map(pairs_in, (closes, opens, doubts))
    if closed or opened:
        ends = f"The change closes {_pairs_text(closed)} and opens {_pairs_text(opened)}"
    elif result.unread is not None:
        ends = f"What the change opens and closes cannot be told: {visible(result.unread)}"
    elif doubt:
        ends = "Nothing is known to open or close between workloads and outside addresses"
    else:
        ends = "The change opens and closes nothing between workloads and outside addresses"
    if doubt:
        ends += f"; what becomes of {_pairs_text(doubt)} cannot be told"
    flows = result.flows
    if flows is None:
        return f"{ends}."
    broken = _some(flows.newly_denied, "newly denied")
    return f"{ends}; of the observed traffic, {broken} and {_some(flows.newly_allowed, 'newly allowed')}."


def _pairs_text(number: int) -> str:
    return f"ports of {plural(number, 'pair')}" if number else "nothing"


def _some(changes: Sequence[FlowChange], word: str) -> str:
    if not changes:
        return f"nothing would be {word}"
    records = sum(change.count for change in changes)
    return f"{plural(len(changes), 'connection')} ({plural(records, 'record')}) would be {word}"


def _rest(flows: FlowChanges) -> str:
    unknown = f"; of {count(flows.unknown)} the policies cannot tell" if flows.unknown else ""
    return f"{plural(flows.unchanged, 'observed connection')} unchanged{unknown}"


# --- terminal -----------------------------------------------------------------------------------------


def _seen(screen: Screen, flows: FlowChanges, isolating: Isolating) -> None:
    for title, style, changes, refused in (
        (_BREAKS, "bold red", flows.newly_denied, True),
        (_PASSES, "bold green", flows.newly_allowed, False),
    ):
        if not changes:
            continue
        screen.blank()
        screen.put((title, style))
        shown = changes if screen.options.all else changes[:_ROWS]
        for change in shown:
            _flow(screen, change, _why(change, isolating.get(change, ()), refused=refused))
        _more(screen, len(changes) - len(shown), "connection")
    screen.blank()
    screen.put(_rest(flows))


def _flow(screen: Screen, change: FlowChange, why: str) -> None:
    # What has no room on one line is wrapped: two workloads differ in any part of their names.
    src, dst = (screen.name(end, screen.width - 30) for end in (change.src, change.dst))
    screen.split(
        [
            (f"{src} {screen.own('→')} {dst} ", ""),
            (visible(port_text(change.protocol, change.port, None)), "bold"),
        ],
        (plural(change.count, "record"), ""),
        indent=2,
        hang=2,
    )
    if change.last is not None:
        screen.put((f"last {visible(_last(change, screen.options))}", "dim"), indent=4, hang=2)
    if why:
        screen.put((screen.name(why, 300), "dim"), indent=4, hang=2)


def _last(change: FlowChange, options: Options) -> str:
    return f"{day_and_clock(change.last, options.timezone)} {zone_text(options.timezone, change.last)}"


def _why(change: FlowChange, isolated_by: Sequence[PolicyRef], *, refused: bool) -> str:
    by = change.decided_by
    if by is not None:
        where = f"{by.namespace}/" if by.namespace else ""
        return f"by {by.kind} {where}{by.name} {by.rule}: {by.action}"
    if not isolated_by:
        return "" if refused else "no policy isolates the end any more"
    names = [policy_name(ref) for ref in isolated_by]
    more = len(names) - _POLICIES
    listed = ", ".join(names[:_POLICIES]) + (f" and {more} more" if more > 0 else "")
    return f"isolated by {listed}, and no rule allows it"


def _pairs(screen: Screen, title: str, found: Sequence[Bundle]) -> None:
    if not found:
        screen.put((title, "bold"), "  nothing")
        return
    screen.put((title, "bold"), f"  {plural(pairs_in(found), 'pair')}")
    shown = found if screen.options.all else found[:_ROWS]
    for bundle in shown:
        screen.put(
            f"{_terminal_names(screen, bundle.sources)} {screen.own('→')} "
            f"{_terminal_names(screen, bundle.destinations)}",
            indent=2,
            hang=2,
        )
        screen.put((screen.name(bundle.ports, 300), "bold"), indent=4, hang=2)
    _more(screen, len(found) - len(shown), "group of pairs", "groups of pairs")


def _terminal_names(screen: Screen, names: Sequence[str]) -> str:
    shown = names if screen.options.all else names[:_PEERS]
    text = ", ".join(screen.name(name, _NAME) for name in shown)
    more = len(names) - len(shown)
    return f"{text} and {count(more)} more" if more > 0 else text


def _more(screen: Screen, number: int, one: str, many: str | None = None) -> None:
    if number > 0:
        screen.put((f"and {_further(number, one, many)} (-o json has all)", "dim"), indent=2)


def _further(number: int, one: str, many: str | None) -> str:
    return plural(number, f"more {one}", f"more {many or one + 's'}")


# --- Markdown -----------------------------------------------------------------------------------------


def whatif_markdown(result: WhatifResult, isolating: Isolating, options: Options) -> str:
    """A comment for a pull request: tables of at most five columns, names in code spans."""
    closed, opened, *doubts = _lists(result)
    lines = ["### What this policy change does", "", _headline(result, closed, opened, doubts[0]), ""]
    flows = result.flows
    if flows is not None:
        for title, changes, refused in (
            (_BREAKS, flows.newly_denied, True),
            (_PASSES, flows.newly_allowed, False),
        ):
            reasons = [_why(change, isolating.get(change, ()), refused=refused) for change in changes]
            lines += _flow_table(title, changes, reasons, options)
    for title, found in zip(("Closes", "Opens", *_DOUBTS), (closed, opened, *doubts), strict=True):
        lines += _pair_table(title, found, options)
    if flows is not None:
        lines += [f"_{_rest(flows)}._", ""]
    return "\n".join(lines)


def _flow_table(
    title: str, changes: Sequence[FlowChange], reasons: Sequence[str], options: Options
) -> list[str]:
    if not changes:
        return []
    lines = [f"**{title}**", "", "| from | to | port | seen | by |", "| --- | --- | --- | --- | --- |"]
    shown = changes if options.all else changes[:_ROWS]
    for change, why in zip(shown, reasons, strict=False):
        last = f", last {visible(_last(change, options))}" if change.last is not None else ""
        lines.append(
            f"| {markdown_code(change.src, 120)} | {markdown_code(change.dst, 120)} "
            f"| {markdown_code(port_text(change.protocol, change.port, None), 60)} "
            f"| {plural(change.count, 'record')}{last} "
            f"| {markdown_phrase(why.removeprefix('by '), 240) if why else '-'} |"
        )
    return [*lines, *_markdown_more(len(changes) - len(shown), "connection"), ""]


def _pair_table(title: str, found: Sequence[Bundle], options: Options) -> list[str]:
    if not found:
        return []
    lines = [f"**{title}**", "", "| from | to | ports |", "| --- | --- | --- |"]
    shown = found if options.all else found[:_ROWS]
    lines += [
        f"| {_markdown_names(one.sources, options)} | {_markdown_names(one.destinations, options)} "
        f"| {markdown_code(one.ports, 240)} |"
        for one in shown
    ]
    return [*lines, *_markdown_more(len(found) - len(shown), "group of pairs", "groups of pairs"), ""]


def _markdown_names(names: Sequence[str], options: Options) -> str:
    shown = names if options.all else names[:_PEERS]
    text = ", ".join(markdown_code(name, 120) for name in shown)
    more = len(names) - len(shown)
    return f"{text} and {count(more)} more" if more > 0 else text


def _markdown_more(number: int, one: str, many: str | None = None) -> list[str]:
    return ["", f"and {_further(number, one, many)} (`-o json` has all)"] if number > 0 else []
