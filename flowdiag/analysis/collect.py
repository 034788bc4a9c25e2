"""Everything there is to read, read once: evidence folded, cluster objects as they are."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from flowdiag.analysis.agents import is_endpoint_list, place_agents
from flowdiag.analysis.not_collected import EVERY_DAY, not_collected
from flowdiag.analysis.objects import contents, live_state, read_state, some_objects
from flowdiag.analysis.options import EvidenceOptions, Progress, Selection, read_options
from flowdiag.analysis.summaries import summaries, summary
from flowdiag.analysis.unread import HARMLESS, nothing_usable, parse_warnings, said, worth_saying
from flowdiag.cluster.live.options import ClusterOptions
from flowdiag.cluster.manifests import Manifest, read_manifest
from flowdiag.ingest import Detection, Gathered, InputKind
from flowdiag.ingest.execute import Outcome, run
from flowdiag.ingest.identify import detect_all
from flowdiag.ingest.server import expect_workers
from flowdiag.model.event import Verdict
from flowdiag.model.report import ReportWarning
from flowdiag.model.tally import InputSummary

if TYPE_CHECKING:
    from flowdiag.tally import Tally

__all__ = ["BeforeEvidence", "Evidence", "gather"]

_KERNEL = "netfilter"
"""The parser of packet lines in the kernel's log, whoever's rule wrote them."""


class Evidence(Struct, kw_only=True):
    """What the inputs held."""

    tally: Tally
    inputs: tuple[InputSummary, ...]
    state: list[tuple[str, bytes]]
    """Cluster objects: (name, content), those named by ``--state`` last, so that they win."""
    manifests: dict[str, Manifest]
    """Those of them that were read already, by name; a live cluster's have no content beside."""
    taken: int | None
    """When a live cluster was read, nanoseconds."""
    cnis: tuple[str, ...]
    """CNIs whose formats were found, or whose rules wrote lines of the kernel's log, by name."""
    first: int | None
    last: int | None
    complete: bool
    warnings: tuple[ReportWarning, ...]
    looked_at: int
    unusable: bool = False
    """What was named as evidence could not be read, and nothing of it could; cluster objects may be there all the same."""
    unsaid: tuple[ReportWarning, ...] = ()
    """Why inputs could not be read, also those of which a report says nothing, such as documents."""

    def nothing_usable(self) -> tuple[str, str]:
        """What to say, and what to do, where nothing at all could be read."""
        return nothing_usable("nothing usable", self.looked_at, self.warnings or self.unsaid)


class BeforeEvidence(Struct, frozen=True, kw_only=True):
    """What is known of the inputs before the evidence is read, as `Evidence` has it."""

    state: list[tuple[str, bytes]]
    manifests: dict[str, Manifest]
    taken: int | None
    cnis: tuple[str, ...]
    """CNIs whose formats were found; of some there may turn out to be no records."""


def gather(
    paths: Sequence[str],
    *,
    evidence: EvidenceOptions,
    selection: Selection | None = None,
    state_paths: Sequence[str] = (),
    live: ClusterOptions | None = None,
    progress: Progress | None = None,
    meanwhile: Callable[[BeforeEvidence], Iterator[None]] | None = None,
) -> Evidence:
    """Read all inputs.

    Args:
        paths: evidence, with cluster objects among it or not.
        evidence: how inputs are read.
        selection: which part of it counts; by time it is made while records are folded.
        state_paths: cluster objects kept elsewhere; records among them are left alone.
        live: a cluster whose objects are read, after all others, so that they win.
        progress: told how far the reading is.
        meanwhile: its steps are taken while workers or a thread read the evidence, as many as there is time for.

    Raises:
        InputError: there are no cluster objects where `state_paths` say.
        ClusterError: the live cluster cannot be read.
    """
    expect_workers(paths, evidence.processes, evidence.scheduler)
    cluster = live_state(live)
    options = read_options(evidence, selection)
    with Gathered(paths) as sources:
        detected, problems = detect_all(sources, options)
        state = list(contents(detected, problems))
        read: dict[str, Manifest] = {}
        extra: tuple[ReportWarning, ...] = ()
        apart: tuple[InputSummary, ...] = ()
        if state_paths:
            more = some_objects(read_state(state_paths, checksum=evidence.checksum), state_paths)
            state += more.state
            extra, apart = more.warnings, more.inputs
            read |= more.manifests
        if cluster is not None:
            read[cluster.name] = cluster.manifest
            state.append((cluster.name, b""))
        lists = [one for one in detected if is_endpoint_list(one)]
        placed = place_agents(detected, state, lists, read)
        options = replace(options, endpoint_ids=placed.endpoint_ids, pod_nodes=placed.pod_nodes)
        manifests = placed.manifests
        taken = cluster.taken if cluster is not None else None

        def beside() -> Iterator[None]:
            for name, data in state:
                if name not in manifests:
                    manifests[name] = read_manifest(name, data)
                    yield
            if meanwhile is not None:
                yield from meanwhile(
                    BeforeEvidence(state=state, manifests=manifests, taken=taken, cnis=_cnis(placed.detected))
                )

        outcome = run(sources, options, progress=progress, detected=placed.detected, meanwhile=beside)
        unsaid = said(problems)
        problems = [*worth_saying(problems, detected, lists), *outcome.problems]
        missing = tuple(not_collected(detected))
        told = tuple(summaries(detected, outcome.tally.inputs, checksum=evidence.checksum))
        if cluster is not None:
            told += (summary(cluster.name, None, cluster.bytes, None),)
    return _evidence(
        outcome,
        told,
        apart,
        cni_of={one.source.name: one.cni for one in placed.detected},
        state=state,
        manifests=manifests,
        taken=taken,
        warnings=(*said(problems), *extra, *missing, *parse_warnings(outcome.tally)),
        whole={one.code for one in problems} | {one.code for one in (*extra, *missing)}
        <= HARMLESS.union(EVERY_DAY),
        looked_at=len(detected),
        cluster=None if cluster is None else cluster.name,
        unread=any(one.code not in HARMLESS for one in problems),
        unsaid=unsaid,
    )


def _evidence(
    outcome: Outcome,
    told: Iterable[InputSummary],
    apart: tuple[InputSummary, ...],
    *,
    cni_of: Mapping[str, str | None],
    state: list[tuple[str, bytes]],
    manifests: dict[str, Manifest],
    taken: int | None,
    warnings: tuple[ReportWarning, ...],
    whole: bool,
    looked_at: int,
    cluster: str | None,
    unread: bool,
    unsaid: tuple[ReportWarning, ...],
) -> Evidence:
    """Put together what was read.

    Args:
        outcome: what reading the evidence came to.
        told: all inputs but those that stand `apart`.
        apart: those of the state that is kept elsewhere.
        cni_of: the CNI that an input's records show, by the input's name.
        state: cluster objects, by the name of what they were in.
        manifests: the same, as far as they were read already.
        taken: when the live cluster was read, nanoseconds.
        warnings: everything that is said about the reading.
        whole: nothing that matters was left unread, but for single records.
        looked_at: how many inputs there were.
        cluster: what a live cluster's objects are called.
        unread: something of the evidence could not be read.
        unsaid: why inputs could not be read, said in the report or not.
    """
    # An input in which the parser that was asked for finds nothing is no evidence.
    foreign = {one.path for one in outcome.problems if one.code == "not-that-format"}
    told = [one for one in told if one.path not in foreign]
    counted = [one for one in told if one.parser is not None]
    cnis = {cni_of.get(one.path) for one in counted if one.records}
    if any(one.parser == _KERNEL and one.records for one in counted):
        cnis |= _by_prefixes(outcome.tally)
    # A week of the API server's audit log beside five minutes of flows says nothing of traffic in that week.
    covering = [one for one in counted if one.flows or cni_of.get(one.path)] or counted
    firsts = [one.first for one in covering if one.first is not None]
    lasts = [one.last for one in covering if one.last is not None]
    # What is among the paths and named by --state too is listed once.
    listed = {one.path for one in apart}
    objects = {name for name, _ in state}
    read = [one for one in told if one.parser is not None or one.path in objects]
    return Evidence(
        tally=outcome.tally,
        inputs=(*(one for one in read if one.parser is not None or one.path not in listed), *apart),
        state=state,
        manifests=manifests,
        taken=taken,
        cnis=tuple(sorted(cni for cni in cnis if cni)),
        first=min(firsts, default=None),
        last=max(lasts, default=None),
        complete=whole and not any(one.warnings for one in counted),
        warnings=warnings,
        looked_at=looked_at,
        unusable=unread and not any(one.path != cluster for one in read),
        unsaid=unsaid,
    )


def _by_prefixes(tally: Tally) -> set[str]:
    """Whose rules wrote lines of the kernel's log: one parser reads everybody's, and Calico puts its name before its own."""
    logged = tally.view().flows((Verdict.LOGGED, Verdict.DENIED))
    found = any(flow.parser == _KERNEL and "calico" in (flow.verdict_raw or "").lower() for flow in logged)
    return {"calico"} if found else set()


def _cnis(detected: Iterable[Detection]) -> tuple[str, ...]:
    """CNIs whose formats the inputs have, by name."""
    return tuple(sorted({one.cni for one in detected if one.kind is InputKind.EVIDENCE and one.cni}))
