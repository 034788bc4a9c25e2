"""What is wrong with a connection that was asked about: the rules of the catalogue, applied without any record."""

from __future__ import annotations

from flowdiag.analysis.answers import Answer, Pair
from flowdiag.analysis.ask import Asker
from flowdiag.diagnose import Case, Context, diagnose
from flowdiag.diagnose.proposals import attach
from flowdiag.model.endpoint import Endpoint
from flowdiag.model.event import Cause, Direction, Peer, TimeSource, Verdict
from flowdiag.model.finding import Finding
from flowdiag.model.flow import Flow
from flowdiag.model.policy import ConnectionDecision, IpBlockPods
from flowdiag.model.tally import DistinctFlow

__all__ = ["diagnose_answer"]


def diagnose_answer(
    asker: Asker, answer: Answer, protocol: str | None, ip_block_pods: IpBlockPods
) -> Finding | None:
    """The leading diagnosis of a refused connection with its proposal; ``None`` if it is not refused.

    Args:
        asker: the state.
        answer: what it said.
        protocol: as asked.
        ip_block_pods: as the state was compiled.
    """
    refused = next((pair for pair in answer.pairs if pair.decision.allowed is False), None)
    if refused is None:
        return None
    context = Context(snapshot=asker.snapshot, dialect=asker.policies.dialect, allowed_read=False)
    case = Case(context, _imagined(refused, protocol), refused.decision)
    findings = diagnose(case)
    if not findings:
        return None
    return attach([(case, findings[0])], asker.policies, ip_block_pods=ip_block_pods)[0]


def _imagined(pair: Pair, protocol: str | None) -> Flow:
    """The flow that such a connection would leave, without a time and with no count."""
    direction = _refuser(pair.decision)
    distinct = DistinctFlow(
        parser="asked",
        node=None,
        src=_peer(pair.src),
        dst=_peer(pair.dst),
        protocol=protocol,
        port=pair.port if isinstance(pair.port, int) else None,
        icmp=None,
        direction=direction,
        verdict=Verdict.DENIED,
        verdict_raw=None,
        cause=Cause.POLICY,
        reason=None,
        reason_code=None,
        reason_raw=None,
        policies=(),
        l7=None,
        turned=False,
        count=0,
        records=0,
        first=None,
        last=None,
        time_source=TimeSource.NONE,
        buckets=(),
        tcp_flags=frozenset(),
        source_ports=(),
        interval_s=None,
        dns_names=pair.dst.dns_names,
        folded_peers=None,
        folded_ports=None,
        examples=(),
    )
    return Flow(
        distinct=distinct,
        src=pair.src,
        dst=pair.dst,
        direction=direction,
        count=0,
        buckets=(),
        first=None,
        last=None,
    )


def _refuser(decision: ConnectionDecision) -> Direction:
    refused = decision.egress is not None and decision.egress.allowed is False
    return Direction.EGRESS if refused else Direction.INGRESS


def _peer(end: Endpoint) -> Peer:
    return Peer(ip=end.ip, namespace=end.namespace, pod=end.pod.name if end.pod is not None else None)
