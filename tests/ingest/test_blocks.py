"""Blocks: any size gives the same records, lines and numbers."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowdiag.ingest import Detection, Gathered, Hint, InputKind, InputProblem, ReadOptions
from flowdiag.ingest.blocks import blocks
from flowdiag.ingest.lines import count_newlines, runs
from flowdiag.ingest.parts import parts_of
from flowdiag.parserkit import Block, Event, LogEvent, ParseContext, cut_lines
from flowdiag.parserkit.lines import MAX_LINE_BYTES


class Words:
    """Every line is a record."""

    name: ClassVar[str] = "words"
    summary: ClassVar[str] = "any line"
    cni: ClassVar[str | None] = None
    sequential: ClassVar[bool] = False
    document: ClassVar[bool] = False

    def sniff(self, head: bytes) -> float:
        return 0.9 if head else 0.0

    def denied_marks(self, head: bytes) -> tuple[bytes, ...] | None:  # noqa: ARG002
        return (b"DENY", b"lost")

    def parse(self, block: Block, context: ParseContext) -> Iterator[Event]:  # noqa: ARG002
        for index, line in enumerate(cut_lines(block.data)):
            around = block.of_line(index)
            yield LogEvent(line=around.line, at=around.at, node=around.node, message=line.decode("latin-1"))


class Paragraphs(Words):
    """A record starts with ``#`` and goes on to the next one."""

    name: ClassVar[str] = "paragraphs"

    def record_start(self, line: bytes) -> bool:
        return line.startswith(b"#")

    def parse(self, block: Block, context: ParseContext) -> Iterator[Event]:  # noqa: ARG002
        record: list[str] = []
        number = 0
        for index, line in enumerate(cut_lines(block.data)):
            if line.startswith(b"#") and record:
                yield LogEvent(line=number, message="|".join(record))
                record = []
            number = number if record else block.of_line(index).line
            record.append(line.decode("latin-1"))
        if record:
            yield LogEvent(line=number, message="|".join(record))


class Whole(Words):
    """One document."""

    name: ClassVar[str] = "whole"
    document: ClassVar[bool] = True

    def parse(self, block: Block, context: ParseContext) -> Iterator[Event]:  # noqa: ARG002
        yield LogEvent(line=1, message=str(len(json.loads(block.data))))


PARSERS = {parser.name: parser for parser in (Words(), Paragraphs(), Whole())}


@pytest.fixture(autouse=True)
def _registered(monkeypatch):
    monkeypatch.setattr("flowdiag.ingest.parts.parser_named", PARSERS.__getitem__)


def read(
    path: Path,
    parser: str = "words",
    stack: tuple[str, ...] = (),
    *,
    read_bytes: int | None = None,
    part_bytes: int = 1 << 30,
    only_denied: bool = False,
    reverse: bool = False,
) -> tuple[list[LogEvent], list[InputProblem]]:
    problems: list[InputProblem] = []
    events: list[LogEvent] = []
    with Gathered([str(path)]) as gathered:
        detection = Detection(
            source=gathered.sources[0], kind=InputKind.EVIDENCE, parser=parser, stack=stack, hint=Hint()
        )
        options = ReadOptions(only_denied=only_denied, year=2026)
        parts = list(parts_of(detection, options, part_bytes))
        for part in reversed(parts) if reverse else parts:
            context = part.context()
            for block in blocks(part, PARSERS[parser], context, problems, read_bytes=read_bytes):
                events += PARSERS[parser].parse(block, context)  # type: ignore[arg-type]
    return events, problems


LINES = st.lists(
    st.sampled_from([b"", b"a", b"#b", b"DENY c", b"x" * 40, b"lost\r", b"\xff\xfe"]), max_size=40
)


@given(lines=LINES, final=st.booleans(), size=st.integers(1, 64), part=st.integers(1, 100))
@settings(max_examples=60, deadline=None)
@pytest.mark.parametrize("parser", ["words", "paragraphs"])
@pytest.mark.parametrize("stack", [(), ("kubectl-prefix",)])
def test_boundaries_change_nothing(tmp_path_factory, parser, stack, lines, final, size, part):
    """Any block size and any cut into parts give the same events with the same line numbers."""
    path = tmp_path_factory.mktemp("b") / "f"
    front = b"[pod/p/c] " if stack else b""
    path.write_bytes(b"\n".join(front + line for line in lines) + b"\n" * final)
    whole, _ = read(path, parser, stack)

    if parser == "words":
        assert [event.line for event in whole] == list(range(1, len(whole) + 1))
    assert read(path, parser, stack, read_bytes=size)[0] == whole
    assert read(path, parser, stack, read_bytes=size, part_bytes=part)[0] == whole
    backwards, _ = read(path, parser, stack, part_bytes=part, reverse=True)
    assert sorted(backwards, key=lambda event: event.line) == whole


@given(lines=LINES, size=st.integers(1, 64))
@settings(max_examples=60, deadline=None)
@pytest.mark.parametrize("stack", [(), ("cri",)])
def test_skimming_keeps_numbers_and_loses_no_mark(tmp_path_factory, stack, lines, size):
    """Reading refusals only gives exactly the marked lines, where they stand."""
    path = tmp_path_factory.mktemp("s") / "f"
    front = b"2026-01-05T10:00:00Z stdout F " if stack else b""
    path.write_bytes(b"".join(front + line + b"\n" for line in lines))
    wanted = [
        event for event in read(path, stack=stack)[0] if "DENY" in event.message or "lost" in event.message
    ]

    assert read(path, stack=stack, read_bytes=size, only_denied=True)[0] == wanted


@given(data=st.binary(max_size=300), size=st.integers(1, 50), limit=st.integers(1, 40))
@settings(max_examples=200, deadline=None)
def test_runs_cut_long_lines_alike_at_any_size(data, size, limit):
    """A line over the limit loses its end and is named once, wherever the reads fall."""

    class Stream:
        def __init__(self) -> None:
            self.at = 0

        def read(self, wanted: int = -1) -> bytes:
            piece = data[self.at : self.at + wanted]
            self.at += len(piece)
            return piece

        def tell(self) -> int:
            return self.at

        def close(self) -> None:
            pass

    named: list[int] = []
    found = b"".join(
        run.data for run in runs(Stream(), read_bytes=size, max_line=limit, too_long=named.append)
    )
    lines = data.split(b"\n")

    assert found == b"\n".join(line[:limit] for line in lines)
    assert named == [number for number, line in enumerate(lines, start=1) if len(line) > limit]


@given(st.binary(max_size=2000), st.integers(0, 600))
def test_newlines_are_counted(data, padding):
    """Both ways of counting agree."""
    data = b"x" * padding + data
    assert count_newlines(data) == data.count(b"\n")


def test_a_line_over_the_limit_is_named(tmp_path):
    """It is cut, the next line keeps its number, and memory stays bounded."""
    path = tmp_path / "f"
    path.write_bytes(b"first\n" + b"x" * (MAX_LINE_BYTES + 10) + b"\nlast")
    events, problems = read(path)

    assert [(event.line, len(event.message)) for event in events] == [(1, 5), (2, MAX_LINE_BYTES), (3, 4)]
    assert [(problem.code, problem.line) for problem in problems] == [("line-too-long", 2)]


@pytest.mark.parametrize("raw", [b"a\r\nb\r\nc", b"a\nb\nc\n", b"\xef\xbb\xbfa\nb\nc"])
def test_line_ends_and_marks(tmp_path, raw):
    """CRLF, a missing last newline and a byte order mark are no part of any record."""
    path = tmp_path / "f"
    path.write_bytes(raw)

    for part_bytes in (1, 2, 1 << 20):
        events, _ = read(path, part_bytes=part_bytes)
        assert [(event.line, event.message) for event in events] == [(1, "a"), (2, "b"), (3, "c")]


def test_last_block_says_so(tmp_path):
    """Only the end of the input is ``last``: there a record may have been cut off."""
    path = tmp_path / "f"
    path.write_bytes(b"aaaa\nbbbb\ncccc\ndddd")
    with Gathered([str(path)]) as gathered:
        detection = Detection(source=gathered.sources[0], kind=InputKind.EVIDENCE, parser="words")
        found = [
            block.last
            for part in parts_of(detection, ReadOptions(), 10)
            for block in blocks(part, PARSERS["words"], part.context(), [], read_bytes=5)
        ]

    assert found.count(True) == 1
    assert found[-1]


def test_truncated_gzip_gives_what_came_before(tmp_path):
    """The damage is a problem of the input, not the end of the run."""
    path = tmp_path / "f.gz"
    data = b"".join(b"line %d %d\n" % (number, number * 7919 % 10007) for number in range(20_000))
    path.write_bytes(gzip.compress(data)[:-2000])
    events, problems = read(path)

    assert 0 < len(events) < 20_000
    assert [problem.code for problem in problems] == ["truncated"]


def test_documents_are_one_block(tmp_path):
    """A parser of whole documents gets the whole document, however small the reads."""
    path = tmp_path / "f"
    path.write_text(json.dumps([{"n": number} for number in range(1000)], indent=1))

    assert [event.message for event in read(path, "whole", read_bytes=10)[0]] == ["1000"]


def test_elements_of_a_document_are_numbered(tmp_path):
    """A line parser gets an array's elements as lines, numbered from 1, over several blocks."""
    path = tmp_path / "f"
    path.write_text(json.dumps([{"n": number} for number in range(10_000)], indent=1))
    events, _ = read(path, stack=("json-array",))

    assert [event.line for event in events] == list(range(1, 10_001))
    assert json.loads(events[-1].message) == {"n": 9999}


def test_columns_stay_beside_their_lines_across_blocks(tmp_path):
    """Outer time and node belong to the line they stood on."""
    path = tmp_path / "f"
    path.write_text(
        "".join(f"Jan  5 10:00:{second:02d} n{second % 3} app: {second}\n" for second in range(60))
    )
    events, _ = read(path, stack=("syslog-rfc3164",), read_bytes=100)

    assert [(event.message, event.node) for event in events] == [(str(n), f"n{n % 3}") for n in range(60)]
    assert [event.at // 10**9 % 60 for event in events if event.at is not None] == list(range(60))
