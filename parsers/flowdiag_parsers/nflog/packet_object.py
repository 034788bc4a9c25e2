"""One packet as ulogd's JSON output has it: the same rules' packets as in its text, with words for keys.

Format: ulogd2 ``output/ulogd_output_JSON.c`` (since 2.0.4), over ``filter/raw2packet/ulogd_raw2packet_BASE.c``, IFINDEX and
IP2STR; a key that a packet lacks is left out, and without IP2STR in the stack there are no addresses.
"""

from __future__ import annotations

from typing import Any

from flowdiag.parserkit import (
    Icmp,
    ParseContext,
    Peer,
    canonical_ip,
    from_epoch,
    instant_of,
    integer_of,
    json_object,
    port_number,
    protocol_name,
    text_of,
)
from flowdiag_parsers.nflog.packet_line import PacketLine, packet_key

__all__ = ["MARK", "read_packet_object"]

# {"timestamp": "2026-01-05T10:00:01.943369+0000", "dvc": "Netfilter", "raw.pktlen": 60, "oob.prefix": "DROP by policy shop/web",
#  "oob.time.sec": 1767607201, "oob.time.usec": 943369, "oob.hook": 2, "ip.protocol": 6, "ip.id": 37733, "src_port": 43936,
#  "dest_port": 5432, "tcp.syn": 1, "oob.in": "eth2", "oob.out": "eth3", "src_ip": "10.42.0.9", "dest_ip": "10.42.0.10"}   2.0.8
MARK = b'"oob.'
"""Stands in every record of a packet; ulogd's records of connections have none."""
_FLAGS = ("cwr", "ece", "urg", "ack", "psh", "rst", "syn", "fin")
_LABELS = ("allowed", "blocked")


def read_packet_object(line: bytes, context: ParseContext) -> PacketLine | None:
    """Read one line; ``None`` where it is cut off or says no addresses.

    Args:
        line: the line.
        context: of its input; its zone is that of stamps without one.
    """
    record = json_object(line)
    if record is None:
        return None
    src, dst = text_of(record, "src_ip"), text_of(record, "dest_ip")
    if src is None or dst is None:
        return None
    sport, dport = integer_of(record, "src_port"), integer_of(record, "dest_port")
    number = integer_of(record, "ip.protocol", "ip6.nexthdr")
    entered = text_of(record, "oob.in") or None
    label = text_of(record, "action")
    said = (entered, src, sport, dst, dport, number, integer_of(record, "ip.id"))
    return PacketLine(
        at=_instant(record, context),
        dated=True,
        host=None,
        prefix=(text_of(record, "oob.prefix") or "").strip(),
        label=label if label in _LABELS else None,
        by_kernel=False,
        interface_in=entered,
        interface_out=text_of(record, "oob.out") or None,
        src=Peer(ip=canonical_ip(src), port=port_number(sport)),
        dst=Peer(ip=canonical_ip(dst), port=port_number(dport)),
        protocol=protocol_name(str(number)) if number is not None else None,
        icmp=_icmp(record),
        tcp_flags=tuple(name.upper() for name in _FLAGS if integer_of(record, f"tcp.{name}") == 1) or None,
        key=packet_key(b"" if part is None else str(part).encode("utf-8", "replace") for part in said),
    )


def _instant(record: dict[str, Any], context: ParseContext) -> int | None:
    """The kernel's stamp; without it the text, which is the node's own time and has its offset since 2.0.5."""
    second, micros = integer_of(record, "oob.time.sec"), integer_of(record, "oob.time.usec") or 0
    if second is not None and 0 < second < 1 << 33:
        return from_epoch(second, micros * 1_000 if 0 <= micros < 1_000_000 else 0)
    stamp = text_of(record, "timestamp") or text_of(record, "@timestamp")
    return instant_of(stamp, context.zone)


def _icmp(record: dict[str, Any]) -> Icmp | None:
    for name in ("icmp", "icmpv6"):
        kind, code = integer_of(record, f"{name}.type"), integer_of(record, f"{name}.code")
        if kind is not None and code is not None:
            return Icmp(kind, code)
    return None
