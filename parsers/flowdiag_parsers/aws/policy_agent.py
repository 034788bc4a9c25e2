"""Parser of the AWS network policy agent's log: all four shapes that its flow records have had.

Format: aws/aws-network-policy-agent ``pkg/ebpf/events/events.go`` and ``pkg/logger/zaplogger.go``, v1.0.1 to v1.4.1;
the CloudWatch message is built in the same file.  No shape names a policy or a pod.  Event logs are off by default
and DENY is not written at log level error, so that a log without refusals proves nothing.
What the agent refuses wrongly is judged later, with the pods at hand: replies (turned round by their ports, FD602)
and the first seconds of a pod (FD601).  A destination can be a Service's address: the probe sits before DNAT.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from typing import Any, ClassVar

import msgspec

from flowdiag.parserkit import (
    Block,
    Cause,
    Direction,
    Event,
    FlowEvent,
    FlowSink,
    Frame,
    LineForm,
    LogEvent,
    ParseContext,
    ParseWarning,
    Peer,
    Verdict,
    beheaded,
    canonical_ip,
    decode,
    fold_forms,
    frame,
    instant_of,
    integer_of,
    iter_lines,
    json_object,
    object_behind,
    port_number,
    protocol_name,
    seek,
    text_of,
    utc_second,
)

__all__ = ["AwsPolicyAgent"]

# "Flow Info: Src IP: 10.0.1.28 Src Port: 55484 Dest IP: 10.0.1.132 Dest Port: 80 Proto TCP Verdict DENY Direction ingress"   v1.2.2
# "... Proto TCP Verdict DENY Direction ingress, Tier ADMIN"                   v1.3.0, IPv4
# "... Proto: UDP Verdict: DENY Direction: ingress Tier: DEFAULT"              v1.3.0, IPv6
_MESSAGE = re.compile(
    r"Flow Info: +Src IP: (?P<src>\S{1,64}) Src Port: (?P<sport>\d{1,5}) Dest IP: (?P<dst>\S{1,64})"
    r" Dest Port: (?P<dport>\d{1,5}) Proto:? (?P<proto>ANY PROTOCOL|\S{1,16}) Verdict:? (?P<verdict>\S{1,20})"
    r" Direction:? (?P<direction>\w{1,10})(?:,? Tier:? (?P<tier>\w{1,32}))?"
)
# "Node: ip-10-0-100-44.ec2.internal;SIP: 10.0.115.28;SPORT: 37758;DIP: 169.254.169.254;DPORT: 80;PROTOCOL: TCP;PolicyVerdict: DENY"   v1.0.1 to v1.2.7
# "...;PolicyVerdict: DENY;Tier: NETWORK_POLICY"                               v1.3.0
_CLOUDWATCH = re.compile(
    r"Node: (?P<node>[^;\s]{1,253});SIP: (?P<src>[^;\s]{1,64});SPORT: (?P<sport>\d{1,5});DIP: (?P<dst>[^;\s]{1,64});"
    r"DPORT: (?P<dport>\d{1,5});PROTOCOL: (?P<proto>[^;]{1,16});PolicyVerdict: (?P<verdict>[^;\s]{1,20})"
    r"(?:;Tier: (?P<tier>\w{1,32}))?"
)
# The same as whole lines, with the groups of `flowdiag.parserkit.line_form.GROUPS`: who called the logger tells nothing.
# {"level":"info","ts":"2025-11-21T03:24:44.553Z","caller":"runtime/asm_arm64.s:1223","msg":"Flow Info: Src IP: ..."}   v1.2.2
_START = (
    rb'(?:\{"level":"[a-z]{4,5}","ts":"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)\.(\d{1,9})Z"(?:,"logger":"[\w.-]{1,40}")?'
    rb'(?:,"caller":"[\w./:-]{1,80}")?,"msg":"Flow Info: +'
)


@cache
def _message_form() -> re.Pattern[bytes]:
    return re.compile(
        _START
        + rb"Src IP: ([0-9a-fA-F.:]{2,45})() Src Port: (\d{1,5}) Dest IP: ([0-9a-fA-F.:]{2,45}) Dest Port: (\d{1,5})"
        rb" Proto:? ([A-Z]{1,10}) Verdict:? ([A-Z/]{1,20})() Direction:? ([a-z]{1,10}(?:,? Tier:? [A-Z_]{1,32})?)\"\}"
        rb"|([^\n]*))\n"
    )


# The same for the most usual of them, tried first: see `flowdiag.parserkit.LineForm`.  Who called is captured, since only
# reading sees whether it is a string of JSON.
@cache
def _message_quick() -> re.Pattern[bytes]:
    return re.compile(
        rb'(?:\{"level":"[a-z]{4,5}","ts":"(.{19})\.(\d{1,9})Z"((?:,"logger":"[^"]{1,40}"|)(?:,"caller":"[^"]{1,80}"|),)"msg":"Flow Info: +'
        rb"Src IP: ([^ ]{2,45}) Src Port: (\d{1,5}) Dest IP: ([^ ]{2,45}) Dest Port: (\d{1,5})"
        rb' Proto:? ([^ ]{1,10}) Verdict:? ([^ ]{1,20})() Direction:? ([a-z]{1,10}(?:,? Tier:? [A-Z_]{1,32}|))"\}'
        rb"|(.*))\n"
    )


# {...,"logger":"ebpf-client","caller":"events/events.go:193","msg":"Flow Info: ","Src IP":"10.0.141.167","Src Port":39197,
#  "Dest IP":"172.20.0.10","Dest Port":53,"Proto":"TCP","Verdict":"ACCEPT"}   v1.0.4 to v1.2.1
@cache
def _fields_form() -> re.Pattern[bytes]:
    return re.compile(
        _START
        + rb'","Src IP":"([0-9a-fA-F.:]{2,45})()","Src Port":(\d{1,5}),"Dest IP":"([0-9a-fA-F.:]{2,45})"'
        rb',"Dest Port":(\d{1,5}),"Proto":"([A-Z]{1,10})","Verdict":"([A-Z/]{1,20})()()"\}|([^\n]*))\n'
    )


def _forms(data: bytes) -> tuple[re.Pattern[bytes], re.Pattern[bytes] | None] | None:
    """Of one agent's lines: it writes one shape."""
    if b'"Src IP":' in data:
        return _fields_form(), None
    return (_message_form(), _message_quick()) if b"Flow Info:" in data else None


_SNIFF = re.compile(
    rb'"msg"\s{0,4}:\s{0,4}"Flow Info: |SIP: \S{1,64};SPORT: \d{1,5};DIP: |"caller"\s{0,4}:\s{0,4}"(?:ebpf/bpf_client|rpc/rpc_handler)\.go'
    rb'|"logger"\s{0,4}:\s{0,4}"controllers\.policyEndpoints"'
)
_VERDICTS = {"DENY": Verdict.DENIED, "ACCEPT": Verdict.ALLOWED}
_DIRECTIONS = {"ingress": Direction.INGRESS, "egress": Direction.EGRESS}

# Tiers since v1.3.0.  NetworkPolicy has no deny rule, so a refusal in its tier, or by the default after all tiers, is
# a default deny; the admin tiers hold rules that deny.
_DENIALS: dict[str | None, tuple[Cause, str]] = {
    None: (Cause.POLICY, "default-deny"),
    "NETWORK_POLICY": (Cause.POLICY, "default-deny"),
    "DEFAULT": (Cause.POLICY, "default-deny"),
    "ADMIN": (Cause.POLICY, "admin-tier-deny"),
    "BASELINE": (Cause.POLICY, "baseline-tier-deny"),
    "ERROR": (Cause.FAULT, "policy-evaluation-error"),
}

# "No active policies. Updating pod_state map for podIdentifier: ... networkPolicyMode: strict"   v1.1
_SIGNALS: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"No active policies\. Updating pod_state map.{0,400}strict"), "pod-denied-until-ready"),
    (re.compile(r"[Ff]ailed to .{0,200}(?:[Pp]robe|map)"), "policy-not-programmed"),
    (re.compile(r"^(?:Starting|starting) manager"), "agent-started"),
    (re.compile(r"No L4 specified\. Add Catch all entry"), "catch-all-entry"),
)


class AwsPolicyAgent:
    """Verdicts of the network policy agent of the AWS VPC CNI, on the node or through CloudWatch."""

    name: ClassVar[str] = "aws-network-policy-agent"
    summary: ClassVar[str] = "AWS VPC CNI network policy agent (node file and CloudWatch audit message)"
    cni: ClassVar[str | None] = "aws-vpc-cni"
    sequential: ClassVar[bool] = False
    document: ClassVar[bool] = False
    tells_inferred_years: ClassVar[bool] = True

    def sniff(self, head: bytes) -> float:
        """A flow message of any shape is a mark."""
        words = (
            b"Flow Info: ",
            b";DIP: ",
            b"/bpf_client.go",
            b"/rpc_handler.go",
            b"controllers.policyEndpoints",
        )
        return 0.95 if seek(_SNIFF, head, *words) is not None else 0.0

    def denied_marks(self, head: bytes) -> tuple[bytes, ...] | None:
        """The verdict is a word of its own in every shape."""
        del head
        return (b"DENY",)

    def parse(self, block: Block, context: ParseContext) -> Iterator[Event]:
        """Yield one event per line: a flow, or what else the agent said."""
        for index, line in iter_lines(block):
            if line[:1] == b"{":
                yield _json_event(line, block, index, context)
            elif b";DIP: " in line or b"SIP: " in line:
                yield _cloudwatch_event(decode(line), block, index, context)
            elif (body := object_behind(line, b"Flow Info:")) is not line:
                yield _json_event(body, block, index, context)
            elif index == 0 and beheaded(line, block.of_line(index)):
                yield _json_event(line, block, index, context)

    def fold(self, block: Block, context: ParseContext, sink: FlowSink) -> None:
        """Count as reading would, but read only the first flow of each kind."""
        # Lines of another shape in the same block are read.
        patterns = _forms(block.data)
        if patterns is None:
            for event in self.parse(block, msgspec.structs.replace(context, keep_raw=True)):
                sink.add(event)
            return
        fold_forms(
            self, block, context, sink, LineForm(pattern=patterns[0], quick=patterns[1], clock=utc_second)
        )


def _cloudwatch_event(text: str, block: Block, index: int, context: ParseContext) -> Event:
    """Time is only in the envelope, and the direction nowhere."""
    match = _CLOUDWATCH.search(text)
    around = block.of_line(index)
    if match is None:
        return ParseWarning(
            **frame(around, context, text), code="truncated", message="not a whole audit message"
        )
    return _flow(frame(around, context, text, node=match["node"]), match.groupdict())


def _json_event(line: bytes, block: Block, index: int, context: ParseContext) -> Event:
    around = block.of_line(index)
    text = decode(line)
    record = json_object(line)
    if record is None:
        shared = frame(around, context, text)
        return ParseWarning(**shared, code="malformed-json", message="not a whole record of the agent")
    shared = frame(around, context, text, _instant(record))
    message = text_of(record, "msg", "message") or ""
    if not message and ("Flow Info:" in text or ";DIP: " in text):
        said = "a record in an object that is not known"
        return ParseWarning(**shared, code="malformed-flow", message=said)
    if message.startswith("Flow Info:"):
        # v1.0.1 to v1.2.1 wrote each value under a key of its own
        if "Src IP" in record:
            return _fields_event(record, shared)
        match = _MESSAGE.match(message)
        if match is None:
            return ParseWarning(**shared, code="malformed-flow", message="no known shape of a flow")
        return _flow(shared, match.groupdict())
    fields = {
        key.strip(): str(value)[:400]
        for key, value in record.items()
        if key not in ("level", "ts", "timestamp", "msg", "caller", "logger")
    }
    level = text_of(record, "level")
    signal = next((code for pattern, code in _SIGNALS if pattern.search(message[:2000])), None)
    return LogEvent(
        **shared,
        level=level,
        component=text_of(record, "logger") or around.container or "aws-network-policy-agent",
        message=message[:2000],
        fields=fields,
        signal=signal if signal != "policy-not-programmed" or level == "error" else None,
    )


def _instant(record: dict[str, Any]) -> int | None:
    return instant_of(text_of(record, "ts", "timestamp"))


def _fields_event(record: dict[str, Any], shared: Frame) -> Event:
    # {"level":"info","ts":"2024-09-23T12:36:53.604Z","logger":"ebpf-client","msg":"Flow Info:  ","Src IP":"10.0.0.1",
    #  "Src Port":43088,"Dest IP":"172.20.2.72","Dest Port":14220,"Proto":"TCP","Verdict":"DENY"}   v1.0.1 to v1.2.1
    src, dst, verdict = (text_of(record, key) for key in ("Src IP", "Dest IP", "Verdict"))
    if src is None or dst is None or verdict is None:
        return ParseWarning(**shared, code="malformed-flow", message="addresses or verdict are missing")
    return _flow(
        shared,
        {
            "src": src,
            "dst": dst,
            "sport": integer_of(record, "Src Port"),
            "dport": integer_of(record, "Dest Port"),
            "proto": text_of(record, "Proto") or "",
            "verdict": verdict,
            "direction": text_of(record, "Direction"),
            "tier": text_of(record, "Tier"),
        },
    )


def _flow(shared: Frame, said: dict[str, Any]) -> FlowEvent:
    verdict = _VERDICTS.get(said["verdict"], Verdict.UNKNOWN)  # EXPIRED/DELETED is conntrack's housekeeping
    tier = said.get("tier")
    cause, reason = _DENIALS.get(tier, (Cause.POLICY, "policy-denied"))
    denied = verdict is Verdict.DENIED
    protocol = protocol_name(said["proto"])
    src, dst = canonical_ip(said["src"]), canonical_ip(said["dst"])
    return FlowEvent(
        **shared,
        src=Peer(ip=src, port=_port(said["sport"], protocol)),
        dst=Peer(ip=dst, port=_port(said["dport"], protocol)),
        protocol=protocol,
        direction=_DIRECTIONS.get((said.get("direction") or "").lower()),
        verdict=verdict,
        verdict_raw=said["verdict"],
        cause=cause if denied else None,
        reason=reason if denied else None,
        reason_raw=f"Tier {tier}" if tier else None,
    )


def _port(value: str | int | None, protocol: str | None) -> int | None:
    """The agent writes 0 where the protocol has no ports."""
    return None if protocol in ("ICMP", "ICMPv6") else port_number(value) or None
