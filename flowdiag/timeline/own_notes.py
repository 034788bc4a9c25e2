"""What a problem says of its own records: refusals of other kinds, packets tried again, scans, limits of what is known."""

from __future__ import annotations

from collections import defaultdict

from flowdiag.model.policy import PolicyRef
from flowdiag.model.time import moment_text
from flowdiag.model.words import plural
from flowdiag.timeline.group import ProblemDraft, Refusal
from flowdiag.timeline.ports import count_ports

__all__ = ["is_scan", "own_notes"]

_MAX_OTHERWISE = 3
_MAX_NAMED = 3


def own_notes(draft: ProblemDraft) -> tuple[str, ...]:
    """Sentences, those on what else refused the same connections first."""
    return (*_otherwise(draft), *_attempts(draft), *_scan(draft), *_distinct_limits(draft))


def is_scan(draft: ProblemDraft) -> bool:
    """Whether strangers try many ports: the policies do their work, and nobody's call is broken."""
    return all(c.source[0] == "external" and c.port is None and c.ports.most > 1 for c in draft.connections)


def _scan(draft: ProblemDraft) -> tuple[str, ...]:
    if not is_scan(draft):
        return ()
    addresses = {flow.src.ip for flow in draft.flows}
    ports = count_ports(flow.distinct for flow in draft.flows)
    strangers = plural(len(addresses), "outside address", "outside addresses")
    return (f"looks like a scan: {strangers} tried {ports} ports",)


def _attempts(draft: ProblemDraft) -> tuple[str, ...]:
    """Packets that are the same connection tried again, where only packets were logged.

    A refused SYN is sent again from the same port after 1, 3 and 7 seconds, and each is a line.
    """
    flows = draft.flows
    if not all(flow.basis is not None and flow.distinct.protocol == "TCP" for flow in flows):
        return ()
    packets = draft.count
    tried = {
        (flow.distinct.src.ip, flow.distinct.dst.ip, flow.distinct.port, port)
        for flow in flows
        for port in flow.distinct.source_ports
    }
    if not 0 < len(tried) < packets:
        return ()
    return (
        f"{plural(packets, 'packet')} of {len(tried):,} or more connections: a SYN without an answer is sent again",
    )


def _otherwise(draft: ProblemDraft) -> tuple[str, ...]:
    """What else refused the same connections, which the problem does not speak of: before it, or other pods' packets."""
    found: dict[tuple[object, ...], list[Refusal]] = defaultdict(list)
    for connection in draft.connections:
        for key, refusals in connection.said_otherwise.items():
            found[key].extend(refusals)
    said = []
    for refusals in found.values():
        flows, finding = [one.flow for one in refusals], refusals[0].finding
        times = [flow.last for flow in flows if flow.last is not None]
        count = sum(flow.count for flow in flows)
        side = f" on {finding.direction}" if finding.direction is not None else ""
        names = [_called(ref) for ref in finding.isolating]
        if finding.decided_by is not None and finding.decided_by.policy not in finding.isolating:
            names.append(_called(finding.decided_by.policy))
        by = f" by {' and '.join(names[:_MAX_NAMED])}" if names else ""
        more = f" and {len(names) - _MAX_NAMED} more" if len(names) > _MAX_NAMED else ""
        until = f", the last at {moment_text(max(times))}" if times else ""
        said.append(
            (
                -count,
                f"{count:,} of them {'was' if count == 1 else 'were'} refused otherwise{until} ({finding.code}{side}{by}{more})",
            )
        )
    said.sort()
    rest = (
        (f"and otherwise in {plural(len(said) - _MAX_OTHERWISE, 'more way')}",)
        if len(said) > _MAX_OTHERWISE
        else ()
    )
    return (*(text for _, text in said[:_MAX_OTHERWISE]), *rest)


def _called(ref: PolicyRef) -> str:
    return f"{ref.kind} {ref.name}" if ref.namespace is None else f"{ref.kind} {ref.namespace}/{ref.name}"


def _distinct_limits(draft: ProblemDraft) -> tuple[str, ...]:
    seen: dict[str, None] = {}
    for connection in draft.connections:
        for limit in (*connection.finding.limits, *connection.limits):
            seen.setdefault(limit)
    return tuple(seen)[:8]
