"""What a problem says of its own records: refusals of other kinds, packets tried again, scans, limits of what is known."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from msgspec import UNSET

from flowdiag.model.event import Verdict
from flowdiag.model.finding import Finding
from flowdiag.model.otherwise import otherwise_text
from flowdiag.model.policy import PolicyRef
from flowdiag.model.problem import RefusedOtherwise
from flowdiag.model.time import rfc3339
from flowdiag.model.uncertain import told_as_one
from flowdiag.model.words import IF_MEANT, plural
from flowdiag.timeline.drafts import ProblemDraft, Refusal
from flowdiag.timeline.ends import end_name
from flowdiag.timeline.ports import count_ports
from flowdiag.timeline.titles import destinations_text, ports_text, sources_text

__all__ = ["advice_for_all", "is_scan", "own_notes", "refused_otherwise", "scan_advice"]

_AS_WRITTEN = "work as written."
_MAX_OTHERWISE = 3
_MAX_LIMITS = 8


def own_notes(draft: ProblemDraft, otherwise: Sequence[RefusedOtherwise]) -> tuple[str, ...]:
    """Sentences, those on what else refused the same connections first.

    Args:
        draft: the problem's.
        otherwise: its `refused_otherwise`.
    """
    return (*_otherwise(otherwise), *_attempts(draft), *_scan(draft), *_distinct_limits(draft))


def is_scan(draft: ProblemDraft) -> bool:
    """Whether somebody outside tries many ports: then the policies do their work, and nothing is broken."""
    return all(c.source[0] == "external" and c.port is None and c.ports.most > 1 for c in draft.connections)


def scan_advice(draft: ProblemDraft) -> str | None:
    """What to do about a scan, in place of a rule for one of its addresses and ports; ``None`` for anything else."""
    if not is_scan(draft):
        return None
    return "Strangers try many ports: unless you know them there is nothing to open, and the policies do their work."


def advice_for_all(draft: ProblemDraft) -> str | None:
    """Whom rules are to admit where these are several, or many ports or addresses; ``None`` for anything else."""
    lead, finding = draft.connections[0], draft.finding
    if finding.direction is None or not finding.advice.startswith(IF_MEANT):
        return None
    if not lead.folded:
        return _of_several(draft) if len(draft.connections) > 1 else None
    ends = [lead.source, lead.destination]
    who, peer = ends if finding.direction == "egress" else reversed(ends)
    of = "the addresses that are meant of " if "/" in peer[3] and peer[0] == "external" else ""
    if lead.ports.most > 1:
        port = "the ports that are meant"
    elif lead.port is not None:
        port = "/".join(filter(None, (str(lead.port), lead.protocol)))
    else:
        port = " ".join(filter(None, (lead.protocol, lead.icmp))) or "any port"
    way = "to" if finding.direction == "egress" else "from"
    return (
        f"If these calls are meant, let {end_name(who)} have an {finding.direction} rule {way} {of}{end_name(peer)} on "
        f"{port}; if they are not, the policies {_AS_WRITTEN}"
    )


def _of_several(draft: ProblemDraft) -> str:
    """The advice for one of several connections, for all of them."""
    finding, lead = draft.finding, draft.connections[0]
    ends = [sources_text(draft), destinations_text(draft)]
    who, peer = ends if finding.direction == "egress" else reversed(ends)
    one = all((c.source, c.destination) == (lead.source, lead.destination) for c in draft.connections)
    rules = f"an {finding.direction} rule" if one else f"{finding.direction} rules"
    way = "to" if finding.direction == "egress" else "from"
    rest = finding.advice.partition(_AS_WRITTEN)[2]
    return (
        f"If these calls are meant, let {who} have {rules} {way} {peer} on {ports_text(draft)}; "
        f"if they are not, the policies {_AS_WRITTEN}{rest}"
    )


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


def refused_otherwise(draft: ProblemDraft) -> tuple[RefusedOtherwise, ...]:
    """What else refused the same connections, which the problem does not speak of: before it, or other pods' packets."""
    if draft.connections[0].refusals[0].flow.distinct.verdict is Verdict.LOGGED:
        # Nobody knows that any of it was refused.
        return ()
    own = _who(draft.connections[0].finding)
    found: dict[tuple[object, ...], list[Refusal]] = defaultdict(list)
    for connection in draft.connections:
        for key, refusals in connection.said_otherwise.items():
            found[key].extend(refusals)
    parts = []
    for refusals in found.values():
        flows, finding = [one.flow for one in refusals], refusals[0].finding
        times = [flow.last for flow in flows if flow.last is not None]
        code, direction, policies = _who(finding)
        missed = finding.nearest[0].misses if finding.nearest else ()
        parts.append(
            RefusedOtherwise(
                count=sum(flow.count for flow in flows),
                last=rfc3339(max(times)) if times else None,
                code=code,
                direction=direction,
                policies=policies,
                misses=missed if missed and _who(finding) == own else UNSET,
            )
        )
    return tuple(sorted(parts, key=lambda one: (-one.count, repr(one))))


def _who(finding: Finding) -> tuple[str, str | None, tuple[PolicyRef, ...]]:
    """Code, direction, and the policies that isolated, with the one whose rule denied."""
    policies = dict.fromkeys(finding.isolating)
    if finding.decided_by is not None:
        policies.setdefault(finding.decided_by.policy)
    return finding.code, finding.direction, tuple(policies)


def _otherwise(parts: Sequence[RefusedOtherwise]) -> tuple[str, ...]:
    rest = (
        (f"and otherwise in {plural(len(parts) - _MAX_OTHERWISE, 'more way')}",)
        if len(parts) > _MAX_OTHERWISE
        else ()
    )
    return (*map(otherwise_text, parts[:_MAX_OTHERWISE]), *rest)


def _distinct_limits(draft: ProblemDraft) -> tuple[str, ...]:
    limits = (
        limit
        for connection in draft.connections
        for limit in (*connection.finding.limits, *connection.limits)
    )
    return tuple(told_as_one(limits))[:_MAX_LIMITS]
