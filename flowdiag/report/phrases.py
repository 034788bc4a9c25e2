"""The words that every format for people shares: ends, policies, misses, times and sums.

Nothing here escapes; the format does that to the whole phrase.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, tzinfo

from flowdiag.model.event import ObjectRef
from flowdiag.model.policy import Condition, Miss, PolicyRef
from flowdiag.model.report import (
    Confidence,
    Connection,
    EvidenceGap,
    NearestRuleView,
    PolicyView,
    Problem,
    ProblemChange,
    RecordedPolicy,
    Report,
    ReportEndpoint,
    Severity,
    Status,
)
from flowdiag.model.time import NS, parse_rfc3339

__all__ = [
    "CONFIDENCE_MEANING",
    "SEVERITY_WORD",
    "change_text",
    "clock",
    "count",
    "cut_off",
    "day_and_clock",
    "delta_text",
    "direction_text",
    "end_text",
    "gap_text",
    "headline",
    "instant",
    "miss_text",
    "object_text",
    "plural",
    "policy_name",
    "policy_text",
    "port_text",
    "reason_text",
    "reason_word",
    "recorded_text",
    "span_text",
    "state_text",
    "ticks",
    "what_text",
    "who_to_whom",
    "zone_text",
]

SEVERITY_WORD = {
    Severity.HIGH: "HIGH",
    Severity.MEDIUM: "MEDIUM",
    Severity.LOW: "LOW",
    Severity.INFO: "INFO",
}

CONFIDENCE_MEANING = {
    Confidence.RECORDED: "the records themselves say so",
    Confidence.DERIVED: "replayed against the policies that held then",
    Confidence.LIKELY: "follows from what is known, but a part of the state of that time is not",
    Confidence.POSSIBLE: "fits, and so do other causes",
}

_CONDITION_WORDS = {
    Condition.NAMESPACE: "namespace label",
    Condition.POD: "pod label",
    Condition.IP: "address",
    Condition.ENTITY: "entity",
    Condition.FQDN: "DNS name",
    Condition.SERVICE: "Service",
    Condition.NODE: "node",
    Condition.PORT: "port",
    Condition.PROTOCOL: "protocol",
    Condition.ICMP: "ICMP type",
    Condition.L7: "request",
}


def count(number: int) -> str:
    """``41,208``."""
    return f"{number:,}"


def plural(number: int, one: str, many: str | None = None) -> str:
    """``1 denial``, ``1,204 denials``."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def ticks(text: str | None) -> int | None:
    """A report's time as nanoseconds, ``None`` where it is unknown or a stranger's text."""
    if text is None:
        return None
    try:
        return parse_rfc3339(text)
    except ValueError:
        return None


def instant(text: str, zone: tzinfo) -> datetime | None:
    """A report's time in the zone that is shown, cut to microseconds."""
    at = ticks(text)
    if at is None:
        return None
    try:
        moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=at // NS, microseconds=at % NS // 1000)
        return moment.astimezone(zone)
    except (OverflowError, ValueError):
        return None


def clock(text: str | None, zone: tzinfo) -> str:
    """``12:01:07``."""
    moment = None if text is None else instant(text, zone)
    return moment.strftime("%H:%M:%S") if moment else text or "unknown"


def day_and_clock(text: str | None, zone: tzinfo) -> str:
    """``2026-11-03 12:01:07``."""
    moment = None if text is None else instant(text, zone)
    return moment.strftime("%Y-%m-%d %H:%M:%S") if moment else text or "unknown"


def zone_text(zone: tzinfo, at: str | None) -> str:
    """``UTC``, or the zone's name with its distance: ``Europe/Berlin, UTC+01:00``."""
    if zone is UTC:
        return "UTC"
    moment = (instant(at, zone) if at else None) or datetime(2000, 1, 1, tzinfo=zone)
    name = getattr(zone, "key", None) or moment.tzname() or ""
    if name == "UTC":
        return "UTC"
    offset = moment.strftime("%z")
    distance = f"UTC{offset[:3]}:{offset[3:5]}" if offset else "UTC"
    return f"{name}, {distance}" if name and not name.startswith("UTC") else distance


def span_text(since: str | None, until: str | None, zone: tzinfo, arrow: str = "→") -> str:
    """``2026-11-03 11:58:40 → 12:20:00``; the day once where it is the same."""
    if since is None and until is None:
        return "times unknown"
    start, end = day_and_clock(since, zone), day_and_clock(until, zone)
    if since and until and start[:10] == end[:10] and len(end) == 19:
        end = end[11:]
    return f"{start} {arrow} {end}"


def delta_text(delta_s: float) -> str:
    """``5 s before``, ``2 min after``, ``at the same second``: a change's distance to the first denial."""
    size = abs(delta_s)
    if size < 0.5:
        return "within the same second"
    word = "before" if delta_s < 0 else "after"
    if size < 10:
        amount = f"{size:.1f}".rstrip("0").rstrip(".") + " s"
    elif size < 120:
        amount = f"{size:.0f} s"
    elif size < 7200:
        amount = f"{size / 60:.0f} min"
    elif size < 172_800:
        amount = f"{size / 3600:.0f} h"
    else:
        amount = f"{size / 86_400:.0f} days"
    return f"{amount} {word}"


def end_text(end: ReportEndpoint) -> str:
    """An end at the level people speak of: ``shop/checkout``, ``node node-a``, a range, a name, an entity."""
    name = end.name
    if end.kind == "pod":
        name = (end.workload.name if end.workload else None) or name or (end.pods[0] if end.pods else None)
        if name is None:
            return f"{end.namespace}/(unknown pod)" if end.namespace else _address(end, "an unknown pod")
        return f"{end.namespace}/{name}" if end.namespace else name
    if end.kind == "node":
        return f"node {name}" if name else _address(end, "a node")
    if end.kind == "service":
        return f"Service {end.namespace}/{name}" if end.namespace else f"Service {name or '(unknown)'}"
    if end.kind == "external":
        dns = end.dns_names[0] if end.dns_names else None
        address = end.ips[0] if end.ips else None
        if dns and name in (dns, None):
            return f"{dns} ({address})" if address else dns
        if dns and name:
            return f"{dns} ({name})"
        return name or _address(end, "outside the cluster")
    if end.kind == "entity":
        return name or "an unknown entity"
    return name or _address(end, "an unknown end")


def _address(end: ReportEndpoint, otherwise: str) -> str:
    return end.ips[0] if end.ips else otherwise


def port_text(protocol: str | None, port: int | None, icmp: str | None = None) -> str:
    """``8080/TCP``, ``ICMP type 3 code 4``, ``TCP``, ``any port``."""
    if port is not None:
        return f"{port}/{protocol}" if protocol else str(port)
    if icmp:
        return f"{protocol or 'ICMP'} {icmp}"
    return protocol or "port unknown"


def who_to_whom(item: Problem | Connection, arrow: str = "→") -> str:
    """``shop/checkout → kube-system/coredns 53/UDP``."""
    icmp = item.icmp if isinstance(item, Problem) else None
    ends = f"{end_text(item.source)} {arrow} {end_text(item.destination)}"
    return f"{ends} {port_text(item.protocol, item.port, icmp)}"


def direction_text(problem: Problem) -> str:
    """Which end's policies refused it."""
    if problem.direction == "egress":
        return "egress, at the source"
    if problem.direction == "ingress":
        return "ingress, at the destination"
    return "direction not recorded"


def reason_word(problem: Problem) -> str:
    """``POLICY_DENIED``."""
    return problem.reason.name or problem.reason.raw or "reason not recorded"


def reason_text(problem: Problem) -> str:
    """``POLICY_DENIED``, with the record's own word and code where they say more."""
    reason = problem.reason
    name = reason.name or reason.raw
    if name is None:
        return "reason not recorded"
    extra = [str(reason.code)] if reason.code is not None else []
    if reason.raw and reason.raw != name:
        extra.insert(0, reason.raw)
    return f"{name} ({', '.join(extra)})" if extra else name


def policy_name(ref: PolicyRef | NearestRuleView | PolicyView | RecordedPolicy) -> str:
    """``shop/default-deny``; the name alone for a cluster-wide one."""
    name = ref.name or "(unnamed)"
    return f"{ref.namespace}/{name}" if ref.namespace else name


def policy_text(ref: PolicyRef | NearestRuleView | PolicyView | RecordedPolicy) -> str:
    """``NetworkPolicy shop/default-deny``."""
    return f"{ref.kind or 'policy'} {policy_name(ref)}"


def recorded_text(policy: RecordedPolicy) -> str:
    """What a record says of a policy: the policy, its rule and its effect."""
    rule = f" {policy.rule}" if policy.rule else ""
    effect = f": {policy.effect}" if policy.effect else ""
    if policy.name is None and policy.rule == "default-deny" and policy.namespace is not None:
        # OVN isolates a namespace as a whole ("NP:shop:Ingress").
        return f"default deny of namespace {policy.namespace}{effect}"
    return f"{policy_text(policy)}{rule}{effect}"


def object_text(ref: ObjectRef) -> str:
    """``NetworkPolicy shop/default-deny``."""
    name = ref.name or "(unnamed)"
    return f"{ref.kind} {ref.namespace}/{name}" if ref.namespace else f"{ref.kind} {name}"


def miss_text(miss: Miss) -> str:
    """``namespace label: wants name=kube-system, found none``."""
    word = _CONDITION_WORDS[miss.condition]
    found = "found none" if miss.found is None else f"found {miss.found}"
    return f"{word}: wants {miss.wanted}, {found}"


def change_text(change: ProblemChange, zone: tzinfo) -> str:
    """``NetworkPolicy shop/default-deny created 12:01:02, 5 s before the first denial``, and old and new if known."""
    what = f"{object_text(change.object)} {change.kind} {clock(change.at, zone)}"
    delta = delta_text(change.delta_s)
    text = f"{what}, {delta} {'as the' if delta.startswith('within') else 'the'} first denial"
    return f"{text}: {change.what}" if change.what else text


def gap_text(gap: EvidenceGap, zone: tzinfo, dash: str = "–") -> str:
    """``node-b: 1,204 records lost 12:03:00–12:05:10 (lost-events)``."""
    where = f"{gap.node}: " if gap.node else ""
    lost = "records" if gap.lost is None else plural(gap.lost, "record")
    amount = f"an unknown number of {lost}" if gap.lost is None else lost
    if gap.since and gap.to and gap.since != gap.to:
        when = f"{clock(gap.since, zone)}{dash}{clock(gap.to, zone)}"
    elif gap.since or gap.to:
        when = f"{'from' if gap.since else 'until'} {clock(gap.since or gap.to, zone)}"
    else:
        when = "at an unknown time"
    return f"{where}{amount} missing {when} ({gap.kind})"


def what_text(problem: Problem, number: int) -> str:
    """``1,702 denials``; what was only audited says that it would have been denied."""
    if problem.verdict == "audited":
        return plural(number, "record") + " that would be denied (audit mode)"
    if problem.verdict == "logged":
        return plural(number, "packet") + " logged, verdict unknown"
    if problem.status is Status.GONE:
        return "gone"
    if not problem.connections:
        return "no refusal: an audit's finding"
    return plural(number, "denial")


def state_text(problem: Problem, zone: tzinfo) -> str:
    """``since 12:01:07, still happening at 12:19:58``."""
    if problem.status is Status.GONE:
        return f"last seen {day_and_clock(problem.last, zone)}" if problem.last else "found no more"
    if problem.first is None and not problem.connections:
        return "as things stand"
    if problem.first is None:
        return "at an unknown time (the records carry none)"
    since = f"since {clock(problem.first, zone)}"
    if problem.last is None:
        return since
    last = clock(problem.last, zone)
    if problem.ongoing:
        return f"{since}, still happening at {last}"
    if problem.ongoing is None:
        return f"{since}, last seen {last}; whether it goes on is unknown"
    if problem.first == problem.last:
        return f"once, at {last}" if problem.count == 1 else f"at {last}, not seen since"
    return f"{clock(problem.first, zone)} to {last}, not seen since"


def headline(report: Report) -> str:
    """What the problems explain of what was denied, in one sentence."""
    told = _statuses(report)
    return f"{told}; {_explained(report)}" if told else _explained(report)


def _statuses(report: Report) -> str:
    """``2 new problems, 5 known, 1 gone``; nothing without a history."""
    counts = {status: sum(p.status is status for p in report.problems) for status in Status}
    new = counts.pop(Status.NEW)
    if not new and not any(counts.values()):
        return ""
    others = [f"{number} {status}" for status, number in counts.items() if number]
    return ", ".join([plural(new, "new problem") if new else "No new problem", *others])


def _explained(report: Report) -> str:
    totals = report.totals
    present = [p for p in report.problems if p.status is not Status.GONE]
    shown = [p for p in present if p.explained_by is None and p.verdict == "denied"]
    if not totals.flows and not present:
        return "No record of traffic was found"
    if not totals.denied and not present:
        return "No denied traffic in what was read"
    if not totals.denied:
        return f"No denials; {plural(len(present), 'problem')} to look at"
    explained = totals.denied - totals.unattributed
    share = 100 * explained / totals.denied
    verb = "explains" if len(shown) == 1 else "explain"
    number = plural(len(shown), "problem")
    if not shown:
        return f"{plural(totals.denied, 'denial')}, none attributed to a problem"
    if not totals.unattributed:
        return f"{number} {verb} all {plural(totals.denied, 'denial')}"
    return f"{number} {verb} {count(explained)} of {plural(totals.denied, 'denial')} ({share:.1f} %)"


def cut_off(report: Report, zone: tzinfo) -> list[str]:
    """What the evidence cannot show, a sentence each."""
    sentences = [gap_text(gap, zone) for gap in report.evidence.gaps]
    sentences.extend(
        f"{skew.node}'s clock is {abs(skew.offset_s):.1f} s "
        f"{'ahead of' if skew.offset_s > 0 else 'behind'} {skew.reference}'s"
        for skew in report.evidence.clock_skew
    )
    if report.evidence.snapshot.taken is None and report.evidence.snapshot.source is None:
        sentences.append("no cluster objects were read: policies could not be replayed")
    if report.totals.allowed is None:
        sentences.append("allowed traffic was not read: whether a connection worked before is unknown")
    years = [item.path for item in report.inputs if item.year_inferred]
    if years:
        more = f" and {plural(len(years) - 1, 'other')}" if len(years) > 1 else ""
        sentences.append(f"times of {years[0]}{more} carry no year: it was inferred")
    if not report.complete and not sentences and not report.warnings:
        sentences.append("parts of the input could not be read")
    return sentences
