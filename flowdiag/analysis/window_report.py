"""The report of a watched stream's window; mostly made in a worker process, which keeps what it compiled."""

from __future__ import annotations

import os
import signal
from multiprocessing import parent_process
from pathlib import Path
from threading import Thread

from msgspec import Struct
from msgspec.structs import replace

from flowdiag.analysis.collect import Evidence
from flowdiag.analysis.options import EvidenceOptions, Selection, StateOptions
from flowdiag.analysis.reread import Objects, Told
from flowdiag.analysis.stages import examined
from flowdiag.analysis.state import State, compile_state
from flowdiag.analysis.unread import parse_warnings
from flowdiag.ingest.heap import return_freed_memory
from flowdiag.model.report import Report, ReportWarning
from flowdiag.model.tally import InputSummary
from flowdiag.tally import Tally

__all__ = ["WindowJob", "in_the_background", "make_report", "objects_of", "report_of"]

_NICE = 10
_LIVE = "cluster-objects"
"""What stands for the parser of changes that two readings tell."""

_read: dict[StateOptions, Objects] = {}
"""The cluster's objects as this process has them."""
_COMPILED_FOR = 10
"""How many reports use the same compiled policies, which remember every end that they were asked about, and so grow."""


_Key = tuple[StateOptions, tuple[str, ...], int]
"""What compiled policies are of: the options, the CNIs, and which reading of a running cluster."""


class WindowJob(Struct, frozen=True, kw_only=True):
    """What a report of one moment is made of."""

    input: InputSummary
    cni: str | None
    warnings: tuple[ReportWarning, ...]
    evidence: EvidenceOptions
    state: StateOptions
    selection: Selection
    command: str | None
    told: tuple[Told, ...] = ()
    """What changed in a running cluster in the window, by the readings of the worker."""
    by_worker: bool = True
    """Whether it is the worker that makes the report, and reads on from what it told; another process read once before."""


class _Compiled(Struct):
    """Policies as one worker holds them, as long as no change of them is in the records."""

    key: _Key
    state: State
    used: int = 0

    def good_for(self, key: _Key) -> bool:
        """Whether a report may use them once more."""
        return self.key == key and self.used < _COMPILED_FOR


_compiled: list[_Compiled] = []


def in_the_background() -> None:
    """Lower this process's priority, since the stream comes first, and ignore interrupts, which the reading process handles."""
    os.nice(_NICE)
    return_freed_memory()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    Thread(target=_end_with_the_reader, daemon=True).start()


def _end_with_the_reader() -> None:
    """End with the process that reads: where that is killed, this one would wait for work for ever, at a pipe whose other end it has, too."""
    reader = parent_process()
    if reader is not None:
        reader.join()
        os._exit(1)


def objects_of(options: StateOptions) -> Objects:
    """The cluster's objects, read when they are first asked for."""
    found = _read.get(options)
    if found is None:
        found = _read[options] = Objects.read(options)
    return found


def make_report(job: WindowJob, path: str) -> tuple[Report, list[Told]]:
    """The report of a tally's copy, which is taken away, and what changed in a running cluster since the one before."""
    tally = Tally()
    with Path(path).open("rb") as stream:
        Path(path).unlink()
        tally.merge_from(stream)
    return report_of(job, tally)


def report_of(job: WindowJob, tally: Tally) -> tuple[Report, list[Told]]:
    """The stages after reading, of one window whose tally is not used afterwards."""
    held = objects_of(job.state)
    told = held.again()
    if not job.by_worker:
        known = {event.object for _, event in job.told}
        told = [one for one in told if one[1].object not in known]
    objects = held.inputs
    changed = [*job.told, *told]
    for name, event in changed:
        tally.add(event, _LIVE, name)
    cnis = (job.cni,) if job.cni and job.input.records else ()
    compiled: State | None = None
    if objects.state:
        changes = [(seen.input, seen.event) for seen in tally.changes]
        key = job.state, cnis, held.readings
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
        warnings=(*job.warnings, *held.warnings, *objects.warnings, *parse_warnings(tally)),
        looked_at=1,
    )
    done = examined(read, compiled, job.evidence, job.selection, job.state, rules=False, command=job.command)
    totals = done.report.totals
    # What two readings tell is no record.
    return replace(done.report, totals=replace(totals, records=totals.records - len(changed))), told
