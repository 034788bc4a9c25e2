"""One run, from paths to a report: the inputs are read here, and `stages` make the report of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from flowdiag.analysis.collect import BeforeEvidence, gather
from flowdiag.analysis.options import EvidenceOptions, Progress, Selection, Stage, StateOptions
from flowdiag.model.ending import keep
from flowdiag.model.errors import InputError
from flowdiag.model.report import Report
from flowdiag.tally.collecting import uncollected

if TYPE_CHECKING:
    from flowdiag.analysis.stages import Examination
    from flowdiag.analysis.state import State

__all__ = ["analyze", "examine"]


def analyze(
    paths: Sequence[str],
    *,
    evidence: EvidenceOptions | None = None,
    state: StateOptions | None = None,
    selection: Selection | None = None,
    progress: Progress | None = None,
    stage: Stage | None = None,
    command: str | None = None,
) -> Report:
    """Read evidence and state, and report who was refused, by what, and what mends it.

    Args:
        paths: files, folders, archives or ``-``; cluster objects among them are found.
        evidence: how inputs are read.
        state: cluster objects kept elsewhere, and how policies are read.
        selection: which part of the evidence counts.
        progress: told how far the reading is.
        stage: told what comes after it.
        command: the command line that asks for it, for the report to tell.

    Raises:
        InputError: nothing usable is in the inputs.
        ClusterError: the state is to come from a cluster that cannot be read.
    """
    return _run(paths, evidence, state, selection, progress, stage, rules=False, command=command).report


def examine(
    paths: Sequence[str],
    *,
    evidence: EvidenceOptions | None = None,
    state: StateOptions | None = None,
    selection: Selection | None = None,
    progress: Progress | None = None,
    stage: Stage | None = None,
    unused_rules: bool = True,
    command: str | None = None,
) -> Examination:
    """As `analyze`, with what an audit asks besides: the scene that checks look at, and unused allow rules if wanted.

    Takes and raises what `analyze` does; the inputs are read once.  Every allowed flow is held against the policies too, so this is
    for audits rather than for an incident.
    """
    return _run(
        paths, evidence, state, selection, progress, stage, rules=True, unused=unused_rules, command=command
    )


@uncollected()
def _run(
    paths: Sequence[str],
    evidence: EvidenceOptions | None,
    state: StateOptions | None,
    selection: Selection | None,
    progress: Progress | None,
    stage: Stage | None,
    *,
    rules: bool,
    unused: bool = False,
    command: str | None,
) -> Examination:
    evidence = evidence or EvidenceOptions()
    options = state or StateOptions()
    selection = selection or Selection()
    drafts: list[State] = []

    # To import the stages and the plugins that they use takes as long as a small run, so it is done while others read.
    def compile_ahead(known: BeforeEvidence) -> Iterator[None]:
        from flowdiag.analysis.stages import make_ready

        yield
        make_ready()
        yield
        from flowdiag.analysis.state import compile_state

        if known.state:
            drafts.append(compile_state(known.state, options, known.cnis, known.manifests, taken=known.taken))

    read = gather(
        paths,
        evidence=evidence,
        selection=selection,
        state_paths=options.paths,
        live=options.live,
        progress=progress,
        meanwhile=compile_ahead,
    )
    from flowdiag.analysis.stages import examined
    from flowdiag.analysis.state import compile_state

    if stage is not None:
        stage("reading the cluster's objects")
    logged = [(seen.input, seen.event) for seen in read.tally.changes]
    known = (
        compile_state(
            read.state,
            options,
            read.cnis,
            read.manifests,
            changes=logged,
            taken=read.taken,
            tally=read.tally,
            draft=drafts[0] if drafts else None,
        )
        if read.state
        else None
    )
    # An audit is told of it, and calls nothing gone.
    if (not read.inputs and known is None) or (read.unusable and not rules):
        message, hint = read.nothing_usable()
        raise InputError(message, hint=hint)
    found = examined(
        read,
        known,
        evidence,
        selection,
        options,
        rules=rules,
        unused=unused,
        stage=stage,
        command=command,
    )
    keep(read, known, found)
    return found
