"""What a stream comes from, and what of it is waited for, held back, cut off or refused."""

from __future__ import annotations

import os

import pytest

from flowdiag.ingest import ReadOptions, follow
from flowdiag.ingest.follow import FileTail, Follower, Pipe
from flowdiag.model.errors import InputError

WALL = b"Apr 21 09:10:%02d.000: shop/web-1:40001 (ID:7) <> shop/api-1:80 (ID:8) Policy denied DROPPED (UDP)\n"
TOLD = b"  TIMESTAMP: Apr 21 09:10:0%d.000\n     SOURCE: shop/web-1:40001\nDESTINATION: shop/api-1:80\n       TYPE: Policy denied\n    VERDICT: DROPPED\n    SUMMARY: UDP\n------------\n"


@pytest.fixture
def tail_of():
    """A file's tail; it never ends by itself, so that the test closes what it holds open."""
    tails = []

    def opened(path):
        tails.append(FileTail(str(path)))
        return tails[-1]

    yield opened
    for tail in tails:
        tail._stream.close()


def test_a_file_is_read_on_and_never_ends(tmp_path, tail_of):
    """Nothing new is nothing yet; what was read is not read again."""
    path = tmp_path / "log"
    path.write_bytes(b"one\n")
    tail = tail_of(path)

    assert [tail.read(0), tail.read(0), tail.read(0)] == [b"one\n", None, None]
    with path.open("ab") as stream:
        stream.write(b"two\n")
    assert [tail.read(0), tail.read(0)] == [b"two\n", None]


def test_a_file_that_is_shorter_than_what_was_read_of_it_begins_again(tmp_path, tail_of):
    """Whatever it grew by at a time."""
    path = tmp_path / "log"
    path.write_bytes(b"four\n")
    tail = tail_of(path)
    assert tail.read(0) == b"four\n"
    with path.open("ab") as stream:
        stream.write(b"more\n")
    assert tail.read(0) == b"more\n"

    path.write_bytes(b"longer\n")

    assert [tail.read(0), tail.read(0)] == [b"longer\n", None]


def test_what_the_old_file_still_holds_comes_before_the_new_one(tmp_path, tail_of):
    """While there is no new one yet the old one is read on."""
    path, old = tmp_path / "log", tmp_path / "log.1"
    path.write_bytes(b"a\n")
    tail = tail_of(path)
    assert tail.read(0) == b"a\n"
    path.rename(old)
    assert tail.read(0) is None
    with old.open("ab") as stream:
        stream.write(b"b\n")
    path.write_bytes(b"a new one, and longer\n")

    assert [tail.read(0), tail.read(0), tail.read(0)] == [b"b\n", b"a new one, and longer\n", None]


def test_a_pipe_has_nothing_yet_or_has_ended():
    """Nothing yet is told from the end."""
    ours, theirs = os.pipe()
    with os.fdopen(ours, "rb") as stream:
        pipe = Pipe(stream)
        assert pipe.read(0) is None
        os.write(theirs, b"x")
        assert pipe.read(0) == b"x"
        os.close(theirs)
        assert pipe.read(0) == b""


def blocks_of(follower, data, size):
    found = []
    for at in range(0, len(data), size):
        found += follower.feed(data[at : at + size])
    return [*found, *follower.recognise(), *follower.end()]


@pytest.mark.parametrize("size", [1, 7, 150, 10_000])
def test_a_line_that_is_too_long_is_cut_off_and_said(monkeypatch, size):
    """The lines behind it keep their numbers, and what is too long again is told again."""
    monkeypatch.setattr(follow, "MAX_LINE_BYTES", 120)
    monkeypatch.setattr(follow, "_MOST_PROBLEMS", 2)
    long = b"x" * 500 + b"\n"
    follower = Follower("stream", ReadOptions(format="hubble-compact"))
    list(follower.feed(WALL % 0))
    list(follower.recognise())

    blocks = blocks_of(follower, long + WALL % 2 + long + long + WALL % 5, size)
    events = [event for block in blocks for event in follower.parser.parse(block, follower.context)]

    read = [event.line for event in events if type(event).__name__ == "FlowEvent"]
    assert read == [3, 6]
    # A piece that holds all of a line is in memory as it is.
    cut = [] if size > 500 else [2, 4]
    assert [(one.code, one.line) for one in follower.problems] == [("line-too-long", line) for line in cut]


def test_what_nobody_knows_is_waited_for_until_there_is_enough_of_it(monkeypatch):
    """A stream may begin with words of whoever sends it; what many lines say nothing of is refused."""
    monkeypatch.setattr(follow, "HEAD_BYTES", 600)
    odd = b"lunch is at noon\n"
    follower = Follower("stream", ReadOptions())
    assert [*follower.feed(odd), *follower.recognise()] == []
    assert follower.parser is None

    (block,) = [*follower.feed(WALL % 1), *follower.recognise()]
    assert (follower.parser.name, block.data, block.first_line) == ("hubble-compact", odd + WALL % 1, 1)

    unknown = Follower("stream", ReadOptions())
    assert [*unknown.feed(odd * 35), *unknown.recognise()] == []
    with pytest.raises(InputError, match=r"stream: none of [0-9]+ parsers knows it"):
        list(unknown.feed(odd))
    assert unknown.bytes == 36 * len(odd)


def test_half_a_line_says_nothing_before_the_end():
    """Only what has ended is asked about, unless nothing more comes."""
    follower = Follower("stream", ReadOptions())
    line = (WALL % 1).rstrip(b"\n")
    assert [*follower.feed(line), *follower.recognise()] == []
    assert follower.parser is None

    (block,) = follower.end()
    assert (follower.parser.name, block.data, block.last) == ("hubble-compact", line, True)


def test_what_is_packed_is_refused_with_what_to_do():
    """Its bytes are no records."""
    follower = Follower("stream", ReadOptions())
    list(follower.feed(b"\x1f\x8b\x08\x00\n" * 3))

    with pytest.raises(InputError, match="cannot be followed") as said:
        list(follower.recognise())
    assert "zcat FILE | flowdiag watch -" in said.value.hint


def test_a_record_of_several_lines_is_held_until_the_next_or_a_pause():
    """Whoever shows a stream sees its last record once nothing has come for a while; lines go on counting."""
    follower = Follower("stream", ReadOptions(format="hubble-dict"))
    (first,) = [*follower.feed(TOLD % 1 + TOLD % 2), *follower.recognise()]
    assert (first.data, first.first_line, first.last) == (TOLD % 1, 1, False)

    (second,) = follower.pause()
    assert (second.data, second.first_line) == (TOLD % 2, 8)
    assert list(follower.pause()) == []
    assert list(follower.feed(TOLD % 3)) == []
    (third,) = follower.end()
    assert (third.data, third.first_line, third.last) == (TOLD % 3, 15, True)


def test_an_empty_end_lets_go_of_what_parsers_hold():
    """The last block says that it is the last, though all was given before."""
    follower = Follower("stream", ReadOptions(format="hubble-compact"))
    list(follower.feed(WALL % 1 + WALL % 2))
    list(follower.recognise())

    (block,) = follower.end()
    assert (block.data, block.first_line, block.last) == (b"", 3, True)


def test_lines_that_end_in_carriage_returns_alone_are_lines():
    """In every piece, not only the first."""
    follower = Follower("stream", ReadOptions())
    lines = [(WALL % n).replace(b"\n", b"\r") for n in range(4)]
    blocks = [*follower.feed(lines[0] + lines[1]), *follower.recognise(), *follower.feed(lines[2] + lines[3])]

    assert [block.data for block in blocks] == [WALL % 0 + WALL % 1, WALL % 2 + WALL % 3]
    assert [block.first_line for block in blocks] == [1, 3]
