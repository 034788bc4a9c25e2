"""Addresses that are public without a look at ranges."""

from __future__ import annotations

from ipaddress import ip_address

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from flowdiag.cluster.addresses import INSIDE, in_any
from flowdiag.model.public import is_plainly_public


@given(address=st.ip_addresses(v=4).map(str))
@example(address="192.31.196.1")
@example(address="203.0.113.7")
@example(address="224.0.0.1")
def test_what_is_plainly_public_is_public(address):
    """As `ipaddress` has it, and in no range of clusters; anything else is left to that."""
    if is_plainly_public(address):
        assert ip_address(address).is_global
        assert in_any(address, INSIDE) is None


def test_most_addresses_of_the_internet_are_told():
    """And it is not that nothing is."""
    assert is_plainly_public("8.8.4.4")
    assert is_plainly_public("1.0.0.1")
    assert sum(is_plainly_public(f"{octet}.1.1.1") for octet in range(256)) > 200


@pytest.mark.parametrize(
    "text", ["8.8.4", "8.8.4.4.", "8.8.4.4 ", "8.8.4.444", "8", "", "8.a.b.c", "8.8.4.4\0"]
)
def test_what_is_no_address_is_not(text):
    """Names and damaged addresses."""
    assert not is_plainly_public(text)
