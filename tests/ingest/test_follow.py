"""A stream is read as the file that it would be: whatever pieces it comes in, and wherever it ends."""

from __future__ import annotations

import os
import random
from contextlib import closing
from io import BytesIO
from pathlib import Path

import pytest

from flowdiag.ingest import Gathered, ReadOptions, detect_all
from flowdiag.ingest.cut_objects import cut_objects
from flowdiag.ingest.fold import dated, events_of
from flowdiag.ingest.follow import FileTail, Follower, tail_of
from flowdiag.ingest.parts import parts_of
from flowdiag.ingest.plugins import parser_named
from flowdiag.model.errors import InputError
from flowdiag.parserkit import registry

FIXTURES = Path(__file__).resolve().parents[2] / "fixtures" / "parsers"
PARSERS = sorted(registry.available("flowdiag.parsers"))
CASES = sorted(
    path
    for name in PARSERS
    for path in FIXTURES.glob(f"{name}/*/input.*")
    if path.suffix not in (".gz", ".zst")
)


def followed(data: bytes, name: str, seed: int):
    """Events of a stream that comes in pieces."""
    dice = random.Random(seed)  # noqa: S311 - test data
    follower = Follower("stream", ReadOptions(format=name))
    events = []

    def take(blocks):
        for block in blocks:
            events.extend(dated(event, block) for event in follower.parser.parse(block, follower.context))
            events.extend(cut_objects(follower.parser, block, follower.context))

    at = 0
    while at < len(data):
        size = dice.choice((1, 40, 300, 5000))
        take(follower.feed(data[at : at + size]))
        at += size
    take(follower.end())
    return events


def read(data: bytes, name: str, folder: Path):
    """Events of the file."""
    path = folder / "stream"
    path.write_bytes(data)
    options = ReadOptions(format=name, keep_raw=True)
    with Gathered([str(path)]) as gathered:
        (one,), _ = detect_all(gathered, options)
        return [event for part in parts_of(one, options) for event in events_of(part, parser_named(name), [])]


@pytest.mark.parametrize("case", CASES, ids=lambda path: f"{path.parent.parent.name}/{path.parent.name}")
def test_a_stream_gives_what_its_file_gives(case, tmp_path):
    """The same events, whole and cut off within a line; only of what has to be whole nothing can be said before its end."""
    data = case.read_bytes()
    name = case.parent.parent.name
    dice = random.Random(len(data))  # noqa: S311 - test data
    for length in (len(data), *(dice.randrange(1, len(data) + 1) for _ in range(6))):
        try:
            found = followed(data[:length], name, length)
        except InputError as error:
            if "which has to be whole" not in str(error):
                raise
            return
        assert found == read(data[:length], name, tmp_path)


class TestRotations:
    """What a file's tail gives around a rotation; the writer is never in a hurry to take up the new file."""

    def test_what_is_added_to_the_old_file_after_the_rename_is_read(self, tmp_path):
        """logrotate makes the new file, and tells the writer later."""
        path = tmp_path / "events.log"
        path.write_bytes(b"one\n")
        tail = FileTail(str(path))
        assert tail.read(0) == b"one\n"
        path.rename(tmp_path / "events.log.1")
        path.touch()
        assert tail.read(0) is None
        with (tmp_path / "events.log.1").open("ab") as stream:
            stream.write(b"two\n")
        path.write_bytes(b"three\n")

        with closing(tail):
            assert [tail.read(0) for _ in range(3)] == [b"two\n", b"three\n", None]

    @pytest.mark.parametrize("how", ["renamed", "truncated"])
    def test_a_line_that_rotation_cut_off_does_not_run_into_the_next(self, tmp_path, how):
        """One is lost, not two; and nobody takes halves of two for one."""
        path = tmp_path / "events.log"
        path.write_bytes(b"one\ntw")
        tail = FileTail(str(path))
        given = tail.read(0)
        if how == "renamed":
            path.rename(tmp_path / "events.log.1")
        path.write_bytes(b"3\n")

        with closing(tail):
            given += b"".join(tail.read(0) or b"" for _ in range(3))

        assert given == b"one\ntw\n3\n"


def test_a_pipe_with_a_name_ends_as_a_pipe_does():
    """``flowdiag watch <(hubble observe -f)``: it has no size, and nobody can go back in it."""
    ours, theirs = os.pipe()
    os.write(theirs, b"one\ntwo\n")
    with closing(tail_of(f"/proc/self/fd/{ours}", BytesIO())) as tail:
        os.close(ours)
        os.close(theirs)

        assert [tail.read(0), tail.read(0)] == [b"one\ntwo\n", b""]
