"""What AWS's network policy agent makes of policies and connections, where the API means something else.

Source: aws/aws-network-policy-agent, 2023 to 2026.  What a pod may reach is one map in the kernel, in which the longest
prefix that holds an address decides alone; a range's exception is an entry that denies, whatever other rules say of it
(#326, and aws/amazon-network-policy-controller-k8s#121).  Connections are in the agent's own table, to which only its
programs add, and they are attached to a pod a second or two after it starts (#345), or once a policy selects it (#73).
"""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_network

from flowdiag.diagnose.case import Case
from flowdiag.diagnose.early import young
from flowdiag.diagnose.spec import objects, policy_at, rule_at
from flowdiag.diagnose.wording import rule_text, seconds
from flowdiag.diagnose.written_ports import port_texts
from flowdiag.diagnose.written_ranges import ip_blocks
from flowdiag.model.event import Direction
from flowdiag.model.policy import PEER_WORDS, EndDecision, NearestRule, PolicyRef

__all__ = ["AGENT", "hidden_by_exception", "opened_untracked", "too_many_ports"]

AGENT = "aws-network-policy-agent"
"""The parser of its records."""
_PORTS = 24
"""Combinations of a port and a protocol for one range ("Limit Pod traffic with Kubernetes network policies", Amazon EKS)."""


def hidden_by_exception(case: Case) -> str | None:
    """Say what to change where an exception of one rule holds the address that a wider range of another allows."""
    found = (_hidden(case, *one) for one in _sides(case))
    return next((one for one in found if one is not None), None)


def too_many_ports(case: Case) -> str | None:
    """Say what to change where the rule that allows has more ports than the agent keeps of one range."""
    for _, side, _ in _sides(case):
        decided = side.decided_by
        if decided is None:
            continue
        rule = decided.place
        ports = port_texts(case, rule) or ()
        if len(ports) > _PORTS:
            return (
                f"AWS's agent keeps {_PORTS} ports of one range at most, over all policies, and {rule_text(rule)} has "
                f"{len(ports)}: write them as ranges (endPort)."
            )
    return None


def _sides(case: Case) -> Iterator[tuple[Direction, EndDecision, str]]:
    """The sides that may have refused, by the agent's record, with the address that each held against its policies."""
    if case.flow.distinct.parser != AGENT or case.decision is None:
        return
    for direction, side, ip in (
        (Direction.EGRESS, case.decision.egress, case.flow.distinct.dst.ip or case.flow.dst.ip),
        (Direction.INGRESS, case.decision.ingress, case.flow.distinct.src.ip or case.flow.src.ip),
    ):
        if side is not None and ip is not None and case.direction in (None, direction):
            yield direction, side, ip


def _hidden(case: Case, direction: Direction, side: EndDecision, ip: str) -> str | None:
    decided = side.decided_by
    if decided is None or decided.policy.kind != "NetworkPolicy":
        return None
    rule = decided.place
    width = _width(case, direction, rule, ip)
    if width is None:
        return None
    for other, cidr, exception in _exceptions(case, direction, side.isolated_by, ip):
        if ip_network(exception, strict=False).prefixlen >= width:
            return (
                f"AWS's agent goes by the longest prefix alone: the exception {exception} of {cidr} in {rule_text(other)} "
                f"denies {ip} there, and hides that {rule_text(rule)} allows it. Allow {ip} by a selector, or by a "
                "range that is narrower than the exception."
            )
    return None


def _width(case: Case, direction: Direction, rule: NearestRule, ip: str) -> int | None:
    """The longest prefix by which a rule admits the address; ``None`` where it may do so by a selector."""
    raw = rule_at(case, rule)
    if raw is None:
        return None
    peers = list(objects(raw.get(PEER_WORDS[direction])))
    if not peers:
        return 0
    if not all("ipBlock" in peer for peer in peers):
        return None
    widths = [ip_network(one.cidr, strict=False).prefixlen for one in ip_blocks(case, rule) if one.admits(ip)]
    return max(widths, default=None)


def _exceptions(
    case: Case, direction: Direction, policies: tuple[PolicyRef, ...], ip: str
) -> Iterator[tuple[NearestRule, str, str]]:
    for ref in policies:
        policy = policy_at(case, ref)
        if policy is None or ref.kind != "NetworkPolicy":
            continue
        for index, _ in enumerate(objects(policy.spec.get(direction.value))):
            rule = NearestRule(policy=ref, rule=f"{direction.value}[{index}]", misses=())
            for block in ip_blocks(case, rule):
                exception = block.excepting(ip)
                if exception is not None and block.holds(ip):
                    yield rule, block.cidr, exception


def opened_untracked(case: Case) -> tuple[str, str] | None:
    """Say, in a clause and an advice, why the agent may know nothing of a connection whose answers it refuses."""
    first = case.flow.first
    if case.flow.distinct.parser != AGENT or first is None:
        return None
    for pod, start in young(case):
        clause = (
            f"; pod {pod.namespace}/{pod.name} started {seconds(first - start)} before, and what it opens before its "
            "policies are enforced is not tracked"
        )
        return clause, (
            "Retry in the application, or wait some seconds in an init container: AWS's agent tracks connections once a "
            "pod's policies are enforced."
        )
    return None
