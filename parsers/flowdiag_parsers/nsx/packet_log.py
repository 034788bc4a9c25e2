"""Parser of the packet logs of NSX's firewalls: the distributed one of an ESXi host, and those of gateways.

Format: VMware's NSX administration guides, "Distributed Firewall Packet Logs" (``dfwpktlogs.log``, NSX-T 2.2 to NSX 4.1) and
"Gateway Firewall Packet Logs" (``firewallpkt.log``), and NSX for vSphere 6.2 to 6.4.  NSX's container plug-in writes
NetworkPolicies as rules of the distributed firewall, beside those of administrators: a record has the rule's number alone, so
that it does not say whose rule refused.  Its direction is seen from the interface, a pod's or a machine's; a gateway's is not.
Only rules with logging write (``log_dropped_traffic`` or ``log_firewall_traffic`` of ncp.ini for those of policies).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from typing import ClassVar

from flowdiag.parserkit import (
    Block,
    Cause,
    Direction,
    Event,
    FlowEvent,
    FlowSink,
    Frame,
    Icmp,
    LineForm,
    ParseContext,
    ParseWarning,
    Peer,
    Verdict,
    canonical_ip,
    decode,
    flags_of_letters,
    fold_forms,
    frame,
    instant_of,
    is_ip,
    iter_lines,
    port_number,
    protocol_name,
    seek,
    unfinished_line,
    utc_second,
)

__all__ = ["NsxFirewall"]

# "2016-09-17T09:41:50.979Z INET match DROP domain-c46/1005 OUT 78 UDP 10.2.5.10/137->10.2.5.255/137"       NSX-V 6.2.2
# "2018-07-03T19:46:02.338Z 7396c504 INET match DROP mainrs/1024 OUT 52 TCP 192.0.2.3/49676->192.0.2.4/135 SEW"   NSX-T 2.2 to 4.1
# "2018-07-06T18:15:49.647Z 028cd586 INET match DROP mainrs/1027 IN 36 PROTO 2 0.0.0.0->224.0.0.1"   IGMP
# "2026-03-03T00:02:11.678Z No(13) FIREWALL-PKTLOG[1069031]: 8b4a1980 INET match PASS 25577 OUT 84 ICMP 192.0.2.10->192.0.2.17"   ESXi 8
# "... INET TERM PASS 5096 OUT TCP RST 192.0.2.11/60517->192.0.2.10/443 9/8 1461/4677 DR-Allow"             a connection's end, NSX 4
# "... <1 55f1af2f487544e9:b0e059132ad7753d> INET reason-match PASS 1005 OUT 60 TCP 192.0.2.10/45120->192.0.2.38/443 S"   a gateway, 3.0
_PACKET = re.compile(
    r"(?P<gateway><[^<>\s]{1,12} [0-9a-f:]{3,80}> )?\bINET6? (?P<why>[A-Za-z][A-Za-z-]{1,19}) (?:(?P<action>[A-Z]{2,9}) )?"
    r"(?P<rule>(?:[\w.-]{1,64}/)?\d{1,20}) (?P<way>IN|OUT) (?:\d{1,6} )?(?P<protocol>PROTO \d{1,3}|[A-Za-z][\w-]{1,15}) "
    r"(?:(?P<type>\d{1,3}) (?P<code>\d{1,3}) )?(?:[A-Z]{3,10} )?"
    r"(?P<src>[0-9A-Fa-f.:]{2,45})(?:/(?P<sport>\d{1,5}))?->(?P<dst>[0-9A-Fa-f.:]{2,45})(?:/(?P<dport>\d{1,5}))?"
    r"(?: (?P<flags>[SAPUFREW]{1,8})(?= |$))?(?= |$)"
)
_BEGINS = re.compile(r"\bINET6? [A-Za-z][A-Za-z-]{1,19} ")
_SNIFF = re.compile(
    rb"\bINET6? [A-Za-z][A-Za-z-]{1,19} (?:[A-Z]{2,9} )?(?:[\w.-]{1,64}/)?\d{1,20} (?:IN|OUT) (?:\d{1,6} )?"
    rb"(?:PROTO \d{1,3}|[A-Za-z][\w-]{1,15}) [^\n]{2,90}->"
)
_STAMPED = re.compile(rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?Z [^\n]{0,80}\bINET")
_STAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?Z(?= )")

_VERDICTS = {
    "PASS": Verdict.ALLOWED,
    "COPY": Verdict.ALLOWED,
    "DROP": Verdict.DENIED,
    "REJECT": Verdict.DENIED,
    "PUNT": Verdict.REDIRECTED,
    "REDIRECT": Verdict.REDIRECTED,
}
_DIRECTIONS = {"IN": Direction.INGRESS, "OUT": Direction.EGRESS}
_MATCHED = ("match", "reason-match")
_ENDED = "TERM"


# The same as whole lines, with the groups of `flowdiag.parserkit.line_form.GROUPS`.  A packet's length tells nothing.
@cache
def _form() -> re.Pattern[bytes]:
    return re.compile(
        rb"(?:(?:(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)\.(\d{1,9})Z |(?!\d{4}-))((?:[^ \n]{1,80} ){0,3}?INET6? match [A-Z]{2,9}"
        rb" (?:[A-Za-z0-9_.-]{1,64}/)?\d{1,20} (?:IN|OUT)) (?:\d{1,6}) ((?:TCP|UDP) [0-9A-Fa-f.:]{2,45})/(\d{1,5})->"
        rb"([0-9A-Fa-f.:]{2,45})/(\d{1,5})()()(?: ([SAPUFREW]{1,8})(?=[ \n])|)((?: [^ \n]{1,100}|))"
        rb"|([^\n]*))\n"
    )


class NsxFirewall:
    """Packets that NSX's firewall let through or refused."""

    name: ClassVar[str] = "nsx-firewall"
    summary: ClassVar[str] = "NSX firewall packet log (dfwpktlogs, with NCP also NetworkPolicies; gateways)"
    # Hosts without a cluster write it as well.
    cni: ClassVar[str | None] = None
    sequential: ClassVar[bool] = False
    document: ClassVar[bool] = False

    def sniff(self, head: bytes) -> float:
        """The address family, a reason and a rule's number before an arrow are a mark."""
        if seek(_SNIFF, head, b"INET ", b"INET6 ") is None:
            return 0.0
        # Before a record a stamp is its own: what takes it off for kubectl's leaves less than there was.
        return 0.95 if _STAMPED.match(head) is not None else 0.7

    def denied_marks(self, head: bytes) -> tuple[bytes, ...] | None:
        """The action is a word of its own."""
        del head
        return (b" DROP ", b" REJECT ")

    def parse(self, block: Block, context: ParseContext) -> Iterator[Event]:
        """Yield a flow per packet, and one that says nothing of a verdict per connection that ended."""
        cut = unfinished_line(block)
        for index, line in iter_lines(block):
            if b"INET" not in line:
                continue
            text = decode(line)
            found = _PACKET.search(text, 0, 1000)
            if found is None and _BEGINS.search(text, 0, 1000) is None:
                continue
            stamp = _STAMP.match(text)
            shared = frame(block.of_line(index), context, text, instant_of(stamp[0] if stamp else None))
            ends = index == cut and found is not None and found.end() == len(text)
            last = ends and found is not None and found["flags"] is None
            if found is None or not _is_whole(found, last=last):
                yield ParseWarning(**shared, code="truncated", message="not a whole record of a packet")
            else:
                yield _flow(found, shared, last=last, cut=ends)

    def fold(self, block: Block, context: ParseContext, sink: FlowSink) -> None:
        """Count as reading would, but read only the first record of each kind."""
        fold_forms(self, block, context, sink, LineForm(pattern=_form(), clock=utc_second, flags_between=b""))


def _is_whole(found: re.Match[str], *, last: bool) -> bool:
    """Whether a record names both ends; `last` where its last word may be the beginning of one."""
    # "... UDP 10.2.5.10/137->10.2.5.2": whoever has a port calls one.
    ports = (found["sport"] is None) == (found["dport"] is None)
    return ports and is_ip(found["src"]) and is_ip(found["dst"]) and not (last and found["dport"] is None)


def _flow(found: re.Match[str], shared: Frame, *, last: bool, cut: bool) -> FlowEvent:
    why, action = found["why"], found["action"]
    # What ended had been let through, and was written when it began.
    verdict = Verdict.UNKNOWN if why == _ENDED else _VERDICTS.get(action or "", Verdict.UNKNOWN)
    denied = verdict is Verdict.DENIED
    cause, reason = _why(why, gateway=found["gateway"] is not None) if denied else (None, None)
    protocol = protocol_name(found["protocol"].removeprefix("PROTO "))
    kind, code = found["type"], found["code"]
    flags = found["flags"] or ""
    return FlowEvent(
        **shared,
        src=Peer(ip=canonical_ip(found["src"]), port=port_number(found["sport"])),
        dst=Peer(ip=canonical_ip(found["dst"]), port=None if last else port_number(found["dport"])),
        protocol=protocol,
        direction=_DIRECTIONS[found["way"]] if found["gateway"] is None else None,
        verdict=verdict,
        verdict_raw=f"{why} {action}" if action else why,
        cause=cause,
        reason=reason,
        reason_raw=f"rule {found['rule']}" if denied else None,
        # "S" may be the beginning of "SA".
        # A rule's tag may be of the same letters: "... UDP 10.2.5.10/137->10.2.5.255/137 SAP"
        tcp_flags=flags_of_letters(flags) if protocol == "TCP" and not cut else None,
        icmp=Icmp(int(kind), int(code)) if kind is not None and protocol in ("ICMP", "ICMPv6") else None,
    )


def _why(why: str, *, gateway: bool) -> tuple[Cause | None, str]:
    """Cause and reason of a refusal; a rule of the distributed firewall may be a policy's or an administrator's."""
    if why in _MATCHED:
        return (Cause.CONFIGURATION, "nsx-gateway-rule") if gateway else (None, "nsx-firewall-rule")
    if why == "SpoofGuard":
        return Cause.CONFIGURATION, "nsx-spoofguard"
    return Cause.FAULT, f"nsx-{why.removeprefix('reason-').lower()}"
