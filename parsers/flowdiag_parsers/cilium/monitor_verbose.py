"""Records of ``cilium monitor -v`` and ``-vv``: a line of metadata, then one line per layer, then perhaps a hex dump.

Source of the forms: pkg/monitor/datapath_drop.go (DumpVerbose) and gopacket's LayerString; issue samples of 2018.
"""

from __future__ import annotations

import re

from flowdiag.parserkit import FlowEvent, Verdict, Witness, icmp_from_name
from flowdiag_parsers.cilium.carrier import Carrier
from flowdiag_parsers.cilium.connection import Packet, peer_of
from flowdiag_parsers.cilium.verdicts import NO_REASON, between, read_reason, reply_of

__all__ = ["Verbose", "is_dump", "is_layer", "layer_fields", "packet_of", "start"]

# "CPU 03: MARK 0xc9c179c2 FROM 19049 DROP: 93 bytes, reason Invalid source ip, to ifindex 0, identity 41288->0"    2018
# e.g. "CPU 01: MARK 0x1 FROM 423 DROP: 74 bytes, reason Policy denied, identity 24753->24075, to endpoint 2749, file bpf_lxc.c:1325"
# e.g. "CPU 01: MARK 0xa902d52e FROM 0 from-host: 74 bytes, state new, identity 1->0"
# e.g. "CPU 01: MARK 0xa902d52e FROM 0 DEBUG: Successfully mapped daddr=10.15.0.1 to identity=1"
_HEADER = re.compile(
    r"CPU \d{1,5}: MARK 0x[0-9a-f]{1,16} FROM (?P<source>\d{1,10}) (?P<what>DROP|DEBUG|[a-z]{1,20}(?:-[a-z0-9]{1,20}){0,3}):"
    r" ?(?P<rest>.*)"
)
_REASON = re.compile(r"\d{1,9} bytes, reason (?P<reason>.{1,150}?)(?=, (?:to |identity |file |from )|$)")
_IDENTITY = re.compile(r"identity (?P<s>[^\s>,]{1,40})->(?P<d>[^\s,]{1,40})")
_ENDPOINT = re.compile(r"to endpoint (?P<endpoint>\d{1,10})")
_STATE = re.compile(r"state (?P<state>[a-z]{1,20})")
# "TCP	{Contents=[..40..] Payload=[] SrcPort=34090 DstPort=53(domain) SYN=true ...}"; blanks where a paste ate the tab
_LAYER = re.compile(
    r"(?P<name>Ethernet|IPv4|IPv6|TCP|UDP|SCTP|ICMPv4|ICMPv6|ARP|LLC|[A-Z][A-Za-z0-9]{1,40})\s{1,12}\{(?P<body>Contents=.*)"
)
_PAIR = re.compile(r"(\w{1,30})=([^\s}]{1,200})")
# "00000000  d2 52 c0 41 d7 b4 ..."
_DUMP = re.compile(r"[0-9a-f]{8}  (?:[0-9a-f]{2}[ ]{1,2}){1,16}.*")
_FLAGS = ("SYN", "ACK", "RST", "FIN", "PSH", "URG", "ECE", "CWR", "NS")


class Verbose:
    """One record while its layers are still coming."""

    def __init__(self, carrier: Carrier, match: re.Match[str]) -> None:
        self.carrier = carrier
        self._match = match
        self._layers: dict[str, dict[str, str]] = {}

    def add(self, text: str) -> None:
        """Take one layer; of a layer that comes twice (tunnels, quoted packets) the first is the outer one."""
        match = _LAYER.match(text)
        if match is not None and match["name"] not in self._layers and len(self._layers) < 16:
            self._layers[match["name"]] = layer_fields(match["body"])

    def event(self) -> FlowEvent | None:
        """The record as an event; ``None`` for debug records."""
        what, rest = self._match["what"], self._match["rest"]
        if what == "DEBUG":
            return None
        c = self.carrier
        dropped = what == "DROP"
        reason = _REASON.match(rest) if dropped else None
        identity, endpoint = _IDENTITY.search(rest), _ENDPOINT.search(rest)
        state = _STATE.search(rest)
        packet = packet_of(self._layers)
        why = between(read_reason(reason["reason"]) if reason else NO_REASON, packet.src, packet.dst)
        return FlowEvent(
            line=c.line,
            at=c.at,
            time_source=c.time_source,
            node=c.node,
            raw=c.raw,
            src=peer_of(
                packet.src,
                packet.src_port,
                identity["s"] if identity else None,
                int(self._match["source"]),
                c.context,
            ),
            dst=peer_of(
                packet.dst,
                packet.dst_port,
                identity["d"] if identity else None,
                int(endpoint["endpoint"]) if endpoint else None,
                c.context,
            ),
            protocol=packet.protocol,
            verdict=Verdict.DENIED if dropped else Verdict.ALLOWED,
            verdict_raw=what if dropped else None,
            cause=why.cause,
            reason=why.reason,
            reason_code=why.code,
            reason_raw=why.raw,
            is_reply=reply_of(state["state"], before_conntrack=what.startswith("from-"))
            if state and not dropped
            else None,
            tcp_flags=packet.tcp_flags,
            icmp=packet.icmp,
            witness=Witness.DROP if dropped else None,
        )


def start(text: str, carrier: Carrier) -> Verbose | None:
    """A record that begins with this line, if one does."""
    match = _HEADER.fullmatch(text) if text.startswith("CPU ") else None
    return Verbose(carrier, match) if match is not None else None


def is_layer(text: str) -> bool:
    """Whether this line is a layer of the record before it."""
    return "{Contents=" in text and _LAYER.match(text) is not None


def is_dump(text: str) -> bool:
    """Whether this line is part of a hex dump or a separator."""
    return text.startswith("-----") or _DUMP.fullmatch(text) is not None


def layer_fields(body: str) -> dict[str, str]:
    """``SrcPort=34090 SYN=true`` as pairs; the first of a name stays."""
    pairs: dict[str, str] = {}
    for key, value in _PAIR.findall(body[:4000]):
        pairs.setdefault(key, value)
    return pairs


def packet_of(layers: dict[str, dict[str, str]]) -> Packet:
    """Addresses and protocol from the layers; hardware addresses where there is no IP layer."""
    ip = layers.get("IPv4") or layers.get("IPv6")
    ethernet = layers.get("Ethernet", {})
    src = ip.get("SrcIP") if ip else ethernet.get("SrcMAC")
    dst = ip.get("DstIP") if ip else ethernet.get("DstMAC")
    for name in ("TCP", "UDP", "SCTP"):
        if name in layers:
            fields = layers[name]
            told = name == "TCP" and "SYN" in fields
            flags = tuple(f for f in _FLAGS if fields.get(f) == "true") if told else None
            return Packet(src, _port(fields.get("SrcPort")), dst, _port(fields.get("DstPort")), name, flags)
    for name, protocol in (("ICMPv4", "ICMP"), ("ICMPv6", "ICMPv6")):
        if name in layers:
            icmp = icmp_from_name(layers[name].get("TypeCode", ""), v6=name == "ICMPv6")
            return Packet(src, None, dst, None, protocol, None, icmp)
    protocol_word = (ip.get("Protocol") or ip.get("NextHeader")) if ip else ethernet.get("EthernetType")
    if protocol_word in ("IPv4", "IPv6") and not ip:
        # Its layer did not come.
        protocol_word = None
    return Packet(src, None, dst, None, protocol_word)


def _port(text: str | None) -> int | None:
    digits = (text or "").partition("(")[0]
    return (
        int(digits)
        if digits.isascii() and digits.isdigit() and len(digits) < 6 and int(digits) <= 65_535
        else None
    )
