"""Finding and cutting some lines gives what cutting all of them does, with the extension and without it."""

from __future__ import annotations

from unittest import mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowdiag.parserkit import lines, lines_holding, native, search
from flowdiag.parserkit.lines import LinesOf, count_lines, cut_lines

texts = st.text("ab\r\n", max_size=30).map(str.encode)
compiled = [None, pytest.param(native(), marks=pytest.mark.skipif(native() is None, reason="not compiled"))]


@pytest.mark.parametrize("few", [1, 2, 64])
@given(data=texts, choices=st.lists(st.integers(0, 30), max_size=5))
def test_some_lines_are_those_of_all(few, data, choices):
    """In any order, and with the last one that has no newline."""
    every = cut_lines(data)
    places = [choice for choice in choices if choice < len(every)]

    some = LinesOf(data)

    with mock.patch.object(lines, "_FEW", few):
        assert len(some) == len(every)
        assert some.at(places) == [every[place] for place in places]
        assert [some[place] for place in places * 20] == [every[place] for place in places * 20]
        assert some[: len(places)] == every[: len(places)]
        assert some[len(places) :] == every[len(places) :]
        assert [LinesOf(data).at([place]) for place in places] == [[every[place]] for place in places]


@pytest.mark.parametrize("extension", compiled)
@given(data=texts, marks=st.lists(st.sampled_from([b"aa", b"ab", b"b", b"bab"]), min_size=1, max_size=3))
def test_lines_that_hold_a_mark_are_found_by_their_index(extension, data, marks):
    """Each once, in order."""
    wanted = [index for index, line in enumerate(data.split(b"\n")) if any(mark in line for mark in marks)]
    with mock.patch.object(search, "native", return_value=extension):
        assert lines_holding(data, marks) == wanted


@pytest.mark.parametrize("extension", compiled)
@given(data=texts)
def test_newlines_are_counted(extension, data):
    """As bytes count them."""
    with mock.patch.object(lines, "native", return_value=extension):
        assert count_lines(data) == data.count(b"\n")
