"""Addresses in their one spelling, and as bytes: as the standard library has them, whatever is written."""

from __future__ import annotations

import ipaddress

from hypothesis import example, given
from hypothesis import strategies as st

from flowdiag.cluster.addresses import canonical_ip, packed_ip

addresses = st.ip_addresses().map(str) | st.ip_addresses(v=6).map(lambda one: one.exploded)
near_misses = st.text("0123456789abcdefF:.%", max_size=24)
groups = st.lists(st.sampled_from(["0", "1", "00", "ab", "FFFF", "", "12345"]), max_size=10).map(":".join)
quads = st.lists(st.sampled_from(["0", "1", "01", "255", "256", "", "\u0661"]), min_size=3, max_size=5).map(
    ".".join
)


def spelled(text):
    """By the standard library alone."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    mapped = address.ipv4_mapped if address.version == 6 else None
    return mapped or address


@given(text=addresses | near_misses | groups | quads)
@example(text="::ffff:10.0.0.1")
@example(text="::ffff:a00:1")
@example(text="::10.0.0.1")
@example(text="1:0:0:2:0:0:3:4")
@example(text="1:0:2:3:4:5:6:7")
@example(text="1::2:3:4:5:6:7:8")
@example(text="fe80::1%eth0")
@example(text="10.0.0.1\n")
@example(text="10.0.0.01")
def test_an_address_is_read_as_the_standard_library_reads_it(text):
    """Spelling and bytes; what is no address is none."""
    address = spelled(text)

    assert packed_ip(text) == (None if address is None else address.packed)
    bare = spelled(text.strip().partition("%")[0])
    assert canonical_ip(text) == (None if bare is None else str(bare))
