"""Looking for marks: whatever searches, the answer is that of Python."""

from __future__ import annotations

import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowdiag.parserkit import search

few = st.binary(max_size=40).map(lambda data: bytes(byte % 4 for byte in data))


@given(data=few, mark=few.filter(bool))
def test_holds_what_it_holds(data, mark):
    """Also NUL bytes, and marks longer than the data."""
    assert search.holds(data, mark) is (mark in data)
    assert search._by_python(data, mark) is (mark in data)


def test_without_a_c_library_it_is_python(monkeypatch):
    """A Python without ctypes reads as well."""
    monkeypatch.setitem(sys.modules, "ctypes", None)

    assert search._searcher() is search._by_python


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux is known to have memmem")
def test_linux_searches_with_its_c_library():
    """Where it can, since that is what takes half the time."""
    assert search._searcher() is not search._by_python
