"""Fields of records in JSON: what is text, a whole number or an object, and what is damage."""

from __future__ import annotations

import pytest

from flowdiag.model.event import TimeSource
from flowdiag.parserkit import ParseContext
from flowdiag.parserkit.block import Block, Envelope
from flowdiag.parserkit.framing import frame
from flowdiag.parserkit.json_records import (
    beheaded,
    bounded,
    integer_of,
    json_object,
    object_behind,
    object_of,
    text_of,
)


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (7, 7),
        (7.0, 7),
        ("007", 7),
        (7.5, None),
        (True, None),
        ("-7", None),
        ("", None),
        ("\u0667", None),
        (2**63 - 1, 2**63 - 1),
        (-(2**63), -(2**63)),
        (2**63, None),
        (-(2**63) - 1, None),
        ("9" * 19, None),
        (str(2**63 - 1), 2**63 - 1),
        ("0" * 19 + "7", None),
        (float("inf"), None),
        (1e300, None),
        ([7], None),
        (None, None),
    ],
    ids=repr,
)
def test_a_whole_number_is_one_of_64_bits(value, told):
    """What is none is passed over for the next key."""
    assert integer_of({"a": value}, "a") == told
    assert type(integer_of({"a": value}, "a")) is type(told)
    assert integer_of({"a": value, "b": 5}, "none", "a", "b") == (5 if told is None else told)


def test_text_has_something_in_it():
    assert text_of({"a": "", "b": 7, "c": "x", "d": "y"}, "none", "a", "b", "c", "d") == "x"
    assert text_of({"a": ""}, "a") is None


def test_an_object_is_one_or_empty():
    assert object_of({"a": {"b": 1}}, "a") == {"b": 1}
    assert (object_of({"a": [1]}, "a"), object_of({}, "a")) == ({}, {})


def test_numbers_past_64_bits_are_none_wherever_they_stand():
    """To the last that fits."""
    most, least = 2**63 - 1, -(2**63)
    assert bounded([most, least, most + 1, least - 1, {"a": [most + 1]}]) == [
        most,
        least,
        None,
        None,
        {"a": [None]},
    ]
    assert json_object(b'{"a":9223372036854775807,"b":-9223372036854775808}') == {"a": most, "b": least}
    assert json_object(b'{"a":[{"b":100000000000000000000}],"c":1}') == {"a": [{"b": None}], "c": 1}
    assert json_object('{"a":100000000000000000000}') == {"a": None}
    assert [json_object(text) for text in (b"[]", b"{", b"7", b'{"a":"\xff"}', b"[" * 100_000)] == [None] * 5


@pytest.mark.parametrize(
    ("text", "line", "told"),
    [
        (b'x","b":{"c":1}}', 1, True),
        (b' x"}  \n', 1, True),
        (b'x","b":{"c":1}}', 2, False),
        (b'{"a":1}', 1, False),
        (b'{"a":1}}', 1, False),
        (b"Common labels: {}", 1, False),
        (b'x","b":1', 1, False),
        (b"", 1, False),
    ],
)
def test_the_end_of_an_object_whose_beginning_was_cut_away_is_seen(text, line, told):
    """Only where an input begins."""
    assert beheaded(text, Block(data=text, first_line=line).of_line(0)) is told


def test_an_object_stands_behind_words_where_its_mark_does():
    assert object_behind(b'17: {"a":1}', b'"a"') == b'{"a":1}'
    assert object_behind(b'17: {"b":1}', b'"a"') == b'17: {"b":1}'
    assert object_behind(b'{"a":1}', b'"a"') == b'{"a":1}'
    assert object_behind(b'"a"', b'"a"') == b'"a"'


def test_a_record_s_own_time_and_node_go_before_its_wrapper_s_and_these_before_the_input_s():
    """And text is kept where it is asked for."""
    bare = Block(data=b"x\n", first_line=4).of_line(0)
    wrapped = Block(data=b"x\n", envelope=Envelope(lines=[9], at=[5], node=["wrapper"])).of_line(0)
    plain, rich = ParseContext(input="i"), ParseContext(input="i", node="input", keep_raw=True)
    none = {"line": 4, "at": None, "time_source": bare.time_source, "node": None, "raw": None}

    assert frame(bare, plain, "x") == none
    assert frame(bare, rich, "x") == {**none, "node": "input", "raw": "x"}
    assert frame(wrapped, rich, "x") == {
        "line": 9,
        "at": 5,
        "time_source": TimeSource.ENVELOPE,
        "node": "wrapper",
        "raw": "x",
    }
    own = frame(wrapped, rich, "x", 0, source=TimeSource.INFERRED_YEAR, node="own")
    assert (own["at"], own["time_source"], own["node"]) == (0, TimeSource.INFERRED_YEAR, "own")
