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


words = st.lists(
    st.binary(min_size=1, max_size=7).map(lambda word: bytes(byte % 3 for byte in word)), max_size=60
)


@given(texts=st.lists(st.binary(max_size=60), min_size=1, max_size=9), marks=words)
def test_what_texts_hold_is_known_alike_with_and_without_the_extension(texts, marks):
    """However many marks are asked about, in turns, of more texts than are remembered."""
    padded = [bytes(byte % 3 for byte in text) + b"-" * (1 << 13) for text in texts]
    for compiled in (search.native(), None):
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(search, "native", lambda compiled=compiled: compiled)
            patched.setattr(search, "_marks", {})
            for _ in range(2):
                assert [[search.holds(text, mark) for text in padded] for mark in marks] == [
                    [mark in text for text in padded] for mark in marks
                ]


def test_marks_without_end_are_answered(monkeypatch):
    """More than are looked for at once."""
    monkeypatch.setattr(search, "_marks", {})
    text = b"".join(b"%d," % number for number in range(0, 6_000, 2))

    assert [search.holds(text, b",%d," % number) for number in range(2, 6_000)] == [
        number % 2 == 0 for number in range(2, 6_000)
    ]
    assert len(search._marks) == search._MOST


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
