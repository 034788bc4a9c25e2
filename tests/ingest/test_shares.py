"""Worker processes share an input out: lines keep their numbers, and a worker's death costs no record."""

from __future__ import annotations

import io
import os
import signal
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowdiag.ingest import Detection, Gathered, InputKind, ReadOptions, parts, shares, worker
from flowdiag.ingest.execute import run
from flowdiag.ingest.fold import fold_into
from flowdiag.ingest.parts import Part, parts_of, settled, shared_part_bytes
from flowdiag.ingest.share_facts import ShareFacts
from flowdiag.tally import Tally

LINE = (
    '{"flow":{"time":"2026-04-01T10:00:%02d.000000000Z","verdict":"DROPPED","drop_reason_desc":"POLICY_DENIED",'
    '"IP":{"source":"10.1.0.%d","destination":"10.2.0.1"},"l4":{"TCP":{"destination_port":%d}},'
    '"source":{"namespace":"shop","pod_name":"web-%d"},"destination":{"namespace":"shop","pod_name":"db"},'
    '"node_name":"n1","event_type":{"type":1},"traffic_direction":"EGRESS"},"node_name":"n1"}\n'
)


def export(path: Path) -> Path:
    """Refusals, each with lines that can be read by nobody between."""
    lines = [LINE % (n % 60, n % 200, 1000 + n % 50, n % 200) for n in range(1500)]
    lines[700] = "no JSON\n"
    lines[1400] = "\n"
    path.write_text("".join(lines))
    return path


def said(path: Path, processes: int) -> tuple:
    """What flows, their examples' lines and warnings say."""
    with Gathered([str(path)]) as gathered:
        outcome = run(gathered, ReadOptions(processes=processes), part_bytes=40_000)
    tally = outcome.tally
    return (
        tally.flows(),
        [(one.event.line, one.event.code) for one in tally.warnings],
        tally.inputs,
        outcome.problems,
    )


def test_lines_of_shared_parts_keep_their_numbers(tmp_path):
    """Nobody counts ahead of the workers, and yet examples and warnings stand where they stood."""
    path = export(tmp_path / "flows.jsonl")

    alone = said(path, 1)

    assert alone == said(path, 2) == said(path, 3)
    assert alone[1] == [(701, "malformed-json")]
    assert max(example.line for flow in alone[0] for example in flow.examples) > 500


def test_a_year_of_no_clock_costs_nothing_but_the_time(tmp_path):
    """Of flows as of warnings, in this process and in others; nanoseconds of such years do not fit in 64 bits."""
    stamp = "9023-11-02T16:28:54.139Z|00004|acl_log(ovn_pinctrl0)|INFO|"
    packet = (
        'name="NP:shop:Ingress", verdict=drop: tcp,nw_src=10.1.0.1,nw_dst=10.2.0.1,tp_src=41022,tp_dst=8080\n'
    )
    path = tmp_path / "ovn.log"
    path.write_text(f"{stamp}{packet}{stamp}cut off\n{stamp}cut off\n")

    flows, warnings, _, _ = alone = said(path, 1)

    assert alone == said(path, 2)
    assert [(flow.count, flow.first, flow.last) for flow in flows] == [(1, None, None)]
    assert warnings == [(2, "truncated"), (3, "truncated")]


def killed(monkeypatch, *deaths: int) -> list[list]:
    """Workers die at the parts with these numbers, once for each time that it is given; all jobs that were done."""
    jobs: list[list] = []
    left = list(deaths)
    work = shares._Team.work

    def watched(team, given, meanwhile=None):
        jobs.append([None if job is None else list(job) for job in given])
        monkeypatch.setenv("FLOWDIAG_TEST_DIES_AT", ",".join(map(str, left)))
        died = work(team, given, meanwhile)
        for part in died:
            left.remove(part)
        return died

    monkeypatch.setattr(shares._Team, "work", watched)
    monkeypatch.setattr(shares, "_begin", dying_worker)
    return jobs


def dying_worker(environment, path, parts, *rest):
    """As `work`, in a process that is killed where it begins with one of some parts."""
    deadly = {int(number) for number in environment["FLOWDIAG_TEST_DIES_AT"].split(",") if number}
    fold = worker._fold

    def folded(part, number, *more):
        if number in deadly:
            os.kill(os.getpid(), signal.SIGKILL)
        fold(part, number, *more)

    worker._fold = folded
    worker.work(environment, path, parts, *rest)


def test_a_killed_worker_costs_no_record(tmp_path, monkeypatch):
    """Only what was its share is read again, the part that it was at by itself."""
    path = export(tmp_path / "flows.jsonl")
    alone = said(path, 1)
    jobs = killed(monkeypatch, 5)

    assert said(path, 2) == alone
    assert jobs[:2] == [[None, None], [[5]]]
    # Parts are taken in order: the dead one had some of the first six, and the other all behind them.
    assert sum(len(job) for later in jobs[1:] for job in later) <= 6 < path.stat().st_size // 40_000


def test_a_part_that_kills_whoever_reads_it_is_the_only_one_lost(tmp_path, monkeypatch):
    """It is named by its lines, and those behind it keep theirs."""
    path = export(tmp_path / "flows.jsonl")
    alone = said(path, 1)
    killed(monkeypatch, 3, 3)
    found = said(path, 2)

    (problem,) = found[3]
    assert problem.code == "worker-failed"
    assert problem.message == f"lines {problem.line} and on were not read: its worker process died (signal 9)"
    assert 0 < problem.line < 701
    assert found[1] == alone[1]
    assert 0 < sum(flow.count for flow in alone[0]) - sum(flow.count for flow in found[0]) < 150


def test_workers_that_never_start_are_said(tmp_path, monkeypatch):
    """Nothing is read, each part says so, and it ends."""
    path = export(tmp_path / "flows.jsonl")
    monkeypatch.setattr(shares, "_begin", never_begins)
    flows, _, _, problems = said(path, 2)

    assert flows == ()
    assert {problem.message.rpartition(": ")[2] for problem in problems} == {
        "its worker process died (status 3)"
    }
    assert problems[0].line == 1


def never_begins(*_):
    """A worker that leaves at once."""
    os._exit(3)


COMPACT = "Feb  7 13:43:%02d.791: shop/web-%d:5%04d (ID:7) <> shop/api-1:80 (ID:8) Policy denied DROPPED (TCP Flags: SYN)"
DICT = (
    "  TIMESTAMP: Feb  7 13:43:%02d.791\n     SOURCE: shop/web-%d:5%04d\nDESTINATION: shop/api-1:80\n"
    "       TYPE: Policy denied\n    VERDICT: DROPPED\n    SUMMARY: TCP Flags: SYN\n------------"
)
records = st.one_of(
    st.builds(
        lambda second, pod, port: (second, pod, port),
        st.integers(0, 59),
        st.integers(0, 5),
        st.integers(0, 9999),
    ),
    st.sampled_from(["", "what is this", "x" * 300]),
)


@st.composite
def inputs(draw):
    """A file's bytes and who reads it: records of one line or several, odd lines, any line end, a mark in front."""
    parser, form = draw(st.sampled_from([("hubble-compact", COMPACT), ("hubble-dict", DICT)]))
    texts = [
        one if isinstance(one, str) else form % one
        for one in draw(st.lists(records, min_size=1, max_size=30))
    ]
    end = draw(st.sampled_from(["\n", "\r\n"]))
    data = end.join("\n".join(texts).split("\n")).encode() + draw(st.sampled_from([b"", end.encode()]))
    return parser, draw(st.sampled_from([b"", b"\xef\xbb\xbf"])) + data


def parts_in(folder: Path, given_inputs: list[tuple[str, bytes]], part_bytes: int) -> list[Part]:
    """All loose parts of files with these contents."""
    found: list[Part] = []
    for number, (parser, data) in enumerate(given_inputs):
        path = folder / f"{number}.log"
        path.write_bytes(data)
        with Gathered([str(path)]) as gathered:
            (source,) = gathered.sources
        one = Detection(source=source, kind=InputKind.EVIDENCE, parser=parser)
        found += parts_of(one, ReadOptions(year=2026), part_bytes, loose=True)
    return found


@given(one=inputs(), part_bytes=st.integers(1, 400))
@settings(max_examples=150, deadline=None)
def test_loose_parts_share_out_every_byte_once(one, part_bytes, tmp_path_factory):
    """Settled, the parts of a file follow each other without gap or overlap, each from where a record begins."""
    parser, data = one
    parts = parts_in(tmp_path_factory.mktemp("loose"), [one], part_bytes)
    mark = 3 if data.startswith(b"\xef\xbb\xbf") else 0
    ends = [(part.start, part.end) for part in map(settled, parts) if part is not None]
    if not parts:
        assert not data[mark:].strip()
        return
    if not parts[0].loose:
        assert ends == [(0, None)]
        return
    starts = [start for start, _ in ends]

    assert starts[0] == mark
    assert [end for _, end in ends] == [*starts[1:], None]
    if parser == "hubble-dict":
        assert all(data[start:].lstrip().startswith(b"TIMESTAMP: ") for start in starts[1:])
    else:
        assert all(data[start - 1 : start] == b"\n" for start in starts[1:])


def test_a_line_through_many_parts_is_looked_through_once(tmp_path, monkeypatch):
    """Only the part that it begins in looks for its end; the others see at their own end that nothing begins in them."""
    long = 64 << 20
    data = b"a\n" + b"x" * long + b"\nb\n"
    (tmp_path / "0.log").write_bytes(data)
    with Gathered([str(tmp_path / "0.log")]) as gathered:
        (source,) = gathered.sources
    one = Detection(source=source, kind=InputKind.EVIDENCE, parser="hubble-compact")
    cut = list(parts_of(one, ReadOptions(year=2026), 4 << 20, loose=True))
    read = []

    class Counting(io.BufferedReader):
        def readline(self, size=-1, /):
            line = super().readline(size)
            read.append(len(line))
            return line

    monkeypatch.setattr(parts, "open_raw", lambda path, **_: Counting(io.FileIO(path)))
    found = [part for part in map(settled, cut) if part is not None]

    assert [(part.start, part.end) for part in found] == [(0, len(data) - 2), (len(data) - 2, None)]
    assert sum(read) < 3 * long


@given(data=st.data())
@settings(max_examples=150, deadline=None)
def test_shares_are_one_reading(data, tmp_path_factory):
    """Whoever folds which part, in whatever order: the lines of examples, warnings and problems are those of the files."""
    files = data.draw(st.lists(inputs(), min_size=1, max_size=3))
    folder = tmp_path_factory.mktemp("shares")
    parts = parts_in(folder, files, data.draw(st.integers(1, 2000)))
    workers = data.draw(st.integers(1, 4))
    owners = [data.draw(st.integers(0, workers - 1)) for _ in parts]
    folded = []
    for owner in range(workers):
        tally, facts = Tally(), ShareFacts([], {})
        for number, part in enumerate(parts):
            if owners[number] == owner:
                worker._fold(part, number, tally, facts)
        folded.append(folder / str(owner))
        worker._send(folded[-1], tally, facts)
    team = shares._Team(parts, folder, None)
    for path in data.draw(st.permutations(folded)):
        team._take(path)
    shared, shared_problems, lost = team.outcome({})
    whole, problems = Tally(), []
    for part in parts_in(folder, files, 1 << 30):
        fold_into(whole, part, problems)

    assert shared.flows() == whole.flows()
    assert shared.inputs == whole.inputs
    assert shared.warning_counts == whole.warning_counts
    assert [(one.input, one.event) for one in shared.warnings] == [
        (one.input, one.event) for one in whole.warnings
    ]
    assert sorted(shared_problems, key=repr) == sorted(problems, key=repr)
    assert not lost


@pytest.mark.parametrize("micros", ["9" * 20, "9" * 5000])
def test_a_journal_of_no_clock_costs_nothing_but_the_time(tmp_path, micros):
    """The packet is counted without a time, and the run goes on."""
    message = (
        "calico-packet: IN=cali58c64a0c8be OUT=eth0 MAC=ee:ee:ee:ee:ee:ee SRC=10.0.0.1 DST=192.0.2.1 LEN=60 TOS=0x00 "
        "PREC=0x00 TTL=63 ID=1 DF PROTO=TCP SPT=30000 DPT=443 WINDOW=64240 RES=0x00 SYN URGP=0"
    )
    line = f'{{"__REALTIME_TIMESTAMP":"{micros}","_HOSTNAME":"n","MESSAGE":"{message}"}}\n'
    (tmp_path / "journal.json").write_text(line * 2)
    for form in (None, "netfilter"):
        with Gathered([str(tmp_path)]) as gathered:
            outcome = run(gathered, ReadOptions(format=form, processes=1))

        assert outcome.tally.records == 2
        assert {problem.code for problem in outcome.problems} <= {"ambiguous-format"}


def test_parts_for_other_machines_grow_with_the_whole():
    """Small ones are not cut finer than a worker's start is worth, large ones not so coarse that one is lost dearly."""
    gigabyte = 1 << 30
    assert [shared_part_bytes(total) >> 20 for total in (0, gigabyte, 64 * gigabyte, 1024 * gigabyte)] == [
        64,
        64,
        256,
        512,
    ]
