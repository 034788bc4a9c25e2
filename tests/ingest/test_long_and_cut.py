"""Lines that hide others: one too long for the head, objects without a line end, wrappers that were cut in a text."""

import json
import sys
from pathlib import Path

import pytest

from flowdiag.analysis import EvidenceOptions, analyze
from flowdiag.cli.main import _run
from flowdiag.model.errors import InputError

FIXTURES = Path(__file__).resolve().parents[2] / "fixtures" / "incidents"
FLOWS = (FIXTURES / "default-deny-egress" / "hubble" / "events.jsonl").read_bytes().splitlines(keepends=True)
TEXT = (
    (FIXTURES / "five-tellings" / "weave" / "node-a" / "weave-npc.log").read_bytes().splitlines(keepends=True)
)
LINES = {"jsonl": FLOWS[600:640], "log": TEXT[:40]}
POD = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a", "namespace": "b"}}


def wrapped(line):
    """As a collector writes it."""
    beside = {"kubernetes": {"pod_name": "weave-net-x", "namespace_name": "kube-system", "host": "node-a"}}
    return json.dumps(beside | {"log": line.decode().rstrip()}).encode() + b"\n"


def report_of(tmp_path, data, name="input.log", **options):
    (tmp_path / name).write_bytes(data)
    return analyze([str(tmp_path / name)], evidence=EvidenceOptions(**options))


@pytest.mark.parametrize("ending", LINES)
@pytest.mark.parametrize("size", [70_000, 3_000_000])
@pytest.mark.parametrize("only_denied", [False, True])
def test_a_first_line_longer_than_the_head_hides_nobody_s_format(tmp_path, ending, size, only_denied):
    """The other lines tell whose it is, and are read as without it; its own line is counted."""
    plain = report_of(tmp_path, b"".join(LINES[ending]), only_denied=only_denied)
    found = report_of(tmp_path, b"X" * size + b"\n" + b"".join(LINES[ending]), only_denied=only_denied)

    # With --only denied nothing is skipped that the first lines do not say how to skip.
    assert found.totals.denied == plain.totals.denied > 0
    assert only_denied or found.totals == plain.totals
    assert found.problems[0].evidence[0].line == plain.problems[0].evidence[0].line + 1


def test_a_file_of_one_long_line_stays_nobody_s(tmp_path):
    """Nothing is made up of it."""
    (tmp_path / "x.log").write_bytes(b"X" * 200_000 + b"\nlunch\n")
    (tmp_path / "y.log").write_bytes(b"".join(TEXT))

    report = analyze([str(tmp_path)])

    assert [one.code for one in report.warnings] == ["unknown-format"]


@pytest.mark.parametrize("ending", LINES)
@pytest.mark.parametrize("pods", [1, 2000])
def test_objects_of_one_line_without_a_line_end_are_read_beside_the_records_behind_them(
    tmp_path, ending, pods
):
    """``printf %s "$(kubectl get -o json ...)"`` and a log in one file: both kinds are read."""
    objects = json.dumps(
        {
            "apiVersion": "v1",
            "kind": "List",
            "items": [POD | {"metadata": {"name": f"a-{n}", "namespace": "b"}} for n in range(pods)],
        }
    ).encode()
    report = report_of(tmp_path, objects + b"".join(LINES[ending]))
    plain = report_of(tmp_path, b"".join(LINES[ending]))

    assert report.totals == plain.totals
    assert sorted(one.path.rpartition("!")[2] == "objects" for one in report.inputs) == [False, True]
    assert report.complete
    assert report.problems[0].evidence[0].line == plain.problems[0].evidence[0].line


CUT = {
    "in a text": lambda line: line,
    "among its like": wrapped,
}


@pytest.mark.parametrize("others", CUT)
@pytest.mark.parametrize("glued", [False, True])
@pytest.mark.parametrize("at", [40, 130])
def test_a_wrapper_that_was_cut_is_a_warning_with_its_line(tmp_path, others, glued, at):
    """Wherever it was cut, and though the next record stands right behind it."""
    if glued and others == "in a text":
        pytest.skip("the collector's next line is an object too")
    as_written = CUT[others]
    end = b"" if glued else b"\n"
    before, after = [as_written(line) for line in TEXT[:20]], [as_written(line) for line in TEXT[21:40]]
    report = report_of(tmp_path, b"".join([*before, wrapped(TEXT[20])[:at] + end, *after]))

    assert report.totals.records == 39
    assert not report.complete
    assert [one.line for one in report.warnings] == [21]


def test_objects_beside_a_text_that_are_whole_are_nobody_s_damage(tmp_path):
    """One line or several, with braces in their texts."""
    whole = [
        b'{"level":"info","msg":"a {\\"b\\": 1}"}\n',
        b'{"a": 1,\n',
        b' "b": 2}\n',
        b'{"a":[{"b":1},{"c":2}]}\n',
    ]
    report = report_of(tmp_path, b"".join([*TEXT[:20], *whole, *TEXT[20:40]]))

    assert (report.totals.records, report.complete, report.warnings) == (40, True, ())


def test_events_tell_of_a_cut_wrapper_too(tmp_path, capfd):
    """The same warning in the stream of events."""
    (tmp_path / "in.log").write_bytes(b"".join([*TEXT[:20], wrapped(TEXT[20])[:40] + b"\n", *TEXT[21:40]]))

    assert _run(["events", str(tmp_path / "in.log")], "flowdiag") == 0
    sys.stdout.flush()
    events = [json.loads(line) for line in capfd.readouterr().out.splitlines()]
    assert [(one["line"], one["code"]) for one in events if one["type"] == "warning"] == [
        (21, "malformed-line")
    ]
    assert len(events) == 40


def cri(lines):
    """As a container runtime writes lines: what is long in pieces of 16 KiB."""
    for second, line in enumerate(lines):
        stamp = b"2026-05-19T14:02:%02d.000000000Z stderr " % (second % 60)
        pieces = [line[at : at + 16_384] for at in range(0, len(line), 16_384)]
        yield from (stamp + b"P " + piece for piece in pieces[:-1])
        yield stamp + b"F " + pieces[-1]


def docker(lines):
    """As Docker's json-file driver does."""
    for second, line in enumerate(lines):
        pieces = [line[at : at + 16_384] for at in range(0, len(line), 16_384)]
        pieces[-1] += b"\n"
        for piece in pieces:
            beside = {"stream": "stderr", "time": f"2026-05-19T14:02:{second % 60:02}.000000000Z"}
            yield json.dumps({"log": piece.decode()} | beside).encode()


def table(lines):
    """As a table with a cell over many lines."""
    yield b'"@timestamp","@message"'
    for line in lines:
        cell = b"\n".join(line[at : at + 16_384] for at in range(0, len(line), 16_384))
        yield b'"2026-05-19 14:02:00.000","' + cell + b'"'


@pytest.mark.parametrize("way", [{}, {"only_denied": True}], ids=["all", "denied"])
@pytest.mark.parametrize("place", [0, 20, 40])
@pytest.mark.parametrize("written", [list, cri, docker, table])
def test_a_line_over_the_bound_is_a_warning_in_whatever_pieces_it_came(tmp_path, written, place, way):
    """It loses its end, which is said with its number; what stands around it is read."""
    if written is table and place == 0:
        pytest.skip("a first cell of many lines tells nobody's format; the file is named then")
    lines = [line.rstrip() for line in TEXT[:40]]
    lines[place:place] = [b"X" * 1_500_000]
    report = report_of(tmp_path, b"\n".join(written(lines)) + b"\n", **way)

    behind_head = written is table
    assert [(one.code, one.line) for one in report.warnings if one.code == "line-too-long"] == [
        ("line-too-long", place + 1 + behind_head)
    ]
    assert (report.totals.records, report.totals.denied) == (40, 20)


def test_a_record_in_pieces_over_the_bound_is_read_up_to_it(tmp_path):
    """The record itself stood at its beginning."""
    lines = [line.rstrip() for line in TEXT[:40]]
    lines[20] += b" " + b"y" * 1_500_000
    report = report_of(tmp_path, b"\n".join(cri(lines)) + b"\n")

    assert [(one.code, one.line) for one in report.warnings] == [("line-too-long", 21)]
    assert report.totals.records == 40


def test_a_blank_line_that_fills_the_head_is_no_empty_file(tmp_path):
    """The records behind it are read."""
    report = report_of(tmp_path, b" " * 1_500_000 + b"\n" + b"".join(TEXT[:40]))

    assert report.totals.records == 40
    assert [(one.code, one.line) for one in report.warnings] == [("line-too-long", 1)]


def test_only_denied_skips_behind_a_first_line_without_records(tmp_path):
    """What may be skipped is asked of the lines behind it, so that allowed flows stay unread."""
    plain = report_of(tmp_path, b"".join(FLOWS[600:640]), "a.jsonl", only_denied=True)
    behind = report_of(
        tmp_path, b"X" * 3_000_000 + b"\n" + b"".join(FLOWS[600:640]), "b.jsonl", only_denied=True
    )

    assert behind.totals == plain.totals
    assert plain.totals.records < 40


def otlp(lines):
    """A batch as the file exporter of OpenTelemetry's collector writes it."""
    records = [
        {"timeUnixNano": "1773756193000000000", "body": {"stringValue": line.decode().rstrip()}}
        for line in lines
    ]
    return {"resourceLogs": [{"scopeLogs": [{"logRecords": records}]}]}


def loki(lines):
    """A batch as it is pushed to Loki."""
    values = [["1773756193000000000", line.decode().rstrip()] for line in lines]
    return {"streams": [{"stream": {"app": "cilium"}, "values": values}]}


@pytest.mark.parametrize("batch", [otlp, loki])
@pytest.mark.parametrize("copies", [4, 60], ids=["a head", "a line's bound"])
@pytest.mark.parametrize("only_denied", [False, True])
def test_a_batch_of_records_may_be_longer_than_a_line(tmp_path, batch, copies, only_denied):
    """Collectors send thousands of records at once: a line of megabytes, the first one too."""
    lines = LINES["jsonl"] * copies
    plain = report_of(tmp_path, b"".join(lines * 2), "plain.jsonl", only_denied=only_denied)
    text = json.dumps(batch(lines)).encode() + b"\n"
    assert len(text) > (1 << 20 if copies > 4 else 1 << 16)

    found = report_of(tmp_path, text * 2, "batches.jsonl", only_denied=only_denied)

    assert found.warnings == plain.warnings
    assert found.totals == plain.totals
    assert found.totals.denied > 0


def test_nothing_usable_is_said_alike_with_several_processes(tmp_path):
    """And is no internal error."""
    (tmp_path / "x.log").write_bytes(b"lunch\n" * 10)

    with pytest.raises(InputError, match="nothing usable"):
        analyze([str(tmp_path / "x.log")], evidence=EvidenceOptions(processes=2))


ACL = (
    '2026-01-05T16:28:5{}.139Z|00004|acl_log(ovn_pinctrl0)|INFO|name="NP:shop:Ingress", verdict=drop, severity=alert, '
    "direction=to-lport: tcp,vlan_tci=0x0000,nw_src=10.131.0.39,nw_dst=10.129.2.35,nw_ttl=62,tp_src=58496,tp_dst=8080,"
    "tcp_flags=syn"
)
BPF = (
    "            curl-5288    [000] ..s2.  305{}.982021: bpf_trace_printk: cali43878a68a0a-E: policy DENIED proto 6 "
    "src 10.0.1.5:56042 dest 192.0.2.12:8080 "
)
ULOG = (
    "Jan  5 16:23:1{} worker-1  IN=cni0 OUT=cni0 MAC=a6:7c:4a:a7:8e:7c:06:15:37:ba:07:a9:08:00 SRC=10.42.0.9 "
    "DST=10.42.0.10 LEN=60 TOS=00 PREC=0x00 TTL=64 ID=18210 DF PROTO=TCP SPT=35218 DPT=8080 WINDOW=62377 SYN URGP=0 "
)
STAMP = "2026-01-05T16:28:54.200000000Z"


def docker_line(text):
    return json.dumps({"log": text, "stream": "stdout", "time": STAMP}) + "\n"


ENDINGS = {
    "nothing around": lambda whole, cut: whole + "\n" + cut,
    "cri": lambda whole, cut: f"{STAMP} stdout F {whole}\n{STAMP} stdout F {cut}",
    "cri behind a foreign line": lambda whole, cut: (
        f"no wrapper\n{STAMP} stdout F {whole}\n{STAMP} stdout F {whole}\n{STAMP} stdout F {cut}"
    ),
    "cri in parts": lambda whole, cut: f"{STAMP} stdout F {whole}\n{STAMP} stdout P {cut}\n",
    "docker": lambda whole, cut: docker_line(whole + "\n") + docker_line(cut),
    "kubectl behind a foreign line": lambda whole, cut: (
        f"no wrapper\n[pod/a/b] {whole}\n[pod/a/b] {whole}\n[pod/a/b] {cut}"
    ),
    "journal": lambda whole, cut: (
        f"__REALTIME_TIMESTAMP=1767630534000000\nMESSAGE={whole}\n\n__REALTIME_TIMESTAMP=1767630534000000\nMESSAGE={cut}"
    ),
    "dump": lambda whole, cut: (
        f"==== START logs for container a of pod b/c ====\n{whole}\n==== END logs for container a of pod b/c ====\n"
        f"==== START logs for container d of pod b/c ====\n{whole}\n{cut}"
    ),
    "table": lambda whole, cut: (
        '"@timestamp","@message"\n2026-01-05 16:28:54.200,"{}"\n2026-01-05 16:28:54.200,"{}'.format(
            whole.replace('"', '""'), cut.replace('"', '""')
        )
    ),
}


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize(("line", "behind"), [(ACL, "tp_dst="), (BPF, "192.0.2.12:"), (ULOG, "DPT=")])
def test_no_port_is_read_of_a_last_line_that_was_cut_in_it(tmp_path, line, behind, ending):
    """Not inside wrappers either: 80 of 8080 would accuse another port."""
    cut = line.format(5).partition(behind)[0] + behind + "80"
    (tmp_path / "in.log").write_text(ENDINGS[ending](line.format(4), cut))

    report = analyze([str(tmp_path / "in.log")], evidence=EvidenceOptions(year=2026))

    ports = {one.port for problem in report.problems for one in problem.connections}
    assert 8080 in ports
    assert 80 not in ports


@pytest.mark.parametrize("line", [ACL, BPF, ULOG])
def test_a_last_line_in_an_object_that_closes_is_whole(tmp_path, line):
    """Though no newline stands behind the object."""
    lines = docker_line(line.format(4) + "\n") + docker_line(line.format(5) + "\n")
    (tmp_path / "in.log").write_text(lines.rstrip("\n"))

    report = analyze([str(tmp_path / "in.log")], evidence=EvidenceOptions(year=2026))

    assert {one.port for problem in report.problems for one in problem.connections} == {8080}
    assert report.totals.denied == 2
