"""Cluster objects from the inputs, compiled for who enforces."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from msgspec import Struct

from flowdiag.analysis.host_firewall import with_host_firewall
from flowdiag.analysis.options import StateOptions
from flowdiag.cluster.manifests import Manifest, StateProblem, read_manifest
from flowdiag.cluster.past import with_earlier, with_past
from flowdiag.cluster.snapshot import merge_manifests
from flowdiag.model.event import ChangeEvent
from flowdiag.model.objects import Snapshot
from flowdiag.model.policy import Dialect
from flowdiag.policy import PolicySet, compile_policies, detect_dialect
from flowdiag.tally import Tally

__all__ = ["State", "compile_state"]


class State(Struct, frozen=True, kw_only=True):
    """A snapshot, its policies in one dialect, and what must be said about reading them."""

    snapshot: Snapshot
    policies: PolicySet
    dialect: Dialect
    detected: bool
    """The dialect was worked out from the evidence, not forced."""
    problems: tuple[StateProblem, ...]
    staged: PolicySet | None = None
    """The policies with Calico's staged ones in force; ``None`` where none is staged."""


def compile_state(
    inputs: Iterable[tuple[str, bytes]],
    options: StateOptions,
    cnis: Iterable[str] = (),
    manifests: Mapping[str, Manifest] | None = None,
    *,
    changes: Iterable[tuple[str, ChangeEvent]] = (),
    taken: int | None = None,
    tally: Tally | None = None,
    draft: State | None = None,
) -> State:
    """Read and compile.

    Args:
        inputs: (name, content) of the state's inputs; later ones win.
        options: how policies are read.
        cnis: CNIs that the evidence shows.
        manifests: what was read already, by name.
        changes: (input, event) of logs that may hold earlier versions of objects.
        taken: when the state was taken where `options` do not say, nanoseconds.
        tally: the records, which may show a setting that the objects do not tell.
        draft: what came of the same inputs and options before it was known which `changes` and `cnis` there are.
    """
    dumped: Snapshot
    problems: Sequence[StateProblem]
    if draft is not None:
        dumped, problems = draft.snapshot, draft.problems
    else:
        known = manifests or {}
        read = [known.get(name) or read_manifest(name, data) for name, data in inputs]
        dumped, problems = merge_manifests(read, options.taken if options.taken is not None else taken)
        dumped = with_earlier(dumped)
    snapshot = with_host_firewall(with_past(dumped, changes), tally)
    forced = options.dialect != "auto"
    dialect = Dialect(options.dialect) if forced else detect_dialect(snapshot, cnis)
    if draft is not None and snapshot is draft.snapshot and dialect is draft.dialect:
        return draft
    pending = dialect is Dialect.CALICO and any(p.ref.kind.startswith("Staged") for p in snapshot.policies)
    blocks = options.ip_block_pods
    return State(
        snapshot=snapshot,
        policies=compile_policies(snapshot, dialect=dialect, ip_block_pods=blocks),
        staged=compile_policies(snapshot, dialect=dialect, ip_block_pods=blocks, staged=True)
        if pending
        else None,
        dialect=dialect,
        detected=not forced,
        problems=tuple(problems),
    )
