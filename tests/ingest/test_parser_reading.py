"""Files that their parser reads itself: what is counted, said and told is what reading in Python gives."""

from __future__ import annotations

import json
import os
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flowdiag.ingest import Gathered, ReadOptions
from flowdiag.ingest import parser_reading as parser_reading_module
from flowdiag.ingest.execute import run
from flowdiag.ingest.fold import fold_all
from flowdiag.ingest.identify import detect_all
from flowdiag.ingest.parts import parts_of
from flowdiag.parserkit import FileLines
from flowdiag.tally import Tally
from flowdiag_parsers.hubble import json_learnt, json_memory, json_teaching
from flowdiag_parsers.hubble.flow_json import HubbleJson
from flowdiag_parsers.hubble.json_native import new_scanner

sys.path.insert(0, str(Path(__file__).parents[1] / "parsers"))

from test_hubble_json_fold import exports, results, starts_like_lines
from test_hubble_scanner import flow, written

pytestmark = pytest.mark.skipif(
    new_scanner() is None or not new_scanner().begin(b"", False),
    reason="flowdiag_native is not installed, or has no threads here",
)

USUAL = [
    written(one)
    for one in (
        flow(),
        flow(verdict="DROPPED", drop_reason_desc="POLICY_DENIED", drop_reason=133),
        flow(node_name="c/n2"),
        flow(is_reply=True),
        flow(
            Type="L7",
            l7={"type": "RESPONSE", "dns": {"query": "q.example.com.", "ips": ["192.0.2.7"], "ttl": 30}},
        ),
    )
]


class Told:
    """A pace that keeps what it was told."""

    def __init__(self):
        self.bytes = []

    def inside(self, part):
        return lambda done: self.bytes.append(min(done, part.size))

    def done(self, part):
        self.bytes.append(part.size)


class Late:
    """A scanner whose thread is waited for each time."""

    def __init__(self):
        self._scanner = new_scanner()

    def __getattr__(self, name):
        return getattr(self._scanner, name)

    def is_ready(self):
        return False


@pytest.fixture
def small(monkeypatch):
    """Stretches and files of few bytes are enough; gives a list that grows by what is read so."""
    monkeypatch.setattr(parser_reading_module, "_WORTH_IT", 0)
    monkeypatch.setattr(json_teaching, "_STRETCH_BYTES", 1_000)
    read: list[FileLines] = []
    whole = HubbleJson.read_file

    def kept(self, *given):
        for lines in whole(self, *given):
            read.append(lines)
            yield lines

    monkeypatch.setattr(HubbleJson, "read_file", kept)
    return read


def folded(paths, *, ahead=True, **options):
    """Files, one behind the other: the tally, the problems, and what the pace was told."""
    tally, problems, told = Tally(), [], Told()
    options = ReadOptions(format="hubble-json", **options)
    with Gathered([str(path) for path in paths]) as gathered:
        detected, _ = detect_all(gathered, options)
        parts = [part for one in detected for part in parts_of(one, options, 1 << 40)]
        fold_all(tally, parts, problems, told, idle=bool if ahead else None)
    return tally, problems, told.bytes


def compared(*paths, **options):
    """Read both ways, which must give the same; the tally."""
    tally, problems, _ = folded(paths, **options)
    wanted, others, _ = folded(paths, ahead=False, **options)
    assert results(tally) == results(wanted)
    assert problems == others
    return tally


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=exports.filter(starts_like_lines), stretch=st.sampled_from((1, 400, 3_000, 1 << 20)))
def test_odd_exports_are_counted_alike(data, stretch, small, tmp_path_factory, monkeypatch):
    """Damaged lines, gaps, answers, without a newline at the end, wherever stretches end."""
    monkeypatch.setattr(json_teaching, "_STRETCH_BYTES", stretch)
    path = tmp_path_factory.mktemp("one") / "flows.jsonl"
    path.write_bytes(b"".join(USUAL) + data + b"\n" + data)
    small.clear()
    compared(path)
    assert small


@pytest.mark.parametrize(
    "odd",
    [
        b"\0\0\0",
        b"\0" * 3 + USUAL[0],
        b"\xef\xbb\xbf" + USUAL[0],
        USUAL[0][:-9] + b"\n",
        b"\n\n \n",
        USUAL[0][:-1] + b"\r\n",
        json.dumps(flow(), separators=(",", ":")).encode() + b"\n",
        b'{"flow":{"Summary":"' + b"x" * 1_100_000 + b'"}}\n',
        b"x" * 3_000_000 + b"\n",
        USUAL[0][:-1],
    ],
    ids=["NULs", "NULs before", "mark", "cut", "blank", "CR", "bare", "long", "longer", "two in one line"],
)
@pytest.mark.parametrize("behind", [b"".join(USUAL * 9), USUAL[1][:-1], b""], ids=["more", "no end", "end"])
def test_what_is_no_plain_line_is_read_in_python(odd, behind, small, tmp_path):
    """From there on; what stands before it keeps its counts, and lines their numbers."""
    path = tmp_path / "flows.jsonl"
    path.write_bytes(b"".join(USUAL * 50) + odd + behind)
    tally = compared(path)

    assert tally.records >= 250
    assert sum(lines.newlines for lines in small) >= 250
    assert sum(len(lines.data) for lines in small) < path.stat().st_size


def test_only_what_is_to_be_looked_at_is_handed_over(small, tmp_path):
    """Of lines that are known nothing is: what is counted one by one is, with its number among all lines."""
    path = tmp_path / "flows.jsonl"
    usual, refused, *_ = USUAL
    path.write_bytes((usual * 30 + refused) * 40)
    compared(path)
    handed = b"".join(lines.data for lines in small)

    assert handed.count(b"DROPPED") == 40
    assert handed.count(b"FORWARDED") < 200
    assert sum(lines.newlines for lines in small) == 31 * 40
    numbers, line = [], 1
    for lines in small:
        numbers += [
            line + before
            for before, text in zip(lines.before, lines.data.splitlines(), strict=True)
            if b"DROPPED" in text
        ]
        line += lines.newlines
    assert numbers == [*range(31, 31 * 40 + 1, 31)]


@pytest.mark.usefixtures("small")
def test_bytes_are_told_as_they_are_read(tmp_path):
    """So that progress can be shown: they grow, up to all."""
    path = tmp_path / "flows.jsonl"
    path.write_bytes(b"".join(USUAL * 50))
    _, _, told = folded([path])

    assert told == sorted(told)
    assert len(told) > 10
    assert told[-1] == path.stat().st_size


def test_what_is_forgotten_is_read_again(small, tmp_path, monkeypatch):
    """When numbers of ends and lanes are given anew, and when so much is known that it is time to begin again."""
    path = tmp_path / "flows.jsonl"
    ends = [
        written(flow(IP={"source": "10.0.0.1", "destination": f"10.1.{number // 250}.{number % 250}"}))
        for number in range(600)
    ]
    path.write_bytes(b"".join(one + two for one, two in zip(ends, USUAL * 120, strict=True)))
    wanted, _, _ = folded([path], ahead=False)
    bound, forgotten = Tally._bound, []

    def bounded(self):
        bound(self)
        if self.records % 7 == 0:
            self.compact()
            self._memos.clear()
            forgotten.append(self.records)

    with monkeypatch.context() as patched:
        patched.setattr(Tally, "_bound", bounded)
        tally, _, _ = folded([path])
    assert len(forgotten) > 3
    assert results(tally) == results(wanted)

    small.clear()
    monkeypatch.setattr(json_memory, "_MAX_KINDS", 3)
    tally, _, _ = folded([path])
    assert results(tally) == results(wanted)
    assert sum(lines.newlines for lines in small) == 1_200


def test_blocks_of_the_file_before_are_folded_first(small, tmp_path, monkeypatch):
    """They were begun, and what is known may be forgotten with them."""
    paths = [tmp_path / f"{name}.jsonl" for name in "abcd"]
    for path, times in zip(paths, (3, 30, 4, 40), strict=True):
        path.write_bytes(b"".join(USUAL * times))
    monkeypatch.setattr(parser_reading_module, "_WORTH_IT", paths[1].stat().st_size)
    bound = Tally._bound
    monkeypatch.setattr(Tally, "_bound", lambda self: (bound(self), self._memos.clear())[0])
    tally = compared(*paths)

    assert tally.records == 77 * len(USUAL)
    # Each time something of the file, but for its end: a scanner and a thread for nothing would begin without end.
    assert 0 < len(small) < 70 * len(USUAL)


def test_lines_of_another_encoder_are_left_to_python(small, tmp_path):
    """The scanner takes none with white space; it is given up, and so is reading by it."""
    path = tmp_path / "flows.jsonl"
    spaced = json.dumps({"flow": flow(), "node_name": "c/n1"}).encode() + b"\n"
    path.write_bytes(spaced * 3_000)
    compared(path)

    assert 1_000 < sum(lines.newlines for lines in small) < 2_000


@pytest.mark.parametrize("data", [b"[" + b",".join(one[:-1] for one in USUAL) + b"]\n", USUAL[0]])
def test_documents_are_not_read_as_lines(data, small, tmp_path):
    """An array; and what is printed over several lines."""
    path = tmp_path / "flows.json"
    path.write_bytes(json.dumps(json.loads(data), indent=1).encode() + b"\n")
    assert compared(path).records
    assert not small


@pytest.mark.parametrize("refusals", [True, False])
def test_where_refusals_alone_are_wanted_lines_are_searched(refusals, small, tmp_path):
    """That takes less than counting."""
    path = tmp_path / "flows.jsonl"
    path.write_bytes(b"".join(USUAL * 9))
    folded([path], only_denied=refusals)
    assert bool(small) is not refusals


@pytest.mark.usefixtures("small")
def test_a_file_that_shrinks_ends_there(tmp_path, monkeypatch):
    """As it does for whoever reads it in Python."""
    path = tmp_path / "flows.jsonl"
    path.write_bytes(b"".join(USUAL * 2_000))
    whole = HubbleJson.read_file

    def shrinking(self, *given):
        for lines in whole(self, *given):
            os.truncate(path, lines.place)
            yield lines

    monkeypatch.setattr(HubbleJson, "read_file", shrinking)
    tally, problems, _ = folded([path])
    assert 0 < tally.records < 2_000 * len(USUAL)
    assert not problems


@pytest.mark.parametrize("fails", ["open", "read"])
def test_what_cannot_be_read_so_is_read_in_python(fails, small, tmp_path, monkeypatch):
    """No descriptor may be left; and a disk may fail."""
    path = tmp_path / "flows.jsonl"
    path.write_bytes(b"".join(USUAL * 50))
    made = json_teaching.Teaching.read

    def failing(self, *given):
        if fails == "open":
            raise OSError(24, "Too many open files")
        for number, stretch in enumerate(made(self, *given)):
            if number == 3:
                raise OSError(5, "Input/output error")
            yield stretch

    monkeypatch.setattr(json_teaching.Teaching, "read", failing)
    compared(path)
    assert bool(small) is (fails == "read")


@pytest.mark.parametrize("fails", [False, True])
def test_other_work_is_done_where_the_thread_is_waited_for(fails, small, tmp_path, monkeypatch):
    """Step by step, as many as there is time for; what is wrong with it is not the evidence's."""
    monkeypatch.setattr(json_learnt, "new_scanner", Late)
    path = tmp_path / "flows.jsonl"
    path.write_bytes(b"".join(USUAL * 500))
    taken = []

    def steps():
        for number in range(1 << 20):
            taken.append(number)
            if fails and number == 2:
                raise ValueError("the objects are odd")
            yield

    options = ReadOptions(format="hubble-json")
    with Gathered([str(path)]) as gathered, ExitStack() as raised:
        if fails:
            raised.enter_context(pytest.raises(ValueError, match="objects are odd"))
        outcome = run(gathered, options, meanwhile=steps)
        assert outcome.tally.records == 500 * len(USUAL)
        assert not outcome.problems
    assert taken == [*range(3 if fails else len(small))]


@pytest.mark.usefixtures("small")
@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="descriptors are not told of here")
def test_a_reader_that_is_given_up_lets_go_of_the_file(tmp_path):
    """The thread has a descriptor of its own, which no program gets that is begun meanwhile."""
    path = tmp_path / "flows.jsonl"
    path.write_bytes(b"".join(USUAL * 500))
    tally = Tally()
    parser = HubbleJson()

    def descriptors():
        links = Path("/proc/self/fd").iterdir()
        return [int(link.name) for link in links if os.path.realpath(link) == str(path)]

    with path.open("rb") as file:
        read = parser.read_file(file, 0, None, lambda: tally.sink(parser.name, "flows.jsonl"), bool)
        assert next(iter(read)).newlines
        assert len(descriptors()) == 2
        assert not any(map(os.get_inheritable, descriptors()))
        read.close()
        assert descriptors() == [file.fileno()]
