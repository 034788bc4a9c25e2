"""What parsers read addresses and numbers by: what is no port stays with the address, and nothing is guessed."""

from __future__ import annotations

import pytest

from flowdiag.parserkit import Icmp, icmp_from_name, integer_of, port_number, split_address


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("192.0.2.1:8080", ("192.0.2.1", 8080)),
        ("192.0.2.1", ("192.0.2.1", None)),
        ("[2001:db8::1]:53", ("2001:db8::1", 53)),
        ("[2001:db8::1]", ("2001:db8::1", None)),
        ("2001:db8::1", ("2001:db8::1", None)),
        ("192.0.2.1:65536", ("192.0.2.1:65536", None)),
        ("[2001:db8::1]:x", ("[2001:db8::1]:x", None)),
        ("[2001:db8::1", ("[2001:db8::1", None)),
        ("192.0.2.1:http", ("192.0.2.1:http", None)),
    ],
)
def test_split(text, parts):
    """Host and port, or all of it and none."""
    assert split_address(text) == parts


def test_digits_of_a_number_past_64_bits_are_none():
    """Of a number written as text 19 digits are read, as long as 64 bits hold them."""
    assert integer_of({"n": "9223372036854775807"}, "n") == (1 << 63) - 1
    assert integer_of({"n": "9999999999999999999"}, "n") is None
    assert integer_of({"n": "1" + "0" * 19, "m": 7}, "n", "m") == 7
    assert integer_of({"n": True, "m": 7.0}, "n", "m") == 7


@pytest.mark.parametrize(
    ("given", "port"),
    [
        (0, 0),
        ("0", 0),
        (65_535, 65_535),
        ("65535", 65_535),
        (65_536, None),
        ("65536", None),
        (-1, None),
        ("-1", None),
        ("080000", None),
        ("http", None),
        (None, None),
    ],
)
def test_ports_are_16_bits(given, port):
    """What cannot be a port is none."""
    assert port_number(given) == port


@pytest.mark.parametrize(
    ("name", "number"),
    [
        # IANA's ICMPv6 parameters: types by number.
        ("PacketTooBig", 2),
        ("TimeExceeded", 3),
        ("EchoRequest", 128),
        ("EchoReply", 129),
        ("MLDv1MulticastListenerQueryMessage", 130),
        ("MLDv1MulticastListenerReportMessage", 131),
        ("MLDv1MulticastListenerDoneMessage", 132),
        ("RouterSolicitation", 133),
        ("NeighborSolicitation", 135),
        ("Redirect", 137),
        ("MLDv2MulticastListenerReportMessageV2", 143),
    ],
)
def test_icmpv6_types(name, number):
    """Policies allow ICMPv6 by number, and records name it."""
    assert icmp_from_name(name, True) == Icmp(number, 0)
    assert icmp_from_name(f"{name}(7)", True) == Icmp(number, 7)
