"""Parser of packet lines in the kernel log: Calico's Log action, ufw, firewalld, home-made rules."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache, lru_cache
from typing import Any, ClassVar

import msgspec

from flowdiag.parserkit import (
    Block,
    Brief,
    Direction,
    Event,
    FlowEvent,
    FlowSink,
    GapEvent,
    LineEnvelope,
    LineForm,
    ParseContext,
    ParseWarning,
    Peer,
    Record,
    TimeSource,
    decode,
    fold_forms,
    from_micros,
    is_workload_interface,
    iter_lines,
)
from flowdiag_parsers.netfilter.header import Header, read_header
from flowdiag_parsers.netfilter.packet import read_packet
from flowdiag_parsers.netfilter.prefix import read_prefix

__all__ = ["NetfilterLog"]

_SNIFF = re.compile(
    rb"IN=\S{0,64} OUT=\S{0,64} [^\n]{0,200}?SRC=\S{1,64} DST=\S{1,64} LEN=\d+ (?:TOS=(?P<tos>\S+)|TC=)"
)
# PACKET: 2 1266087f IN=eth0 OUT=eth1 SRC=... DST=... LEN=60 TOS=0x0 TTL=64 ...   iptables 1.8 xtables-monitor: another reader's.
_TRACED = re.compile(rb"^ {0,8}PACKET: \d{1,2} [0-9a-f]{8} ", re.MULTILINE)
# "Nov  3 16:23:17 node-1  IN=kube-bridge OUT=eth0 MAC=... SRC=2001:db8:1::5 DST=2001:db8:2::9 LEN=72 TC=0 ..."   ulogd 2.0.7:
# of IPv6 both write the same words, but only the kernel's lines name their writer ("kernel:") before a rule without a prefix.
_ULOGD = re.compile(
    rb"^[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d [A-Za-z0-9][A-Za-z0-9_.-]{0,252}  IN=", re.MULTILINE
)

# "net_ratelimit: 12 callbacks suppressed"                              kernel, since 2.6
# "** 113 printk messages dropped **", "printk: 7 messages suppressed"  kernel ring buffer overrun
# "systemd-journald[412]: Suppressed 1290 messages from kernel"         journald rate limit
# "imjournal: 3521 messages lost due to rate-limiting"                  rsyslog
_GAP = re.compile(
    r"(?:net_ratelimit|nf_\w{1,40}): (?P<a>\d{1,12}) callbacks suppressed|(?P<b>\d{1,12}) (?:printk )?messages (?:dropped|suppressed)"
    r"|Suppressed (?P<c>\d{1,12}) messages|(?P<d>\d{1,12}) messages lost"
)


# Groups as `flowdiag.parserkit.line_form.GROUPS` has them.  What differs from packet to packet of one connection
# (uptime, length, TTL, identification, window) tells nothing.
# e.g. "[307753.360525] calico-packet: IN=cali527b0801ecb OUT=eth0 MAC=ee:ee:ee:ee:ee:ee:02:42:0a:00:01:05:08:00
#  SRC=10.0.1.5 DST=192.0.2.10 LEN=60 TOS=0x00 PREC=0x00 TTL=63 ID=1001 DF PROTO=TCP SPT=40001 DPT=443 WINDOW=64240
#  RES=0x00 SYN URGP=0"
@cache
def _form() -> re.Pattern[bytes]:
    return re.compile(
        rb"(?:()()(?:\[ {0,12}\d{1,12}\.\d{1,9}\] )?((?!\[[ \d]|\[[A-Z][a-z]{2} |[<\d]|kern|[A-Z][a-z]{2} {1,2}\d)[^\n=\x80-\xff]{0,128}IN=\S{0,64} OUT=\S{0,64}"
        rb"(?: MAC=[0-9a-f:]{0,80})? SRC=[0-9a-f.:]{1,45} DST=[0-9a-f.:]{1,45}) LEN=\d{1,6} "
        rb"(?:TOS=0x\w\w PREC=0x\w\w TTL=\d{1,3} ID=\d{1,5} (?:DF )?|TC=\d{1,3} HOPLIMIT=\d{1,3} FLOWLBL=\d{1,7} )"
        rb"(PROTO=(?:TCP|UDP|ICMP(?:v6)? TYPE=\d{1,3} CODE=\d{1,3}))(?: SPT=(\d{1,5}))?( DPT=(?=\d{1,5} )|)(\d{1,5}|)"
        rb"(?: SEQ=\d{1,10} ACK=\d{1,10})?(?: WINDOW=\d{1,5} RES=0x[0-9a-f]{2})?()()((?: (?:CWR|ECE|URG|ACK|PSH|RST|SYN|FIN)){0,8})"
        rb"(?: URGP=\d{1,5}| LEN=\d{1,6}| ID=\d{1,5} SEQ=\d{1,5}|)(?: MARK=0x[0-9a-f]{1,8})?() ?"
        rb"|([^\n]*))\n"
    )


# The same for the most usual of them, tried first: see `flowdiag.parserkit.LineForm`.
@cache
def _quick() -> re.Pattern[bytes]:
    return re.compile(
        rb"(?:()()(?:\[ {0,12}\d{1,12}\.\d{1,9}\] |)((?![<\dk]|\[[ \d]|\[?[A-Z][a-z])[^=]{0,128}(?<=IN)=[^ ]{0,64} OUT=[^ ]{0,64}"
        rb"(?: MAC=[^ ]{0,80}|) SRC=[^ ]{1,45} DST=[^ ]{1,45}) LEN=\d{1,6} "
        rb"TOS=0x\w\w PREC=0x\w\w TTL=\d{1,3} ID=\d{1,5} (?:DF |)"
        rb"(PROTO=(?:TCP|UDP)) SPT=(\d{1,5})( DPT=)(\d{1,5})"
        rb"(?: WINDOW=\d{1,5} RES=0x[0-9a-f]{2}()()( SYN| ACK(?: SYN| PSH| RST|)(?: FIN|)| RST|) URGP=\d{1,5}| LEN=\d{1,6})"
        rb"(?: MARK=0x[0-9a-f]{1,8}|)() ?"
        rb"|(.*))\n"
    )


# The same in few pieces: see `flowdiag.parserkit.Brief`.  The window, or the length of a datagram, tells the protocol: no W
# stands behind one, and no L behind the other.
@cache
def _brief() -> Brief:
    return Brief(
        re.compile(
            rb"(?:(?:\[ {0,12}\d{1,12}\.\d{1,9}\] |)((?![<\dk]|\[[ \d]|\[?[A-Z][a-z])[^=]{0,128}(?<=IN)=[^ ]{0,64} OUT=[^ ]{0,64}"
            rb"(?: MAC=[^ ]{0,80}|) SRC=[^ ]{1,45} DST=[^ ]{1,45}) LEN=\d{1,6} "
            rb"TOS=0x\w\w PREC=0x\w\w TTL=\d{1,3} ID=\d{1,5} (?:DF |)"
            rb"PROTO=(?:TCP(?=.{13,21}W)|UDP(?=.{13,21}L)) SPT=(\d{1,5}) DPT=(\d{1,5})"
            rb"(?: WINDOW=\d{1,5} RES=0x[0-9a-f]{2}((?: SYN| ACK(?: SYN| PSH| RST|)(?: FIN|)| RST|) URGP)=\d{1,5}| LEN=\d{1,6})"
            rb"(?: MARK=0x[0-9a-f]{1,8}|) ?"
            rb"|(.*))\n"
        ),
        ports=(1, 2),
    )


class NetfilterLog:
    """Kernel packet lines (``IN= OUT= SRC= DST= PROTO=``) in dmesg, syslog and journal form."""

    name: ClassVar[str] = "netfilter"
    summary: ClassVar[str] = "netfilter packet log: calico-packet, ufw, firewalld, own LOG rules"
    cni: ClassVar[str | None] = None
    sequential: ClassVar[bool] = False
    document: ClassVar[bool] = False
    tells_inferred_years: ClassVar[bool] = True
    record_words: ClassVar[tuple[bytes, ...]] = (b" SRC=",)

    def sniff(self, head: bytes) -> float:
        """A whole packet line is a mark; what ulogd wrote (``TOS=00``, no ``kernel:``) belongs to another reader."""
        match = _SNIFF.search(head)
        if match is not None:
            tos = match["tos"]
            foreign = not tos.startswith(b"0x") if tos is not None else _ULOGD.search(head) is not None
            traced = b"PACKET: " in head and _TRACED.search(head) is not None
            # k3s names its policy in the prefix, and its packets leave several lines
            return 0.5 if foreign or b"DROP by policy " in head or traced else 0.95
        return 0.2 if b" kernel: " in head else 0.0

    def denied_marks(self, head: bytes) -> tuple[bytes, ...] | None:
        """Packet lines hold ``SRC=``; journald JSON may write a message as numbers, so nothing is promised."""
        if head.lstrip()[:1] == b"{":
            return None
        return (b" SRC=", b"uppressed", b"messages dropped", b"messages lost")

    def parse(self, block: Block, context: ParseContext) -> Iterator[Event]:
        """Yield one event per packet line; other kernel messages are not packets and are passed over."""
        final = block.data.count(b"\n") if block.last else -1
        for index, line in iter_lines(block):
            if line[:1] == b"{":
                yield from _journal_line(line, block.of_line(index), context)
            elif b" OUT=" in line and b"IN=" in line:
                around = block.of_line(index)
                text = decode(line)
                yield _packet_event(text, text, read_header(text, context), around, context, index == final)
            elif b"uppressed" in line or b"messages dropped" in line or b"messages lost" in line:
                text = decode(line)
                yield from _gap_event(text, text, read_header(text, context), block.of_line(index), context)

    def fold(self, block: Block, context: ParseContext, sink: FlowSink) -> None:
        """Count as reading would, but read only the first packet line of each kind."""
        with_raw = msgspec.structs.replace(context, keep_raw=True)

        def read(line: bytes, around: LineEnvelope, _: Record) -> Iterator[Event]:
            text = decode(line)
            yield _packet_event(text, text, read_header(text, context), around, with_raw, last=False)

        form = LineForm(pattern=_form(), quick=_quick(), brief=_brief(), read=read, flags_between=b" ")
        fold_forms(self, block, context, sink, form)


def _journal_line(line: bytes, around: LineEnvelope, context: ParseContext) -> Iterator[Event]:
    """``journalctl -o json``: ``MESSAGE`` is text, or numbers where it is not UTF-8; times are strings.

    Collectors that add to an entry write ``message`` (Cloud Logging's ``jsonPayload`` with the journal's fields).
    """
    try:
        entry: Any = msgspec.json.decode(decode(line))
    except (msgspec.DecodeError, RecursionError):
        if b"SRC=" in line:
            yield _warning("malformed-json", "not a whole journal entry", decode(line), around, context)
        return
    if not isinstance(entry, dict):
        return
    message = entry.get("MESSAGE", entry.get("message"))
    if isinstance(message, list) and all(isinstance(b, int) and 0 <= b < 256 for b in message):
        message = decode(bytes(message))
    if not isinstance(message, str):
        if b"SRC=" in line:
            yield _warning(
                "unknown-wrapper",
                "a packet line in JSON whose message is under no name that is known (MESSAGE, message)",
                decode(line),
                around,
                context,
            )
        return
    micros = entry.get("__REALTIME_TIMESTAMP")
    at = from_micros(micros) if isinstance(micros, str) else None
    host = entry.get("_HOSTNAME")
    start = read_header(message, context)
    header = Header(
        at if at is not None else start.at,
        TimeSource.RECORD if at is not None else start.time_source,
        host if isinstance(host, str) else start.host,
        start.end,
    )
    if " SRC=" in message and "IN=" in message:
        yield _packet_event(message, decode(line), header, around, context, last=False)
    else:
        yield from _gap_event(message, decode(line), header, around, context)


def _packet_event(
    text: str, raw: str, header: Header, around: LineEnvelope, context: ParseContext, last: bool
) -> Event:
    packet = read_packet(text, cut=last)
    if packet is None:
        code = "truncated" if last else "malformed-packet-line"
        return _warning(code, "addresses of the packet are missing or cut off", raw, around, context)
    at, source = _time(header, around)
    # A header may end inside what is really a prefix ("[123.4]" has none after it): never past IN=.
    prefix = text[min(header.end, packet.start) : packet.start]
    reading = read_prefix(prefix, packet.interface_in is not None and packet.interface_out is not None)
    return FlowEvent(
        line=around.line,
        at=at,
        time_source=source,
        node=header.host or around.node or context.node,
        raw=raw if context.keep_raw else None,
        src=Peer(ip=packet.src, port=packet.sport, mac=packet.src_mac),
        dst=Peer(ip=packet.dst, port=packet.dport, mac=packet.dst_mac),
        protocol=packet.protocol,
        direction=_direction(packet.interface_in, packet.interface_out),
        verdict=reading.verdict,
        verdict_raw=prefix.strip().removesuffix(":") or None,
        cause=reading.cause,
        reason=reading.reason,
        tcp_flags=packet.tcp_flags,
        icmp=packet.icmp,
        policies=reading.policies,
        interface_in=packet.interface_in,
        interface_out=packet.interface_out,
    )


@lru_cache(maxsize=4096)
def _direction(entered: str | None, left: str | None) -> Direction | None:
    """Which end's policy logged it, as far as the interfaces tell.

    A pod's interface on one side only: that pod's policy.  Pods on both sides: either may have logged
    it.  No pod: a host's own traffic has a direction, forwarded traffic has none.
    """
    from_pod, to_pod = is_workload_interface(entered), is_workload_interface(left)
    if from_pod != to_pod:
        return Direction.EGRESS if from_pod else Direction.INGRESS
    if from_pod or (entered is None) == (left is None):
        return None
    return Direction.EGRESS if entered is None else Direction.INGRESS


def _gap_event(
    text: str, raw: str, header: Header, around: LineEnvelope, context: ParseContext
) -> Iterator[Event]:
    match = _GAP.search(text)
    if match is None:
        return
    at, source = _time(header, around)
    overrun = "dropped" in match[0] or "lost" in match[0]
    yield GapEvent(
        line=around.line,
        at=at,
        time_source=source,
        node=header.host or around.node or context.node,
        raw=raw if context.keep_raw else None,
        kind="lost-events" if overrun and "rate-limiting" not in text else "rate-limited",
        lost=int(next(number for number in match.groups() if number is not None)),
        message=text[header.end :],
    )


def _time(header: Header, around: LineEnvelope) -> tuple[int | None, TimeSource]:
    if header.at is not None:
        return header.at, header.time_source
    return around.at, around.time_source


def _warning(code: str, message: str, raw: str, around: LineEnvelope, context: ParseContext) -> ParseWarning:
    return ParseWarning(
        line=around.line,
        code=code,
        message=message,
        node=around.node or context.node,
        raw=raw if context.keep_raw else None,
    )
