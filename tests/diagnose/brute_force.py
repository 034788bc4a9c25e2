"""What a change opens, found by asking every pair at every port that matters: slow, and surely right."""

import json
import re
from ipaddress import ip_address

from msgspec import UNSET

from flowdiag.diagnose.wording import end_text
from flowdiag.model.endpoint import Endpoint, EndpointKind

PROTOCOLS = ("TCP", "UDP", "SCTP")


def within(port, text):
    """Whether a port is in a range as the report writes it: ``443`` or ``443-445``."""
    low, _, high = text.partition("-")
    return int(low) <= port <= int(high or low)


def probes(*sets):
    """Every port that a policy or a pod names, its neighbours, and the ends of the axis."""
    texts = [json.dumps([policy.spec for policy in policies.snapshot.policies]) for policies in sets]
    named = {int(number) for text in texts for number in re.findall(r"\b\d{1,5}\b", text)}
    named |= {port.port for policies in sets for pod in policies.snapshot.pods for port in pod.ports}
    near = {port for number in named for port in (number - 1, number, number + 1) if 1 <= port <= 65535}
    return sorted({1, 65535, 6379, 8080, 8081, *near})


def _of_one_family(end):
    """4 or 6 for an outside address and for a pod that has both, by the address at hand; else 0."""
    versions = {ip_address(ip).version for ip in (end.pod.ips if end.pod else [end.ip]) if ip}
    return ip_address(end.ip).version if end.ip and (end.pod is None or len(versions) > 1) else 0


def _named(policies, ends):
    """Single addresses outside that policies name and no flow had."""
    snapshot = policies.snapshot
    inside = {ip for pod in snapshot.pods for ip in pod.ips}
    inside |= {ip for node in snapshot.nodes.values() for ip in node.addresses}
    text = json.dumps([policy.spec for policy in snapshot.policies])
    found = set(re.findall(r'"([0-9.]+)/32"', text)) - inside - {end.ip for end in ends.outside}
    return [Endpoint(kind=EndpointKind.EXTERNAL, ip=ip) for ip in sorted(found)]


def opened(case, before, after, ends):
    """(source, destination, protocol, port) that are open after and were not before; nothing may close."""
    found = set()
    strangers = (*ends.outside, *_named(after, ends))
    everybody = (*ends.pods, *strangers)
    ports = probes(before, after)
    for src in everybody:
        for dst in everybody:
            if end_text(src) == end_text(dst) or (src in strangers and dst in strangers):
                continue
            if _of_one_family(src) + _of_one_family(dst) == 10:
                continue
            for protocol in PROTOCOLS:
                for port in ports:
                    was = before.evaluate(src, dst, protocol, port).allowed
                    now = after.evaluate(src, dst, protocol, port).allowed
                    assert not (was and not now), "a proposal closes nothing"
                    if now and not was:
                        found.add((end_text(src), end_text(dst), protocol, port))
    found.discard((end_text(case.flow.src), end_text(case.flow.dst), case.protocol, case.port))
    return found


def opened_to_nodes(case, before, after, ends):
    """As `opened`, between every node of the state, and pods and addresses outside."""
    nodes = [
        Endpoint(kind=EndpointKind.NODE, name=name, node=node) for name, node in after.snapshot.nodes.items()
    ]
    others = (*ends.pods, *ends.outside)
    pairs = [pair for one in others for node in nodes for pair in ((one, node), (node, one))]
    found = {
        (end_text(src), end_text(dst), protocol, port)
        for src, dst in pairs
        for protocol in PROTOCOLS
        for port in probes(before, after)
        if after.evaluate(src, dst, protocol, port).allowed is True
        and before.evaluate(src, dst, protocol, port).allowed is not True
    }
    return found - {(end_text(case.flow.src), end_text(case.flow.dst), case.protocol, case.port)}


def is_of_nodes(row):
    """Whether an end of what opens is a node, or several."""
    return any(name == "any node" or name.startswith("node ") for name in row[:2])


def stands_for(row, one):
    """Whether a row of a report, with its name for several nodes, means this pair."""
    return row[2:] == one[2:] and all(
        told == name or (name.startswith("node ") and (told == "any node" or told.endswith(" like it")))
        for told, name in zip(row[:2], one[:2], strict=True)
    )


def perhaps(case, before, after, ends):
    """As `opened`, of what is closed for sure before and not known after; between ends that somebody has seen."""
    ports = probes(before, after)
    seen = [*ends.pods, *(end for end in ends.outside if end.ip is not None)]
    found = {
        (end_text(src), end_text(dst), protocol, port)
        for src in seen
        for dst in seen
        if end_text(src) != end_text(dst)
        and not (src in ends.outside and dst in ends.outside)
        and _of_one_family(src) + _of_one_family(dst) != 10
        for protocol in PROTOCOLS
        for port in ports
        if before.evaluate(src, dst, protocol, port).allowed is False
        and after.evaluate(src, dst, protocol, port).allowed is None
    }
    return found - {(end_text(case.flow.src), end_text(case.flow.dst), case.protocol, case.port)}


def listed_as_perhaps(mend, before, after):
    """What a change's report says that it may open, at the same ports."""
    rows = () if mend.may_allow is UNSET else mend.may_allow
    ports = probes(before, after)
    return {
        (one.src, one.dst, one.protocol, port)
        for one in rows
        for port in ports
        if any(within(port, text) for text in one.ports)
    }


def listed(proposal, before, after):
    """The blast radius that a proposal lists, at the same ports."""
    ports = probes(before, after)
    return {
        (one.src, one.dst, one.protocol, port)
        for one in proposal.also_allows
        for port in ports
        if any(within(port, text) for text in one.ports)
    }
