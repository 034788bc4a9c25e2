"""Addresses as records spell them: the C library and `ipaddress` say the same, whatever the text."""

from __future__ import annotations

from ipaddress import IPv6Address, ip_address

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from flowdiag.parserkit import canonical_ip

v4 = st.ip_addresses(v=4).map(str)
v6 = st.ip_addresses(v=6)
sparse = st.lists(st.sampled_from([0, 0, 0, 1, 0xFFFF, 0x10]), min_size=8, max_size=8).map(
    lambda words: IPv6Address(sum(word << 16 * place for place, word in enumerate(words)))
)
spelt = st.one_of(v6, sparse).flatmap(
    lambda address: st.sampled_from([str(address), address.exploded, str(address).upper()])
)


@given(text=st.one_of(v4, spelt, st.text("0123456789abcdefF:.%", max_size=40), st.text(max_size=20)))
@example("::1.2.3.4")
@example("::ffff:10.0.0.1")
@example("::ffff:a00:1")
@example("64:ff9b::192.0.2.33")
@example("010.0.0.1")
@example("10.0.0.1\0")
@example("fe80::1%eth0")
@example("1.2.3")
@example("1::2:3:4:5:6:7:8")
@example("١.٢.٣.٤")
def test_canonical_addresses(text):
    """The short form, IPv4-mapped IPv6 as IPv4, and verbatim what is no address."""
    try:
        address = ip_address(text)
    except ValueError:
        wanted = text
    else:
        mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
        wanted = str(mapped or address)
    assert canonical_ip(text) == wanted


@pytest.mark.parametrize(
    ("text", "wanted"),
    [("2001:0DB8:0::07d0", "2001:db8::7d0"), ("::ffff:192.0.2.7", "192.0.2.7"), ("redacted", "redacted")],
)
def test_forms_of_addresses(text, wanted):
    """Some by hand."""
    assert canonical_ip(text) == wanted
