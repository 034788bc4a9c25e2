"""What a reader must know of a run beside its findings: that a selection left nothing, and whose flows nobody is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from flowdiag.analysis.misspelt import misspelt
from flowdiag.analysis.options import Selection
from flowdiag.analysis.sorting import Sorted
from flowdiag.analysis.state import State
from flowdiag.model.event import Cause, Peer, Verdict
from flowdiag.model.flow import Flow
from flowdiag.model.objects import Snapshot
from flowdiag.model.policy import Dialect
from flowdiag.model.reasons import meaning_of
from flowdiag.model.report import ReportWarning, general_warning
from flowdiag.model.tally import InputSummary
from flowdiag.model.time import moment_text, rfc3339_seconds
from flowdiag.model.words import HINT_BEHIND, capital, plural
from flowdiag.policy import PLAIN, dialects_seen, enforcers

__all__ = [
    "cluster_names",
    "left_out_logged",
    "left_out_undated",
    "nobody_enforces",
    "nothing_selected",
    "selection_words",
    "several_clusters",
    "several_enforcers",
    "told_twice",
    "unknown_reasons",
    "without_ends",
    "without_policies",
    "without_times",
]

_MAX_PLACES = 20
_FEW = 5
"""With fewer records than this, two inputs may agree in their number by chance."""
_MS = 1_000_000
"""Nanoseconds in a millisecond."""
_NOT_KNOWN = "what such a reason comes from is not known here"
_MAX_REASONS = 5


def nothing_selected(
    selection: Selection,
    covered: tuple[int | None, int | None],
    flows: Sorted,
    peers: Iterable[Peer],
    snapshot: Snapshot | None,
) -> Iterator[ReportWarning]:
    """Yield a warning where a selection matches no flow, or no refused one of those that were read.

    Without it, a misspelt name or a wrong day would look as if nothing had been refused.

    Args:
        selection: what was asked for.
        covered: first and last record of all that was read, nanoseconds.
        flows: what the selection left.
        peers: ends as the records name them, selected or not.
        snapshot: the cluster's objects, if any were read.
    """
    if selection == Selection() or flows.refused or flows.not_policy or flows.logged:
        return
    asked = ", ".join(selection_words(selection))
    if flows.allowed_buckets:
        if flows.denied_read:
            records = plural(flows.denied_read, "refused record")
            yield general_warning(
                "no-refusal-selected",
                f"none of {records} that {'was' if flows.denied_read == 1 else 'were'} read matches {asked}",
            )
        return
    first, last = covered
    span = (
        f"; the evidence covers {moment_text(first)} to {moment_text(last)}"
        if first is not None and last is not None and (selection.since or selection.until) is not None
        else ""
    )
    hints = "; ".join(misspelt(selection, peers, snapshot))
    meant = f"{HINT_BEHIND}{capital(hints)}" if hints else ""
    yield general_warning("nothing-selected", f"no flow matches {asked}{span}{meant}")


def left_out_logged(left_out: int, selection: Selection, *, refused: bool) -> Iterator[ReportWarning]:
    """Yield where a verdict that was asked for left out packets that were only logged: of these nobody knows theirs.

    Args:
        left_out: how many.
        selection: what was asked for.
        refused: there are refusals beside them, so that nobody takes the report for peace.
    """
    if left_out:
        asked = ", ".join(f"--verdict {verdict}" for verdict in selection.verdicts)
        they = "it is" if left_out == 1 else "they are"
        yield general_warning(
            "logged-left-out" if refused else "no-refusal-selected",
            f"{plural(left_out, 'packet')} only logged, verdict unknown: {they} left out by {asked}, and may have been "
            "refused (FD807); --verdict logged shows what is known",
        )


def left_out_undated(flows: Sorted) -> Iterator[ReportWarning]:
    """Yield where a selection by time left out refused records that have none."""
    if flows.undated:
        they = "it lies" if flows.undated == 1 else "they lie"
        yield general_warning(
            "undated-left-out",
            f"{plural(flows.undated, 'refused record')} without a time {'is' if flows.undated == 1 else 'are'} "
            f"left out: nobody knows whether {they} in the span that is looked at",
        )


def selection_words(selection: Selection) -> Iterator[str]:
    """The options that a selection was made by, its times as instants."""
    if selection.since is not None:
        yield f"--since {rfc3339_seconds(selection.since)}"
    if selection.until is not None:
        yield f"--until {rfc3339_seconds(selection.until)}"
    for namespace in selection.namespaces:
        yield f"--namespace {namespace}"
    if selection.from_pod is not None:
        yield f"--from-pod {selection.from_pod}"
    if selection.to_pod is not None:
        yield f"--to-pod {selection.to_pod}"
    if selection.to_port is not None:
        yield f"--to-port {selection.to_port}"
    if selection.protocol is not None:
        yield f"--protocol {selection.protocol}"
    for verdict in selection.verdicts:
        yield f"--verdict {verdict}"


def without_ends(unattributed: Sequence[Flow]) -> Iterator[ReportWarning]:
    """Yield where refused records stand that say neither who sent nor who was to receive, first ones first."""
    places = {
        (example.input, example.line)
        for flow in unattributed
        if not any(
            (end.ip, end.name, end.namespace, end.entity) != (None,) * 4 for end in (flow.src, flow.dst)
        )
        for example in flow.distinct.examples
    }
    for name, line in sorted(places)[:_MAX_PLACES]:
        yield ReportWarning(
            code="no-ends",
            message="a refused flow without addresses or names: nobody can say whose",
            input=name,
            line=line,
        )


def unknown_reasons(unattributed: Sequence[Flow]) -> Iterator[ReportWarning]:
    """Yield where drops stand of which nobody here can tell whether a policy refused: by reasons of a later release, most likely.

    They are refused, and no policy's as far as anybody can tell; the reader may know the reason.  Of some reasons it is known
    what they come from: a firewall's rule that may be a policy's or an administrator's.
    """
    counts: dict[str, Counter[str]] = {}
    for flow in unattributed:
        one = flow.distinct
        said = one.reason_raw or one.reason or (str(one.reason_code) if one.reason_code is not None else None)
        if said is not None and one.verdict is Verdict.DENIED and one.cause is None:
            counts.setdefault(meaning_of(one.reason) or _NOT_KNOWN, Counter())[said] += flow.count
    for meaning, by_reason in sorted(counts.items(), key=lambda item: (-item[1].total(), item[0])):
        ordered = sorted(by_reason.items(), key=lambda item: (-item[1], item[0]))
        listed = ", ".join(f"{said} {count:,}" for said, count in ordered[:_MAX_REASONS])
        left = len(ordered) - _MAX_REASONS
        more = f" and {plural(left, 'more reason')}" if left > 0 else ""
        yield general_warning(
            "unknown-drop-reason",
            f"{plural(by_reason.total(), 'drop')} of unknown cause ({listed}{more}): {meaning}, so no policy is blamed",
        )


def without_times(inputs: Sequence[InputSummary]) -> Iterator[ReportWarning]:
    """Yield for inputs whose flows stand at no time, so that they are on no time axis and meet the policies of now."""
    for one in inputs:
        if one.flows and one.first is None:
            yield ReportWarning(
                code="no-times",
                message="its records have no time that can be placed: --year says the year of stamps without one; "
                "where there are none, take the log with its collector's (kubectl logs --timestamps)",
                input=one.path,
                line=None,
            )


def cluster_names(nodes: Iterable[str]) -> list[str]:
    """Names of the clusters that records come from, sorted: Hubble writes nodes as ``cluster/node`` where one has a name."""
    return sorted({node.partition("/")[0] for node in nodes if "/" in node})


def several_clusters(nodes: Iterable[str]) -> Iterator[ReportWarning]:
    """Yield where records of several clusters are read as one: their addresses and names mean other pods."""
    names = cluster_names(nodes)
    if len(names) > 1:
        listed = ", ".join(names[:_MAX_PLACES])
        yield general_warning(
            "several-clusters",
            f"records of {len(names)} clusters ({listed}) are counted together and held against the same "
            "objects, which are those of one cluster at most; read the files of each cluster by themselves",
        )


def nobody_enforces(cnis: Sequence[str], state: State | None) -> list[ReportWarning]:
    """Yield where there are policies, and the evidence shows only a CNI that enforces none.

    Flannel connects pods and knows no policies; clusters that need them run another enforcer beside it.
    """
    if tuple(cnis) != ("flannel",) or state is None:
        return []
    number = sum(policy.valid_until is None for policy in state.snapshot.policies)
    if not number:
        return []
    return [
        general_warning(
            "not-enforced",
            f"the evidence shows only Flannel, which enforces no policies: those of the state "
            f"({number}) have no effect unless another enforcer runs beside it",
        )
    ]


def without_policies(flows: Sorted, state: State | None, cnis: Sequence[str]) -> Iterator[ReportWarning]:
    """Yield where policies refused and objects were read, but no policy: most dumps of a cluster have none."""
    if state is None or state.snapshot.policies_read:
        return
    if state.snapshot.damaged or any(kind.endswith("NetworkPolicy") for _, kind in state.snapshot.unread):
        # What is damaged, or the collector was refused, is said with that.
        return
    if any(flow.distinct.cause is Cause.POLICY for flow in flows.refused):
        kinds = "networkpolicies,cnp,ccnp" if "cilium" in cnis else "networkpolicies"
        yield general_warning(
            "no-policies",
            "the cluster's objects hold no policy (kubectl cluster-info dump leaves them out), so that what refuses and "
            f"what mends it is not known: kubectl get {kinds} -A -o yaml > policies.yaml, and --state policies.yaml",
        )


def told_twice(inputs: Sequence[InputSummary]) -> Iterator[ReportWarning]:
    """Yield where two inputs hold as many flows between the same two moments: one export in two forms, read as two.

    The text forms of `hubble observe` have milliseconds, so that is how moments are compared; stamps of whole seconds
    may agree by chance, and so may those of a few records.
    """
    seen: dict[tuple[str, int, int, int], str] = {}
    for one in inputs:
        if one.parser is None or one.first is None or one.last is None or one.flows < _FEW:
            continue
        first, last = one.first // _MS, one.last // _MS
        if first == last or not (first % 1000 or last % 1000):
            continue
        family = one.parser.partition("-")[0]
        other = seen.setdefault((family, one.flows, first, last), one.path)
        if other != one.path:
            yield ReportWarning(
                code="told-twice",
                message=f"holds as many records as {other}, between the same two moments: as it seems one export in two "
                "forms, whose records count twice; leave one of the two out",
                input=one.path,
                line=None,
            )


def several_enforcers(state: State | None, cnis: Sequence[str] = ()) -> list[ReportWarning]:
    """Yield where there are several CNIs that enforce, or of which nothing tells which one does.

    Where nothing tells, policies are read as the API defines them.
    """
    if state is None or not state.detected:
        return []
    dialects = dialects_seen(cnis)
    recording = [cni for cni in cnis if cni in PLAIN or dialects_seen((cni,))]
    names = ", ".join(recording)
    if len(dialects) < 2 and len(dialects) + len(PLAIN.intersection(cnis)) > 1:
        whose = "one of them" if state.dialect is Dialect.KUBERNETES else f"the dialect {state.dialect}"
        return [
            general_warning(
                "several-enforcers",
                f"the records are of several network plugins ({names}), each of which enforces NetworkPolicies by itself: a "
                f"connection passes only where all of them let it, and what a replay says holds for {whose} alone",
            )
        ]
    if state.dialect is not Dialect.KUBERNETES:
        return []
    if len(dialects) > 1:
        return [
            general_warning(
                "several-enforcers",
                f"the records are of several network plugins ({names}): policies of their own kinds are left open; ask for "
                "each with its own files and --dialect",
            )
        ]
    running = enforcers(state.snapshot)
    beside = sorted({cni for cni, dialect in running.items() if dialect is not Dialect.KUBERNETES})
    if recording and beside:
        return [
            general_warning(
                "several-enforcers",
                f"the records are {names}'s, and agents of {', '.join(beside)} run: each enforces NetworkPolicies by itself, and "
                "a connection passes only where all of them let it; policies of the agents' own kinds are left open here",
            )
        ]
    if len({cni if dialect is Dialect.KUBERNETES else dialect for cni, dialect in running.items()}) < 2:
        return []
    return [
        general_warning(
            "several-enforcers",
            f"agents of several network plugins run ({', '.join(running)}): who enforces is not known, and what "
            "differs between them is left open; --dialect says it",
        )
    ]
