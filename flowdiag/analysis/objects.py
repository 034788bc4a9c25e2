"""Cluster objects as they are, from files and from a running cluster."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from msgspec import Struct

from flowdiag.analysis.summaries import summaries
from flowdiag.analysis.unread import is_document, said
from flowdiag.cluster.event_lists import listed_events
from flowdiag.cluster.live.options import ClusterOptions
from flowdiag.cluster.manifests import Manifest, StateProblem
from flowdiag.cluster.state_sniff import sniff_state
from flowdiag.ingest import Detection, Gathered, InputKind, InputProblem, ReadOptions
from flowdiag.ingest.compression import corruptions
from flowdiag.ingest.identify import detect_all
from flowdiag.ingest.printed import stands_for_objects
from flowdiag.ingest.reading import Source, open_source
from flowdiag.model.errors import InputError
from flowdiag.model.report import ReportWarning
from flowdiag.model.tally import InputSummary
from flowdiag.model.urls import shown

if TYPE_CHECKING:
    from flowdiag.cluster.live.state import LiveState

__all__ = ["HOW_TO_TAKE", "StateInputs", "contents", "live_state", "read_state", "some_objects", "why_none"]

HOW_TO_TAKE = (
    "kubectl get pods,namespaces,services,endpointslices,nodes,networkpolicies -A -o yaml > state.yaml"
)
"""What to do where there are no cluster objects."""

_STATE_BYTES = 512 << 20
"""The largest file of cluster objects that is read; it is held in memory."""
_COPY = 1 << 20
_NAMED = 3
"""Reasons that are told of why nothing could be read."""
_LOST = frozenset({"corrupt", "document-too-large", "needs-zstandard", "truncated", "unreadable"})
"""Problems of files after which objects are missing, where a file is one of objects."""
_NAMED_SO = re.compile(r"\.(?:ya?ml|json)(?:\.[a-z0-9]{1,4})?$", re.IGNORECASE)
_YAML = re.compile(r"\.ya?ml(?:\.[a-z0-9]{1,4})?$", re.IGNORECASE)


class StateInputs(Struct, kw_only=True):
    """Cluster objects by themselves."""

    state: list[tuple[str, bytes]]
    manifests: dict[str, Manifest]
    """As `Evidence.manifests`."""
    taken: int | None
    inputs: tuple[InputSummary, ...]
    """One per file of objects."""
    warnings: tuple[ReportWarning, ...]


def read_state(
    paths: Sequence[str], live: ClusterOptions | None = None, *, checksum: bool = False
) -> StateInputs:
    """Read cluster objects alone; whatever else lies beside them is left unread.

    Raises:
        InputError: one of the paths does not exist: what it was to hold would change every answer.
        ClusterError: the live cluster cannot be read.
    """
    cluster = live_state(live)
    options = ReadOptions(state_sniff=sniff_state, listed_events=listed_events)
    with Gathered(paths) as sources:
        detected, problems = detect_all(sources, options)
        for one in problems:
            if one.code == "missing" and one.path in map(shown, paths):
                raise InputError(f"{one.path}: {one.message}", hint="it was to hold cluster objects")
        state = list(contents(detected, problems))
        read = {name for name, _ in state}
        objects = [one for one in detected if one.source.name in read]
        inputs = tuple(summaries(objects, {}, checksum=checksum))
    named = {one.source.name for one in detected if one.kind is InputKind.STATE}
    if state:
        # A folder of evidence may hold the state too: what is not state is no fault here.
        problems = [
            p
            for p in problems
            if p.path in named
            or stands_for_objects(p.message)
            # An empty file is what kubectl leaves where it was refused; of another name it may be any log.
            or (p.code == "empty" and _YAML.search(p.path))
            or not (p.code in ("unknown-format", "empty") or is_document(p))
        ]
        told = {problem.path for problem in problems}
        holding = {one.source.root for one in objects}
        problems += [
            InputProblem(path, "no-objects", "no cluster objects in it")
            for path in dict.fromkeys(paths)
            if path not in holding and path not in told
        ]
    manifests = {cluster.name: cluster.manifest} if cluster is not None else {}
    if state or manifests:
        manifests |= {
            one.path: _lost(one)
            for one in problems
            if one.code in _LOST and (one.path in named or _NAMED_SO.search(one.path))
        }
    return StateInputs(
        state=[*state, *((name, b"") for name in manifests if name not in read)],
        manifests=manifests,
        taken=cluster.taken if cluster is not None else None,
        inputs=inputs,
        warnings=said(problems),
    )


def some_objects(read: StateInputs, paths: Sequence[str]) -> StateInputs:
    """The same, where the paths that were named hold objects at all.

    Raises:
        InputError: they hold none.
    """
    if read.state:
        return read
    raise InputError(f"no cluster objects in {', '.join(paths)}{why_none(read)}", hint=HOW_TO_TAKE)


def why_none(read: StateInputs) -> str:
    """Why no objects were found in these inputs, in brackets; that no parser knows a file is no reason."""
    reasons = [
        f"{one.input}: {one.message}"
        for one in read.warnings
        if one.input is not None and (one.code != "unknown-format" or stands_for_objects(one.message))
    ]
    return f" ({'; '.join(reasons[:_NAMED])})" if reasons else ""


def _lost(problem: InputProblem) -> Manifest:
    """An input of objects that cannot be read: what it held is not absent.  The problem itself is said with the others."""
    said = StateProblem(code=problem.code, message=problem.message, input=problem.path, hides=True, note=True)
    return Manifest(input=problem.path, problems=[said])


def live_state(options: ClusterOptions | None, *, within_s: float | None = None) -> LiveState | None:
    """A running cluster's objects; ``None`` where none is asked for.

    Args:
        options: which cluster.
        within_s: for how long it is asked at most.

    Raises:
        ClusterError: it cannot be read.
    """
    if options is None:
        return None
    from flowdiag.cluster.live.state import read_live  # and with it the kubernetes client

    return read_live(options, within_s=within_s)


def contents(detected: Sequence[Detection], problems: list[InputProblem]) -> Iterator[tuple[str, bytes]]:
    """Name and content of each input of cluster objects; `problems` grows by those that cannot be read."""
    for one in detected:
        if one.kind is not InputKind.STATE:
            continue
        try:
            data = _whole(one.source)
        except corruptions() as error:
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
