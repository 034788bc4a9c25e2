"""Refusals that only counters tell of: dumps of what a dataplane has programmed.

A counter has no addresses and no times, so it makes no problem; but it proves that a pod, or a policy, refused
packets, and says in which direction, where nothing else of a run does.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from flowdiag.cluster.interfaces import InterfaceIndex
from flowdiag.model.digits import is_digits, whole
from flowdiag.model.event import LogEvent
from flowdiag.model.report import ReportWarning, general_warning
from flowdiag.model.words import plural
from flowdiag.tally.kept import Sighting

__all__ = ["counted_refusals"]

_MOST = 8
# Comments of Felix's own rules, Calico v3.31 felix/rules/{static,endpoints,dispatch}.go, and of kube-router's, v2.5
# pkg/controllers/netpol/pod.go: what they refuse no policy does.
_OF_NO_POLICY = (
    ("Drop IPv4 VXLAN packets from non-allowed hosts", "the sender is none of the nodes that Felix knows"),
    ("Drop IPv6 VXLAN packets from non-allowed hosts", "the sender is none of the nodes that Felix knows"),
    ("Drop IPIP packets from non-Calico hosts", "the sender is none of the nodes that Felix knows"),
    ("Drop VXLAN encapped packets originating in workloads", "a pod made tunnel packets itself"),
    ("Drop IPinIP encapped packets originating in workloads", "a pod made tunnel packets itself"),
    (
        "rule to drop invalid state for pod",
        "conntrack knows no connection of these packets, as with two ways between nodes",
    ),
    (
        "reject all unexpected traffic to service IPs",
        "a Service's address was asked for a port that is none of its own",
    ),
    ("Unknown interface", "a pod's interface that Felix has not programmed yet, or no more"),
)
_NO_POLICY = "rule"


def counted_refusals(
    logs: Iterable[Sighting[LogEvent]], interfaces: InterfaceIndex
) -> tuple[ReportWarning, ...]:
    """Say what counters of refusals in dumps stand at, largest first.

    Args:
        logs: the components' messages with a signal, those of dumps among them.
        interfaces: whose an interface is.
    """
    counts: Counter[tuple[str, str]] = Counter()
    lines: dict[tuple[str, str], int] = {}
    for seen in logs:
        event = seen.event
        for text, packets in _counted(event, interfaces):
            key = (seen.input, text)
            counts[key] += packets
            lines.setdefault(key, event.line)
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    found = [
        ReportWarning(
            code="counted-refusals",
            message=f"{text}: {plural(packets, 'packet')} refused, by the dump's counters",
            input=name,
            line=lines[(name, text)],
        )
        for (name, text), packets in ordered[:_MOST]
    ]
    if len(ordered) > _MOST:
        more = f"above zero: {plural(len(ordered) - _MOST, 'more counter')} of refusals"
        found.append(general_warning("counted-refusals", more))
    return tuple(found)


def _counted(event: LogEvent, interfaces: InterfaceIndex) -> list[tuple[str, int]]:
    fields = event.fields
    if event.signal == "rule-counter":
        if fields.get("target") == "NFLOG":
            return []  # the rule behind it drops the same packets, and counts them
        packets = _number(fields.get("packets"))
        if packets and fields.get("pod"):
            # A pod's chain is one for both directions, whatever kube-router's comment says.
            return [(f"calls of or to {fields['pod']} that none of its policies admits", packets)]
        why = _told(fields.get("comment")) or _policy(fields)
        return [(_place(fields, interfaces, why), packets)] if packets and why else []
    if event.signal == "bpf-rule" and fields.get("action") == "deny":
        packets = _number(fields.get("count"))
        return [(_place(fields, interfaces, _policy(fields) or _NO_POLICY), packets)] if packets else []
    if event.signal == "bpf-counter" and (fields.get("category"), fields.get("type")) == (
        "Dropped",
        "by policy",
    ):
        return [
            (f"{way} of an interface, dropped by policy", packets)
            for way in ("ingress", "egress")
            if (packets := _number(fields.get(way)))
        ]
    return []


def _told(comment: str | None) -> str | None:
    """A rule's comment; where it tells of no policy, with what it is about."""
    for known, what in _OF_NO_POLICY:
        if comment is not None and comment.startswith(known):
            return f"{comment} (no policy's: {what})"
    return comment


_LARGEST = (1 << 63) - 1


def _number(text: str | None) -> int:
    """``7``; ``12M`` of ``iptables -L`` without ``-x`` is about so many."""
    if not text:
        return 0
    unit = {"K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}.get(text[-1], 1)
    digits = text if unit == 1 else text[:-1]
    return min(whole(digits) * unit, _LARGEST) if is_digits(digits) else 0


def _policy(fields: dict[str, str]) -> str | None:
    name = fields.get("policy")
    if name is None:
        return None
    rule = fields.get("rule")
    return f"policy {name}" if rule is None else f"policy {name} rule {rule}"


def _place(fields: dict[str, str], interfaces: InterfaceIndex, why: str | None) -> str:
    way = fields.get("direction", "")
    interface = fields.get("interface")
    if interface is None:
        return " ".join(word for word in (why, way) if word)
    pod = interfaces.pod(interface)
    whose = f"{pod[0]}/{pod[1]} ({interface})" if pod else interface
    return f"{way} of {whose}, {why}" if way else f"{whose}, {why}"
