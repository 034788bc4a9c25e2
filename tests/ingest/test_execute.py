"""The run: the same bytes whoever does the work, and no file costs another one its place."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import pytest

from flowdiag.ingest import Gathered, InputKind, ReadOptions, detect_all, execute
from flowdiag.ingest.events import iter_events
from flowdiag.ingest.execute import Outcome, run
from flowdiag.model.errors import UsageError
from flowdiag.parserkit import Block, Event, FlowEvent, LogEvent, ParseContext, TimeSource, registry
from flowdiag.parserkit.registry import Registered


def packet(number: int) -> bytes:
    """One kernel line of Calico's Log action; our own, after Calico v3.27's default prefix."""
    return (
        b"Jan  5 10:%02d:%02d node-%d kernel: calico-packet: IN=cali58c64a0c8be OUT=eth0 MAC=ee:ee:ee:ee:ee:ee "
        b"SRC=10.0.0.%d DST=192.0.2.%d LEN=60 TOS=0x00 PREC=0x00 TTL=63 ID=%d DF PROTO=TCP SPT=%d DPT=443 "
        b"WINDOW=64240 RES=0x00 SYN URGP=0\n"
        % (number // 60 % 60, number % 60, number % 3, number % 5, number % 7, number, 30000 + number % 1000)
    )


@pytest.fixture
def folder(tmp_path) -> Path:
    """A folder of evidence of several packings, with things that are none."""
    top = tmp_path / "in"
    top.mkdir()
    (top / "a.log").write_bytes(b"".join(packet(number) for number in range(2000)))
    (top / "b.log.gz").write_bytes(gzip.compress(b"".join(packet(number) for number in range(500))))
    (top / "notes.txt").write_text("lunch at noon\n")
    (top / "empty.log").write_text("")
    (top / "binary").write_bytes(bytes(range(256)) * 20)
    return top


def read(folder: Path, **settings) -> Outcome:
    progress = settings.pop("progress", None)
    with Gathered([str(folder)]) as gathered:
        return run(gathered, ReadOptions(year=2026, **settings), progress, part_bytes=20_000)


def said(outcome: Outcome) -> tuple:
    """All that reports are made of: flows with their examples' lines, and what was kept beside them."""
    tally = outcome.tally
    kept = (tally.logs, tally.changes, tally.gaps, tally.warnings)
    counts = (dict(tally.log_counts), tally.change_count, dict(tally.gap_counts), tally.warning_counts)
    return tally.flows(), tally.view().buckets(["allowed"]), tally.inputs, tally.dns, kept, counts


def test_number_of_processes_changes_nothing(folder):
    """In this process, in two others, in three: the same tally and the same problems."""
    alone, two, three = (read(folder, processes=number) for number in (1, 2, 3))

    assert said(alone) == said(two) == said(three)
    assert len({e.line for flow in alone.tally.flows() for e in flow.examples}) > 10
    assert alone.problems == two.problems == three.problems
    assert [(Path(problem.path).name, problem.code) for problem in alone.problems] == [
        ("binary", "binary"),
        ("empty.log", "empty"),
        ("notes.txt", "unknown-format"),
    ]


def test_mostly_unreadable_files_are_said(tmp_path):
    """A file whose start is one format and whose rest is another is counted and named."""
    lines = [packet(number) for number in range(3000)]
    broken = [line[: len(line) // 2] + b"\n" for line in lines[:400]]
    (tmp_path / "f.log").write_bytes(b"".join([*lines[:300], *broken]))
    outcome = read(tmp_path, processes=1)

    assert [problem.code for problem in outcome.problems] == ["mostly-unreadable"]


def test_progress_reaches_the_whole(folder):
    """Bytes done end at bytes in all."""
    calls: list[tuple[int, int, str]] = []
    read(folder, processes=1, progress=lambda done, total, name: calls.append((done, total, name)))

    assert calls[-1][0] == calls[-1][1] > 0
    assert len(calls) > 6, "also between the ends of files"
    assert [call[0] for call in calls] == sorted(call[0] for call in calls)


def test_one_packed_stream_is_read_here_and_tells_how_far_it_is(folder, monkeypatch):
    """However large: a second process could only hand over what it had read."""
    monkeypatch.setattr(execute, "SERIAL_BYTES", 1)
    monkeypatch.setattr(execute, "fold_shares", None)
    lines = b"".join(packet(number) for number in range(20_000))
    path = folder.parent / "large.log.gz"
    path.write_bytes(gzip.compress(lines))
    calls: list[int] = []
    with Gathered([str(path)]) as gathered:
        outcome = run(gathered, ReadOptions(year=2026), lambda *told: calls.append(told[0]))

    assert outcome.tally.records == 20_000
    assert len(calls) > 3


@pytest.mark.parametrize(
    ("cores", "settings", "form", "compiled", "shared"),
    [
        (2, {}, "plain", True, False),
        (2, {"processes": 2}, "plain", True, True),
        (3, {}, "plain", True, True),
        (2, {}, "packed", True, True),
        (2, {}, "spaced", True, True),
        (2, {}, "beside a small log", True, False),
        (2, {}, "beside a large log", True, True),
        (2, {}, "plain", False, True),
        (2, {"only_denied": True}, "plain", True, False),
        (2, {"only_denied": True}, "spaced", True, True),
    ],
)
def test_of_two_cores_a_parser_that_uses_both_gets_one_process(
    cores, settings, form, compiled, shared, tmp_path, monkeypatch
):
    """Not where more is asked for, where there are more cores, unpacking, an encoder's spaces, without the extension."""
    flow = b'{"flow":{"verdict":"DROPPED","IP":{"source":"10.0.0.1","destination":"10.0.0.2"}},"node_name":"n"}\n'
    flow = flow.replace(b":", b": ") if form == "spaced" else flow
    for name in ("a.jsonl", "b.jsonl"):
        path = tmp_path / (name + ".gz" * (form == "packed"))
        path.write_bytes(gzip.compress(flow * 99) if form == "packed" else flow * 99)
    beside = {"beside a small log": 1, "beside a large log": 99}.get(form, 0)
    if beside:
        (tmp_path / "kernel.log").write_bytes(packet(1) * beside)
    asked: list[int] = []
    real = execute.fold_shares
    monkeypatch.setattr(execute, "SERIAL_BYTES", 1)
    monkeypatch.setattr(execute, "cores", lambda: cores)
    monkeypatch.setattr("flowdiag_parsers.hubble.flow_json.native", lambda: compiled or None)
    monkeypatch.setattr(
        execute,
        "fold_shares",
        lambda parts, workers, *more: (asked.append(workers), real(parts, 1, *more))[1],
    )
    with Gathered([str(tmp_path)]) as gathered:
        outcome = run(gathered, ReadOptions(**settings))

    assert outcome.tally.records == 2 * 99 + beside
    assert asked == ([cores] if shared else [])


def test_events_come_in_input_order_with_their_lines(folder):
    """Every record of every input, in order, whatever its packing; the year is marked as inferred."""
    with Gathered([str(folder)]) as gathered:
        found = [
            (Path(name).name, parser, event)
            for name, parser, event in iter_events(gathered, ReadOptions(year=2026))
        ]

    assert [(name, parser, event.line) for name, parser, event in found] == [
        *(("a.log", "netfilter", number + 1) for number in range(2000)),
        *(("b.log.gz", "netfilter", number + 1) for number in range(500)),
    ]
    assert all(isinstance(event, FlowEvent) for _, _, event in found)
    assert {event.time_source for _, _, event in found} == {TimeSource.INFERRED_YEAR}
    assert {event.node for _, _, event in found} == {"node-0", "node-1", "node-2"}


def test_unknown_format_is_an_error(folder):
    """--format with a name that nobody has stops the run."""
    with pytest.raises(UsageError):
        read(folder, format="no-such-format")


class Fragile:
    """Raises on the word that it cannot stand."""

    name: ClassVar[str] = "fragile"
    summary: ClassVar[str] = "breaks"
    cni: ClassVar[str | None] = None
    sequential: ClassVar[bool] = False
    document: ClassVar[bool] = False

    def sniff(self, head: bytes) -> float:
        return 0.9 if head.startswith(b"fragile") else 0.0

    def parse(self, block: Block, context: ParseContext) -> Iterator[Event]:  # noqa: ARG002
        yield from ()
        raise ValueError("cannot stand it")


class Eager(Fragile):
    """Raises on the second block that it is told of."""

    def expect(self, block: Block, sink: object) -> None:  # noqa: ARG002
        if block.first_line > 1:
            raise ValueError("too early")

    def parse(self, block: Block, context: ParseContext) -> Iterator[Event]:  # noqa: ARG002
        for index, _ in enumerate(block.data.splitlines()):
            yield LogEvent(line=block.of_line(index).line, message="x", signal="s")


def with_parser(parser, monkeypatch):
    """It and the kernel's parser are all there are."""
    mine = Registered(name="fragile", distribution="x", version="1", plugin=parser)
    real = registry.load("flowdiag.parsers", "netfilter")
    monkeypatch.setattr(registry, "load_all", lambda group, fault: ([mine, real], []))  # noqa: ARG005
    for place in ("fold", "parts", "execute"):
        monkeypatch.setattr(
            f"flowdiag.ingest.{place}.parser_named",
            lambda name: parser if name == "fragile" else real.plugin,
        )


def test_a_parser_that_raises_ahead_is_given_what_came_before(tmp_path, monkeypatch):
    with_parser(Eager(), monkeypatch)
    monkeypatch.setattr(execute, "has_core_to_spare", lambda: True)
    monkeypatch.setattr("flowdiag.ingest.fold._AHEAD_BYTES", 100)
    (tmp_path / "0.log").write_text("fragile line\n" * 20)

    outcome = read(tmp_path, processes=1)

    assert outcome.tally.records == 7
    assert [(problem.line, problem.message) for problem in outcome.problems] == [
        (8, "parser fragile raised ValueError: too early; the rest of this part was not read")
    ]


class Choosy(Fragile):
    """Says in which order it was told of blocks and given them; raises on one line."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def expect(self, block: Block, sink: object) -> None:  # noqa: ARG002
        self.said.append("told " + block.data[8:9].decode())

    def parse(self, block: Block, context: ParseContext) -> Iterator[Event]:  # noqa: ARG002
        self.said.append("given " + block.data[8:9].decode())
        if b"bad" in block.data:
            raise ValueError("cannot stand it")
        yield LogEvent(line=block.of_line(0).line, message="x", signal="s")


def test_small_files_are_begun_while_others_are_read_and_one_that_fails_costs_itself(tmp_path, monkeypatch):
    parser = Choosy()
    with_parser(parser, monkeypatch)
    monkeypatch.setattr(execute, "has_core_to_spare", lambda: True)
    monkeypatch.setattr("flowdiag.ingest.fold._AHEAD_BYTES", 100)
    for name in "abcde":
        text = f"fragile {name} {'bad' if name == 'b' else 'good'}\n"
        (tmp_path / f"{name}.log").write_text(text * (20 if name == "b" else 1))

    outcome = read(tmp_path, processes=1)

    # It is asked for times as well, before it is told of a file: what it is given last is what counts.
    last = {said: at for at, said in enumerate(parser.said)}
    assert sorted(last, key=last.__getitem__) == [
        *("told a", "given a", "told b", "given b"),
        *("told c", "told d", "told e", "given c", "given d", "given e"),
    ]
    assert outcome.tally.records == 4
    assert [(Path(one.path).name, one.line) for one in outcome.problems if one.code == "worker-failed"] == [
        ("b.log", 1)
    ]


def test_a_parser_that_raises_costs_its_input_only(folder, monkeypatch):
    """The message names the parser and the line; the other inputs are read."""
    with_parser(Fragile(), monkeypatch)
    (folder / "0.log").write_text("fragile\n")
    outcome = read(folder, processes=1)

    assert [problem.message for problem in outcome.problems if problem.code == "worker-failed"] == [
        "parser fragile raised ValueError: cannot stand it; the rest of this part was not read"
    ]
    assert [Path(one.source.name).name for one in outcome.inputs if one.kind is InputKind.EVIDENCE] == [
        "0.log",
        "a.log",
        "b.log.gz",
    ]


@pytest.mark.parametrize("processes", [1, 2])
def test_a_file_that_is_cut_while_it_is_read_is_said(tmp_path, processes):
    """Also where it ends with a whole line: what a rotation took away was refused as well, for all one knows."""
    path = tmp_path / "kern.log"
    path.write_bytes(b"".join(map(packet, range(200))))
    options = ReadOptions(processes=processes)
    with Gathered([str(path)]) as gathered:
        detected, _ = detect_all(gathered, options)
        path.write_bytes(b"".join(map(packet, range(20))))
        outcome = run(gathered, options, detected=detected)

    assert [(one.path, one.code) for one in outcome.problems] == [(str(path), "shrunk")]
