"""How gopacket and Go's net package spell packets; Hubble's and Cilium's texts both come from them.

Source of the names: google/gopacket ``layers/icmp4.go`` and ``layers/icmp6.go`` (v1.1.19).
"""

from __future__ import annotations

import re

from flowdiag.model.event import Icmp

__all__ = ["icmp_from_name", "is_mac", "split_address"]

# e.g. "EchoRequest", "DestinationUnreachable(Port)", "TimeExceeded(TTLExceeded)"
_V4: dict[str, tuple[int, tuple[str, ...]]] = {
    "EchoReply": (0, ()),
    "DestinationUnreachable": (
        3,
        (
            "Net",
            "Host",
            "Protocol",
            "Port",
            "FragmentationNeeded",
            "SourceRoutingFailed",
            "NetUnknown",
            "HostUnknown",
            "SourceIsolated",
            "NetAdminProhibited",
            "HostAdminProhibited",
            "NetTOS",
            "HostTOS",
            "CommAdminProhibited",
            "HostPrecedence",
            "PrecedenceCutoff",
        ),
    ),
    "SourceQuench": (4, ()),
    "Redirect": (5, ("Net", "Host", "TOS+Net", "TOS+Host")),
    "EchoRequest": (8, ()),
    "RouterAdvertisement": (9, ()),
    "RouterSolicitation": (10, ()),
    "TimeExceeded": (11, ("TTLExceeded", "FragmentReassemblyTimeExceeded")),
    "ParameterProblem": (12, ("PointerIndicatesError", "MissingOption", "BadLength")),
    "TimestampRequest": (13, ()),
    "TimestampReply": (14, ()),
    "InfoRequest": (15, ()),
    "InfoReply": (16, ()),
    "AddressMaskRequest": (17, ()),
    "AddressMaskReply": (18, ()),
}

# e.g. "NeighborSolicitation", "DestinationUnreachable(NoRouteToDst)"
_V6: dict[str, tuple[int, tuple[str, ...]]] = {
    "DestinationUnreachable": (
        1,
        (
            "NoRouteToDst",
            "AdminProhibited",
            "BeyondScopeOfSrc",
            "AddressUnreachable",
            "PortUnreachable",
            "SrcAddressFailedPolicy",
            "RejectRouteToDst",
        ),
    ),
    "PacketTooBig": (2, ()),
    "TimeExceeded": (3, ("HopLimitExceeded", "FragmentReassemblyTimeExceeded")),
    "ParameterProblem": (4, ("ErroneousHeader", "UnrecognizedNextHeader", "UnrecognizedIPv6Option")),
    "EchoRequest": (128, ()),
    "EchoReply": (129, ()),
    "MLDv1MulticastListenerQueryMessage": (130, ()),
    "MLDv1MulticastListenerReportMessage": (131, ()),
    "MLDv1MulticastListenerDoneMessage": (132, ()),
    "RouterSolicitation": (133, ()),
    "RouterAdvertisement": (134, ()),
    "NeighborSolicitation": (135, ()),
    "NeighborAdvertisement": (136, ()),
    "Redirect": (137, ()),
    "MLDv2MulticastListenerReportMessageV2": (143, ()),
}

# "143(0)" for a type without a name, "EchoRequest(Code: 3)" for a code without one
_ICMP = re.compile(
    r"(?P<name>[A-Za-z][A-Za-z0-9]{2,60}|\d{1,3})(?:\((?:Code: )?(?P<code>[A-Za-z0-9+]{1,60})\))?"
)

# e.g. "16:70:99:db:d9:69"
_MAC = re.compile(r"[0-9A-Fa-f]{2}(?::[0-9A-Fa-f]{2}){5}")


def icmp_from_name(name: str, v6: bool) -> Icmp | None:
    """Type and code of what gopacket calls `name`; ``None`` where it is no such name."""
    match = _ICMP.fullmatch(name)
    if match is None:
        return None
    word, code = match["name"], match["code"]
    if word.isdigit():
        return Icmp(int(word), _code(code)) if code else None
    known = (_V6 if v6 else _V4).get(word)
    if known is None:
        return None
    number, codes = known
    if code is None:
        return Icmp(number, 0)
    if code.isdigit():
        return Icmp(number, _code(code))
    return Icmp(number, codes.index(code) if code in codes else None)


def _code(text: str) -> int | None:
    """A code's number: it is a byte of the packet."""
    return int(text) if text.isdigit() and len(text) < 4 else None


def is_mac(text: str) -> bool:
    """Whether this is a hardware address."""
    return len(text) == 17 and _MAC.fullmatch(text) is not None


def split_address(text: str) -> tuple[str, int | None]:
    """Host and port of ``10.0.0.1:80``, ``[fd00::b]:80``, ``fd00::b``, ``ns/pod:53(domain)`` or a MAC.

    A port that is not a number between 0 and 65535 (redacted: ``10.0.a.b:c``) stays part of the host.
    """
    if text[:1] == "[":
        host, bracket, rest = text[1:].partition("]")
        if not bracket:
            return text, None
        port = _port(rest[1:]) if rest[:1] == ":" else None
        return (host, port) if port is not None or not rest else (text, None)
    host, colon, tail = text.rpartition(":")
    if not colon or ":" in host:
        return text, None
    port = _port(tail)
    return (host, port) if port is not None else (text, None)


def _port(text: str) -> int | None:
    digits = text.partition("(")[0]
    if not (digits.isascii() and digits.isdigit() and len(digits) <= 5):
        return None
    number = int(digits)
    return number if number <= 65_535 else None
