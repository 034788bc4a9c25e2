"""Looking for marks: whatever searches, the answer is that of Python."""

from __future__ import annotations

import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowdiag.ingest import lines as lines_module
from flowdiag.ingest import marks as marks_module
from flowdiag.ingest.envelopes import Rows
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


marked = st.lists(
    st.sampled_from([b"x" * 300, b'"DENIED"', b"_y", b"\n", b"\n\n", b"", b"D", b"EN", b"z" * 1_000, b"\0"]),
    max_size=30,
).map(b"".join)


@given(data=marked, marks=st.sets(st.sampled_from([b'"DENIED"', b"_y", b"DE", b"zx", b"\0"]), min_size=1))
def test_marked_lines_are_found_alike_with_and_without_the_extension(data, marks):
    """Which lines hold a mark, and their numbers; the extension looks for all marks in one pass."""
    rows = Rows(data=data, lines=range(7, 7 + len(data.splitlines())))
    wanted = [
        (number, line)
        for number, line in enumerate(data.splitlines(keepends=True), start=7)
        if any(mark in line for mark in marks)
    ]
    found = marks_module.marked(rows, sorted(marks))
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(marks_module, "native", lambda: None)
        patched.setattr(lines_module, "native", lambda: None)
        assert marks_module.marked(rows, sorted(marks)) == found
        assert lines_module.count_newlines(data, 3) == data[3:].count(b"\n")
    assert list(zip(found.lines, found.data.splitlines(keepends=True), strict=True)) == wanted
    assert lines_module.count_newlines(data, 3) == data[3:].count(b"\n")
