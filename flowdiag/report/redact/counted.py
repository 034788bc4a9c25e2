"""Where a recorded line shows that a bare number counts something and is nobody's name.

A pod may be called 7, and many a column does not say what it is: a number in a record stays only where a format that
is known here has a port, a size, a time or an id.  Each place is what stands before the number and what stands behind.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache

from flowdiag.report.redact.keys import is_count_key, is_enum_key

__all__ = ["is_counted"]

_REACH = 130
"""Characters before a number that tell what it is."""
_MONTH = "(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)"
_CLOCK = r"\d\d:\d\d:\d\d"
# the last as a report has it that was redacted before
_IP = r"(?:\d{1,3}(?:\.\d{1,3}){3}|(?=[^ ,]*:[^ ,]*:)[0-9A-Fa-f:.]{2,45}|ip[46]-r+\d{1,9})"
_PROTOCOL = "(?:TCP|UDP|SCTP|ICMP|ICMPv4|ICMPv6|IPv6-ICMP|IGMP)"

# "Src Port: 41022; Proto: TCP" (AWS network policy agent, v1.2), "Trace ID: 7" (hubble observe, v1.18), and of JSON that
# is written over many lines "src_port": 45084
_SAID = re.compile(r'([A-Za-z_]{2,40})"? ?: ?$')
# 2026-03-02 10:00:00.077 begins a line (Calico, v3.30), perhaps behind what kubectl or a container runtime wrote before
# it, or stands in quotes behind a key: time="2026-03-02 10:00:00" (logrus)
_DAY = re.compile(rf"\d{{4}}-\d\d-\d\d {_CLOCK}")
_DAY_BEGINS = re.compile(
    r"(?:\S{20,36} (?:stdout|stderr) [FP] |\[\S{3,120}\] |\d{4}-\d\d-\d\dT\S{8,24} )?(?:(?:time|ts|at)=\"?)?"
)
# TOS=0x00 PREC=0x00 (netfilter), and with braces dport={5432} (calico-node -bpf policy dump, v3.32)
_KEYED = re.compile(r"([A-Za-z_]{2,40})=(\{?)$")

_Place = tuple[str, re.Pattern[str], re.Pattern[str]]
"""The last character before a number where one alone may stand there, what stands before it, and what behind it."""
_LAST = re.compile(r"\\?([ ,|(\[>])\$")


def _compiled(*places: tuple[str, str]) -> tuple[_Place, ...]:
    return tuple((_last(before), re.compile(before), re.compile(behind)) for before, behind in places)


def _last(before: str) -> str:
    found = _LAST.search(before)
    return found[1] if found else ""


_ANYWHERE = _compiled(
    # Mar 17 14:03:13, Jan  5 14:58:34; Tue, 17 Mar 2026 15:03:15
    (rf"{_MONTH} {{1,2}}$", rf" {_CLOCK}"),
    (r"[A-Z][a-z]{2}, $", rf" {_MONTH} \d{{4}} {_CLOCK}"),
    # dmesg writes [ 3161.662745] calico-packet: IN=..
    (r"(?:^|kernel: |<\d{1,3}>)\[ {0,6}$", r"\] "),
    # 2026-03-02 10:00:00.077 [INFO][83] felix/.. (Calico, v3.30)
    (r"\[[A-Z]{4,8}\]\[$", r"\] "),
    # "[4 packets in 1.013s]" (Antrea, v2.2)
    (r"\[$", r" packets? in "),
    # 2026-01-05T16:50:05.900Z|00012|acl_log(ovn_pinctrl0)|INFO| (OVN 24.03)
    (r"^[^|]{10,40}\|$", r"\|[a-z_]{2,30}[(|]"),
    # "CPU(3) 37", "SUMMARY: CPU(3) - 37" (cilium monitor and hubble observe, v1.18)
    (r"CPU\($", r"\)"),
    (r"CPU\(\d{1,4}\)(?: -)? $", r"(?![\w.-])"),
    # "(ID:40999) 207 DROPPED (TCP Flags: SYN)" (hubble observe, v1.10)
    (r"\(ID:\d{1,10}\) $", r" DROPPED\b"),
    # "10.10.1.7 41022 10.10.1.8 80 TCP 60 label" (Antrea, v2.2), "SRC: 10.10.1.65 DEST: 10.0.0.5 60 TCP" (v1.0)
    (rf"(?<!\S){_IP} $", rf" (?:{_IP} \d{{1,5}} )?{_PROTOCOL}(?!\S)"),
    (rf"(?<!\S){_IP} (?:\d{{1,5}}|<nil>) {_IP} (?:\d{{1,5}}|<nil>) {_PROTOCOL} $", r"(?!\S)"),
    # "Ingress Drop 44900 shop/web 10.10.1.7" (Antrea, v1.13), "Drop 44900 SRC: 10.10.1.65" (v1.0)
    (r"(?:In|E)gress (?:Allow|Drop|Reject|Pass|Redirect) $", r" "),
    (r" (?:Allow|Drop|Reject|Pass) $", rf" (?:SRC: )?{_IP}(?!\S)"),
    # 1767607200,1767607260,10.10.0.79,10.10.0.80,44752,5201,TCP,client-1,..,10.96.0.10,10.96.0.10,80,shop/web:http (Antrea's FlowAggregator, v2.2)
    (r"^$", rf",\d{{10}},{_IP},"),
    (r"^\d{10},$", rf",{_IP},"),
    (rf",{_IP},{_IP},$", r","),
    (rf",{_IP},{_IP},\d{{1,5}},$", rf",{_PROTOCOL},"),
    # colours of a terminal: ESC [1;30m
    (r"\x1b\[[\d;]{0,12}$", r""),
)
# cilium monitor, v1.18: "xx drop (Policy denied) flow 0xf52e to endpoint 0, ifindex 3, file bpf_lxc.c:1531, , identity
# 19942->20817: ..", "Policy verdict log: flow 0x4 local EP ID 57, remote ID 4711, proto 6, ingress", "-> Request http
# from 57 ([k8s:app=..", "CPU 03: MARK 0x51c2d3e4 FROM 2154 DROP: 74 bytes"
_MONITOR = re.compile(r"(?:xx|->|<-|!!|>>|\*\*|\?\?) |CPU \d{2,3}: |Policy verdict log: |[^|]{0,30}\| *CPU ")
_IN_MONITOR = _compiled(
    (r"(?:endpoint|flow|proto|identity|local EP ID|remote ID|ifindex|MARK|FROM|CPU) $", r""),
    (r"identity \S{1,40}->$", r""),
    (r"\([A-Z][^()]{1,60}, $", r"\) flow 0x"),
    (r"(?:from|to) $", r" \(\["),
    (rf"(?:{_IP}|ICMPv[46]) $", r"\(\d{1,3}\)"),
    (rf"(?:{_IP}|ICMPv[46]) \d{{1,3}}\($", r"\)"),
    (r" DROP: $", r" bytes"),
)
# 2 123456789010 eni-1235b8ca123456789 10.0.1.28 198.51.100.7 20641 443 6 20 4249 1767607200 1767607260 ACCEPT OK (AWS, versions 2 to 5)
_VPC = re.compile(r"[^|\"=]{0,400} (?:eni-[0-9a-f]+|text-r+\d{1,9}) [^|\"=]{0,400} (?:ACCEPT|REJECT) ")
_IN_VPC = _compiled((r"^$", r" "), (rf" {_IP}(?: \d{{1,19}}){{0,7}} $", r" "))
# [2026-01-05T10:00:55.932Z] "GET /status/200 HTTP/1.1" 403 - rbac_access_denied_matched_policy[..] - "-" 0 19 0 - "-" (Envoy 1.30)
_ACCESS = re.compile(r'[^"]{0,200}"[A-Z]{3,10} [^"]{1,4000} HTTP/[0-9.]{1,3}" \d{1,3} ')
_IN_ACCESS = _compiled((r'HTTP/[0-9.]{1,3}" $', r" "), (r' "[^"]{1,60}"(?: (?:\d{1,12}|-)){0,3} $', r" "))
_BYTES_END = 4
"""Quotes of an access log before its sizes and durations."""

_FORMS = ((_MONITOR, _IN_MONITOR), (_VPC, _IN_VPC), (_ACCESS, _IN_ACCESS))


def is_counted(text: str, start: int, end: int) -> bool:
    """Whether the number at ``text[start:end]`` is a port, a size, a time or an id by what stands beside it.

    Args:
        text: a line, as it was recorded.
        start: where the number begins.
        end: where it ends.
    """
    before = text[max(0, start - _REACH) : start]
    near = before[-2:]
    said = _SAID.search(before) if ":" in near else None
    keyed = _KEYED.search(before) if "=" in near else None
    if (_DAY.match(text, start) and _DAY_BEGINS.fullmatch(text, 0, start)) or (
        said is not None and is_count_key(said[1])
    ):
        return True
    if keyed is not None:
        return is_count_key(keyed[1]) if keyed[2] else is_enum_key(keyed[1])
    return any(
        (not last or before.endswith(last)) and behind.match(text, end) and left.search(before)
        for last, left, behind in _places(text, start)
    )


def _places(text: str, start: int) -> Iterable[_Place]:
    known = _form(text)
    if known is _IN_ACCESS and text.count('"', 0, start) > _BYTES_END:
        return _ANYWHERE
    return (*_ANYWHERE, *known)


@lru_cache(maxsize=64)
def _form(text: str) -> tuple[_Place, ...]:
    """The places of a line's own format, once for all its numbers."""
    return next((places for whole, places in _FORMS if whole.match(text) is not None), ())
