"""Skimming by the extension: the lines, numbers and problems are those of reading in Python."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from typing import ClassVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowdiag.ingest import Detection, Gathered, Hint, InputKind, InputProblem, ReadOptions
from flowdiag.ingest import skim as skim_module
from flowdiag.ingest.ahead import in_thread
from flowdiag.ingest.blocks import blocks
from flowdiag.ingest.parts import parts_of
from flowdiag.parserkit import cut_lines, native

pytestmark = pytest.mark.skipif(
    not skim_module.extension_skims(), reason="the extension is not installed, or cannot skim here"
)


class Words:
    """Every line is a record, and those with a mark are wanted."""

    name: ClassVar[str] = "words"
    cni: ClassVar[str | None] = None
    sequential: ClassVar[bool] = False
    document: ClassVar[bool] = False

    def denied_marks(self, head: bytes) -> tuple[bytes, ...] | None:
        return None if head.startswith(b"all") else (b"DENY", b"lost_", b"n")


class Records(Words):
    """Lines that begin with a blank belong to the record before them."""

    marks_whole_records: ClassVar[bool] = True

    def record_start(self, line: bytes) -> bool:
        return not line.startswith(b" ")


def read(
    path,
    monkeypatch,
    *,
    extension: bool,
    part_bytes: int = 1 << 40,
    ahead: bool = False,
    parser: Words | None = None,
):
    """Lines with their numbers, the problems, lines counted, bytes told, and which blocks are an input's last."""
    parser = parser or Words()
    monkeypatch.setattr(skim_module, "native", native if extension else lambda: None)
    monkeypatch.setattr(skim_module, "_WORTH_A_THREAD", 0)
    found: list[tuple[int, bytes]] = []
    last: list[bool] = []
    problems: list[InputProblem] = []
    counted: list[int] = []
    told: list[int] = []
    with Gathered([str(path)]) as gathered:
        (source,) = gathered.sources
        detection = Detection(source=source, kind=InputKind.EVIDENCE, parser="words", hint=Hint())
        monkeypatch.setattr("flowdiag.ingest.parts.parser_named", lambda _: parser)
        for part in parts_of(detection, ReadOptions(only_denied=True), part_bytes):
            done: list[int] = []
            for block in blocks(
                part,
                parser,
                part.context(),
                problems,
                progress=done.append,
                counted=counted.append,
                idle=bool if ahead else None,
            ):
                last.append(block.last)
                starts = getattr(parser, "record_start", None)
                assert starts is None or starts(block.data)
                found += [
                    (block.of_line(index).line, line) for index, line in enumerate(cut_lines(block.data))
                ]
            assert done == sorted(done)
            told.append(done[-1] if done else 0)
    assert not any(last[:-1])
    return found, problems, sum(counted), told, last[-1:]


PIECES = {
    "denied": b"DENY a\n",
    "carriage return": b"DENY b\r\n",
    "lost": b"lost_\n",
    "half a mark": b"DEN\n",
    "its other half": b"Y\n",
    "empty": b"\n",
    "line": b"x" * 300 + b"\n",
    "wide colon": b"\xef\xbc\x9a\n",
    "over a block": b"z" * 150_000,
    "nul": b"\0",
    "nuls": b"\n\0\0\nDENY\0lost_\n",
    "byte order mark": b"\xef\xbb\xbfDENY\n",
    "too long": b"y" * 1_100_000,
    "cut": b"DENY without an end",
}
BEGINNINGS = {
    "none": b"",
    "byte order mark": b"\xef\xbb\xbf",
    "no marks": b"all\n",
    "other line ends": b"\r",
    "long line": b"q" * 70_000,
    "utf-16": "ä\n".encode("utf-16-le"),
}


@given(
    pieces=st.lists(st.sampled_from(sorted(PIECES)), max_size=30),
    first=st.sampled_from(sorted(BEGINNINGS)),
    part=st.sampled_from([64, 5_000, 1 << 40]),
    ahead=st.booleans(),
)
@settings(max_examples=120, deadline=None)
def test_the_same_lines_come_out(tmp_path_factory, pieces, first, part, ahead):
    """Whatever stands in the file, however it is cut, with a thread and without one."""
    path = tmp_path_factory.mktemp("skim") / "f"
    path.write_bytes(BEGINNINGS[first] + b"".join(PIECES[piece] for piece in pieces))
    with pytest.MonkeyPatch.context() as patched:
        wanted = read(path, patched, extension=False, part_bytes=part)
    with pytest.MonkeyPatch.context() as patched:
        assert read(path, patched, extension=True, part_bytes=part, ahead=ahead) == wanted


def test_records_are_not_cut(tmp_path, monkeypatch):
    """Nor is what a parser does at the end of an input left out, where a newline ends it."""
    path = tmp_path / "f"
    record = b"DENY a\n DENY its layer\n DENY another\n"
    path.write_bytes(record * 30_000)
    wanted = read(path, monkeypatch, extension=False, parser=Records())
    assert wanted[-1] == [True]

    assert read(path, monkeypatch, extension=True, parser=Records()) == wanted


@pytest.mark.parametrize("rotated", [True, False], ids=["renamed", "removed"])
def test_what_is_at_a_place_later_is_not_read(tmp_path, monkeypatch, rotated):
    """A log that is rotated while it is read is read to its end, and nothing of the next one is."""
    path = tmp_path / "f"
    path.write_bytes(b"DENY a\n" * 100_000 + b"DENY cut")
    monkeypatch.setattr("flowdiag.ingest.parts.parser_named", lambda _: Words())
    problems: list[InputProblem] = []
    lines = 0
    with Gathered([str(path)]) as gathered:
        (source,) = gathered.sources
        detection = Detection(source=source, kind=InputKind.EVIDENCE, parser="words", hint=Hint())
        (part,) = parts_of(detection, ReadOptions(only_denied=True), 1 << 40)
        for block in blocks(part, Words(), part.context(), problems):
            if not lines:
                path.unlink()
                if rotated:
                    path.write_bytes(b"DENY another file's\n" * 100_000)
            lines += len(cut_lines(block.data))

    assert (lines, problems) == (100_001, [])


def test_only_what_is_no_plain_line_is_left_to_python(tmp_path, monkeypatch):
    """A large file is the extension's up to its last newline."""
    path = tmp_path / "f"
    path.write_bytes((b"DENY a\n" + b"x" * 500 + b"\n") * 40_000 + b"DENY cut")
    left: list[int] = []
    real = skim_module.Skim.rows

    def rows(self, **given: object) -> Iterator[object]:
        yield from real(self, **given)
        left.append(path.stat().st_size - self.rest.start)

    monkeypatch.setattr(skim_module.Skim, "rows", rows)
    found, *_ = read(path, monkeypatch, extension=True)

    assert len(found) == 40_001
    assert left == [len(b"DENY cut")]


def test_a_line_of_a_megabyte_is_the_extension_s(tmp_path):
    """A longer one is not; and nothing is read where the end stands before the start."""
    path = tmp_path / "f"
    path.write_bytes((b"y" * (1 << 20) + b"\n") * 2 + b"y" * ((1 << 20) + 1) + b"\n")
    with path.open("rb") as file:
        assert native().skim(file.fileno(), 0, -1, (b"DENY",), 1)[2:] == (2 * (1 << 20) + 2, 2, True)
        assert native().skim(file.fileno(), 9, 5, (b"DENY",), 1) == (b"", b"", 9, 0, True)


SLOW = """
#include <stddef.h>
#include <sys/types.h>
#include <time.h>

ssize_t pread(int file, void *at, size_t size, off_t place)
{
    (void)file, (void)place;
    nanosleep(&(struct timespec){.tv_nsec = 30000000}, NULL);
    for (size_t i = 0; i < size; i++)
        ((char *)at)[i] = '\\n';
    return (ssize_t)size;
}

ssize_t pread64(int file, void *at, size_t size, off_t place) { return pread(file, at, size, place); }
"""


@pytest.mark.skipif(
    sys.platform != "linux" or not shutil.which("gcc"),
    reason="reads are made slow with gcc and Linux's loader",
)
def test_a_slow_disk_is_not_waited_for(tmp_path):
    """Whoever asks hears how far it is, and may be interrupted: a megabyte a second is what some networks give."""
    (tmp_path / "slow.c").write_text(SLOW)
    slow = tmp_path / "slow.so"
    subprocess.run(["gcc", "-shared", "-fPIC", str(tmp_path / "slow.c"), "-o", str(slow)], check=True)
    asked = 'import flowdiag_native as one; print(list(one.skim(0, 0, -1, (b"DENY",), 1)[2:]))'
    said = subprocess.run(
        [sys.executable, "-c", asked],
        env=os.environ | {"LD_PRELOAD": str(slow)},
        capture_output=True,
        check=True,
    )
    place, lines, over = json.loads(said.stdout.decode().lower())

    assert 0 < place == lines < 8 << 20
    assert not over


def test_whoever_stops_reading_leaves_no_thread(tmp_path, monkeypatch):
    """Nor an open file, which the thread may be reading."""
    path = tmp_path / "f"
    path.write_bytes(b"DENY a line of some length\n" * 2_000_000)
    before = threading.active_count()
    monkeypatch.setattr(skim_module, "_WORTH_A_THREAD", 0)
    monkeypatch.setattr("flowdiag.ingest.parts.parser_named", lambda _: Words())
    with Gathered([str(path)]) as gathered:
        (source,) = gathered.sources
        detection = Detection(source=source, kind=InputKind.EVIDENCE, parser="words", hint=Hint())
        (part,) = parts_of(detection, ReadOptions(only_denied=True), 1 << 40)
        found = blocks(part, Words(), part.context(), [], idle=bool)
        next(found)
        assert threading.active_count() == before + 1
        found.close()

    assert threading.active_count() == before


def test_a_thread_s_error_is_raised_behind_what_it_gave():
    """And what it gave is all given."""

    def made() -> Iterator[int]:
        yield from range(50)
        raise ValueError("broken")

    given = in_thread(made(), 3)
    found = [next(given) for _ in range(50)]

    assert found == [*range(50)]
    with pytest.raises(ValueError, match="broken"):
        next(given)
