"""One line that ulogd wrote for a packet, and the policy that k3s put before it.

Formats: ulogd2 ``util/printpkt.c`` (LOGEMU output, ``syslogemu.log``); k3s-io/kube-router ``policy.go`` since k3s v1.23.14
(prefix ``DROP by policy <ns>/<name>``).  Also read where a kernel LOG rule wrote the same prefix.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache

from msgspec import Struct

from flowdiag.parserkit import (
    MONTHS,
    NS,
    Direction,
    Icmp,
    ParseContext,
    Peer,
    PolicyHit,
    canonical_ip,
    is_workload_interface,
    port_number,
    protocol_name,
    yearless_instant,
)

__all__ = [
    "FORM",
    "PAIR",
    "QUICK",
    "PacketLine",
    "direction_of",
    "packet_key",
    "policy_of",
    "read_packet_line",
    "second_of",
]

# "Nov  3 16:23:17 ip-172-31-34-84 DROP by policy default/web IN=cni0 OUT=cni0 MAC=... SRC=10.42.0.9 DST=10.42.0.10 LEN=60 TOS=00
#  PREC=0x00 TTL=64 ID=18210 DF PROTO=TCP SPT=35218 DPT=80 SEQ=949388975 ACK=0 WINDOW=62377 SYN URGP=0 MARK=0 "   ulogd 2.0.7, k3s 1.25
# "Nov  3 16:23:17 ip-172-31-34-84  IN=cni0 ..."                  the pod's last rule: no prefix, two blanks
# "Jan 1 12:00:00 node-1 kernel: [12345.678901] DROP by policy default/allow-all IN=eth0 ..."   a kernel LOG rule
_HEADER = re.compile(
    r"(?:(?P<month>[A-Z][a-z]{2}) {1,2}(?P<day>\d{1,2}) (?P<clock>\d\d:\d\d:\d\d) (?P<host>[A-Za-z0-9][A-Za-z0-9_.-]{0,252})"
    r"(?P<kernel> kernel:)?(?: \[ {0,12}\d{1,12}\.\d{1,9}\])? ?)?"
)
_PACKET = re.compile(
    r"(?:^|(?<= ))IN=(?P<in>\S{0,64}) OUT=(?P<out>\S{0,64})(?: (?:MAC|PHYSIN|PHYSOUT)=\S{0,80}){0,3} {1,2}SRC=(?P<src>\S{1,64}) DST=(?P<dst>\S{1,64})"
    r"(?P<ip>(?: [A-Z]{2,8}(?:=[0-9A-Fa-fx]{1,10})?|(?: FRAG:\d{1,5})){0,12}?) PROTO=(?P<proto>[A-Za-z0-9]{1,16})(?= |$)"
    r"(?: SPT=(?P<spt>\d{1,5}) DPT=(?P<dpt>\d{1,5})(?= |$))?(?: TYPE=(?P<type>\d{1,3}) CODE=(?P<code>\d{1,3})(?= |$))?"
)
_IP_ID = re.compile(r" ID=(\d{1,5})(?= |$)")
_FLAGS = re.compile(
    r" WINDOW=\d{1,5}(?P<res> RES=0x[0-9a-f]{1,2})?(?P<flags>(?: (?:CWR|ECE|URG|ACK|PSH|RST|SYN|FIN)(?= |$)){1,8})"
)
_POLICY = re.compile(r"DROP by policy (?P<ns>[^/\s]{1,63})(?:/(?P<name>\S{0,253}))?")


def _whole(flags: bytes) -> re.Pattern[bytes]:
    return re.compile(
        rb"(?:([A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d)() ([A-Za-z0-9][A-Za-z0-9_.-]{0,252})"
        rb" (DROP by policy [!-.0-~]{1,63}(?:/[!-~]{0,60}|)|)"
        rb" IN=([!-~]{0,64}) OUT=([!-~]{0,64})(?: MAC=[0-9a-f:]{0,80}|) {1,2}SRC=([0-9.]{7,15}) DST=([0-9.]{7,15})"
        rb" LEN=\d{1,6} TOS=[0-9A-F]{2} PREC=0x[0-9A-F]{2} TTL=\d{1,3} ID=(\d{1,5})(?: DF|)"
        rb" PROTO=(TCP|UDP) SPT=(\d{1,5}) DPT=(\d{1,5})(?: SEQ=\d{1,10} ACK=\d{1,10} WINDOW=\d{1,5}("
        + flags
        + rb") URGP=\d{1,5}| LEN=\d{1,6})(?: MARK=[0-9a-fx]{1,10}|) ?|([^\n]*))\n"
    )


# Whole lines of ulogd.  Groups: second, fraction, host, prefix, both interfaces, both addresses, identification,
# protocol, both ports, flags, any other line.  Lengths, lifetimes and sequence numbers are left out: they differ from
# packet to packet and tell nothing.
FORM = _whole(rb"(?: (?:CWR|ECE|URG|ACK|PSH|RST|SYN|FIN)){0,8}")
# The same for the most usual of them, tried first: see `flowdiag.parserkit.LineForm`.
QUICK = _whole(rb" SYN| ACK(?: SYN| PSH| RST|)(?: FIN|)| RST|")
# A policy's line and right behind it the last rule's, which has the same text of the packet to the letter.  Groups:
# second, host, prefix, the text of the packet, both interfaces, both addresses, identification, protocol, both ports,
# flags, any other line.
PAIR = re.compile(
    rb"(?:([A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d) ([A-Za-z0-9][A-Za-z0-9_.-]{0,252})"
    rb" (DROP by policy [!-.0-~]{1,63}(?:/[!-~]{0,60}|))"
    rb" (?=(IN=.*\n))IN=([!-~]{0,64} OUT=[!-~]{0,64})(?: MAC=[0-9a-f:]{0,80}|) {1,2}SRC=([0-9.]{7,15} DST=[0-9.]{7,15})"
    rb" LEN=\d{1,6} TOS=[0-9A-F]{2} PREC=0x[0-9A-F]{2} TTL=\d{1,3} ID=(\d{1,5})(?: DF|)"
    rb" PROTO=(TCP|UDP) SPT=(\d{1,5}) DPT=(\d{1,5})(?: SEQ=\d{1,10} ACK=\d{1,10} WINDOW=\d{1,5}( SYN| ACK(?: SYN| PSH| RST|)(?: FIN|)| RST|)"
    rb" URGP=\d{1,5}| LEN=\d{1,6})(?: MARK=[0-9a-fx]{1,10}|) ?\n\1 \2  \4|(.*)\n)"
)

_MINUTES = 1024
"""How many minutes of a stream are remembered with the instant that they stand for."""
_SHORTENED = 47
"""k3s keeps 48 characters of ``namespace/name`` (the kernel keeps 64 of a prefix): at this length a part may be missing."""


class PacketLine(Struct, frozen=True, kw_only=True):
    """A packet and what its rule wrote before it."""

    at: int | None
    host: str | None
    dated: bool = False
    """Its time has a year of its own."""
    prefix: str
    """Without blanks around it; empty where the rule has none."""
    by_kernel: bool
    """The kernel's LOG wrote it, not ulogd: there is no line of a last rule to wait for."""
    label: str | None = None
    """``allowed`` or ``blocked``: what ulogd was told of all packets of the rule's group."""
    interface_in: str | None
    interface_out: str | None
    src: Peer
    dst: Peer
    protocol: str | None
    icmp: Icmp | None
    tcp_flags: tuple[str, ...] | None
    key: bytes
    """The same for every line of one packet: `packet_key`."""


def _protocol(word: str, *, last: bool) -> str | None:
    """The protocol's name; none where the line was cut off behind a word that may be half of one."""
    name = protocol_name(word)
    return name if not last or name in ("TCP", "ICMPv6", "SCTP") else None


def read_packet_line(text: str, context: ParseContext, *, cut: bool = False) -> PacketLine | None:
    """Read one line; ``None`` where the packet is missing or cut off.

    Args:
        text: the line.
        context: of its input.
        cut: its last word may be half of one.
    """
    packet = _PACKET.search(text)
    if packet is None:
        return None
    header = _HEADER.match(text)
    at = host = None
    start = 0
    kernel = False
    if header is not None and header["month"] is not None and header.end() <= packet.start():
        month = MONTHS.get(header["month"])
        if month is not None:
            at = _instant(context, month, int(header["day"]), header["clock"])
            host, start, kernel = header["host"], header.end(), header["kernel"] is not None
    flags = _FLAGS.search(text, packet.end(), packet.end() + 160)
    ip = packet["ip"]
    identity = _IP_ID.search(ip)
    src, dst = canonical_ip(packet["src"]), canonical_ip(packet["dst"])
    spt, dpt = packet["spt"], packet["dpt"]
    if cut and dpt and packet.end("dpt") == len(text):
        dpt = None
    # ulogd prints TOS without 0x and no RES; a test rule of somebody else's may leave both out.
    kernel = kernel or "TOS=0x" in ip or (flags is not None and flags["res"] is not None)
    return PacketLine(
        at=at,
        host=host,
        prefix=text[start : packet.start()].strip(),
        by_kernel=kernel,
        interface_in=packet["in"] or None,
        interface_out=packet["out"] or None,
        src=Peer(ip=src, port=port_number(spt)),
        dst=Peer(ip=dst, port=port_number(dpt)),
        protocol=_protocol(packet["proto"], last=cut and packet.end("proto") == len(text)),
        icmp=Icmp(int(packet["type"]), int(packet["code"])) if packet["type"] else None,
        # At a cut line's end a flag may be missing, and URG be the beginning of URGP.
        tcp_flags=tuple(flags["flags"].split())
        if flags is not None and not (cut and not text.startswith(" URGP=", flags.end()))
        else None,
        key=packet_key(
            (part or "").encode("utf-8", "replace")
            for part in (
                host,
                packet["in"],
                src,
                spt,
                dst,
                dpt,
                packet["proto"],
                identity and identity[1],
            )
        ),
    )


packet_key = b"|".join
"""What all lines of one packet have: host, interface, source, its port, destination, its port, protocol, identification."""


# The bridge of a node's pods: flannel's, so that of k3s, and kube-router's own
_POD_BRIDGES = ("cni0", "kube-bridge")
_POD_LINKS = ("veth", "lxc")
"""Names of links of single pods begin so."""


def direction_of(packet: PacketLine) -> Direction | None:
    """Which end's chain a packet of kube-router's rules went through: a node has chains for its own pods alone.

    ``None`` where both ends are pods of the node: either's chain may have logged it.
    """
    from_pod, to_pod = packet.interface_in in _POD_BRIDGES, packet.interface_out in _POD_BRIDGES
    other = (packet.interface_out if from_pod else packet.interface_in) or ""
    if from_pod == to_pod or other.startswith(_POD_LINKS) or is_workload_interface(other):
        return None
    return Direction.EGRESS if from_pod else Direction.INGRESS


def second_of(context: ParseContext) -> Callable[[bytes, bool], int | None]:
    """Clock of `flowdiag.parserkit.LineForm` for stamps like ``Nov 3 16:23:17``."""

    def read(text: bytes, enveloped: bool) -> int | None:
        del enveloped  # a stamp without a known year has none of its own
        month = MONTHS.get(text[:3].decode("ascii"))
        return None if month is None else _instant(context, month, int(text[4:6]), text[7:].decode("ascii"))

    return read


def _instant(context: ParseContext, month: int, day: int, clock: str) -> int | None:
    """Nanoseconds of a stamp without a year; thousands of lines share a minute.

    What was worked out is kept with the stream and not by its zone: zones of dateutil cannot be hashed.
    """
    minutes: dict[object, int | None] = context.memory.setdefault("nflog-minutes", {})
    key = (context.year, context.reference_time, month, day, clock[:5])
    if key in minutes:
        minute = minutes[key]
    else:
        if len(minutes) >= _MINUTES:
            minutes.clear()
        minute = minutes[key] = yearless_instant(context, month, day, (int(clock[:2]), int(clock[3:5]), 0))
    return None if minute is None else minute + int(clock[6:]) * NS


@lru_cache(maxsize=4096)
def policy_of(prefix: str) -> PolicyHit | None:
    """The policy whose chain logged; parts that may have been shortened are left out."""
    match = _POLICY.match(prefix)
    if match is None:
        return None
    name = match["name"] or None
    whole = name is not None and len(match["ns"]) + 1 + len(name) < _SHORTENED
    return PolicyHit(
        kind="NetworkPolicy",
        group="networking.k8s.io",
        namespace=match["ns"] if whole or len(match["ns"]) < 23 else None,
        name=name if whole else None,
        # Its rules did not match; the pod's other policies were asked too.
        effect="no-match",
        raw=prefix,
    )
