"""Flows and findings for the timeline's tests, by few words."""

from flowdiag.model.endpoint import Endpoint, EndpointKind, KnownBy
from flowdiag.model.event import Cause, Direction, Peer, TimeSource, Verdict, WorkloadRef
from flowdiag.model.finding import Finding
from flowdiag.model.flow import Flow
from flowdiag.model.report import Confidence, Severity
from flowdiag.model.tally import Bucket, DistinctFlow, Example
from flowdiag.model.time import NS
from flowdiag.timeline.drafts import Refusal


def pod(namespace, name, workload=None, ip=None):
    """A pod end of `workload` (a Deployment)."""
    return Endpoint(
        kind=EndpointKind.POD,
        namespace=namespace,
        name=name,
        ip=ip,
        workload=WorkloadRef("Deployment", workload or name),
        known_by=KnownBy.RECORD,
    )


def outside(ip):
    """An address outside."""
    return Endpoint(kind=EndpointKind.EXTERNAL, ip=ip, known_by=KnownBy.ADDRESS)


def flow(
    src,
    dst,
    port=8080,
    *,
    count=1,
    at=100,
    last=None,
    verdict=Verdict.DENIED,
    width=1,
    protocol="TCP",
    cause=Cause.POLICY,
    reason="POLICY_DENIED",
):
    """A flow with all its records in one bucket `at` seconds after the epoch."""
    first = at * NS
    end = (last if last is not None else at) * NS
    buckets = (Bucket(first, width * NS, count),)
    if last is not None and last != at:
        buckets = (Bucket(first, width * NS, count - 1), Bucket(end, width * NS, 1))
    distinct = DistinctFlow(
        parser="hubble-json",
        node="node-a",
        src=Peer(ip=src.ip),
        dst=Peer(ip=dst.ip),
        protocol=protocol,
        port=port,
        icmp=None,
        direction=Direction.EGRESS,
        verdict=verdict,
        verdict_raw="DROPPED",
        cause=cause if verdict == Verdict.DENIED else None,
        reason=reason,
        reason_code=133,
        reason_raw=reason,
        policies=(),
        l7=None,
        turned=False,
        count=count,
        records=count,
        first=first,
        last=end,
        time_source=TimeSource.RECORD,
        buckets=buckets,
        tcp_flags=frozenset(),
        source_ports=(),
        interval_s=None,
        dns_names=(),
        folded_peers=None,
        folded_ports=None,
        examples=(Example(first, "flows.json", 1, "{}"),),
    )
    return Flow(
        distinct=distinct,
        src=src,
        dst=dst,
        direction=Direction.EGRESS,
        count=count,
        buckets=buckets,
        first=first,
        last=end,
    )


def finding(
    code="FD101",
    *,
    title="{source} may not reach {destination} {port}",
    isolating=(),
    key="",
    severity="high",
    direction="egress",
):
    """A finding of `code`."""
    return Finding(
        code=code,
        slug="slug",
        title=title,
        severity=Severity(severity),
        confidence=Confidence.DERIVED,
        direction=direction,
        isolating=isolating,
        cause_key=key,
    )


def refusal(src, dst, port=8080, *, code="FD101", key="", direction="egress", isolating=(), **more):
    """A refused flow with its finding."""
    return Refusal(
        flow(src, dst, port, **more), finding(code, key=key, direction=direction, isolating=isolating)
    )
