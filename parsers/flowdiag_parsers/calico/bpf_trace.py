"""Lines that Calico's eBPF programs print: ``trace_pipe``, ``bpftool prog tracelog``.

A Log rule's line is the final verdict of the policy program (v3.29.1 and later).  With
``bpfLogLevel: Debug`` one packet prints many lines; its addresses stand lines before its verdict, so
they are kept per interface and processor until the verdict comes.
"""

from __future__ import annotations

import re
from ipaddress import IPv4Address
from typing import Any

from msgspec import Struct

from flowdiag.parserkit import Direction, Icmp, Verdict, is_workload_interface, port_number

__all__ = [
    "TRACE_SNIFF",
    "Packet",
    "Trace",
    "direction_of",
    "interfaces_of",
    "packet_of",
    "read_trace",
]

# The tracer's head and Calico's tag come first, the text after them (v3.29.1 and later):
# as in "            curl-5288    [000] ..s2.  3055.982021: bpf_trace_printk: cali527b0801ecb-E: policy ALLOWED ..."
#  "     <...>-84582 [000] .Ns1  6851.690474: 0: ens192---E: Final result=ALLOW (-1). ..."   older kernels
#  "cali527b0801ecb-E: policy DENIED  proto 6 ..."   head already cut off
_TRACE = re.compile(
    r"(?:[ \t]{0,24}.{1,16}?-\d{1,10}[ \t]{1,8}(?:\([ \d-]{1,10}\) )?\[(?P<cpu>\d{1,4})\] (?:\S{1,8})?[ \t]{1,12}"
    r"(?P<uptime>\d{1,10}\.\d{6}): (?:bpf_trace_printk|0): )?"
    r"(?P<tag>(?P<iface>[^\s:]{1,24}?)-{1,15}(?P<hook>[IEX])): (?P<text>.{1,2000})"
)
TRACE_SNIFF = re.compile(
    rb": (?:bpf_trace_printk|0): [^\s:]{1,24}-[IEX]: |(?:^|\n)[^\s:]{1,24}-[IEX]: (?:policy )?(?:ALLOWED|DENIED)"
)

# A Log rule prints "policy ALLOWED proto 6 src 172.16.193.131:56042 dest 69.147.80.12:80", "policy DENIED  proto 17 ..."
# kernels before 5.16 print the bare word
_POLICY = re.compile(
    r"(?:policy )?(?P<word>ALLOWED|DENIED) {0,4}"
    r"(?:proto (?P<proto>\d{1,3}) src (?P<src>\S{1,64}):(?P<sport>\d{1,5}) dest (?P<dst>\S{1,64}):(?P<dport>\d{1,5}))?\s*$"
)
# The end of a program reads "Final result=ALLOW (-1). Program execution time: 7366ns", "Final result=DENY (2)"
_FINAL = re.compile(r"Final result=(?P<word>ALLOW|DENY) \((?P<code>-?\d{1,4})\)")
# Debug: "IP s=a9fe077f d=af4be84" is hexadecimal in network order, leading zeroes dropped.
_ADDRESSES = re.compile(r"IP s=([0-9a-f]{1,8}) d=([0-9a-f]{1,8})$")
# Debug output has "TCP; ports: s=12346 d=12345"
_PORTS = re.compile(r"(TCP|UDP|SCTP); ports: s=(\d{1,5}) d=(\d{1,5})")
_START = "New packet at ifindex"
_BY_POLICY = "Denied by policy"

_PROTOCOLS = {1: "ICMP", 6: "TCP", 17: "UDP", 58: "ICMPv6", 132: "SCTP"}
_KEPT = 4096


class Trace(Struct, frozen=True):
    """One printed line without the tracer's head."""

    tag: str
    interface: str
    hook: str
    cpu: str | None
    uptime: str | None
    text: str


class Packet(Struct, frozen=True, kw_only=True):
    """What a verdict line says, with what the same packet's earlier lines said."""

    verdict: Verdict
    word: str
    by_policy: bool
    src: str | None = None
    dst: str | None = None
    sport: int | None = None
    dport: int | None = None
    protocol: str | None = None
    icmp: Icmp | None = None


def read_trace(text: str) -> Trace | None:
    """Take a line apart; ``None`` where no program of Calico's printed it."""
    match = _TRACE.match(text)
    if match is None:
        return None
    return Trace(
        tag=f"{match['iface']}-{match['hook']}",
        interface=match["iface"],
        hook=match["hook"],
        cpu=match["cpu"],
        uptime=match["uptime"],
        text=match["text"].rstrip(),
    )


def packet_of(trace: Trace, memory: dict[str, Any]) -> Packet | None:
    """The packet that a line decides, or ``None`` where it decides nothing; `memory` holds the lines before."""
    policy = _POLICY.match(trace.text)
    if policy is not None:
        return _of_policy(policy)
    key = f"{trace.tag} {trace.cpu}"
    if trace.text.startswith(_START):
        if len(memory) >= _KEPT:
            memory.clear()
        memory[key] = {}
        return None
    held: dict[str, Any] = memory.get(key, {})
    addresses = _ADDRESSES.match(trace.text)
    if addresses is not None:
        held["src"], held["dst"] = (str(IPv4Address(int(word, 16))) for word in addresses.groups())
    ports = _PORTS.match(trace.text)
    if ports is not None:
        held["protocol"], held["sport"], held["dport"] = (
            ports[1],
            port_number(ports[2]),
            port_number(ports[3]),
        )
    if trace.text.startswith(_BY_POLICY):
        held["by_policy"] = True
    final = _FINAL.match(trace.text)
    if final is None:
        if held and len(memory) < _KEPT:
            memory[key] = held
        return None
    memory.pop(key, None)
    denied = final["word"] == "DENY"
    return Packet(
        verdict=Verdict.DENIED if denied else Verdict.ALLOWED,
        word=f"{final['word']} ({final['code']})",
        by_policy=denied and held.pop("by_policy", False),
        **{name: value for name, value in held.items() if name != "by_policy"},
    )


def _of_policy(match: re.Match[str]) -> Packet:
    denied = match["word"] == "DENIED"
    proto = int(match["proto"]) if match["proto"] else None
    dport = int(match["dport"]) if match["dport"] else None
    icmp = None
    if proto in (1, 58) and dport is not None:
        # The destination's port field carries the type, and the code above it.
        icmp = Icmp(dport & 0xFF, dport >> 8 if dport > 0xFF else None)
    has_ports = proto not in (1, 58)
    return Packet(
        verdict=Verdict.DENIED if denied else Verdict.ALLOWED,
        word=match["word"],
        by_policy=denied,
        src=match["src"],
        dst=match["dst"],
        sport=port_number(match["sport"]) if has_ports else None,
        dport=port_number(match["dport"]) if has_ports else None,
        protocol=_PROTOCOLS.get(proto, str(proto)) if proto is not None else None,
        icmp=icmp,
    )


def direction_of(trace: Trace) -> Direction:
    """Ingress or egress as policy sees it (not as tc does); XDP only guards what comes in."""
    return Direction.EGRESS if trace.hook == "E" else Direction.INGRESS


def interfaces_of(trace: Trace) -> tuple[str | None, str | None]:
    """Where the packet entered and left the host: a pod's egress enters through its interface."""
    enters = (trace.hook == "E") == is_workload_interface(trace.interface)
    return (trace.interface, None) if enters else (None, trace.interface)
