"""FD806."""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator

from flowdiag.diagnose.agent_messages import agent_messages
from flowdiag.diagnose.aws_agent import AGENT, hidden_by_exception, too_many_ports
from flowdiag.diagnose.caching import cached_per_run
from flowdiag.diagnose.case import Case
from flowdiag.diagnose.confidence import Basis
from flowdiag.diagnose.context import Context
from flowdiag.diagnose.fd8_evidence.policy_kinds import kinds_not_read
from flowdiag.diagnose.inside import service_outside
from flowdiag.diagnose.kube_ovn import excepted_for_all
from flowdiag.diagnose.needs import Needs
from flowdiag.diagnose.relabelled import label_writes
from flowdiag.diagnose.rule import Rule
from flowdiag.diagnose.signs import Sign
from flowdiag.diagnose.wording import a_list, end_text, policies_text, policy_text, rule_text
from flowdiag.diagnose.written_ports import port_texts
from flowdiag.model.event import Cause, Direction
from flowdiag.model.finding import Finding
from flowdiag.model.policy import CALICO_GROUPS, EndDecision
from flowdiag.model.report import Confidence, Severity
from flowdiag.model.time import NS, moment_text
from flowdiag.policy.compile.aws_strict import SETTING
from flowdiag.policy.compile.cilium import OWN_NODE

__all__ = ["RecordedAgainstReplay"]

_SAID = (
    "dataplane-failure",
    "dataplane-out-of-sync",
    "ipset-failure",
    "policy-not-enforced",
    "policy-rejected",
    "endpoint-regeneration-failed",
    "endpoint-stale-policy",
    "datastore-connection-lost",
    "watcher-error",
)
"""Messages of an agent that enforces other policies than those that it should: an old set, or a part."""


_ZONELESS = frozenset({"antrea-np-log", "hubble-compact", "kube-network-policies", "weave-npc"})
"""Parsers of logs whose stamps are in the node's own time and mostly do not say which that is."""
_OFFSETS_S = 14 * 3600
"""The largest offset from UTC (Pacific/Kiritimati); the smallest is -12."""


class RecordedAgainstReplay(Rule):
    """The CNI refused what the policies at hand allow.

    Signature:
        A refusal by policy is recorded, and the replay allows the connection on the side that refused (or
        on both, where the side is not recorded).

    Advice:
        Trust the record.  Look for policies that the dump lacks, for policies changed or deleted since,
        for labels that changed, and for an agent that lags behind.  AWS's agent and Kube-OVN hold an
        ipBlock's exception against what others allow.

    Guard:
        Where the replay cannot decide there is no disagreement.  Where kinds of policy of this CNI were
        not read, the finding says that the policies are incomplete and accuses nobody.

    References:
        https://github.com/cilium/cilium/issues/42044
        https://github.com/cilium/cilium/issues/44855
        https://github.com/aws/amazon-network-policy-controller-k8s/issues/146
    """

    code = "FD806"
    slug = "recorded-against-replay"
    title = "{source} to {destination} on {port} was refused, which the known policies allow"
    severity = Severity.MEDIUM
    needs = Needs.POLICIES
    signs = (Sign.POLICY | Sign.OPEN,)
    specificity = 30

    def diagnose(self, case: Case) -> Iterator[Finding]:
        """See `Rule.diagnose`."""
        decision = case.decision
        if decision is None or case.not_policy or case.flow.distinct.cause is not Cause.POLICY:
            return
        if case.flow.distinct.l7 is not None:
            return
        known = case.end
        if known is None:
            if case.direction is not None or decision.allowed is not True:
                return
        elif known.allowed is not True:
            return
        missing = kinds_not_read(case.context)
        who = end_text(case.enforcer)
        side = (
            f"the {case.direction} side of {who} refused it"
            if case.direction
            else "one of both sides refused it"
        )
        changed = known is not None and known.decided_by is not None and known.decided_by.policy in case.loose
        agent = agent_messages(case, *_SAID, before_s=3600)
        yield self.finding(
            case,
            summary=(
                f"The record says that {side} by policy, but {_why(known, case)}"
                f"{'; kinds of policy are missing in the state' if missing else ''}.{agent.text}"
            ),
            said=agent.said,
            advice=excepted_for_all(case)
            or hidden_by_exception(case)
            or too_many_ports(case)
            or _relabelled(case)
            or _written(case)
            or _of_aws(case)
            or _by_end_port(case)
            or _of_cilium(case)
            or (
                _trust(case)
                if not changed or known is None or known.decided_by is None
                else f"Trust the record: {policy_text(known.decided_by.policy)} may have come or changed since, "
                "which its dump does not tell. kubectl get -o yaml --show-managed-fields does, and so does an audit log."
            ),
            basis=Basis.STATE,
            most=Confidence.POSSIBLE if missing else Confidence.LIKELY,
            cause_key="incomplete" if missing else "disagree",
            limits=tuple(_limits(case, missing)),
        )


def _trust(case: Case) -> str:
    """What to bring; before that, to look at the log's zone where another may explain it all."""
    bring = (
        "the record: bring all policies of that time (also cluster-wide ones), and look for policies or labels that "
        "changed since and for an agent that lags behind."
    )
    if _near_a_change(case):
        return (
            "Policies changed within hours of it: if the log's stamps name no zone and are not in UTC, give it by --tz. "
            f"Else trust {bring}"
        )
    return f"Trust {bring}"


def _near_a_change(case: Case) -> bool:
    """Whether an offset from UTC, in a log that mostly names none, could part the record from the policies of its time."""
    first, namespace = case.flow.first, case.enforcer.namespace
    if case.flow.distinct.parser not in _ZONELESS or first is None:
        return False
    moments = _changes(case.context)
    for of_whom in {None, namespace}:
        times = moments.get(of_whom, ())
        after = bisect_left(times, first - _OFFSETS_S * NS)
        if after < len(times) and times[after] <= first + _OFFSETS_S * NS:
            return True
    return False


@cached_per_run
def _changes(context: Context) -> dict[str | None, list[int]]:
    """When policies came, changed and went, by their namespace, in order."""
    found = defaultdict[str | None, list[int]](list)
    for policy in context.snapshot.policies:
        for moment in (policy.created, policy.valid_from, policy.deleted):
            if moment is not None:
                found[policy.ref.namespace].append(moment)
    return {namespace: sorted(moments) for namespace, moments in found.items()}


def _why(known: EndDecision | None, case: Case) -> str:
    """Say, in a clause, by what the replay lets it pass."""
    if (
        known is None
        and case.decision is not None
        and any(one is not None and one.isolated_by for one in (case.decision.egress, case.decision.ingress))
    ):
        return "the policies that were read allow it on both"
    if known is not None and known.decided_by is not None:
        return f"{policy_text(known.decided_by.policy)} {known.decided_by.rule} allows it"
    if known is not None and known.notes:
        return known.notes[0]
    if known is not None and known.isolated_by:
        isolates, lets = ("isolates", "lets") if len(known.isolated_by) == 1 else ("isolate", "let")
        return f"{policies_text(known.isolated_by)}, which {isolates} it, {lets} this pass"
    return "no policy that was read isolates it"


def _limits(case: Case, missing: tuple[str, ...]) -> Iterator[str]:
    """Say what makes the replay doubtful, and the record; `missing` are kinds of policy that were not read."""
    known, other = case.end, case.other_end
    if missing:
        yield f"The state holds no list of {a_list(missing)}: the policies are not complete."
    if other is not None and other.allowed is False:
        way = "ingress" if case.direction is Direction.EGRESS else "egress"
        yield f"The replay refuses it on the {way} side instead."
    service = service_outside(case.context, case.flow.dst)
    if service is not None and case.direction is Direction.EGRESS:
        yield (
            f"{case.flow.dst.ip} is an address of Service {service.namespace}/{service.name}: a caller inside is mostly handed to "
            "its pods before policies are asked, and then needs a rule for those."
        )
    isolated = known is not None and bool(known.isolated_by)
    # aws/aws-network-policy-agent#582
    if case.flow.distinct.parser == AGENT and case.direction is Direction.EGRESS and not isolated:
        yield "The AWS agent is known to log egress denials of pods that only ingress policies select: possibly false."


def _of_aws(case: Case) -> str | None:
    """What is to be looked at before the policies where AWS's agent refused a pod that none closes in this direction."""
    known = case.end
    if case.flow.distinct.parser != AGENT or known is None or known.isolated_by or known.decided_by:
        return None
    parts = []
    if case.direction is Direction.EGRESS:
        parts.append(
            "Try the connection: AWS's agent writes egress denials of pods that ingress policies alone select, although it passes."
        )
    if SETTING not in case.context.snapshot.config:
        parts.append(
            "In strict mode it closes pods that no policy selects: add the DaemonSet aws-node to the objects."
        )
    if not parts:
        return None
    return f"{' '.join(parts)} Otherwise bring all policies of that time."


def _by_end_port(case: Case) -> str | None:
    """The rule that lets it pass, where its ports do so as a range's later ones alone.

    Source: Kubernetes' documentation (``endPort``): enforcers that do not know the field take the first port.  Cilium did until
    1.14, left such policies out in 1.15 and knows it since 1.16 (cilium#28684).
    """
    decided, port = case.end.decided_by if case.end is not None else None, case.port
    if decided is None or port is None or decided.policy.group in CALICO_GROUPS:
        return None
    rule = decided.place
    having = [one for one in port_texts(case, rule) or () if one.protocol == case.protocol and one.has(port)]
    if not having or not all(isinstance(one.port, int) and one.port < port for one in having):
        return None
    first = having[0]
    return (
        f"{rule_text(rule)} allows {port} by endPort alone ({first.port} to {first.end}), and an enforcer that does not know "
        f"the field takes {first.port} alone, as Cilium did before 1.16: see whether {first.port} passes, and write the ports "
        "one by one or update it. If it knows the field, bring all policies of that time."
    )


def _of_cilium(case: Case) -> str | None:
    """What is to be looked at where Cilium refused what no policy that is missing here would: at what it installed."""
    known = case.end
    if known is None or known.decided_by is not None:
        return None
    if case.context.snapshot.config.get("cilium.enable-policy", "").lower() == "never":
        why = "The agent's enable-policy is never, with which no policy refuses: unless it was another setting then"
    elif OWN_NODE in known.notes:
        why = "A policy that is missing here explains it only if it denies the node: otherwise"
    else:
        return None
    return (
        f"{why}, what the agent installed for {end_text(case.enforcer)} is incomplete. Compare cilium-dbg bpf policy get with "
        "cilium-dbg endpoint get on its node, read the agent's log, and regenerate the endpoint (cilium-dbg endpoint "
        "regenerate) or delete the pod."
    )


def _relabelled(case: Case) -> str | None:
    """Labels that were written meanwhile: nearer than anything that the state lacks."""
    writes = list(dict.fromkeys(label_writes(case)))
    if not writes:
        return None
    told = a_list([f"{name} were written at {moment_text(at)}" for name, at in writes])
    return (
        f"The labels of {told}, after these refusals began: if they were others before, they explain this. An audit "
        "log, or whoever wrote them, tells."
    )


def _written(case: Case) -> str | None:
    """The policy that lets it pass, where its spec is known to have been written after all of the refusals."""
    decided, last = case.end.decided_by if case.end is not None else None, case.flow.last
    if decided is None or last is None:
        return None
    texts = [version.valid_from for version in case.context.policy(decided.policy)]
    written = min((at for at in texts if at is not None), default=None)
    if None in texts or written is None or written <= last:
        return None
    return (
        f"{policy_text(decided.policy)} was last written at {moment_text(written)}, after these refusals, and lets this "
        "pass: what it was before is not known, and an audit log tells. If it is refused still, look for an agent that "
        "lags behind."
    )
