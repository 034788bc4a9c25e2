"""NUL bytes between records: as line ends, between joined logs, and as the page that a crashed node leaves; and other line ends."""

import json
import sys
from pathlib import Path

import pytest

from flowdiag.analysis import EvidenceOptions, analyze
from flowdiag.cli.main import _run
from flowdiag.ingest import ReadOptions
from flowdiag.ingest.envelopes import Rows
from flowdiag.ingest.follow import Follower
from flowdiag.ingest.nuls import without_nuls

INCIDENTS = Path(__file__).resolve().parents[2] / "fixtures" / "incidents"
LINES = {
    "hubble": (INCIDENTS / "default-deny-egress" / "hubble" / "events.jsonl")
    .read_bytes()
    .splitlines()[600:640],
    "weave": (INCIDENTS / "five-tellings" / "weave" / "node-a" / "weave-npc.log")
    .read_bytes()
    .splitlines()[:40],
}


def report_of(tmp_path, data, **options):
    path = tmp_path / "in.log"
    path.write_bytes(data)
    return analyze([str(path)], evidence=EvidenceOptions(**options))


WRITTEN = {
    "as line ends": lambda lines: b"\0".join(lines) + b"\0",
    "carriage returns for them": lambda lines: b"\r".join(lines) + b"\r",
    "carriage returns beside them": lambda lines: b"\r\n".join(lines) + b"\r\n",
    "a byte order mark before each of two files": lambda lines: b"".join(
        b"\xef\xbb\xbf" + b"".join(line + b"\n" for line in part) for part in (lines[:9], lines[9:])
    ),
    "two byte order marks": lambda lines: b"\xef\xbb\xbf" * 2 + b"".join(line + b"\n" for line in lines),
    "before line ends": lambda lines: b"".join(line + b"\0\n" for line in lines),
    "between two records": lambda lines: b"\n".join([*lines[:5], lines[5] + b"\0" + lines[6], *lines[7:]]),
    "a page at the beginning": lambda lines: b"\0" * 4096 + b"\n".join(lines),
    "a page before a record": lambda lines: b"\n".join([*lines[:5], b"\0" * 4096 + lines[5], *lines[6:]]),
    "a page at the end": lambda lines: b"\n".join(lines) + b"\n" + b"\0" * 4096,
}


@pytest.mark.parametrize("only_denied", [False, True])
@pytest.mark.parametrize("written", WRITTEN)
@pytest.mark.parametrize("name", LINES)
def test_every_record_beside_a_nul_is_read(tmp_path, name, written, only_denied):
    """All of them, as without NULs, and nothing is damaged."""
    plain = report_of(tmp_path, b"\n".join(LINES[name]) + b"\n", only_denied=only_denied)
    found = report_of(tmp_path, WRITTEN[written](LINES[name]), only_denied=only_denied)

    assert found.totals == plain.totals
    assert (found.complete, found.warnings) == (True, ())


@pytest.mark.parametrize("parser", ["antrea-np-log", "aws-vpc-flow", "calico-rules"])
def test_a_byte_order_mark_hides_no_record(tmp_path, parser):
    """Of a file that was joined behind another, where the format's records begin with their line."""
    folder = next(path for path in sorted((INCIDENTS.parent / "parsers" / parser).iterdir()) if path.is_dir())
    (path,) = folder.glob("input.*")
    data = path.read_bytes().rstrip(b"\n") + b"\n"
    mark = b"\xef\xbb\xbf"

    assert report_of(tmp_path, mark + data + mark + data).totals == report_of(tmp_path, data + data).totals


@pytest.mark.parametrize(
    "lines",
    [
        ["version srcaddr dstaddr action start", "5 10.0.1.28 203.0.113.7 REJECT 1767607200"],
        [LINES["hubble"][0].decode()],
        [
            "  TIMESTAMP: Mar 17 14:09:41.852",
            "     SOURCE: shop/web:50110",
            "DESTINATION: shop/api:8080",
            "       TYPE: policy-verdict:none EGRESS",
            "    VERDICT: DENIED",
            "    SUMMARY: TCP Flags: SYN",
        ],
    ],
)
def test_a_page_before_the_only_line_that_tells_the_format(tmp_path, lines):
    """A header, the one record there is, a record of several lines."""
    data = "\n".join(lines).encode() + b"\n"
    plain = report_of(tmp_path, data)

    assert plain.totals.records == 1
    assert report_of(tmp_path, b"\0" * 512 + data).totals == plain.totals


@pytest.mark.parametrize("name", LINES)
def test_the_journal_s_own_export_keeps_its_lengths(tmp_path, name):
    """A message with colours or several lines has its length in front, in eight bytes that are mostly NULs."""
    plain = report_of(tmp_path, b"\n".join(LINES[name]) + b"\n")
    data = b"".join(
        b"__CURSOR=s=1;i=%d\n_HOSTNAME=node-1\nMESSAGE\n" % at
        + len(line).to_bytes(8, "little")
        + line
        + b"\nPRIORITY=6\n\n"
        for at, line in enumerate(LINES[name])
    )

    assert report_of(tmp_path, data).totals == plain.totals

    follower = Follower("-", ReadOptions())
    blocks = [*follower.feed(data), *follower.end()]
    assert b"".join(block.data for block in blocks) == b"\n".join(LINES[name]) + b"\n"


def test_a_record_that_ends_in_nul_counts_as_a_line(tmp_path, capfd):
    """So that evidence can be found again."""
    (tmp_path / "in.log").write_bytes(b"\0".join(LINES["weave"]))

    assert _run(["events", str(tmp_path / "in.log")], "flowdiag") == 0
    sys.stdout.flush()
    assert [json.loads(line)["line"] for line in capfd.readouterr().out.splitlines()] == [*range(1, 41)]


def test_what_a_crash_cut_off_is_a_warning_and_the_next_record_is_read(tmp_path):
    """Both have the line's number."""
    lines = LINES["weave"]
    report = report_of(
        tmp_path, b"\n".join([*lines[:5], lines[5][:50] + b"\0" * 4096 + lines[6], *lines[7:]])
    )

    assert report.totals.records == 39
    assert [(one.code, one.line) for one in report.warnings] == [("truncated", 6)]


def test_large_files_of_records_that_end_in_nul_are_not_cut_into_parts(tmp_path):
    """Each record is counted once, also with several processes."""
    data = b"\0".join(LINES["hubble"] * 30)
    one = report_of(tmp_path, data)

    assert one.totals.records == 1200
    assert report_of(tmp_path, data, processes=2).totals == one.totals


def test_pieces_of_a_line_keep_its_number():
    """And the lines around it theirs."""
    rows = without_nuls(Rows(data=b"a\nb\0\0c\nd\0\n\0e\n", lines=range(7, 11)))

    assert (rows.data, list(rows.lines)) == (b"a\nb\nc\nd\ne\n", [7, 8, 8, 9, 10])


@pytest.mark.parametrize("end", [b"\0", b"\n", b"\r", b"\r\n"])
def test_a_followed_stream_is_read_so_too(end):
    """Whatever pieces it comes in."""
    follower = Follower("-", ReadOptions())
    data = end.join([*LINES["weave"][:5], LINES["weave"][5] + b"\0" + LINES["weave"][6], *LINES["weave"][7:]])
    blocks = [block for at in range(0, len(data), 700) for block in follower.feed(data[at : at + 700])]
    blocks += follower.end()
    events = [event for block in blocks for event in follower.parser.parse(block, follower.context)]

    assert len(events) == 40
    assert not follower.problems
