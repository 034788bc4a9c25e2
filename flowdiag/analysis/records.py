"""Records one by one, and what each input was taken for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

from flowdiag.analysis.options import EvidenceOptions, Selection, read_options
from flowdiag.analysis.select import selected_event
from flowdiag.analysis.unread import is_document, nothing_usable, said
from flowdiag.cluster.event_lists import listed_events
from flowdiag.cluster.state_sniff import sniff_state
from flowdiag.ingest import Detection, Gathered, InputKind, ReadOptions
from flowdiag.ingest.events import iter_events
from flowdiag.ingest.identify import detect_all
from flowdiag.model.errors import InputError
from flowdiag.model.event import Event, FlowEvent
from flowdiag.model.report import ReportWarning

__all__ = ["detect_inputs", "read_events"]


def read_events(
    paths: Sequence[str],
    *,
    evidence: EvidenceOptions,
    selection: Selection,
    keep_raw: bool,
    by_time: bool,
    problems: list[str],
) -> Iterator[tuple[str, str, Event]]:
    """Yield ``(input, parser, event)`` for every selected record.

    Args:
        paths: as for `gather`.
        evidence: how inputs are read.
        selection: flow records outside it are left out; other records stay, where it names only a time,
            as far as they lie in it.
        keep_raw: fill `raw`.
        by_time: sort, which holds all events in memory; those without a time come first.
        problems: grows by what is wrong with inputs, in words.

    Raises:
        InputError: no input is readable at all.
    """
    options = read_options(evidence, keep_raw=keep_raw)
    with Gathered(paths) as sources:
        detected, found = detect_all(sources, options)
        if not any(one.kind is InputKind.EVIDENCE for one in detected):
            told = said(found[:1]) or _objects_alone(detected)
            message, hint = nothing_usable("no evidence", len(detected), told)
            raise InputError(message, hint=hint)
        records = (
            (name, parser, event)
            for name, parser, event in iter_events(sources, options, found, detected=detected)
            if _counts(event, selection)
        )
        if by_time:
            held = sorted(
                enumerate(records), key=lambda row: (row[1][2].at if row[1][2].at is not None else -1, row[0])
            )
            yield from (row for _, row in held)
        else:
            yield from records
    problems.extend(f"{one.path}{_at(one.line)}: {one.message}" for one in found if not is_document(one))


def _objects_alone(detected: Sequence[Detection]) -> tuple[ReportWarning, ...]:
    """That there are only objects of the cluster, which are read without a complaint and are no records."""
    names = (one.source.name for one in detected if one.kind is InputKind.STATE)
    return tuple(
        ReportWarning(
            code="only-objects", message="objects of the cluster, no records", input=name, line=None
        )
        for name in islice(names, 1)
    )


def detect_inputs(paths: Sequence[str]) -> list[dict[str, Any]]:
    """What each input is and everything that was tried, as plain values."""
    options = ReadOptions(state_sniff=sniff_state, listed_events=listed_events)
    with Gathered(paths) as sources:
        detected, problems = detect_all(sources, options, whole=True)
    rows: list[dict[str, Any]] = [
        {
            "path": one.source.name,
            "kind": str(one.kind),
            "parser": one.parser,
            "envelopes": list(one.stack),
            "scores": [
                {"parser": score.parser, "score": round(score.score, 3), "envelopes": list(score.stack)}
                for score in one.scores
            ],
            "state_score": round(one.state_score, 3),
            "problems": [problem.message for problem in one.problems],
        }
        for one in detected
    ]
    known = {one.source.name for one in detected}
    rows.extend(
        {
            "path": problem.path,
            "kind": "plugin" if problem.code == "broken-plugin" else "unreadable",
            "parser": None,
            "envelopes": [],
            "scores": [],
            "state_score": 0.0,
            "problems": [problem.message],
        }
        for problem in problems
        if problem.path not in known
    )
    return rows


def _counts(event: Event, selection: Selection) -> bool:
    if isinstance(event, FlowEvent):
        return selected_event(event, selection)
    only_time = selection == Selection(since=selection.since, until=selection.until)
    if not only_time:
        return False
    if event.at is None:
        return selection.since is None and selection.until is None
    if selection.since is not None and event.at < selection.since:
        return False
    return selection.until is None or event.at <= selection.until


def _at(line: int | None) -> str:
    return f":{line}" if line is not None else ""
