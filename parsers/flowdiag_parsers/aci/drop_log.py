"""Parser of the OpFlex agent's drop log: what Cisco ACI's CNI refused on a node, by the table of Open vSwitch that had no flow for it.

Format: noironetworks/opflex ``agent-ovs/ovs/PacketLogHandler.cpp`` and ``PacketDecoderLayers.h``, 2019 to 2025; aci-containers
``docs``, "OpFlex Drop Log Feature" (``drop_log_config`` of acc-provision, off by default), which shows a NetworkPolicy's refusal.
NetworkPolicies are the security groups of a pod's port (``Acc-SEC_GROUP_IN_TABLE`` for what comes in, ``_OUT_`` for what goes
out), contracts between endpoint groups are ``Int-POL_TABLE``: no NetworkPolicy.  No policy is named.  Its times have no zone.
Behind a later fragment's header stands no port, but the agent prints some of its bytes for one.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import cache
from typing import ClassVar

from flowdiag.parserkit import (
    MONTHS,
    TCP_FLAGS,
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
    fold_forms,
    frame,
    is_ip,
    iter_lines,
    parse_rfc3339,
    port_number,
    protocol_name,
    seek,
    unfinished_line,
)

__all__ = ["OpflexDropLog"]

# "[2024-Feb-20 07:59:16.845663] [info] [ovs/PacketLogHandler.cpp:262:parseLog] Acc-SEC_GROUP_IN_TABLE MISS  SMAC=00:22:bd:f8:19:ff
#  DMAC=0a:58:0a:02:00:c3 ETYP=IPv4 SRC=10.2.0.229 DST=10.2.0.195 LEN=60 DSCP=0 TTL=62 ID=58352 FLAGS=2 FRAG=0 PROTO=TCP SPT=42934
#  DPT=80 SEQ=2794802783 ACK=0 LEN=10 WINDOWS=62020 SYN  URGP=0"                                                     ACI 6.0, one line
# "... Acc-GROUP_MAP_TABLE MISS  MAC=5a:08:66:ce:0b:49:9e:72:a6:94:18:af:IPv4 SRC=10.2.0.2 DST=10.2.0.1 ... PROTO=ICMP TYPE=8 CODE=0 ID=0 SEQ=0"   2019
# "... Int-POL_TABLE DENY /PolicyUniverse/PolicySpace/test/GbpeL24Classifier/classifier7/  MAC=..."                  the rule, since 2022
# "... Acc-SEC_GROUP_IN_TABLE MISS common N/A  SMAC=..."              the tenants of both ends, where it is set to print them, 2025
# "[2024-Feb-20 07:59:16.845663] Acc-SEC_GROUP_IN_TABLE MISS  SMAC=..."                   in a file or syslog of drops alone, 2024
_RECORD = re.compile(
    r"(?:^|[\]\s])(?P<table>(?:Int|Acc)-[A-Z][A-Z0-9_]{2,40}) (?P<word>MISS|DENY|PERMIT)(?: (?P<rule>/\S{1,400}))?"
    r"(?: [^\s=]{1,200} [^\s=]{1,200})? {1,3}(?=S?MAC=)"
)
_BEGINS = re.compile(r"(?:\bparseLog\] |^(?:\[[^\]]{20,40}\])? )(?:Int|Acc)-[A-Z]")
_STAMP = re.compile(r"\[(\d{4})-([A-Z][a-z]{2})-(\d\d) (\d\d:\d\d:\d\d\.\d{1,9})\]")
_SNIFF = re.compile(
    rb"(?:Int|Acc)-[A-Z][A-Z0-9_]{2,40} (?:MISS|DENY|PERMIT)(?: /[^\s]{1,400})?(?: [^\s=]{1,200} [^\s=]{1,200})? {1,3}S?MAC=[0-9a-f]{2}:"
)
_PAIR = re.compile(r"\b(SRC|DST|FRAG|TYPE|CODE)=(\S{1,60})")
# TCP's ports are followed by its numbers, UDP's by its length, flags by the urgent pointer, and an unknown protocol by nothing.
_PROTOCOL = re.compile(r" PROTO=(?P<name>[A-Za-z0-9]{1,20})(?P<unnamed>_unrecognized)?(?= |$)")
_PORTS = re.compile(r" SPT=(\d{1,5}) DPT=(\d{1,5}) (?:SEQ|LEN)=")
_FLAGS = re.compile(r" WINDOWS=\d{1,5} ([A-Z ]{0,60})URGP=")


# The same as whole lines, with the groups of `flowdiag.parserkit.line_form.GROUPS`.  Who logged it, cards, lifetimes and numbers
# tell nothing; by what follows the ports the protocol is told.
@cache
def _form() -> re.Pattern[bytes]:
    ip = rb"[0-9a-f.:]{2,45}"
    flag = rb"(?:CWR|ECE|URG|ACK|PSH|RST|SYN|FIN)"
    return re.compile(
        rb"(?:\[(\d{4}-[A-Z][a-z]{2}-\d\d \d\d:\d\d:\d\d)\.(\d{1,9})\] (?:\[[a-z]{4,7}\] \[[\w/.:]{1,100}\] |)"
        rb"((?:Int|Acc)-[A-Z][A-Z0-9_]{2,40} (?:MISS|DENY|PERMIT)(?: /[!-~]{1,400}|)) {1,3}"
        rb"(?:MAC=[0-9a-f:]{35}:IPv[46]|SMAC=[0-9a-f:]{17} DMAC=[0-9a-f:]{17} ETYP=IPv[46])( SRC="
        + ip
        + rb" DST="
        + ip
        + rb")"
        rb" LEN=\d{1,6} (?:DSCP=\d{1,3} TTL=\d{1,3} ID=\d{1,5} FLAGS=\d FRAG=0|TC=\d{1,3} HL=\d{1,3} FL=\d{1,7})"
        rb" PROTO=(?:TCP(?=[ A-Z=0-9]{15,26}SEQ)|UDP(?=[ A-Z=0-9]{15,26}LEN)) SPT=(\d{1,5})() DPT=(\d{1,5})( SEQ=| LEN=)()\d{1,10}"
        rb"(?: ACK=\d{1,10} LEN=\d{1,2} WINDOWS=\d{1,5} ("
        + flag
        + rb"(?: "
        + flag
        + rb"){0,7}|) {1,3}URGP=\d{1,5}|)() {0,2}"
        rb"|([^\n]*))\n"
    )


_WITH_PORTS = ("TCP", "UDP")
_GROUPS = {"Acc-SEC_GROUP_IN_TABLE": Direction.INGRESS, "Acc-SEC_GROUP_OUT_TABLE": Direction.EGRESS}
# Security groups of the cluster itself, that no NetworkPolicy makes, and that are asked first (2023).
_OWN_GROUPS = {"Acc-SYS_SEC_GRP_IN_TABLE": Direction.INGRESS, "Acc-SYS_SEC_GRP_OUT_TABLE": Direction.EGRESS}
_BY_TABLE = {
    "Int-POL_TABLE": "aci-contract",
    "Int-PORT_SECURITY_TABLE": "aci-port-security",
}
_VERDICTS = {"MISS": Verdict.DENIED, "DENY": Verdict.DENIED, "PERMIT": Verdict.ALLOWED}
_MARKS = (b"_TABLE MISS", b"_TABLE DENY")


class OpflexDropLog:
    """Packets that a node's Open vSwitch dropped under ACI."""

    name: ClassVar[str] = "opflex-drop-log"
    summary: ClassVar[str] = "Cisco ACI's OpFlex drop log (opflex-agent of aci-containers-host)"
    cni: ClassVar[str | None] = "aci"
    sequential: ClassVar[bool] = False
    document: ClassVar[bool] = False
    record_words: ClassVar[tuple[bytes, ...]] = (b"_TABLE MISS", b"_TABLE DENY", b"_TABLE PERMIT")

    def sniff(self, head: bytes) -> float:
        """A table, what it says, and a MAC address."""
        return 0.95 if seek(_SNIFF, head, b"Int-", b"Acc-") is not None else 0.0

    def denied_marks(self, head: bytes) -> tuple[bytes, ...] | None:
        """Every refusal has its table's miss or a rule that denies."""
        del head
        return _MARKS

    def parse(self, block: Block, context: ParseContext) -> Iterator[Event]:
        """Yield a flow per packet."""
        cut = unfinished_line(block)
        for index, line in iter_lines(block):
            if b"Acc-" not in line and b"Int-" not in line:
                continue
            text = decode(line)
            if index == cut:
                text = text[: text.rfind(" ") + 1]  # its last word may be the beginning of one
            found = _RECORD.search(text, 0, 1000)
            if found is None and _BEGINS.search(text, 0, 1000) is None:
                continue
            if " ARP_SPA=" in text[:1000]:
                continue  # no packet of IP
            stamp = _STAMP.search(text, 0, 200)
            shared = frame(block.of_line(index), context, text, _instant(stamp, context))
            flow = _flow(found, text[found.end() :], shared) if found is not None else None
            yield flow or ParseWarning(
                **shared, code="truncated", message="not a whole record of a dropped packet"
            )

    def fold(self, block: Block, context: ParseContext, sink: FlowSink) -> None:
        """Count as reading would, but read only the first record of each kind."""
        fold_forms(
            self,
            block,
            context,
            sink,
            LineForm(pattern=_form(), clock=_second_of(context), flags_between=b" "),
        )


def _second_of(context: ParseContext) -> Callable[[bytes, bool], int | None]:
    def read(text: bytes, enveloped: bool) -> int | None:
        del enveloped  # the stamp has its year
        return _instant(_STAMP.match(f"[{text.decode('ascii')}.0]"), context)

    return read


def _instant(stamp: re.Match[str] | None, context: ParseContext) -> int | None:
    """In the container's zone, which is mostly UTC; ``None`` without a day of the calendar."""
    if stamp is None or stamp[2] not in MONTHS:
        return None
    try:
        return parse_rfc3339(f"{stamp[1]}-{MONTHS[stamp[2]]:02}-{stamp[3]}T{stamp[4]}", context.zone)
    except (ValueError, OverflowError):
        return None


def _flow(found: re.Match[str], rest: str, shared: Frame) -> FlowEvent | None:
    """A record's flow; ``None`` where its end is missing."""
    rest = rest[:2000]
    said: dict[str, str] = {}
    for key, value in _PAIR.findall(rest):
        said.setdefault(key, value)
    src, dst, proto = said.get("SRC", ""), said.get("DST", ""), _PROTOCOL.search(rest)
    if proto is None or not (is_ip(src) and is_ip(dst)):
        return None
    table, word = found["table"], found["word"]
    verdict = _VERDICTS[word]
    denied = verdict is Verdict.DENIED
    first = said.get("FRAG", "0") == "0"
    ports = _PORTS.match(rest, proto.end()) if first else None
    # Behind a protocol with a name stands its header: one at the line's end may be half of a name.
    if not proto["unnamed"] and (proto.end() == len(rest.rstrip()) or not proto["name"].isalpha()):
        return None
    if proto["name"] in _WITH_PORTS and first and ports is None:
        return None
    # "2_unrecognized"   a protocol that the decoder has no name for
    protocol = protocol_name(proto["name"])
    cause, reason = _why(table, word) if denied else (None, None)
    flags = _FLAGS.search(rest) if protocol == "TCP" and first else None
    kind, code = said.get("TYPE", ""), said.get("CODE", "")
    return FlowEvent(
        **shared,
        src=Peer(ip=canonical_ip(src), port=port_number(ports[1]) if ports is not None else None),
        dst=Peer(ip=canonical_ip(dst), port=port_number(ports[2]) if ports is not None else None),
        protocol=protocol,
        direction=_GROUPS.get(table) or _OWN_GROUPS.get(table),
        verdict=verdict,
        verdict_raw=word,
        cause=cause,
        reason=reason,
        reason_raw=f"{table} {word}" + (f" {found['rule']}" if found["rule"] else ""),
        tcp_flags=tuple(flag for flag in flags[1].split() if flag in TCP_FLAGS) or None
        if flags is not None
        else None,
        icmp=Icmp(int(kind), int(code) if _small(code) else None)
        if _small(kind) and first and protocol == "ICMP"
        else None,
    )


def _small(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 4


def _why(table: str, word: str) -> tuple[Cause, str]:
    """A security group admits by its rules alone, so a miss is a default deny; other tables are the network's."""
    if table in _GROUPS:
        return Cause.POLICY, "default-deny" if word == "MISS" else "policy-denied"
    if table in _OWN_GROUPS:
        return Cause.CONFIGURATION, "aci-system-security-group"
    own = _BY_TABLE.get(table)
    if own is not None:
        return Cause.CONFIGURATION, own
    return Cause.FAULT, f"aci-{table.lower().replace('_', '-').removesuffix('-table')}"
