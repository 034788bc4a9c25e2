"""Everything there is to read, read once: evidence folded, cluster objects as they are."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from msgspec import Struct
from msgspec.structs import replace

from flowdiag.analysis.agents import is_endpoint_list, place_agents
from flowdiag.analysis.options import EvidenceOptions, Selection
from flowdiag.analysis.select import selected_event
from flowdiag.cluster.live.options import ClusterOptions
from flowdiag.cluster.manifests import Manifest
from flowdiag.cluster.state_sniff import sniff_state
from flowdiag.ingest import Detection, Gathered, InputKind, InputProblem, ReadOptions
from flowdiag.ingest.compression import corruptions
from flowdiag.ingest.execute import detect_all, iter_events, run
from flowdiag.ingest.plugins import parser_named
from flowdiag.ingest.remote import is_remote, open_raw
from flowdiag.ingest.sources import Source, open_source
from flowdiag.model.errors import InputError
from flowdiag.model.event import Event, FlowEvent
from flowdiag.model.report import ReportWarning
from flowdiag.model.tally import InputSummary
from flowdiag.model.words import plural
from flowdiag.tally import Tally

if TYPE_CHECKING:
    from flowdiag.cluster.live.state import LiveState

__all__ = [
    "Evidence",
    "StateInputs",
    "detect_inputs",
    "gather",
    "parse_warnings",
    "read_events",
    "read_options",
    "read_state",
]

Progress = Callable[[int, int | None, str], None]

_STATE_BYTES = 512 << 20
"""The largest file of cluster objects that is read; it is held in memory."""
_COPY = 1 << 20

# Notes that people and generators lay beside evidence; no log and no object is written so.
_DOCUMENTS = (".md", ".rst", ".adoc", ".toml", ".html", ".pdf", ".png", ".svg")

# Containers of CNIs whose logs speak of their own start and health, never of refused traffic.  They run on every node, and
# a bundle is read whole without them (Cilium 1.19, Calico v3.30, amazon-vpc-cni v1.19, weave v2.8, OVN-Kubernetes 4.16).
_NO_RECORDS = frozenset(
    {
        "aws-node",
        "cilium-envoy",
        "cilium-operator",
        "goldmane",
        "hubble-relay",
        "kube-rbac-proxy",
        "kube-rbac-proxy-node",
        "kube-rbac-proxy-ovn-metrics",
        "nbdb",
        "northd",
        "sbdb",
        "weave",
        "whisker",
        "whisker-backend",
    }
)

# What is said and costs nothing: the input was read whole all the same.
_HARMLESS = frozenset({"ambiguous-format", "clocks-apart", "empty", "broken-plugin", "year-turned"})


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
    """CNIs whose formats were found, by name."""
    first: int | None
    last: int | None
    complete: bool
    warnings: tuple[ReportWarning, ...]
    looked_at: int

    def nothing_usable(self) -> tuple[str, str]:
        """What to say, and what to do, where nothing at all could be read."""
        first = self.warnings[0] if self.warnings else None
        if self.looked_at == 0 and first is not None:
            # What is behind a scheme says itself what to do.
            hint = "" if is_remote(first.input or "") else "name a file, a folder or an archive of CNI logs"
            return f"{first.input}: {first.message}", hint
        where = f"; first: {first.input}: {first.message}" if first is not None else ""
        return (
            f"nothing usable in the inputs (looked at {plural(self.looked_at, 'file')}{where})",
            "see what was tried: flowdiag parsers detect PATH",
        )


class StateInputs(Struct, kw_only=True):
    """Cluster objects by themselves."""

    state: list[tuple[str, bytes]]
    manifests: dict[str, Manifest]
    """As `Evidence.manifests`."""
    taken: int | None
    inputs: tuple[InputSummary, ...]
    """One per file of objects."""
    warnings: tuple[ReportWarning, ...]


def gather(
    paths: Sequence[str],
    *,
    evidence: EvidenceOptions,
    state_paths: Sequence[str] = (),
    live: ClusterOptions | None = None,
    progress: Progress | None = None,
) -> Evidence:
    """Read all inputs.

    Args:
        paths: evidence, with cluster objects among it or not.
        evidence: how inputs are read.
        state_paths: cluster objects kept elsewhere; records among them are left alone.
        live: a cluster whose objects are read, after all others, so that they win.
        progress: told how far the reading is.

    Raises:
        ClusterError: the live cluster cannot be read.
    """
    cluster = _live(live)
    options = read_options(evidence)
    with Gathered(paths) as sources:
        detected, problems = detect_all(sources, options)
        state = list(_contents(detected, problems))
        extra: tuple[ReportWarning, ...] = ()
        apart: tuple[InputSummary, ...] = ()
        if state_paths:
            more = read_state(state_paths, checksum=evidence.checksum)
            state += more.state
            extra, apart = more.warnings, more.inputs
        read = {cluster.name: cluster.manifest} if cluster is not None else {}
        state += [(name, b"") for name in read]
        lists = [one for one in detected if is_endpoint_list(one)]
        placed = place_agents(detected, state, lists, read)
        options = replace(options, endpoint_ids=placed.endpoint_ids)
        outcome = run(sources, options, progress=progress, detected=placed.detected)
        problems = [*_worth_saying(problems, detected, lists), *outcome.problems]
        summaries = tuple(_summaries(detected, outcome.tally, checksum=evidence.checksum))
        if cluster is not None:
            summaries += (_unrecorded(cluster.name, cluster.bytes),)
    # What a forced parser finds nothing in is no evidence.
    foreign = {one.path for one in outcome.problems if one.code == "not-that-format"}
    summaries = tuple(one for one in summaries if one.path not in foreign)
    tally = outcome.tally
    counted = [one for one in summaries if one.parser is not None]
    cni_of = {one.path: parser_named(one.parser).cni for one in counted if one.parser is not None}
    cnis = {cni_of[one.path] for one in counted if one.records}
    # A week of the API server's audit log beside five minutes of flows says nothing of traffic in that week.
    covering = [one for one in counted if one.flows or cni_of[one.path]] or counted
    firsts = [one.first for one in covering if one.first is not None]
    lasts = [one.last for one in covering if one.last is not None]
    # What is among the paths and named by --state too is listed once.
    listed = {one.path for one in apart}
    objects = {name for name, _ in state} - listed
    return Evidence(
        tally=tally,
        inputs=(*(one for one in summaries if one.parser is not None or one.path in objects), *apart),
        state=state,
        manifests=placed.manifests,
        taken=cluster.taken if cluster is not None else None,
        cnis=tuple(sorted(cni for cni in cnis if cni)),
        first=min(firsts, default=None),
        last=max(lasts, default=None),
        complete=not any(p.code not in _HARMLESS for p in problems)
        and not any(one.warnings for one in counted)
        and not any(w.code not in _HARMLESS for w in extra),
        warnings=(*_said(problems), *extra, *parse_warnings(tally)),
        looked_at=len(detected),
    )


def read_state(
    paths: Sequence[str], live: ClusterOptions | None = None, *, checksum: bool = False
) -> StateInputs:
    """Read cluster objects alone; whatever else lies beside them is left unread.

    Raises:
        ClusterError: the live cluster cannot be read.
    """
    cluster = _live(live)
    options = ReadOptions(state_sniff=sniff_state)
    with Gathered(paths) as sources:
        detected, problems = detect_all(sources, options)
        state = list(_contents(detected, problems))
        read = {name for name, _ in state}
        objects = [one for one in detected if one.source.name in read]
        inputs = tuple(_summaries(objects, Tally(), checksum=checksum))
    named = {one.source.name for one in detected if one.kind is InputKind.STATE}
    if state:
        # A folder of evidence may hold the state too: what is not state is no fault here.
        problems = [p for p in problems if p.code not in ("unknown-format", "empty") or p.path in named]
    return StateInputs(
        state=[*state, *([(cluster.name, b"")] if cluster is not None else [])],
        manifests={cluster.name: cluster.manifest} if cluster is not None else {},
        taken=cluster.taken if cluster is not None else None,
        inputs=inputs,
        warnings=_said(problems),
    )


def _live(options: ClusterOptions | None) -> LiveState | None:
    if options is None:
        return None
    from flowdiag.cluster.live.state import read_live  # and with it the kubernetes client

    return read_live(options)


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
            first = f": {found[0].path}: {found[0].message}" if found else ""
            raise InputError(
                f"no evidence in the inputs (looked at {plural(len(detected), 'file')}){first}",
                hint="see what was tried: flowdiag parsers detect PATH",
            )
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
    problems.extend(f"{one.path}{_at(one.line)}: {one.message}" for one in found if not _document(one))


def detect_inputs(paths: Sequence[str]) -> list[dict[str, Any]]:
    """What each input is and everything that was tried, as plain values."""
    options = ReadOptions(state_sniff=sniff_state)
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
            "kind": "unreadable",
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


def read_options(evidence: EvidenceOptions, *, keep_raw: bool = False) -> ReadOptions:
    """What the reading room takes; it is told here what cluster objects look like."""
    return ReadOptions(
        format=evidence.format,
        zone=evidence.zone,
        year=evidence.year,
        only_denied=evidence.only_denied,
        keep_raw=keep_raw,
        processes=evidence.processes,
        scheduler=evidence.scheduler,
        state_sniff=sniff_state,
    )


def _worth_saying(
    problems: Sequence[InputProblem], detected: Sequence[Detection], lists: Sequence[Detection]
) -> list[InputProblem]:
    """Problems without those of documents, endpoint lists, and containers that said nothing or never say anything."""
    silent = {one.source.name for one in detected if one.hint.container is not None}
    beside = {one.source.name for one in detected if one.hint.container in _NO_RECORDS}
    known = {one.source.name for one in lists}
    return [
        one
        for one in problems
        if not _document(one)
        and one.path not in known
        and not (one.code == "empty" and one.path in silent)
        and not (one.code == "unknown-format" and one.path in beside)
    ]


def _document(problem: InputProblem) -> bool:
    return problem.code in ("unknown-format", "binary") and problem.path.lower().endswith(_DOCUMENTS)


def _contents(detected: Sequence[Detection], problems: list[InputProblem]) -> Iterator[tuple[str, bytes]]:
    damaged = corruptions()
    for one in detected:
        if one.kind is not InputKind.STATE:
            continue
        try:
            data = _whole(one.source)
        except damaged as error:
            problems.append(InputProblem(one.source.name, "corrupt", str(error) or type(error).__name__))
            continue
        if len(data) > _STATE_BYTES:
            text = f"larger than {_STATE_BYTES >> 20} MiB of cluster objects; it was not read"
            problems.append(InputProblem(one.source.name, "document-too-large", text))
            continue
        # Empty lines, so that what is said of an object has its line in the whole.
        yield one.source.name, b"\n" * (one.source.first_line - 1) + data


def _whole(source: Source) -> bytes:
    """All of it, up to one byte more than the limit; a stream may give less than it is asked for."""
    pieces: list[bytes] = []
    left = _STATE_BYTES + 1
    stream = open_source(source)
    try:
        while left > 0 and (piece := stream.read(min(left, _COPY))):
            pieces.append(piece)
            left -= len(piece)
    finally:
        stream.close()
    return b"".join(pieces)


def _summaries(detected: Sequence[Detection], tally: Tally, *, checksum: bool) -> Iterator[InputSummary]:
    for one in detected:
        counts = tally.inputs.get(one.source.name)
        yield InputSummary(
            path=one.source.name,
            parser=one.parser,
            bytes=one.source.size,
            records=counts.records if counts is not None else 0,
            flows=counts.flows if counts is not None else 0,
            warnings=counts.warnings if counts is not None else 0,
            first=counts.first if counts is not None else None,
            last=counts.last if counts is not None else None,
            year_inferred=counts.year_inferred if counts is not None else False,
            sha256=_digest(one.source) if checksum else None,
        )


def _unrecorded(path: str, size: int) -> InputSummary:
    """An input of objects alone."""
    return InputSummary(
        path=path, parser=None, bytes=size, records=0, flows=0, warnings=0, first=None, last=None
    )


def _digest(source: Source) -> str:
    digest = hashlib.sha256()
    with open_raw(source.whole or source.path) as stream:
        while piece := stream.read(_COPY):
            digest.update(piece)
    return digest.hexdigest()


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


def _said(problems: Sequence[InputProblem]) -> tuple[ReportWarning, ...]:
    return tuple(
        ReportWarning(code=one.code, message=one.message, input=one.path, line=one.line) for one in problems
    )


def parse_warnings(tally: Tally) -> tuple[ReportWarning, ...]:
    """What parsers could not read, as the report says it."""
    return tuple(
        ReportWarning(
            code=sighting.event.code,
            message=sighting.event.message,
            input=sighting.input,
            line=sighting.event.line,
        )
        for sighting in tally.warnings
    )


def _at(line: int | None) -> str:
    return f":{line}" if line is not None else ""
