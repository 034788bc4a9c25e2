"""A scheduled run: analyse, ask what an audit asks besides, and hold it against the runs before."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date
from pathlib import Path

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from flowdiag.analysis.concerns import acceptance_problems, check_problems, unused_rule_problems
from flowdiag.analysis.not_collected import EVERY_DAY
from flowdiag.analysis.options import EvidenceOptions, Progress, Selection, Stage, StateOptions
from flowdiag.analysis.run import examine
from flowdiag.cluster.manifests import NOT_READ
from flowdiag.diagnose.check import Looked, broken_checks, look
from flowdiag.history import Acceptance, Accepted, History, Recorded, accept, concerns
from flowdiag.model.interrupts import temporary_folder
from flowdiag.model.report import Problem, Report, Severity, general_warning
from flowdiag.report.json_report import json_bytes

__all__ = ["AuditOptions", "audit", "scope_of"]


_UNREAD = (NOT_READ, *EVERY_DAY)


class AuditOptions(Struct, frozen=True, kw_only=True):
    """What an audit adds to a run."""

    acceptances: tuple[Acceptance, ...] = ()
    accepted_in: str = ".flowdiag.toml"
    """Where the entries stand, as messages call it."""
    baseline: tuple[Problem, ...] = ()
    """Problems that count as known though no run has met them."""
    gone_after: int = 1
    collect_since_s: int = 86_400
    """Logs and flows of a live cluster from so long ago on."""
    skip: tuple[str, ...] = ()
    """What is not asked of a live cluster: ``flows``, ``logs``, ``files``."""
    max_bytes: int = 1 << 30
    """Of all that is collected from it."""
    max_file: int = 64 << 20
    """Of one log or export."""
    within_s: float = 600.0
    """For how long it is asked."""
    unused_rules: bool = False
    """Also list allow rules that nothing observed used."""
    tell: frozenset[Severity] = frozenset()
    """Severities of new problems that are to be told."""


def audit(
    paths: Sequence[str],
    history: History,
    *,
    evidence: EvidenceOptions | None = None,
    state: StateOptions | None = None,
    selection: Selection | None = None,
    options: AuditOptions | None = None,
    progress: Progress | None = None,
    stage: Stage | None = None,
    command: str | None = None,
) -> Recorded:
    """Collect where a cluster is named, analyse, and keep the run in the history.

    Args:
        paths: as `flowdiag.analysis.analyze` takes them.
        history: what earlier runs found.
        evidence: how inputs are read.
        state: cluster objects kept elsewhere.
        selection: which part of the evidence counts; runs of other selections are not compared.
        options: what is accepted and known.
        progress: told how far the reading is.
        stage: told what comes after it.
        command: the command line that asks for it, for the report to tell.

    Raises:
        InputError: nothing usable is in the inputs.
        ClusterError: a live cluster cannot be read.
        HistoryError: the history cannot be written.
    """
    selection = selection or Selection()
    options = options or AuditOptions()
    with _inputs(paths, state, options, progress, stage) as inputs:
        found = examine(
            inputs.paths,
            evidence=evidence,
            state=inputs.state,
            selection=selection,
            progress=progress,
            stage=stage,
            unused_rules=options.unused_rules,
            command=command,
        )
    looked = look(found.scene) if found.scene is not None else Looked((), ())
    more = [*check_problems(looked)]
    if found.rule_use is not None:
        more.extend(unused_rule_problems(found.rule_use))
    report = replace(
        found.report,
        problems=(*found.report.problems, *more),
        complete=found.report.complete and inputs.whole,
    )
    judged = accept(report.problems, options.acceptances, _day(report))
    # An entry's problem may be in what was not looked at: entries are called unused only where everything was read.
    whole = found.whole and inputs.whole and not (looked.failed or [*broken_checks()])
    scope = scope_of(selection, inputs.context)
    everything = whole and found.records and scope_of(selection) == ""
    unused = _unused(judged, history.open_before(scope)) if everything else ()
    report = _with_acceptances(report, judged, unused, options)
    said = [
        *(general_warning("history-set-aside", text) for text in history.warnings),
        *(
            general_warning("broken-plugin", text)
            for text in (
                *(f"check {one.origin} does not load: {one.error}" for one in broken_checks()),
                *looked.failed,
            )
        ),
    ]
    # The history keeps JSON, which cannot hold a file name that is not Unicode.
    text = json_bytes(replace(report, warnings=(*report.warnings, *said)), pretty=False)
    if inputs.folder:
        text = text.replace(inputs.folder.encode(), b"")
    return history.record(
        msgspec.json.decode(text, type=Report),
        scope=scope,
        accepted=judged.by,
        partly=judged.partly,
        whole=whole,
        records=found.records,
        unread=[one.message for one in report.warnings if one.code in _UNREAD],
        baseline=options.baseline,
        gone_after=options.gone_after,
        tell=options.tell,
    )


class _Inputs(Struct, frozen=True, kw_only=True):
    """What is analysed, and what is to be said of its collection."""

    paths: tuple[str, ...]
    state: StateOptions | None
    folder: str = ""
    """Where the collected bundle lies for now: no report should name a place that is gone when it is read."""
    context: str | None = None
    """Of the kubeconfig, that a live cluster was reached by."""
    whole: bool = True
    """What is missing is missing every day."""


@contextmanager
def _inputs(
    paths: Sequence[str],
    state: StateOptions | None,
    options: AuditOptions,
    progress: Progress | None,
    stage: Stage | None,
) -> Iterator[_Inputs]:
    """The paths, and with a live cluster what is collected from it now, for as long as it is read."""
    if state is None or state.live is None:
        yield _Inputs(paths=tuple(paths), state=state)
        return
    from flowdiag.cluster.collect.options import CollectOptions
    from flowdiag.cluster.collect.run import collect

    with temporary_folder() as folder:
        bundle = Path(folder) / "live.tar.gz"
        done = collect(
            CollectOptions(
                cluster=state.live,
                since_s=options.collect_since_s,
                skip=options.skip,
                max_bytes=options.max_bytes,
                max_file=options.max_file,
                within_s=options.within_s,
            ),
            bundle,
            progress,
            stage,
        )
        if stage is not None:
            # Reading may start processes, and no thread of a display may run then.
            stage(None)
        missing = [
            one
            for one in done.fates
            if one.fate in ("refused", "failed", "left", "cut")
            or (one.kind == "flows" and one.fate == "absent")
        ]
        yield _Inputs(
            paths=(*paths, str(bundle)),
            folder=f"{folder}/",
            state=replace(state, live=None),
            context=done.context,
            whole=all(one.fate in ("refused", "absent") for one in missing),
        )


def scope_of(selection: Selection, context: str | None = None) -> str:
    """What a run looked at, apart from times: runs of one scope are compared.

    Args:
        selection: which part of the evidence counted.
        context: of the kubeconfig, that a live cluster was reached by.
    """
    parts = {
        "context": context or "",
        "namespace": ",".join(sorted(selection.namespaces)),
        "from": selection.from_pod or "",
        "to": selection.to_pod or "",
        "port": "" if selection.to_port is None else str(selection.to_port),
        "protocol": (selection.protocol or "").upper(),
        "verdict": ",".join(sorted(selection.verdicts)),
    }
    return " ".join(f"{word}={value}" for word, value in parts.items() if value)


def _day(report: Report) -> date:
    """The day of the run, UTC, by which acceptances end."""
    return date.fromisoformat(report.created[:10])


def _unused(judged: Accepted, before: Sequence[Problem] | None) -> tuple[Acceptance, ...]:
    """Give the entries that accept no problem, neither of this run nor of those open before it.

    Not on the first run, since nothing can be called gone then; a problem that came and went may come again tomorrow.
    """
    if before is None:
        return ()
    return tuple(one for one in judged.unused if not any(concerns(one, problem) for problem in before))


def _with_acceptances(
    report: Report, judged: Accepted, unused: Sequence[Acceptance], options: AuditOptions
) -> Report:
    """Say on each problem who answers for it, and add what is wrong with the entries themselves."""
    problems = []
    for index, problem in enumerate(report.problems):
        notes = problem.notes
        if index in judged.by:
            entry = judged.by[index]
            notes = (f"accepted by {entry.owner} until {entry.expires}: {entry.reason}", *notes)
        elif index in judged.partly:
            entry, matched = judged.partly[index]
            notes = (
                (
                    f"{matched} of its {len(problem.connections)} connections {'is' if matched == 1 else 'are'} accepted by {entry.owner} "
                    f"until {entry.expires}; the others keep it open"
                ),
                *notes,
            )
        problems.append(replace(problem, notes=notes) if notes is not problem.notes else problem)
    more = acceptance_problems(judged.expired, unused, options.accepted_in)
    return replace(report, problems=(*problems, *more))
