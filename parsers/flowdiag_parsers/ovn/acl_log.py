"""Parser of OVN's ACL log, and of what else ovn-controller says that matters.

Format: OVN ``controller/pinctrl.c`` and ``lib/acl-log.c`` inside an Open vSwitch log line; OpenShift 4.6 and later,
Kube-OVN, upstream OVN.  ``severity`` is chosen by whoever switched logging on and says nothing about danger.
ovnkube limits logging to 20 messages a second and node, so counts are lower bounds: a second with as many lines is a gap.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from typing import ClassVar

from msgspec import structs

from flowdiag.parserkit import (
    NS,
    Block,
    Cause,
    Direction,
    Event,
    FlowEvent,
    FlowSink,
    Frame,
    GapEvent,
    Icmp,
    LineEnvelope,
    LineForm,
    LogEvent,
    ParseContext,
    ParseWarning,
    Peer,
    PolicyHit,
    Reading,
    Record,
    Verdict,
    canonical_ip,
    decode,
    fold_forms,
    frame,
    iter_lines,
    parse_rfc3339,
    port_number,
    protocol_name,
    seek,
    unfinished_line,
    utc_second,
)
from flowdiag_parsers.ovn.acl_name import policy_of, way_of
from flowdiag_parsers.ovn.full_second import Counting, Seconds, full, full_second

__all__ = ["OvnAcl"]

# "2023-11-02T16:28:54.139Z|00004|acl_log(ovn_pinctrl0)|INFO|name="NP:audit:Ingress", verdict=drop, severity=alert, direction=to-lport: tcp,..."
# "ovs|00004|acl_log(ovn_pinctrl0)|INFO|name="NP:audit:Ingress", ..."   behind syslog's header: OVS lib/vlog.h, OpenShift's destination libc
_HEADER = re.compile(
    r"(?:(?P<at>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?Z)|(?<![^\s>])ovs)\|(?P<seq>\d{1,10})\|(?P<module>[\w-]{1,40})(?:\((?P<thread>[^)|]{1,60})\))?"
    r"\|(?P<level>[A-Z]{3,5})\|"
)
# 'name="verify-audit-logging_deny-all", verdict=drop, severity=alert:icmp,vlan_tci=...'   OpenShift 4.6 to 4.12
_ACL = re.compile(
    r"name=(?P<quote>\"?)(?P<name><unnamed>|[^\",\n]{0,256})(?P=quote), verdict=(?P<verdict>[a-z]{3,10})"
    r"(?:, severity=(?P<severity>[a-z]{1,10}))?(?:, direction=(?P<direction>from-lport|to-lport))?(?:: ?(?P<flow>.*))?"
)


# The same as whole lines, with the groups of `flowdiag.parserkit.line_form.GROUPS`; link addresses, lifetimes and the
# line's own number tell nothing.
@cache
def _form() -> re.Pattern[bytes]:
    return re.compile(
        rb"(?:(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?Z\|\d{1,10}\|acl_log\([\w-]{1,60}\)\|[A-Z]{3,5}\|"
        rb'(name="[!#-+\--~]{0,256}", verdict=[a-z]{3,10}(?:, severity=[a-z]{1,10})?(?:, direction=(?:from|to)-lport)?: ?[a-z]{2,8}[46]?)'
        rb",vlan_tci=0x[0-9a-f]{1,4},dl_src=[0-9a-f:]{17},dl_dst=[0-9a-f:]{17},"
        rb"(nw_src=[0-9.]{7,15},nw_dst=[0-9.]{7,15}|ipv6_src=[0-9a-f.:]{2,45},ipv6_dst=[0-9a-f.:]{2,45})"
        rb"(?:,ipv6_label=0x[0-9a-f]{1,8})?(?:,nw_(?:tos|ecn|ttl|frag)=[a-z0-9_]{1,10}){0,6}"
        rb"(?:,tp_src=(\d{1,5})(),tp_dst=(\d{1,5})()()(?:,tcp_flags=(0|[a-z|]{1,40}))?)?(?:,(icmp_type=\d{1,3},icmp_code=\d{1,3}))?"
        rb"|([^\n]*))\n"
    )


# The same for the most usual of them, tried first: see `flowdiag.parserkit.LineForm`.
@cache
def _quick() -> re.Pattern[bytes]:
    return re.compile(
        rb"(?:(.{10}T.{8})\.(\d{1,9})Z\|\d{1,10}\|acl_log\([A-Za-z0-9_-]{1,60}\)\|[A-Z]{3,5}\|"
        rb'(name="[^", \n]{0,256}", verdict=[a-z]{3,10}(?:, severity=[a-z]{1,10}|)(?:, direction=(?:from|to)-lport|): ?[^,]{2,8})'
        rb",vlan_tci=[^,]{3,6},dl_src=[^,]{17},dl_dst=[^,]{17},"
        rb"(nw_src=[^,]{7,15},nw_dst=[^,]{7,15}),nw_tos=\d{1,3},nw_ecn=\d,nw_ttl=\d{1,3}(?:,nw_frag=[a-z]{2,10}|)"
        rb"(?:,tp_src=(\d{1,5})(),tp_dst=(\d{1,5})()()(?:,tcp_flags=(0|[a-z|]{1,40})|)|)(?:,(icmp_type=\d{1,3},icmp_code=\d{1,3})|)"
        rb"|(.*))\n"
    )


_PAIR = re.compile(r"(?:^|,)([a-z][a-z0-9_]{1,20})=([^,\s]{0,80})")
_SNIFF = re.compile(rb"\|(?:binding|lflow|pinctrl)\|(?:INFO|WARN|ERR)\|")
# 'name="np/default-deny-ingress.kube-system/IPv4/0", verdict=drop'   Kube-OVN 1.10 and later, `acl_name`
_OF_KUBE_OVN = re.compile(rb"\bname=\"?(?:np|b?anp|cnp)/[^\",\n]{1,256}\"?, verdict=")
_BARE_SNIFF = re.compile(rb"^name=\"?[^\",\n]{1,256}\"?, verdict=[a-z]{4,6}, severity=", re.MULTILINE)
# "acl_log(ovn_pinctrl0)|WARN|Dropped 47 log messages in last 12 seconds (most recently, 1 seconds ago) due to excessive rate"   OVS vlog
_DROPPED = re.compile(r"Dropped (?P<lost>\d{1,12}) log messages in last (?P<seconds>\d{1,9}) seconds?")
# "anp-subject-3625_pod-1: Claiming 0a:58:09:f2:f4:29 fd00:10:244:3::3"   ovn-controller, says which address is a pod's
_CLAIM = re.compile(
    r"(?P<ns>[a-z0-9-]{1,63})_(?P<pod>[a-z0-9.-]{1,253}): Claiming (?P<mac>[0-9a-f:]{17})(?P<ips>(?: [0-9a-f.:]{2,45}){0,4})"
)

_VERDICTS = {
    "allow": Verdict.ALLOWED,
    "drop": Verdict.DENIED,
    "reject": Verdict.DENIED,
    # passed on to NetworkPolicies: no decision yet
    "pass": Verdict.UNKNOWN,
}
_DIRECTIONS = {"to-lport": Direction.INGRESS, "from-lport": Direction.EGRESS}
_LEVELS = {
    "EMER": "fatal",
    "ERR": "error",
    "WARN": "warning",
    "INFO": "info",
    "DBG": "debug",
}


class OvnAcl:
    """ACL verdicts of OVN-Kubernetes, Kube-OVN and plain OVN."""

    name: ClassVar[str] = "ovn-acl"
    summary: ClassVar[str] = "OVN ACL log (OpenShift, OVN-Kubernetes, Kube-OVN)"
    cni: ClassVar[str | None] = "ovn-kubernetes"
    # A second that is full of lines is told across blocks.
    sequential: ClassVar[bool] = True
    follows_time: ClassVar[bool] = True
    document: ClassVar[bool] = False

    @staticmethod
    def cni_in(head: bytes) -> str | None:
        """Kube-OVN's names of ACLs are its own."""
        return "kube-ovn" if seek(_OF_KUBE_OVN, head, b"np/") is not None else OvnAcl.cni

    def sniff(self, head: bytes) -> float:
        """``|acl_log(`` is a mark; other modules of ovn-controller nearly are."""
        if b"|acl_log(" in head or seek(_BARE_SNIFF, head, b", verdict=") is not None:
            return 0.97
        return 0.8 if seek(_SNIFF, head, b"|INFO|", b"|WARN|", b"|ERR|") is not None else 0.0

    def denied_marks(self, head: bytes) -> tuple[bytes, ...] | None:
        """Refusals by their verdict; a full second shows at any line, so all ACL lines are kept."""
        del head
        return (b"acl_log", b", verdict=")

    def parse(self, block: Block, context: ParseContext) -> Iterator[Event]:
        """Yield a flow per ACL line, a gap where lines were limited, a message for other modules."""
        seconds: Seconds = context.memory.setdefault("ovn-acl", {})
        cut = unfinished_line(block)
        for index, line in iter_lines(block):
            # Of a line for a syslog target (RFC 5424) all but the message stands in the header around it.
            bare = line.startswith(b"name=")
            if not bare and b"|" not in line:
                continue
            text = decode(line)
            header = None if bare else _HEADER.search(text, 0, 600)
            if header is None and not bare:
                if "|acl_log(" in text[:600]:
                    shared = frame(block.of_line(index), context, text)
                    yield ParseWarning(**shared, code="truncated", message="an ACL record without its head")
                continue
            around = block.of_line(index)
            shared = frame(around, context, text, _instant(header["at"]) if header is not None else None)
            body = text[header.end() :] if header is not None else text
            if header is not None and header["module"] != "acl_log":
                yield _message(header, body, shared)
                continue
            dropped = _DROPPED.search(body, 0, 400)
            if dropped is not None:
                yield _limited(shared, dropped)
                continue
            match = _ACL.match(body)
            if match is None:
                yield ParseWarning(**shared, code="truncated", message="not a whole ACL record")
                continue
            yield _flow(match, shared, cut=index == cut)
            yield from full_second(shared, seconds)

    def fold(self, block: Block, context: ParseContext, sink: FlowSink) -> None:
        """Count as reading would, but read only the first record of each kind."""
        with_raw = structs.replace(context, keep_raw=True)
        seconds: Seconds = context.memory.setdefault("ovn-acl", {})

        def read(line: bytes, around: LineEnvelope, _: Record) -> Iterator[Event]:
            text = decode(line)
            header = _HEADER.match(text)
            match = _ACL.match(text, header.end()) if header is not None else None
            if header is not None and match is not None:
                yield _flow(match, frame(around, with_raw, text, _instant(header["at"])))

        def told(place: int, reading: Reading, second: int) -> None:
            around = reading.block.of_line(place)
            sink.add(full(frame(around, with_raw, decode(reading.lines[place]), second * NS), second))

        counting = Counting(seconds, context.node, _quick(), told)
        form = LineForm(
            pattern=_form(),
            quick=_quick(),
            clock=utc_second,
            read=read,
            joined=counting.joined,
            whole=counting.whole,
            flags_between=b"|",
        )
        fold_forms(self, block, context, sink, form)


def _instant(text: str | None) -> int | None:
    """``None`` where syslog's header has the time, or none has a day of the calendar."""
    if text is None:
        return None
    try:
        return parse_rfc3339(text)
    except (ValueError, OverflowError):
        return None


def _flow(match: re.Match[str], shared: Frame, *, cut: bool = False) -> FlowEvent:
    """The record as an event; where it may have been `cut` off, without what its last word says."""
    flow = match["flow"] or ""
    word, comma, _ = flow.partition(",")
    word = word.strip() if comma or not cut else ""
    said: dict[str, str] = {}
    for key, value in _PAIR.findall(flow[:2000]):
        said.setdefault(key, value)
    if cut and said and "=" in flow.rpartition(",")[2]:
        # A port, an address or a code of which digits may be missing.
        del said[next(reversed(said))]
    verdict = _VERDICTS.get(match["verdict"], Verdict.UNKNOWN)
    denied = verdict is Verdict.DENIED
    hit = policy_of(match["name"], match["verdict"])
    # OpenStack names its security groups' ACLs so: no Kubernetes policy
    foreign = match["name"].startswith("neutron-")
    return FlowEvent(
        **shared,
        src=_end(said, "src"),
        dst=_end(said, "dst"),
        protocol=_protocol(word, said),
        direction=way_of(hit, _DIRECTIONS.get(match["direction"] or "")),
        verdict=verdict,
        verdict_raw=match["verdict"],
        cause=(Cause.CONFIGURATION if foreign else Cause.POLICY) if denied else None,
        reason=("openstack-security-group" if foreign else _reason(hit)) if denied else None,
        reason_raw=match["name"] or None,
        tcp_flags=_flags(said.get("tcp_flags")),
        icmp=_icmp(said),
        policies=(hit,) if hit is not None else (),
    )


def _protocol(word: str, said: dict[str, str]) -> str | None:
    """``tcp6``; of others the number is beside: ``ip,nw_src=192.0.2.1,nw_dst=192.0.2.2,nw_proto=47``."""
    if not word or "=" in word:
        return None
    return protocol_name(said.get("nw_proto", "") if word in ("ip", "ipv6") else word)


def _reason(hit: PolicyHit | None) -> str:
    if hit is None:
        return "policy-denied"
    if hit.kind == "NetworkPolicy":
        return "default-deny"  # NetworkPolicy has no other way to refuse
    return "policy-rule-denied"


def _end(said: dict[str, str], end: str) -> Peer:
    """IPv4 is ``nw_src``, IPv6 ``ipv6_src``; ARP and neighbour discovery have link addresses only."""
    address = (
        said.get(f"nw_{end}")
        or said.get(f"ipv6_{end}")
        or said.get(f"arp_{'spa' if end == 'src' else 'tpa'}")
    )
    port = said.get(f"tp_{end}", "")
    mac = said.get(f"dl_{end}", "")
    return Peer(
        ip=canonical_ip(address) if address else None,
        port=port_number(port),
        mac=mac if len(mac) == 17 else None,
    )


def _icmp(said: dict[str, str]) -> Icmp | None:
    kind, code = said.get("icmp_type", ""), said.get("icmp_code", "")
    if not (kind.isascii() and kind.isdigit() and len(kind) < 4):
        return None
    return Icmp(int(kind), int(code) if code.isascii() and code.isdigit() and len(code) < 4 else None)


def _flags(text: str | None) -> tuple[str, ...] | None:
    """``psh|ack``; ``0`` where none is set."""
    if not text:
        return None
    return tuple(flag.upper() for flag in text.split("|") if flag.isalpha()) or None


def _limited(shared: Frame, dropped: re.Match[str]) -> GapEvent:
    at, source = shared["at"], shared["time_source"]
    since = at - int(dropped["seconds"]) * NS if at is not None else None
    return GapEvent(
        line=shared["line"],
        at=since,
        time_source=source,
        node=shared["node"],
        raw=shared["raw"],
        kind="rate-limited",
        lost=int(dropped["lost"]),
        until=at,
        message="ovn-controller wrote fewer lines than there were",
    )


def _message(header: re.Match[str], body: str, shared: Frame) -> LogEvent:
    fields: dict[str, str] = {}
    signal = None
    claim = _CLAIM.match(body)
    if claim is not None:
        fields = {"namespace": claim["ns"], "pod": claim["pod"], "mac": claim["mac"]}
        if claim["ips"]:
            fields["ips"] = claim["ips"].strip()
    elif header["module"] == "lflow" and "error parsing actions" in body[:200]:
        # That ACL is then not programmed (ovn-kubernetes#4242: an OVN too old for the verdict "pass").
        signal = "acl-not-programmed"
    return LogEvent(
        **shared,
        level=_LEVELS.get(header["level"], header["level"].lower()),
        component=f"ovn-controller/{header['module']}",
        message=body[:2000],
        fields=fields,
        signal=signal,
    )
