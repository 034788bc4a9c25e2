"""The report of a watched stream's window; mostly made in a worker process, which keeps what it compiled."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from msgspec import Struct

from flowdiag.analysis.collect import Evidence
from flowdiag.analysis.objects import StateInputs, read_state
from flowdiag.analysis.options import EvidenceOptions, Selection, StateOptions
from flowdiag.analysis.stages import examined
from flowdiag.analysis.state import State, compile_state
from flowdiag.analysis.unread import parse_warnings
from flowdiag.ingest.heap import return_freed_memory
from flowdiag.model.report import Report, ReportWarning
from flowdiag.model.tally import InputSummary
from flowdiag.tally import Tally

__all__ = ["WindowJob", "in_the_background", "make_report", "objects_of", "report_of"]

_NICE = 10

_read: dict[StateOptions, StateInputs] = {}
"""The cluster's objects, read once a process."""
_COMPILED_FOR = 10
"""How many reports use the same compiled policies, which remember every end that they were asked about, and so grow."""


class WindowJob(Struct, frozen=True, kw_only=True):
    """What a report of one moment is made of."""

    input: InputSummary
    cni: str | None
    warnings: tuple[ReportWarning, ...]
    evidence: EvidenceOptions
    state: StateOptions
    selection: Selection
    command: str | None


class _Compiled(Struct):
    """Policies as one worker holds them, as long as no change of them is in the records."""

    key: tuple[StateOptions, tuple[str, ...]]
    state: State
    used: int = 0

    def good_for(self, key: tuple[StateOptions, tuple[str, ...]]) -> bool:
        """Whether a report may use them once more."""
        return self.key == key and self.used < _COMPILED_FOR


_compiled: list[_Compiled] = []


def in_the_background() -> None:
    """Lower this process's priority, since the stream comes first, and ignore interrupts, which the reading process handles."""
    os.nice(_NICE)
    return_freed_memory()
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def objects_of(options: StateOptions) -> StateInputs:
    """The cluster's objects, read when they are first asked for."""
    found = _read.get(options)
    if found is None:
        found = _read[options] = read_state(options.paths, options.live)
    return found


def make_report(job: WindowJob, path: str) -> Report:
    """The report of a tally's copy, which is taken away."""
    tally = Tally()
    with Path(path).open("rb") as stream:
        Path(path).unlink()
        tally.merge_from(stream)
    return report_of(job, tally)


def report_of(job: WindowJob, tally: Tally) -> Report:
    """The stages after reading, of one window."""
    objects = objects_of(job.state)
    cnis = (job.cni,) if job.cni and job.input.records else ()
    compiled: State | None = None
    if objects.state:
        changes = [(seen.input, seen.event) for seen in tally.changes]
        key = job.state, cnis
        if changes or not any(one.good_for(key) for one in _compiled):
            _compiled.clear()
            state = compile_state(
                objects.state, job.state, cnis, objects.manifests, changes=changes, taken=objects.taken
            )
            _compiled.append(_Compiled(key, state, _COMPILED_FOR if changes else 0))
        compiled = _compiled[0].state
        _compiled[0].used += 1
    read = Evidence(
        tally=tally,
        inputs=(job.input, *objects.inputs),
        state=objects.state,
        manifests=objects.manifests,
        taken=objects.taken,
        cnis=cnis,
        first=job.input.first,
        last=job.input.last,
        complete=not job.input.warnings and not job.warnings,
        warnings=(*job.warnings, *objects.warnings, *parse_warnings(tally)),
        looked_at=1,
    )
    return examined(
        read, compiled, job.evidence, job.selection, job.state, rules=False, command=job.command
    ).report
